package plugin

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/siempipe/siempipe/internal/process/suppress"
)

// Instance is one output of the host's configuration. Flush is safe for concurrent use; Close ends it.
type Instance struct {
	cfg     *config
	log     Logger
	sink    sink
	workers sync.Pool // of *worker
	retries *retries
	now     func() time.Time

	suppressions *suppress.File // nil when none are configured
	rereading    sync.Mutex
	reread       time.Time // when the suppressions are looked at next

	flushes sync.WaitGroup
}

// startTimeout bounds what Init does beyond reading the configuration: credentials, a test message.
const startTimeout = 10 * time.Second

// New makes an instance of the user's settings. When it fails it has logged every reason, each with its key. It connects
// to nothing unless there is a test message to store, whose failure is logged and no reason not to start.
func New(s Settings, log Logger) (*Instance, error) {
	i := &Instance{log: log, retries: newRetries(), now: time.Now}
	err := i.start(s)
	if err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			i.logf(Error, "%s", line)
		}
		return nil, err
	}
	return i, nil
}

func (i *Instance) start(s Settings) (err error) {
	if i.cfg, err = readConfig(s); err != nil {
		return err
	}
	if i.cfg.suppressions != "" {
		if i.suppressions, err = suppress.Open(i.cfg.suppressions); err != nil {
			return fmt.Errorf("suppressions_file: %w", err)
		}
		i.reread = i.now().Add(i.cfg.reloadInterval)
		i.logSuppressions("suppressions read")
	}
	first, err := newWorker(i.cfg)
	if err != nil {
		return err
	}
	i.workers.New = func() any {
		w, err := newWorker(i.cfg)
		if err != nil { // the same configuration made a worker above
			panic(err)
		}
		return w
	}
	i.workers.Put(first)
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if i.sink, err = newSink(ctx, i.cfg); err != nil {
		return err
	}
	i.logf(Info, "to %s", i.sink)
	if store, ok := i.sink.(*storeSink); ok && i.cfg.testMessage == testOnStart {
		if key, err := store.test(ctx, i.now()); err != nil {
			i.logf(Error, "test message not stored: %v", err)
		} else {
			i.logf(Info, "test message stored: %s", key)
		}
	}
	return nil
}

func (i *Instance) logf(level Level, format string, args ...any) {
	i.log.Log(level, fmt.Sprintf("[output:"+Name+"] "+format, args...))
}

// Close waits for the flushes that run and lets go of connections and files.
func (i *Instance) Close() {
	defer func() {
		if r := recover(); r != nil {
			i.logf(Error, "panic at the end: %v\n%s", r, debug.Stack())
		}
	}()
	i.flushes.Wait()
	if err := i.sink.close(); err != nil {
		i.logf(Warn, "%s: %v", i.sink, err)
	}
}

// maxPanics is how often a chunk may make us panic before it is given up.
const maxPanics = 3

// Flush delivers the records of one chunk and returns when they are delivered or the time is up. data is only read, and
// not after the return. What it returns is said in the log but for OK.
func (i *Instance) Flush(tag string, data []byte) (result Result) {
	i.flushes.Add(1)
	defer i.flushes.Done()
	a := i.retries.take(data)
	if a == nil {
		a = &attempt{at: i.now()}
	}
	defer func() {
		if r := recover(); r != nil {
			result = i.panicked(tag, data, a, r)
		}
	}()
	if !a.decided {
		a.list, a.decided = i.list(), true
	}
	ctx, cancel := context.WithTimeout(context.Background(), i.cfg.timeout)
	defer cancel()

	w := i.workers.Get().(*worker)
	n := w.run(data, a)
	n.log(i, tag)
	note, err := "", error(nil)
	if len(w.recs) > 0 {
		note, err = i.sink.deliver(ctx, w.recs, a)
	}
	kept := len(w.recs)
	w.reset()
	i.workers.Put(w)

	if note != "" {
		i.logf(Warn, "%s: %s", tag, note)
	}
	switch {
	case err == nil:
		return OK
	case isPermanent(err):
		i.logf(Error, "%s: chunk with %d records given up: they are lost to %s: %v", tag, kept, i.sink, err)
		return GivenUp
	default:
		i.logf(Warn, "%s: chunk with %d records not delivered to %s and to be retried: %v", tag, kept, i.sink, err)
		i.retries.keep(data, a)
		return Retry
	}
}

// panicked says what a panic means for the chunk.
func (i *Instance) panicked(tag string, data []byte, a *attempt, r any) Result {
	a.panics++
	i.logf(Error, "%s: panic in a flush of %d bytes: %v\n%s", tag, len(data), r, debug.Stack())
	if a.panics >= maxPanics {
		i.logf(Error, "%s: chunk of %d bytes given up after %d panics: its records are lost", tag, len(data), a.panics)
		return GivenUp
	}
	i.retries.keep(data, a)
	return Retry
}

// list is the suppressions that hold now. The file is looked at here, on the host's thread, by one flush at a time.
func (i *Instance) list() *suppress.List {
	if i.suppressions == nil || !i.rereading.TryLock() {
		return i.suppressions.List()
	}
	defer i.rereading.Unlock()
	if now := i.now(); now.After(i.reread) {
		i.reread = now.Add(i.cfg.reloadInterval)
		switch changed, err := i.suppressions.Reload(); {
		case err != nil:
			i.logf(Error, "suppressions not reread, the last good ones stay in force: %v", err)
		case changed:
			i.logSuppressions("suppressions changed")
		}
	}
	return i.suppressions.List()
}

func (i *Instance) logSuppressions(what string) {
	list := i.suppressions.List()
	i.logf(Info, "%s: %s: %d rules, expired: %s", what, i.cfg.suppressions, list.Len(), strings.Join(list.Expired(i.now()), ", "))
}
