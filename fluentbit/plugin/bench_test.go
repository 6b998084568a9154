package plugin

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/fluent/fluent-bit-go/output"

	"github.com/siempipe/siempipe/internal/deliver/objectstore"
	"github.com/siempipe/siempipe/internal/deliver/syslog"
	"github.com/siempipe/siempipe/internal/encode/pipe"
	"github.com/siempipe/siempipe/internal/test/measure"
	"github.com/siempipe/siempipe/internal/test/msgpack"
)

// benchRecord is a finding of 1.1 KB.
var benchRecord = `{"labels":["Sensitive","Known Admin"],"alert_id":"f-0001-3e0af324-b2dd-4c24-b952-37457c5882e2","asset_id":"arn:aws:s3:::acme-data-lake-eu-central-1","provider":"AWS","resolved":false,"severity":"High","tenant_id":"id-1234","account_id":"111122223333","description":"` +
	strings.Repeat("A remote attacker may read every object of the bucket without any credentials. ", 6) +
	`","resource_type":"Storage","risk_category":"Data Exposure","detection_type":"security_finding","attack_scenario":"Publicly readable bucket","related_resources":[["arn:aws:s3:::acme-data-lake-eu-central-1","arn:aws:iam::111122223333:role/reader"]],"detection_timestamp":"2024-09-15T17:16:00Z","first_seen_timestamp":"2024-01-02T03:04:05Z"}`

const benchRecords = 2000 // in a chunk of about 2 MB, which is Fluent Bit's average

func benchChunks() map[string][]byte {
	chunks := make(map[string][]byte)
	for range benchRecords {
		chunks["line"] = msgpack.AppendRaw(chunks["line"], at, "log", benchRecord)
		chunks["map"] = msgpack.AppendStructured(chunks["map"], at, benchRecord)
	}
	return chunks
}

// perRecord says what one record costs, in time that passed and in processor time, which other processes do not lengthen.
func perRecord(b *testing.B, before time.Duration) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*benchRecords), "ns/record")
	b.ReportMetric(float64(measure.CPU(b)-before)/float64(b.N*benchRecords), "cpu-ns/record")
}

// BenchmarkChunk makes records of a chunk: MessagePack, JSON, parsed and checked against the schema.
func BenchmarkChunk(b *testing.B) {
	for name, data := range benchChunks() {
		b.Run(name, func(b *testing.B) {
			i, _ := instance(b, keys{"output": "directory", "directory": b.TempDir(), "format": "panoptica"})
			w := i.workers.Get().(*worker)
			a := &attempt{at: at}
			w.run(data, a)
			if len(w.recs) != benchRecords || w.recs[0].Body != benchRecord || w.recs[benchRecords-1].AccountID != "111122223333" {
				b.Fatalf("%d records, the first %+v", len(w.recs), w.recs[0])
			}
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			before := measure.CPU(b)
			for b.Loop() {
				w.run(data, a)
			}
			perRecord(b, before)
			if n := testing.AllocsPerRun(10, func() { w.run(data, a) }); n >= benchRecords/100 {
				b.Fatalf("%v allocations for %d records", n, benchRecords)
			}
		})
	}
}

// BenchmarkChunkToJSON is the part of it that the library and encoding/json do in BenchmarkLibraryToJSON.
func BenchmarkChunkToJSON(b *testing.B) {
	for name, data := range benchChunks() {
		b.Run(name, func(b *testing.B) {
			var c chunk
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			before := measure.CPU(b)
			for b.Loop() {
				c.reset(data)
				n := 0
				for e := (event{}); c.next(&e); n++ {
					if n == 0 && e.raw != benchRecord {
						b.Fatal(e.raw)
					}
				}
				if n != benchRecords {
					b.Fatal(n)
				}
			}
			perRecord(b, before)
		})
	}
}

// BenchmarkLibraryToJSON decodes with fluent-bit-go and makes JSON of the map with encoding/json, which is what plugins do.
func BenchmarkLibraryToJSON(b *testing.B) {
	for name, data := range benchChunks() {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			before := measure.CPU(b)
			for b.Loop() {
				dec := output.NewDecoder(unsafe.Pointer(&data[0]), len(data))
				n := 0
				for ; ; n++ {
					code, _, rec := output.GetRecord(dec)
					if code != 0 {
						break
					}
					text, err := json.Marshal(stringKeys(rec))
					if err != nil || n == 0 && !json.Valid(text) {
						b.Fatal(err)
					}
				}
				if n != benchRecords {
					b.Fatal(n)
				}
			}
			perRecord(b, before)
		})
	}
}

