package exporterbase

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"go.opentelemetry.io/collector/exporter/exporterhelper/xexporterhelper"
)

// Append appends the stored form of parts: the version, and for each part its key, time and items.
func (f *Form[P, I]) Append(dst []byte, parts []Part[P, I]) []byte {
	dst = append(dst, f.Version)
	for i := range parts {
		p := &parts[i]
		dst = f.Keys.Append(dst, p.Key)
		dst = binary.AppendVarint(dst, p.First.Unix())
		dst = binary.AppendUvarint(dst, uint64(len(p.Items)))
		for _, item := range p.Items {
			dst = f.Items.Append(dst, item)
		}
	}
	return dst
}

// Parts reads what Append wrote. It fails on anything else. Items may be parts of a copy of stored.
func (f *Form[P, I]) Parts(stored []byte) ([]Part[P, I], error) {
	r, err := f.request(stored)
	if err != nil {
		return nil, err
	}
	return r.parts, nil
}

func (f *Form[P, I]) request(stored []byte) (*request[P, I], error) {
	if len(stored) < 2 || stored[0] != f.Version {
		return nil, errors.New("stored request: not of this version")
	}
	r := Reader{rest: string(stored[1:])}
	req := &request[P, I]{form: f}
	for r.rest != "" && r.err == nil {
		key := f.Keys.Read(&r)
		first := time.Unix(r.Varint(), 0).UTC()
		n := r.uvarint()
		i := req.part(key, first)
		for ; n > 0 && r.err == nil; n-- {
			if item := f.Items.Read(&r); r.err == nil {
				req.add(i, item)
			}
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	return req, nil
}

// encoding is the form of requests in a persistent queue.
type encoding[P comparable, I any] struct {
	form *Form[P, I]
	room int // of the requests that are read
	// older reads what an earlier version of the exporter stored; nil where there was none.
	older func(stored []byte) (xexporterhelper.Request, error)
}

// Marshal never fails. The context holds nothing that outlives a restart.
func (e encoding[P, I]) Marshal(_ context.Context, r xexporterhelper.Request) ([]byte, error) {
	req := r.(*request[P, I])
	return e.form.Append(make([]byte, 0, req.memory()), req.parts), nil
}

// Unmarshal reads what Marshal wrote, or an earlier version of the exporter. It fails on anything else.
func (e encoding[P, I]) Unmarshal(stored []byte) (context.Context, xexporterhelper.Request, error) {
	ctx := context.Background()
	if e.older != nil && (len(stored) == 0 || stored[0] != e.form.Version) {
		req, err := e.older(stored)
		return ctx, req, err
	}
	req, err := e.form.request(stored)
	if err != nil {
		return ctx, nil, err
	}
	req.room = e.room
	return ctx, req, nil
}
