// Package otelqueue protects the items of an exporter's persistent queue when the collector is killed while it starts, and when
// the disk is full.
//
// At its start the queue (exporterhelper v0.158, internal/queue/persistent_queue.go) looks for the items that the process
// before it was sending, deletes them all and then stores each again under a new name. A process killed in between loses
// those that it had not stored again yet. Host hands the queue a storage whose deletions wait until the queue has started;
// a process killed before that finds the items in both places and sends them twice instead of never.
//
// The queue reads an item together with writing down that it did. When that cannot be written, since the disk is full, it takes
// the item for lost and deletes it. Here such an item counts as read: it is sent, and once more after a kill. An exporter whose
// disk is full at the start does not start.
//
// Every exporter with a stored queue needs it: wrap what exporterhelper.NewLogs returns in Logs.
package otelqueue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/extension/xextension/storage"
)

// Logs is an exporter whose stored queue outlives a kill at its start.
type Logs struct{ exporter.Logs }

// Start starts the exporter. After an error nothing of it runs.
func (l Logs) Start(ctx context.Context, host component.Host) error {
	careful := NewHost(host)
	if err := l.Logs.Start(ctx, careful); err != nil {
		return err
	}
	if err := careful.Started(ctx); err != nil {
		return errors.Join(err, l.Logs.Shutdown(ctx))
	}
	return nil
}

// Host is a component.Host for the start of one exporter: Start the exporter with it, then call Started. It is safe for
// concurrent use.
type Host struct {
	component.Host

	mu      sync.Mutex
	clients []*client
}

// NewHost wraps the host that the collector gave.
func NewHost(host component.Host) *Host { return &Host{Host: host} }

// Report passes a status on to the collector.
func (h *Host) Report(event *componentstatus.Event) { componentstatus.ReportStatus(h.Host, event) }

// GetExtensions returns the collector's, storage among them wrapped.
func (h *Host) GetExtensions() map[component.ID]component.Component {
	all := maps.Clone(h.Host.GetExtensions())
	for id, c := range all {
		if s, ok := c.(storage.Extension); ok {
			all[id] = &extension{Extension: s, host: h}
		}
	}
	return all
}

// Started carries out the deletions that waited. It is called when the exporter has started.
func (h *Host) Started(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var errs []error
	for _, c := range h.clients {
		errs = append(errs, c.start(ctx))
	}
	return errors.Join(errs...)
}

type extension struct {
	storage.Extension
	host *Host
}

func (e *extension) GetClient(ctx context.Context, kind component.Kind, id component.ID, name string) (storage.Client, error) {
	inner, err := e.Extension.GetClient(ctx, kind, id, name)
	if err != nil {
		return nil, err
	}
	c := &client{Client: inner}
	e.host.mu.Lock()
	defer e.host.mu.Unlock()
	e.host.clients = append(e.host.clients, c)
	return c, nil
}

// client holds deletions back until it is started.
type client struct {
	storage.Client

	mu      sync.Mutex
	started bool
	failed  error                // of an item that was to be stored again before the start; nothing is changed any more
	waiting []*storage.Operation // deletions, until the start
	left    []*storage.Operation // deletions that failed
}

// Batch passes operations on, unless the queue has not started yet and they only delete.
func (c *client) Batch(ctx context.Context, ops ...*storage.Operation) error {
	if held, err := c.hold(ops); held {
		return err
	}
	err := c.Client.Batch(ctx, ops...)
	if err == nil {
		if has(ops, storage.Delete) {
			c.deleteLeft(ctx)
		}
		return nil
	}
	if gets := only(ops, storage.Get); len(gets) > 0 && len(gets) < len(ops) {
		return c.read(ctx, gets, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	deletes := only(ops, storage.Delete)
	if !c.started && len(deletes) == 0 {
		c.failed = err
	}
	c.left = append(c.left, deletes...)
	return err
}

// hold reports whether operations are not passed on now.
func (c *client) hold(ops []*storage.Operation) (held bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.failed != nil:
		return true, c.failed
	case c.started || has(ops, storage.Set) || has(ops, storage.Get):
		return false, nil
	}
	c.waiting = append(c.waiting, ops...)
	return true, nil
}

// read reads what could not be read together with a write, which failed.
func (c *client) read(ctx context.Context, gets []*storage.Operation, failed error) error {
	if c.Client.Batch(ctx, gets...) == nil {
		return nil
	}
	for _, op := range gets {
		if op.Value == nil { // file_storage has read, and then fails to commit
			return failed
		}
	}
	return nil
}

// mostLeft is how many deletions that failed are tried again with one that did not: a small one needs less room.
const mostLeft = 16

func (c *client) deleteLeft(ctx context.Context) {
	c.mu.Lock()
	n := max(0, len(c.left)-mostLeft)
	left := c.left[n:]
	c.left = c.left[:n:n]
	c.mu.Unlock()
	if len(left) == 0 || c.Client.Batch(ctx, left...) == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = append(c.left, left...)
}

func (c *client) start(ctx context.Context) error {
	c.mu.Lock()
	waiting, failed := c.waiting, c.failed
	c.started, c.waiting = true, nil
	c.mu.Unlock()
	if failed != nil {
		return fmt.Errorf("stored queue: what was being sent before cannot be stored again, make room: %w", failed)
	}
	if len(waiting) == 0 {
		return nil
	}
	return c.Client.Batch(ctx, waiting...)
}

// only are the operations of a type.
func only(ops []*storage.Operation, kind storage.OpType) (some []*storage.Operation) {
	for _, op := range ops {
		if op.Type == kind {
			some = append(some, op)
		}
	}
	return some
}

// has reports whether there is an operation of a type.
func has(ops []*storage.Operation, kind storage.OpType) bool {
	return slices.ContainsFunc(ops, func(op *storage.Operation) bool { return op.Type == kind })
}
