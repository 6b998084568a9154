package syslog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/siempipe/siempipe/internal/encode"
	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/internal/schema"
)

// SenderConfig is how records are sent and where to.
type SenderConfig struct {
	Header *Header
	Writer WriterConfig
	// Schema is what bodies look like when they are encoded.
	Schema schema.Config
	// NewEncoder makes an encoder of messages; the Sender needs two. It is the New of a row of package encodings.
	NewEncoder func(encode.Config) (encode.Encoder, error)
	Encoder    encode.Config
	MaxLength  int // of a message with its header, in bytes; see CheckLength
	// IncludeInvalid sends records of event type invalid, too, and wraps a body that is not JSON as one.
	IncludeInvalid bool
}

// Records are the records to send, by their index.
type Records interface {
	Len() int
	// Read fills rec, which is overwritten. Its error says why the body is not a JSON object.
	Read(i int, rec *record.Record) error
}

// KnownRecords are Records that may know where the members of a body are: of the body that Read returns.
type KnownRecords interface {
	Records
	Known(i int) jsonscan.Known
}

// Sender sends records as messages over one syslog connection, and says which of them need not be sent again after a failure.
// One Send runs at a time; Close may be called at any time. It connects when the first message comes.
type Sender struct {
	writer         *Writer
	header         *Header
	mapping        *schema.Mapping
	encoder        encode.Encoder
	shortener      encode.Encoder // for messages that turn out longer than a datagram
	maxLength      int
	includeInvalid bool
	drop           bool // overflow: drop

	text   []byte // messages of a split record, without headers
	ends   []int  // of a record's messages in out
	out    []byte // messages of the window, one after another
	window []message
	msgs   [][]byte // the messages as the writer wants them
	rec    record.Record
}

// message is one message of the window.
type message struct {
	end      int  // in out
	record   int  // index in the batch
	last     bool // of its record
	result   encode.Result
	unmapped error // why the record has its native body
}

// NewSender returns a Sender for a valid config.
func NewSender(c SenderConfig) (*Sender, error) {
	s := &Sender{header: c.Header, maxLength: c.MaxLength, includeInvalid: c.IncludeInvalid, drop: c.Encoder.Overflow == encode.OverflowDrop}
	var err error
	if s.mapping, err = c.Schema.New(); err != nil {
		return nil, err
	}
	if s.encoder, err = c.NewEncoder(c.Encoder); err != nil {
		return nil, err
	}
	shorten := c.Encoder
	shorten.Overflow = encode.OverflowShorten
	if s.shortener, err = c.NewEncoder(shorten); err != nil {
		return nil, err
	}
	s.writer, err = NewWriter(c.Writer)
	return s, err
}

// Finish waits until the peer has read what was sent, or ctx ends, and returns how many messages the peer may not have read.
// Call Close afterwards.
func (s *Sender) Finish(ctx context.Context) (left int) { return s.writer.Finish(ctx) }

// Close ends the connection in order, and a Send that is under way with an error.
func (s *Sender) Close() error { return s.writer.Close() }

// windowBytes is how much is encoded before it is written. There is one wait for the peer's acknowledgment in each window: less
// would make waits count, more would cost memory.
const windowBytes = 1 << 20