// stringKeys makes maps that encoding/json takes, and strings of the bytes that the library returns for them.
func stringKeys(v any) any {
	switch v := v.(type) {
	case map[any]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			if name, ok := stringKeys(key).(string); ok {
				out[name] = stringKeys(value)
			}
		}
		return out
	case []any:
		for i := range v {
			v[i] = stringKeys(v[i])
		}
	case []byte:
		return string(v)
	}
	return v
}

// sinkhole is a Store that takes everything at once and keeps what it took last.
type sinkhole struct{ last objectstore.Object }

func (s *sinkhole) Put(_ context.Context, o objectstore.Object) (bool, error) {
	s.last = o
	return false, nil
}

// BenchmarkFlush is all of it into a store that takes everything at once.
func BenchmarkFlush(b *testing.B) {
	for name, data := range benchChunks() {
		b.Run(name, func(b *testing.B) {
			i, _ := onStore(b, nil, keys{})
			store := &sinkhole{}
			var err error
			if i.sink, err = newStoreSink(i.cfg, store, "sinkhole"); err != nil {
				b.Fatal(err)
			}
			if i.Flush("tag", data) != OK || string(store.last.Content) != strings.Repeat(benchRecord+"\n", benchRecords) {
				b.Fatal("not delivered as it is")
			}
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			before := measure.CPU(b)
			for b.Loop() {
				if i.Flush("tag", data) != OK {
					b.Fatal("not delivered")
				}
			}
			perRecord(b, before)
		})
	}
}

// BenchmarkMessages is a chunk to framed pipe messages, without a peer.
func BenchmarkMessages(b *testing.B) {
	for name, data := range benchChunks() {
		b.Run(name, func(b *testing.B) {
			i, _ := instance(b, keys{"output": "syslog", "endpoint": "127.0.0.1:1", "tls_insecure": "on", "format": "panoptica", "max_message_length": "4096"})
			w := i.workers.Get().(*worker)
			a := &attempt{at: at}
			header, err := syslog.NewHeader(i.cfg.header)
			if err != nil {
				b.Fatal(err)
			}
			encoder, err := pipe.New(i.cfg.encoder)
			if err != nil {
				b.Fatal(err)
			}
			var line, frames []byte
			var ends []int
			messages := func() {
				w.run(data, a)
				frames = frames[:0]
				for i := range w.recs {
					e := &w.recs[i]
					line = header.Append(line[:0], e.EventTime(), syslog.SeverityOf(e.Severity))
					line, ends, _, _ = encoder.Append(line, ends[:0], &e.Record, e.known, 4096-len(line))
					if frames = syslog.AppendFrame(frames, line, syslog.OctetCounting); len(frames) > 64<<10 {
						frames = frames[:0]
					}
				}
			}
			messages()
			if len(w.recs) != benchRecords || !strings.Contains(string(line), "|Account:111122223333|") || !strings.Contains(string(line), "|Description:A remote attacker") {
				b.Fatal(len(w.recs), string(line))
			}
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			before := measure.CPU(b)
			for b.Loop() {
				messages()
			}
			perRecord(b, before)
		})
	}
}

// BenchmarkFlushSyslog is all of it to a peer that reads.
func BenchmarkFlushSyslog(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	var bytes atomic.Int64
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				n, _ := io.Copy(io.Discard, c)
				bytes.Add(n)
			}()
		}
	}()
	for name, data := range benchChunks() {
		b.Run(name, func(b *testing.B) {
			i, _ := instance(b, keys{"output": "syslog", "endpoint": l.Addr().String(), "tls_insecure": "on", "max_message_length": "4096"})
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			before := measure.CPU(b)
			for b.Loop() {
				if i.Flush("tag", data) != OK {
					b.Fatal("not delivered")
				}
			}
			perRecord(b, before)
		})
	}
}

// TestNoAllocationPerRecord holds the benchmark's claim in every test run.
func TestNoAllocationPerRecord(t *testing.T) {
	for name, data := range benchChunks() {
		i, _ := instance(t, keys{"output": "directory", "directory": t.TempDir()})
		w := i.workers.Get().(*worker)
		a := &attempt{at: time.Now()}
		w.run(data, a)
		if n := testing.AllocsPerRun(5, func() { w.run(data, a) }); n > 10 {
			t.Errorf("%s: %v allocations for %d records", name, n, benchRecords)
		}
	}
}
