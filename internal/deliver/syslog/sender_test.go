package syslog

import (
	"bufio"
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/encode"
	"github.com/siempipe/siempipe/internal/encode/pipe"
	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/internal/schema"
)

// list is Records out of a slice; a record without a body fails to read.
type list []record.Record

func (l list) Len() int { return len(l) }

func (l list) Read(i int, rec *record.Record) error {
	*rec = l[i]
	if rec.Body == "" {
		return errors.New("unreadable")
	}
	return nil
}

func scan(subject string) record.Record {
	return record.Record{
		Body:      `{"Scan ID":"s-1","Event":"Email Scanned","Subject":"` + subject + `","Verdict":"MAL","Action":"Quarantined"}`,
		EventType: record.EmailScan, Format: "perception_point", ID: "s-1", Time: time.Unix(1700000000, 0), Severity: record.SeverityHigh,
	}
}

// sender sends to a listener that hands out the lines it reads.
func sender(t testing.TB, change func(*SenderConfig)) (*Sender, <-chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	lines := make(chan string, 100)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				for s := bufio.NewScanner(c); s.Scan(); {
					lines <- s.Text()
				}
			}()
		}
	}()
	header, err := NewHeader(HeaderConfig{Format: RFC5424, AppName: "app", Hostname: "host"})
	require.NoError(t, err)
	c := SenderConfig{
		Header: header, NewEncoder: pipe.New, MaxLength: pipe.DefaultMaxLength,
		Writer: WriterConfig{Network: TCP, Endpoints: []string{l.Addr().String()}, Framing: Newline},
	}
	if change != nil {
		change(&c)
	}
	s, err := NewSender(c)
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s, lines
}

func TestSendCountsAndDrops(t *testing.T) {
	s, lines := sender(t, nil)
	records := list{
		scan("first"),
		{Body: `{"error":"e","raw":"r"}`, EventType: record.Invalid},
		{},
		{Body: "no JSON", EventType: record.Other},
		scan(strings.Repeat("long ", 400)),
	}
	done := make([]bool, records.Len())
	var n Counts
	require.NoError(t, s.Send(context.Background(), records, done, &n))
	assert.Equal(t, []bool{true, true, true, true, true}, done)
	assert.Equal(t, "<3>1 2023-11-14T22:13:20Z host app - - - datetime:1700000000|Scan ID:s-1|Event:Email Scanned|Subject:first|Verdict:MAL|Action:Quarantined", <-lines)
	long := <-lines
	assert.LessOrEqual(t, len(long), pipe.DefaultMaxLength)
	assert.Contains(t, long, "…|Verdict:MAL|Action:Quarantined")
	assert.Equal(t, int64(2), n.Sent)
	assert.Equal(t, int64(1), n.Shortened)
	assert.Equal(t, int64(1), n.Invalid)
	assert.Equal(t, int64(2), n.NotJSON)
	assert.ErrorContains(t, n.FirstDrop, "unreadable")
}

// TestSendSplits: each part of a record has its header, and records before and behind it stay whole.
func TestSendSplits(t *testing.T) {
	split := encode.Config{Overflow: encode.OverflowSplit}
	const limit, header = 256, "<3>1 2023-11-14T22:13:20Z host app - - - "
	s, lines := sender(t, func(c *SenderConfig) { c.Encoder, c.MaxLength = split, limit })
	encoder, err := pipe.New(split)
	require.NoError(t, err)
	records := list{scan("first"), scan(strings.Repeat("long ", 300)), scan(strings.Repeat("two ", 60)), scan("last")}
	for range 2 {
		done := make([]bool, len(records))
		var n Counts
		require.NoError(t, s.Send(context.Background(), records, done, &n))
		assert.Equal(t, []bool{true, true, true, true}, done)
		assert.Equal(t, int64(2), n.Split)
		for i := range records {
			text, ends, _, err := encoder.Append(nil, nil, &records[i], jsonscan.Known{}, limit-len(header))
			require.NoError(t, err)
			from := 0
			for _, end := range ends {
				assert.Equal(t, header+string(text[from:end]), <-lines)
				from = end
			}
		}
	}
}