// Send sends records and sets done for each that was sent whole or cannot be sent at all. After an error those that are
// not done are to be sent again; of a record that was split, all parts.
func (s *Sender) Send(ctx context.Context, records Records, done []bool, n *Counts) error {
	s.reset()
	for i := range records.Len() {
		if err := s.encode(records, i, s.encoder, s.maxLength); err != nil {
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

func (s *Sender) reset() {
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
func (s *Sender) encode(records Records, index int, encoder encode.Encoder, limit int) error {
	rec := &s.rec
	if err := records.Read(index, rec); err != nil {
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
	s.out = s.header.Append(s.out, at, SeverityOf(rec.Severity))
	header := len(s.out) - start
	var known jsonscan.Known
	if placed, ok := records.(KnownRecords); ok {
		known = placed.Known(index)
	}
	known, unmapped := s.mapping.Map(rec, known)
	result, err := s.message(encoder, rec, known, limit-header)
	if err != nil && !errors.Is(err, encode.ErrTooLong) && !errors.Is(err, encode.ErrEmpty) {
		err = fmt.Errorf("%w: %w", errNotJSON, err)
		if s.includeInvalid { // a record that never saw the siem processor is invalid, too
			rec.Body = string(format.AppendInvalid(nil, rec.Body, rec.Format, err.Error(), at))
			rec.EventType, rec.Error = record.Invalid, err.Error()
			result, err = s.message(encoder, rec, jsonscan.Known{}, limit-header)
		}
	}
	if err != nil {
		s.out = s.out[:start]
		return err
	}
	if result == encode.Split { // the header is the same for every part
		s.parts(start, header)
	}
	for i, end := range s.ends {
		s.window = append(s.window, message{end: end, record: index, last: i == len(s.ends)-1, result: result, unmapped: unmapped})
	}
	return nil
}

// message appends the messages of a record to out, after the header, and their ends to ends.
func (s *Sender) message(encoder encode.Encoder, rec *record.Record, known jsonscan.Known, budget int) (result encode.Result, err error) {
	s.out, s.ends, result, err = encoder.Append(s.out, s.ends[:0], rec, known, budget)
	return result, err
}

// parts gives each message after the first the header that starts at start of out.
func (s *Sender) parts(start, header int) {
	s.text = append(s.text[:0], s.out[start+header:]...)
	s.out = s.out[:start+header]
	from := 0
	for i, end := range s.ends {
		if i > 0 {
			s.out = append(s.out, s.out[start:start+header]...)
		}
		to := end - start - header
		s.out = append(s.out, s.text[from:to]...)
		from, s.ends[i] = to, len(s.out)
	}
}

// flush writes the window.
func (s *Sender) flush(ctx context.Context, records Records, done []bool, n *Counts) error {
	start := 0
	for _, m := range s.window {
		s.msgs = append(s.msgs, s.out[start:m.end:m.end])
		start = m.end
	}
	for next := 0; next < len(s.msgs); {
		sent, err := s.writer.Write(ctx, s.msgs[next:])
		for _, m := range s.window[next : next+sent] {
			n.Sent++
			if m.last {
				done[m.record] = true
				n.whole(&m)
			}
		}
		next += sent
		switch {
		case errors.Is(err, ErrTooLong):
			if next, err = s.shrink(ctx, next, records, done, n); err != nil {
				return err
			}
		case err != nil:
			for i := next - 1; i >= 0 && s.window[i].record == s.window[next].record; i-- {
				n.Repeated++ // a part of a record that goes out again whole
			}
			return err
		}
	}
	s.reset()
	return nil
}

// shrink sends the record of message next of the window in one message that is short enough for the network's datagrams,
// and returns the first message of the record after it.
func (s *Sender) shrink(ctx context.Context, next int, records Records, done []bool, n *Counts) (int, error) {
	index, limit := s.window[next].record, len(s.msgs[next])
	for next < len(s.window) && s.window[next].record == index {
		next++
	}
	// encode appends to the window's messages, and its messages are removed again. msgs keeps those alive that the writer has yet
	// to send.
	outLen, windowLen := len(s.out), len(s.window)
	defer func() { s.out, s.window = s.out[:outLen], s.window[:windowLen] }()
	for {
		limit = limit * 3 / 4
		err := error(encode.ErrTooLong)
		if !s.drop {
			err = s.encode(records, index, s.shortener, limit)
		}
		if err != nil {
			done[index] = true
			n.drop(err)
			return next, nil
		}
		_, err = s.writer.Write(ctx, [][]byte{s.out[outLen:]})
		if err == nil {
			done[index] = true
			n.Sent++
			n.whole(&message{result: encode.Shortened, unmapped: s.window[windowLen].unmapped})
			return next, nil
		}
		if !errors.Is(err, ErrTooLong) {
			return next, err
		}
		s.out, s.window = s.out[:outLen], s.window[:windowLen]
	}
}
