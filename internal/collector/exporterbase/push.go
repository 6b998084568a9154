package exporterbase

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter/exporterhelper/xexporterhelper"
)

// lastPause is between two tries at the end.
const lastPause = 500 * time.Millisecond

// push delivers a request. What is not delivered comes back in the error.
//
// At the end exporterhelper tries nothing a second time, and a queue in memory is gone then: what one answer of a busy destination
// would lose is tried here as long as Settings.LastTries says. A stored queue keeps it for the next start.
func (e *Exporter[P, I]) push(ctx context.Context, r xexporterhelper.Request) error {
	if e.Health.givenUp() {
		return errStopping
	}
	req := r.(*request[P, I])
	for {
		err := e.deliver(ctx, req)
		if err == nil || consumererror.IsPermanent(err) || !e.inMemory() || !e.Health.ending() {
			return err
		}
		req = req.OnError(err).(*request[P, I])
		select {
		case <-ctx.Done():
			return err
		case <-time.After(lastPause):
		}
	}
}

// inMemory reports whether what a destination refuses at shutdown is lost.
func (e *Exporter[P, I]) inMemory() bool {
	return e.settings.Retry.Enabled && e.settings.Queue.HasValue() && e.settings.Queue.Get().StorageID == nil
}

// deliver sends each part of a request once.
func (e *Exporter[P, I]) deliver(ctx context.Context, req *request[P, I]) error {
	failures := make([]error, len(req.parts))
	if len(req.parts) == 1 || e.settings.Parallel == 1 {
		for i := range req.parts {
			failures[i] = e.sendPart(ctx, &req.parts[i])
		}
	} else {
		var sending sync.WaitGroup
		var next atomic.Int64
		for range min(e.settings.Parallel, len(req.parts)) {
			sending.Go(func() {
				for i := int(next.Add(1)) - 1; i < len(req.parts); i = int(next.Add(1)) - 1 {
					failures[i] = e.sendPart(ctx, &req.parts[i])
				}
			})
		}
		sending.Wait()
	}
	var errs []error
	rest := &request[P, I]{form: req.form, room: req.room}
	for i, err := range failures {
		if err == nil {
			continue
		}
		errs = append(errs, err)
		rest.parts = append(rest.parts, req.parts[i])
	}
	e.Health.report(errors.Join(errs...))
	if len(errs) == 0 {
		return nil
	}
	for i := range rest.parts { // for the counters of exporterhelper; nobody asks for the bytes of what is sent again
		rest.items += len(rest.parts[i].Items)
	}
	return &partlyDelivered{error: e.settings.Classify(errs), rest: rest}
}

func (e *Exporter[P, I]) sendPart(ctx context.Context, p *Part[P, I]) error {
	if err := ctx.Err(); err != nil { // the destination took too long over other parts
		return fmt.Errorf("not tried: %w", err)
	}
	return e.settings.Send(ctx, p)
}