func TestSendWrapsInvalid(t *testing.T) {
	s, lines := sender(t, func(c *SenderConfig) { c.IncludeInvalid = true })
	records := list{{Body: "no JSON", EventType: record.Other, Received: time.Unix(1700000000, 0)}}
	done := make([]bool, 1)
	var n Counts
	require.NoError(t, s.Send(context.Background(), records, done, &n))
	assert.Contains(t, <-lines, "|Event:invalid|")
	assert.Equal(t, int64(1), n.Sent)
}

// noDigits is a schema that has no place for digits, and calls scans something else.
type noDigits struct{}

func (noDigits) Map(dst []byte, rec *record.Record, _ jsonscan.Known) ([]byte, error) {
	if strings.Contains(rec.Body, "7") {
		return dst, errors.New("no place for a 7")
	}
	return append(dst, strings.Replace(rec.Body, "Email Scanned", "Mapped", 1)...), nil
}

// TestSendMaps: bodies are mapped before they are encoded; one that the schema cannot express is sent as it is, and counted.
func TestSendMaps(t *testing.T) {
	s, lines := sender(t, nil)
	s.mapping = schema.Apply(noDigits{})
	records := list{scan("x"), scan("7")}
	done := make([]bool, len(records))
	var n Counts
	require.NoError(t, s.Send(context.Background(), records, done, &n))
	assert.Contains(t, <-lines, "|Event:Mapped|Subject:x|")
	assert.Contains(t, <-lines, "|Event:Email Scanned|Subject:7|")
	assert.Equal(t, int64(2), n.Sent)
	assert.Equal(t, int64(1), n.Unmapped)
	assert.EqualError(t, n.FirstUnmapped, "no place for a 7")
}

// TestSendSaysWhatIsLeft: nothing listens, nothing is done.
func TestSendSaysWhatIsLeft(t *testing.T) {
	s, _ := sender(t, func(c *SenderConfig) {
		c.Writer.Endpoints = []string{"127.0.0.1:1"}
		c.Writer.Timeout = time.Second
	})
	done := make([]bool, 2)
	var n Counts
	assert.Error(t, s.Send(context.Background(), list{scan("a"), scan("b")}, done, &n))
	assert.Equal(t, []bool{false, false}, done)
	assert.Zero(t, n.Sent)
}

func TestCheckLength(t *testing.T) {
	for _, c := range []struct {
		n       int
		network string
		ok      bool
	}{{255, TCP, false}, {256, TCP, true}, {1 << 20, TCP, true}, {1<<20 + 1, TCP, false}, {65507, UDP, true}, {65508, UDP, false}} {
		assert.Equal(t, c.ok, CheckLength(c.n, c.network, &HeaderConfig{Format: None}) == nil, c)
	}
}

func TestCheckLengthLeavesRoom(t *testing.T) {
	long := &HeaderConfig{Format: RFC5424, Hostname: strings.Repeat("h", 255)}
	assert.ErrorContains(t, CheckLength(300, TCP, long), "max_message_length: 300 less a header of up to")
	assert.NoError(t, CheckLength(1024, TCP, long))
}

// BenchmarkEncode makes messages, without writing them.
func BenchmarkEncode(b *testing.B) {
	for name, subject := range map[string]string{"whole": "hello", "shortened": strings.Repeat("free text ", 150)} {
		b.Run(name, func(b *testing.B) {
			s, _ := sender(b, nil)
			records := list{scan(subject)}
			if err := s.encode(records, 0, s.encoder, s.maxLength); err != nil || !strings.HasSuffix(string(s.out), "|Action:Quarantined") || (s.window[0].result == encode.Shortened) != (name == "shortened") {
				b.Fatalf("%v: %q", err, s.out)
			}
			b.SetBytes(int64(len(s.out)))
			b.ReportAllocs()
			for b.Loop() {
				s.reset()
				if err := s.encode(records, 0, s.encoder, s.maxLength); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
