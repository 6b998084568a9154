package pipesyslogexporter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/siempipe/siempipe/internal/otelrecord"
	"github.com/siempipe/siempipe/internal/pipe"
	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/internal/source"
	"github.com/siempipe/siempipe/internal/syslog"
)

// sender is one connection, with an encoder and the buffers of what goes over it. One push has it at a time.
type sender struct {
	writer         *syslog.Writer
	header         *syslog.Header
	encoder        *pipe.Encoder
	shortener      *pipe.Encoder // for what a datagram turns out not to hold
	maxLength      int
	includeInvalid bool
	drop           bool // overflow: drop

	text   []byte // messages of one record, without headers
	ends   []int  // in text
	out    []byte // messages of the window, one after another
	window []message
	msgs   [][]byte // the messages as the writer wants them
	rec    record.Record
}

// message is one message of the window.
type message struct {
	end    int // in out
	record int // index in the batch
	last   bool
	result pipe.Result
}

// windowBytes is how much is encoded before it is written: enough that the wait for the peer's acknowledgment, one for each
// window, does not count, little enough that a batch of any size needs no more memory.
const windowBytes = 1 << 20

func newSender(c *Config, header *syslog.Header, writer syslog.WriterConfig) (*sender, error) {
	s := &sender{header: header, maxLength: c.MaxMessageLength, includeInvalid: c.IncludeInvalid, drop: c.Overflow == pipe.OverflowDrop}
	var err error
	if s.encoder, err = pipe.NewEncoder(c.encoder()); err != nil {
		return nil, err
	}
	shorten := c.encoder()
	shorten.Overflow = pipe.OverflowShorten
	if s.shortener, err = pipe.NewEncoder(shorten); err != nil {
		return nil, err
	}
	s.writer, err = syslog.NewWriter(writer)
	return s, err
}

// send sends records and sets done for each that was sent whole or cannot be sent at all. After an error those that are
// not done are to be sent again; of a record that was split, all parts.
func (s *sender) send(ctx context.Context, records []plog.LogRecord, done []bool, n *counts) error {
	s.reset()
	for i, lr := range records {
		if err := s.encode(lr, i, s.encoder, s.maxLength); err != nil {
			done[i] = true
			n.drop(err)
		}
		if len(s.out) >= windowBytes {
			if err := s.flush(ctx, records, done, n); err != nil {
				return err
			}
		}
	}
	return s.flush(ctx, records, done, n)
}

func (s *sender) reset() {
	if cap(s.out) > 2*windowBytes {
		s.out = nil
	}
	clear(s.msgs)
	s.out, s.window, s.msgs = s.out[:0], s.window[:0], s.msgs[:0]
}

// Reasons for which a record is not sent; values of the reason attribute, listed in metadata.yaml.
var (
	errInvalid = errors.New("invalid record, and include_invalid is false")
	errNotJSON = errors.New("body is not a JSON object; the siem processor belongs before this exporter")
)

// encode appends the messages of one record to the window, none longer than limit bytes with its header.
func (s *sender) encode(lr plog.LogRecord, index int, encoder *pipe.Encoder, limit int) error {
	rec := &s.rec
	if err := otelrecord.Read(lr, rec); err != nil {
		return fmt.Errorf("%w: %w", errNotJSON, err)
	}
	if rec.EventType == record.Invalid && !s.includeInvalid {
		return errInvalid
	}
	at := rec.EventTime()
	if at.IsZero() {
		at = time.Now()
	}
	start := len(s.out)
	s.out = s.header.Append(s.out, at, syslog.SeverityOf(rec.Severity))
	header := len(s.out) - start
	var result pipe.Result
	var err error
	s.text, s.ends, result, err = encoder.Append(s.text[:0], s.ends[:0], rec, limit-header)
	if err != nil && !errors.Is(err, pipe.ErrTooLong) && !errors.Is(err, pipe.ErrEmpty) {
		err = fmt.Errorf("%w: %w", errNotJSON, err)
		if s.includeInvalid { // a record that never saw the siem processor is invalid, too
			rec.Body = string(source.AppendInvalid(nil, rec.Body, rec.Format, err.Error(), at))
			rec.EventType, rec.Error = record.Invalid, err.Error()
			s.text, s.ends, result, err = encoder.Append(s.text[:0], s.ends[:0], rec, limit-header)
		}
	}
	if err != nil {
		s.out = s.out[:start]
		return err
	}
	from := 0
	for i, end := range s.ends {
		if i > 0 { // the header is the same for every part
			s.out = append(s.out, s.out[start:start+header]...)
		}
		s.out = append(s.out, s.text[from:end]...)
		from = end
		s.window = append(s.window, message{end: len(s.out), record: index, last: i == len(s.ends)-1, result: result})
	}
	return nil
}

// flush writes the window.
func (s *sender) flush(ctx context.Context, records []plog.LogRecord, done []bool, n *counts) error {
	start := 0
	for _, m := range s.window {
		s.msgs = append(s.msgs, s.out[start:m.end:m.end])
		start = m.end
	}
	for next := 0; next < len(s.msgs); {
		sent, err := s.writer.Write(ctx, s.msgs[next:])
		for _, m := range s.window[next : next+sent] {
			n.sent++
			if m.last {
				done[m.record] = true
				n.whole(m.result)
			}
		}
		next += sent
		switch {
		case errors.Is(err, syslog.ErrTooLong):
			if next, err = s.shrink(ctx, next, records, done, n); err != nil {
				return err
			}
		case err != nil:
			for i := next - 1; i >= 0 && s.window[i].record == s.window[next].record; i-- {
				n.repeated++ // a part of a record that goes out again whole
			}
			return err
		}
	}
	s.reset()
	return nil
}

// shrink sends the record of message next of the window in one message that is short enough for the network's datagrams,
// and returns the first message of the record after it.
func (s *sender) shrink(ctx context.Context, next int, records []plog.LogRecord, done []bool, n *counts) (int, error) {
	index, limit := s.window[next].record, len(s.msgs[next])
	for next < len(s.window) && s.window[next].record == index {
		next++
	}
	// What encode appends stays behind the window's messages and is taken off again. Those that the writer has yet to send
	// are kept alive by msgs.
	outLen, windowLen := len(s.out), len(s.window)
	defer func() { s.out, s.window = s.out[:outLen], s.window[:windowLen] }()
	for {
		limit = limit * 3 / 4
		err := error(pipe.ErrTooLong)
		if !s.drop {
			err = s.encode(records[index], index, s.shortener, limit)
		}
		if err != nil {
			done[index] = true
			n.drop(err)
			return next, nil
		}
		_, err = s.writer.Write(ctx, [][]byte{s.out[outLen:]})
		if err == nil {
			done[index] = true
			n.sent++
			n.whole(pipe.Shortened)
			return next, nil
		}
		if !errors.Is(err, syslog.ErrTooLong) {
			return next, err
		}
		s.out, s.window = s.out[:outLen], s.window[:windowLen]
	}
}
