// Package queue protects the items of an exporter's persistent queue when the collector is killed while it starts, and when
// the disk is full.
//
// At its start the queue (exporterhelper v0.158, internal/queue/persistent_queue.go) looks for the items that the process
// before it was sending, deletes them all and then stores each again under a new name. A process killed in between loses
// those that it had not stored again yet. Host hands the queue a storage whose deletions wait until the queue has started;
// a process killed before that finds the items in both places and sends them twice instead of never.
//
// The queue reads an item together with writing down that it did. When that cannot be written, since the disk is full, it takes
// the item for lost and deletes it. Here such an item counts as read: it is sent, and once more after a kill. What cannot be
// stored again at the start is kept in memory and in its old place until it can be.
//
// Every exporter with a stored queue needs it: wrap what exporterhelper.NewLogs returns in Logs.
package queue

import (
	"context"
	"maps"
	"slices"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/extension/xextension/storage"
)

// Logs is an exporter whose stored queue outlives a kill at its start and a full disk.
type Logs struct{ exporter.Logs }

// Start starts the exporter. After an error nothing of it runs.
func (l Logs) Start(ctx context.Context, host component.Host) error {
	careful := NewHost(host)
	if err := l.Logs.Start(ctx, careful); err != nil {
		return err
	}
	careful.Started(ctx)
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
func (h *Host) Started(ctx context.Context) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.clients {
		c.start(ctx)
	}
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
	unsaved []*storage.Operation // what could not be stored again before the start; the old places are kept meanwhile
	waiting []*storage.Operation // deletions, until the start and until nothing is unsaved
	left    []*storage.Operation // deletions that failed
}

// Batch passes operations on, unless the queue has not started yet and they only delete. The queue calls it for one batch at a
// time.
func (c *client) Batch(ctx context.Context, ops ...*storage.Operation) error {
	if c.wait(ops) {
		return nil
	}
	err := c.Client.Batch(ctx, c.withUnsaved(ops)...)
	if err == nil {
		c.done(ctx, ops)
		return nil
	}
	if gets := only(ops, storage.Get); len(gets) > 0 {
		return c.read(ctx, gets, err)
	}
	return c.failed(ops, err)
}

func (c *client) wait(ops []*storage.Operation) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.started || has(ops, storage.Set) || has(ops, storage.Get) {
		return false
	}
	c.waiting = append(c.waiting, ops...)
	return true
}

// withUnsaved puts what is unsaved before operations that store something: what the queue writes down of itself no longer names
// the old places, and must not be on disk without the new ones.
func (c *client) withUnsaved(ops []*storage.Operation) []*storage.Operation {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.unsaved) == 0 || !has(ops, storage.Set) {
		return ops
	}
	return append(slices.Clone(c.unsaved), ops...)
}

// done follows operations that were carried out.
func (c *client) done(ctx context.Context, ops []*storage.Operation) {
	if !has(ops, storage.Set) && !has(ops, storage.Delete) {
		return
	}
	c.mu.Lock()
	if has(ops, storage.Set) {
		c.unsaved = nil
		if c.started {
			c.left, c.waiting = append(c.left, c.waiting...), nil
		}
	}
	c.forget(ops)
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

// mostLeft is how many deletions that failed are tried again at once: a small batch needs less room.
const mostLeft = 16

// failed follows operations that were not carried out.
func (c *client) failed(ops []*storage.Operation, err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	deletes := only(ops, storage.Delete)
	if !c.started && len(deletes) == 0 {
		c.unsaved = append(c.unsaved, ops...)
		return nil
	}
	c.forget(ops)
	c.left = append(c.left, deletes...)
	return err
}

// forget drops what is unsaved and deleted. The caller locks.
func (c *client) forget(ops []*storage.Operation) {
	for _, del := range only(ops, storage.Delete) {
		c.unsaved = slices.DeleteFunc(c.unsaved, func(op *storage.Operation) bool { return op.Key == del.Key })
	}
}

// read reads what could not be read together with a write, which failed.
func (c *client) read(ctx context.Context, gets []*storage.Operation, failed error) error {
	err := c.Client.Batch(ctx, gets...)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, op := range gets {
		for _, set := range c.unsaved {
			if set.Key == op.Key {
				op.Value = set.Value
			}
		}
		if op.Value == nil && err != nil { // file_storage has read, and then fails to commit
			return failed
		}
	}
	return nil
}

// start carries out the deletions that waited, when what they delete is stored elsewhere.
func (c *client) start(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.started = true
	if len(c.unsaved) > 0 || len(c.waiting) == 0 {
		return
	}
	if c.Client.Batch(ctx, c.waiting...) != nil {
		c.left = append(c.left, c.waiting...)
	}
	c.waiting = nil
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
