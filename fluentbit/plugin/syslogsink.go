package plugin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siempipe/siempipe/internal/deliver/certs"
	"github.com/siempipe/siempipe/internal/deliver/syslog"
	"github.com/siempipe/siempipe/internal/encode/encodings"
	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
)

// syslogSink sends records as messages. Each flush has a connection of its own while it runs; there are as many as the host
// flushes at the same time.
type syslogSink struct {
	sender syslog.SenderConfig
	name   string
	certs  *certs.Reloader // nil in plain text

	mu     sync.Mutex
	idle   []*syslog.Sender
	closed bool
}

func newSyslogSink(c *config) (*syslogSink, error) {
	header, err := syslog.NewHeader(c.header)
	if err != nil {
		return nil, err
	}
	encoding, err := encodings.Find(c.encoding)
	if err != nil {
		return nil, err
	}
	s := &syslogSink{name: fmt.Sprintf("syslog %s %s", c.network, strings.Join(c.writer().Endpoints, ", "))}
	s.sender = syslog.SenderConfig{
		Header: header, Writer: c.writer(), Schema: c.schema, NewEncoder: encoding.New, Encoder: c.encoder,
		MaxLength: c.maxLength, IncludeInvalid: c.includeInvalid,
	}
	if c.network == syslog.TCP && !c.tls.insecure {
		if s.certs, err = certs.NewReloader(context.Background(), c.tls.reload, c.tls.load); err != nil {
			return nil, err
		}
		s.sender.Writer.TLS = s.certs.Config
	}
	first, err := syslog.NewSender(s.sender) // whatever is wrong with the configuration is said at start
	if err != nil {
		return nil, err
	}
	s.idle = append(s.idle, first)
	return s, nil
}

func (s *syslogSink) String() string { return s.name }

func (s *syslogSink) deliver(ctx context.Context, recs records, a *attempt) (note string, err error) {
	sender, err := s.acquire()
	if err != nil {
		return "", err
	}
	defer s.release(sender)
	if len(a.done) != len(recs) {
		a.done = make([]bool, len(recs))
	}
	var left syslog.Records = recs
	done := a.done
	var places []int
	for i, d := range a.done {
		if !d {
			places = append(places, i)
		}
	}
	if len(places) < len(recs) {
		left, done = some{recs, places}, make([]bool, len(places))
	}
	var n syslog.Counts
	err = sender.Send(ctx, left, done, &n)
	if len(places) < len(recs) {
		for i, d := range done {
			a.done[places[i]] = d
		}
	}
	if n.FirstDrop != nil {
		note = fmt.Sprintf("records were not sent: too_long=%d not_json=%d empty=%d, first: %v", n.TooLong, n.NotJSON, n.Empty, n.FirstDrop)
	}
	if n.Unmapped > 0 {
		note = appendNote(note, unmappedNote(n.Unmapped, n.FirstUnmapped))
	}
	if s.certs != nil {
		if failed := s.certs.Failure(); failed != nil {
			note = appendNote(note, fmt.Sprintf("certificates cannot be read again, the last good ones stay in use: %v", failed))
		}
	}
	return note, err
}

// appendNote adds one more to what is worth a line in the log.
func appendNote(note, more string) string {
	if note == "" {
		return more
	}
	return note + "; " + more
}

// unmappedNote says that records were delivered with their native bodies.
func unmappedNote(records int64, first error) string {
	return fmt.Sprintf("%d records do not fit the schema and kept their native body, first: %v", records, first)
}

// some are the records at these places.
type some struct {
	records
	places []int
}

func (s some) Len() int { return len(s.places) }

func (s some) Read(i int, rec *record.Record) error { return s.records.Read(s.places[i], rec) }

func (s some) Known(i int) jsonscan.Known { return s.records.Known(s.places[i]) }

var errClosed = errors.New("the instance is closed")

func (s *syslogSink) acquire() (*syslog.Sender, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	if n := len(s.idle); n > 0 {
		sender := s.idle[n-1]
		s.idle = s.idle[:n-1]
		return sender, nil
	}
	return syslog.NewSender(s.sender)
}

func (s *syslogSink) release(sender *syslog.Sender) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = sender.Close()
		return
	}
	s.idle = append(s.idle, sender)
}

// finishWait bounds how long the end waits for peers to read what their systems took. Most end the connection as soon as we
// do.
const finishWait = 2 * time.Second

func (s *syslogSink) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	ctx, cancel := context.WithTimeout(context.Background(), finishWait)
	defer cancel()
	var left atomic.Int64
	var wait sync.WaitGroup
	for _, sender := range s.idle {
		wait.Go(func() {
			left.Add(int64(sender.Finish(ctx)))
			_ = sender.Close()
		})
	}
	wait.Wait()
	s.idle = nil
	if n := left.Load(); n > 0 {
		return fmt.Errorf("the peer's system took the last %d messages, but the peer has not shown that it read them", n)
	}
	return nil
}
