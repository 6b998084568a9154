// Package otelqueue keeps what an exporter's persistent queue holds when the collector is killed while it starts.
//
// At its start the queue (exporterhelper v0.158, internal/queue/persistent_queue.go) looks for the items that the process
// before it was sending, deletes them all and then stores each again under a new name. A process killed in between loses
// those that it had not stored again yet. Host hands the queue a storage whose deletions wait until the queue has started;
// a process killed before that finds the items in both places and sends them twice instead of never.
//
// Every exporter with a stored queue needs it: wrap what exporterhelper.NewLogs returns in Logs.
package otelqueue

import (
	"context"
	"errors"
	"maps"
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
	waiting []*storage.Operation
}

// Batch passes operations on, unless the queue has not started yet and they only delete.
func (c *client) Batch(ctx context.Context, ops ...*storage.Operation) error {
	if c.wait(ops) {
		return nil
	}
	return c.Client.Batch(ctx, ops...)
}

func (c *client) wait(ops []*storage.Operation) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.started {
		return false
	}
	for _, op := range ops {
		if op.Type != storage.Delete {
			return false
		}
	}
	c.waiting = append(c.waiting, ops...)
	return true
}

func (c *client) start(ctx context.Context) error {
	c.mu.Lock()
	waiting := c.waiting
	c.started, c.waiting = true, nil
	c.mu.Unlock()
	if len(waiting) == 0 {
		return nil
	}
	return c.Client.Batch(ctx, waiting...)
}
