package siemprocessor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor"

	"github.com/siempipe/siempipe/internal/record"
)

// disk is a storage extension that outlives the processor.
type disk struct {
	component.StartFunc
	component.ShutdownFunc
	mu   sync.Mutex
	data map[string][]byte
	full atomic.Bool
}

var diskID = component.MustNewID("disk")

func (d *disk) GetExtensions() map[component.ID]component.Component {
	return map[component.ID]component.Component{diskID: d}
}

func (d *disk) GetClient(context.Context, component.Kind, component.ID, string) (storage.Client, error) {
	return d, nil
}

func (d *disk) Get(ctx context.Context, key string) ([]byte, error) {
	op := storage.GetOperation(key)
	err := d.Batch(ctx, op)
	return op.Value, err
}

func (d *disk) Set(ctx context.Context, key string, value []byte) error {
	return d.Batch(ctx, storage.SetOperation(key, value))
}

func (d *disk) Delete(ctx context.Context, key string) error {
	return d.Batch(ctx, storage.DeleteOperation(key))
}

func (d *disk) Batch(_ context.Context, ops ...*storage.Operation) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, op := range ops {
		switch op.Type {
		case storage.Get:
			op.Value = d.data[op.Key]
		case storage.Set:
			if d.full.Load() {
				return storage.ErrStorageFull
			}
			d.data[op.Key] = append([]byte{}, op.Value...)
		case storage.Delete:
			delete(d.data, op.Key)
		}
	}
	return nil
}

func (d *disk) Close(context.Context) error { return nil }

// snapshot is what is on the disk now: what a collector that is killed leaves behind.
func (d *disk) snapshot() *disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &disk{data: maps.Clone(d.data)}
}

// lines is how many lines are stored.
func (d *disk) lines() (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for key := range d.data {
		if strings.HasPrefix(key, "line/") {
			n++
		}
	}
	return n
}

// stand is a processor with join_syslog, and what came out of it.
type stand struct {
	t      *testing.T
	p      processor.Logs
	sink   consumertest.LogsSink
	refuse atomic.Bool
	said   atomic.Int64 // how often it refused
}

// newStand starts one, on a clock of the test's when there is one.
func newStand(t *testing.T, d *disk, change func(*Config), clock ...func() time.Time) *stand {
	cfg := defaults()
	cfg.JoinSyslog = true
	cfg.JoinWindow = time.Hour
	host := componenttest.NewNopHost()
	if d != nil {
		cfg.JoinStorage = &diskID
		host = d
	}
	if change != nil {
		change(cfg)
	}
	require.NoError(t, confmap.Validate(cfg))
	s := &stand{t: t}
	next, err := consumer.NewLogs(func(ctx context.Context, logs plog.Logs) error {
		if s.refuse.Load() {
			s.said.Add(1)
			return errors.New("queue is full")
		}
		return s.sink.ConsumeLogs(ctx, logs)
	})
	require.NoError(t, err)
	s.p, err = NewFactory().CreateLogs(t.Context(), nop(), cfg, next)
	require.NoError(t, err)
	for _, now := range clock {
		s.p.(*joiningLogs).siem.now = now
	}
	require.NoError(t, s.p.Start(t.Context(), host))
	return s
}

// give gives the processor one batch.
func (s *stand) give(bodies ...string) error {
	logs := plog.NewLogs()
	rl := logs.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("host.name", "edge-1")
	for _, body := range bodies {
		lr := rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		lr.Body().SetStr(body)
		lr.Attributes().PutStr("net.peer.ip", "192.0.2.1")
	}
	return s.p.ConsumeLogs(s.t.Context(), logs)
}

// out describes each record that came out: format, verdict, and what it was joined from.
func (s *stand) out() (all []string) {
	for _, logs := range s.sink.AllLogs() {
		for _, rl := range logs.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, lr := range sl.LogRecords().All() {
					format, _ := lr.Attributes().Get(record.AttrFormat)
					var body struct {
						Verdict   string
						Subject   string
						Truncated bool
						Ambiguous bool
						Scan      json.RawMessage
						Joined    struct{ Format, Line string }
					}
					require.NoError(s.t, json.Unmarshal([]byte(lr.Body().Str()), &body))
					text := strings.TrimPrefix(format.Str(), "perception_point")
					if body.Scan != nil {
						text += " finding"
						require.NoError(s.t, json.Unmarshal(body.Scan, &body))
					}
					text += " " + body.Verdict
					if body.Truncated || body.Ambiguous {
						text += " damaged"
					}
					if body.Joined.Format != "" {
						text += " joined with " + strings.TrimPrefix(body.Joined.Format, "perception_point")
						assert.Contains(s.t, body.Joined.Line, "Scan ID:")
					}
					if peer, _ := lr.Attributes().Get("net.peer.ip"); peer.Str() != "192.0.2.1" || rl.Resource().Attributes().Len() != 1 {
						text += " without its attributes"
					}
					all = append(all, text)
				}
			}
		}
	}
	return all
}

func scanOf(i int, verdict string) string {
	return fmt.Sprintf(`{"full_scan_id":"000176_1_%d_20210204","finished_at":1612422455.63,"origin":"email","verbose_verdict":%q,"sample":{"subject":"whole"}}`, i, verdict)
}

// cutLine is a line that was cut before its verdict.
func cutLine(i int) string {
	return fmt.Sprintf("datetime:1612422455.63|Scan ID:000176_1_%d|Event:Email Scanned|IP Address:192.0.2.7|Subject:", i) + strings.Repeat("x", 1000)
}

// forgedLine is one whose subject may have forged its verdict.
func forgedLine(i int) string {
	return fmt.Sprintf("datetime:1612422455.63|Scan ID:000176_1_%d|Event:Email Scanned|Subject:a|Verdict:CLN|Message ID:m|To:x@a|From:y@b|Layers:|Verdict:MAL|Sample:s", i)
}

func wholeLine(i int) string {
	return fmt.Sprintf("datetime:1612422455.63|Scan ID:000176_1_%d|Event:Email Scanned|Subject:a|Message ID:m|To:x@a|From:y@b|Layers:|Verdict:SUS|Sample:s", i)
}

func TestJoin(t *testing.T) {
	const cutMarked, forgedMarked = "_syslog unknown damaged", "_syslog MAL damaged"
	tests := map[string]struct {
		change func(*Config)
		store  bool
		in     []string
		want   []string
		stored int
		end    []string // of what waits comes out at the end; not looked at when empty
	}{
		"scan first":                       {in: []string{scanOf(1, "CLN"), cutLine(1)}, want: []string{" CLN", "_syslog CLN joined with "}},
		"scan first, forged line":          {in: []string{scanOf(1, "SUS"), forgedLine(1)}, want: []string{" SUS", "_syslog SUS joined with "}},
		"scan first, with storage":         {store: true, in: []string{scanOf(1, "CLN"), cutLine(1)}, want: []string{" CLN", "_syslog CLN joined with "}},
		"line first passes":                {in: []string{cutLine(1), scanOf(1, "CLN")}, want: []string{cutMarked, " CLN joined with _syslog"}},
		"line first waits":                 {store: true, in: []string{cutLine(1), scanOf(1, "CLN")}, want: []string{" CLN joined with _syslog"}},
		"forged line first waits":          {store: true, in: []string{forgedLine(1), scanOf(1, "SUS")}, want: []string{" SUS joined with _syslog"}},
		"a whole line is left alone":       {store: true, in: []string{wholeLine(1), scanOf(1, "CLN"), wholeLine(1)}, want: []string{"_syslog SUS", " CLN", "_syslog SUS"}},
		"a scan that was joined before":    {store: true, in: []string{cutLine(1), strings.TrimSuffix(scanOf(1, "CLN"), "}") + `,"joined":{"format":"perception_point_syslog","line":"Scan ID:"}}`}, want: []string{" CLN joined with _syslog"}, stored: 1},
		"another scan":                     {store: true, in: []string{cutLine(1), scanOf(2, "CLN")}, want: []string{" CLN"}, stored: 1},
		"line without an id":               {store: true, in: []string{strings.Replace(cutLine(1), "Scan ID:000176_1_1", "Scan ID:", 1), scanOf(1, "CLN")}, want: []string{cutMarked, " CLN"}},
		"two lines of a scan":              {store: true, in: []string{cutLine(1), forgedLine(1), scanOf(1, "CLN")}, want: []string{" CLN joined with _syslog"}, stored: 1, end: []string{"_syslog CLN joined with "}},
		"many lines of a scan":             {store: true, in: []string{cutLine(1), cutLine(1) + "1", cutLine(1) + "2", cutLine(1) + "3", cutLine(1) + "4", cutLine(1) + "5"}, want: []string{cutMarked, cutMarked}, stored: 4},
		"the same line twice":              {store: true, in: []string{cutLine(1), cutLine(1), scanOf(1, "CLN")}, want: []string{" CLN joined with _syslog"}},
		"the scan comes again":             {store: true, in: []string{cutLine(1), scanOf(1, "SUS"), scanOf(1, "MAL"), forgedLine(1)}, want: []string{" SUS joined with _syslog", " MAL", "_syslog MAL joined with "}},
		"no room: the line passes":         {change: func(c *Config) { c.JoinMaxBytes = 1000 }, store: true, in: []string{cutLine(1), scanOf(1, "CLN")}, want: []string{cutMarked, " CLN"}},
		"no room: old scans go":            {change: func(c *Config) { c.JoinMaxBytes = 1000 }, in: []string{scanOf(1, "CLN"), scanOf(2, "CLN"), scanOf(3, "CLN"), forgedLine(1)}, want: []string{" CLN", " CLN", " CLN", forgedMarked}},
		"findings":                         {change: func(c *Config) { c.ScansAsFindings = true }, store: true, in: []string{cutLine(1), scanOf(1, "CLN"), forgedLine(1), wholeLine(2)}, want: []string{" finding CLN joined with _syslog", "_syslog finding CLN joined with ", "_syslog finding SUS"}},
		"others pass":                      {store: true, in: []string{finding, "garbage", `{"half":`}, want: []string{"panoptica ", "auto ", "auto "}},
		"join_storage without join_syslog": {change: func(c *Config) { c.JoinSyslog = false }, store: true, in: []string{scanOf(1, "CLN"), cutLine(1)}, want: []string{" CLN", cutMarked}},
	}
	for name, test := range tests {
		for _, split := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/split=%t", name, split), func(t *testing.T) {
				var d *disk
				if test.store {
					d = &disk{data: map[string][]byte{}}
				}
				s := newStand(t, d, test.change)
				if split { // each in a batch of its own
					for _, body := range test.in {
						require.NoError(t, s.give(body))
					}
				} else {
					require.NoError(t, s.give(test.in...))
				}
				assert.Equal(t, test.want, s.out())
				if d != nil {
					assert.Equal(t, test.stored, d.lines())
				}
				require.NoError(t, s.p.Shutdown(context.Background()))
				require.Len(t, s.out(), len(test.want)+test.stored, "what waits comes out at the end")
				if test.end != nil {
					assert.Equal(t, test.end, s.out()[len(test.want):])
				}
				if d != nil {
					assert.Zero(t, d.lines())
				}
			})
		}
	}
}

// With both, records of other formats are left alone.
func TestJoinAndFindingsOfOthers(t *testing.T) {
	const flow = "2 111122223333 eni-1 10.0.0.1 10.0.0.2 443 5000 6 10 840 1700000000 1700000060 ACCEPT OK"
	bodies := func(change func(*Config)) (all []string) {
		s := newStand(t, nil, change)
		require.NoError(t, s.give(flow, finding, scanOf(1, "CLN")))
		require.NoError(t, s.p.Shutdown(context.Background()))
		for _, logs := range s.sink.AllLogs() {
			for _, rl := range logs.ResourceLogs().All() {
				for _, sl := range rl.ScopeLogs().All() {
					for _, lr := range sl.LogRecords().All() {
						eventType, _ := lr.Attributes().Get(record.AttrEventType)
						all = append(all, eventType.Str())
					}
				}
			}
		}
		return all
	}
	assert.Equal(t, []string{"AWS.VPCFlow", "security_finding", "email_scan"}, bodies(nil))
	assert.Equal(t, []string{"AWS.VPCFlow", "security_finding", "security_finding"}, bodies(func(c *Config) { c.ScansAsFindings = true }))
}

// A line whose scan does not come goes on as it is when the window has passed, with its attributes.
func TestJoinExpires(t *testing.T) {
	for _, refused := range []bool{false, true} {
		d := &disk{data: map[string][]byte{}}
		const window = 50 * time.Millisecond // by the clock of this test; the processor's looks every tenth of it
		var passed atomic.Int64
		began := time.Now()
		s := newStand(t, d, func(c *Config) { c.JoinWindow = window }, func() time.Time { return began.Add(time.Duration(passed.Load())) })
		require.NoError(t, s.give(cutLine(1), forgedLine(2)))
		assert.Empty(t, s.out())
		assert.Equal(t, 2, d.lines())
		s.refuse.Store(refused)
		passed.Store(int64(2 * window))
		if refused {
			require.Eventually(t, func() bool { return s.said.Load() >= 2 }, patience, 5*time.Millisecond)
			assert.Equal(t, 2, d.lines(), "what is refused stays stored")
			s.refuse.Store(false)
		}
		require.Eventually(t, func() bool { return len(s.out()) == 2 }, patience, 5*time.Millisecond)
		assert.Equal(t, []string{"_syslog unknown damaged", "_syslog MAL damaged"}, s.out())
		require.Eventually(t, func() bool { return d.lines() == 0 }, patience, 5*time.Millisecond)
		require.NoError(t, s.give(scanOf(1, "CLN")))
		assert.Equal(t, " CLN", s.out()[2], "too late")
		require.NoError(t, s.p.Shutdown(context.Background()))
	}
}

// A collector that is killed leaves its disk behind: what waited there waits on, is joined or comes out, and is never lost.
func TestJoinSurvivesAKill(t *testing.T) {
	d := &disk{data: map[string][]byte{}}
	killed := newStand(t, d, nil)
	for i := range 600 {
		require.NoError(t, killed.give(cutLine(i)))
	}
	require.NoError(t, killed.give(scanOf(0, "CLN")))
	after := d.snapshot()
	require.NoError(t, killed.p.Shutdown(context.Background()))
	assert.Equal(t, 599, after.lines())

	s := newStand(t, after, nil)
	require.NoError(t, s.give(scanOf(7, "MAL"), cutLine(1000)))
	assert.Equal(t, []string{" MAL joined with _syslog"}, s.out())
	assert.Equal(t, 599, after.lines(), "one is joined, one is new")
	again := after.snapshot()
	require.NoError(t, s.p.Shutdown(context.Background()))
	assert.Len(t, s.out(), 1+599)

	gone := newStand(t, again, func(c *Config) { c.JoinSyslog = false }) // they come out all the same
	require.NoError(t, gone.p.Shutdown(context.Background()))
	assert.Len(t, gone.out(), 599)
	assert.NotContains(t, strings.Join(gone.out(), "\n"), "without its attributes")
}

// A batch that the next component refuses ends no wait: the scan comes again, and finds its line.
func TestJoinRefused(t *testing.T) {
	d := &disk{data: map[string][]byte{}}
	s := newStand(t, d, nil)
	require.NoError(t, s.give(cutLine(1)))
	s.refuse.Store(true)
	require.Error(t, s.give(scanOf(1, "CLN"), cutLine(2)))
	assert.Equal(t, 2, d.lines())
	s.refuse.Store(false)
	require.NoError(t, s.give(scanOf(1, "CLN"), cutLine(2)))
	assert.Equal(t, []string{" CLN joined with _syslog"}, s.out())
	assert.Equal(t, 1, d.lines())
	require.NoError(t, s.p.Shutdown(context.Background()))
}

// A storage that is full keeps nothing back.
func TestJoinStorageFull(t *testing.T) {
	d := &disk{data: map[string][]byte{}}
	d.full.Store(true)
	s := newStand(t, d, nil)
	require.NoError(t, s.give(cutLine(1)))
	assert.Equal(t, []string{"_syslog unknown damaged"}, s.out())
	require.NoError(t, s.p.Shutdown(context.Background()))
}

func TestJoinStorageMistakes(t *testing.T) {
	cfg := defaults()
	cfg.JoinSyslog = true
	id := component.MustNewID("nowhere")
	cfg.JoinStorage = &id
	p, err := NewFactory().CreateLogs(t.Context(), nop(), cfg, consumertest.NewNop())
	require.NoError(t, err)
	assert.ErrorContains(t, p.Start(t.Context(), componenttest.NewNopHost()), "join_storage: there is no extension nowhere")
	assert.NoError(t, p.Shutdown(context.Background()))
	cfg.JoinWindow = 0
	assert.ErrorContains(t, confmap.Validate(cfg), "join_window")
}

// Memory stays within its bound, whatever comes.
func TestJoinIsBounded(t *testing.T) {
	const limit = 1 << 20
	now := time.Unix(1700000000, 0)
	j := newJoiner(time.Hour, limit)
	for i := range 20_000 {
		j.addScan(fmt.Sprint("scan", i), strings.Repeat("x", 200), now)
		_, err := j.addLine(t.Context(), &line{key: fmt.Sprint("line", i), text: strings.Repeat("y", 1000)}, now)
		require.NoError(t, err)
		require.LessOrEqual(t, j.bytes, limit)
	}
	assert.NotEmpty(t, j.lines)
	j.addScan("late", "x", now.Add(3*time.Hour))
	assert.Len(t, j.scans, 1)
	assert.Empty(t, j.lines)
	assert.Equal(t, overhead+len("late")+1, j.bytes)
}

// A scan that comes over and over costs what one costs, and is remembered for the window after it came last.
func TestJoinRemembersAScanOnce(t *testing.T) {
	now := time.Unix(1700000000, 0)
	j := newJoiner(time.Hour, 1<<20)
	for i := range 1000 {
		j.addScan("one", strings.Repeat("x", i), now)
		j.addScan("two", "y", now)
		now = now.Add(time.Minute)
	}
	assert.Len(t, j.order, 2)
	assert.Equal(t, 2*overhead+len("one")+999+len("two")+1, j.bytes)
	j.addScan("two", "y", now.Add(30*time.Minute))
	_, ok := j.pairsOf("one", now.Add(59*time.Minute))
	assert.True(t, ok)
	j.addScan("three", "z", now.Add(85*time.Minute))
	_, ok = j.pairsOf("two", now.Add(85*time.Minute))
	assert.True(t, ok)
	j.forget(now.Add(4 * time.Hour))
	assert.Empty(t, j.scans)
	assert.Empty(t, j.order)
	assert.Zero(t, j.bytes)
}

// The records of lines that found their scans are let go, also while an older line waits.
func TestJoinedLinesAreLetGo(t *testing.T) {
	s := newStand(t, &disk{data: map[string][]byte{}}, nil)
	require.NoError(t, s.give(cutLine(0)))
	for i := 1; i < 100; i++ {
		require.NoError(t, s.give(cutLine(i)))
		require.NoError(t, s.give(scanOf(i, "CLN")))
	}
	j := s.p.(*joiningLogs).siem.joiner
	kept := 0
	for _, l := range j.ages {
		kept += len(l.text)
		if l.logs != (plog.Logs{}) {
			kept += l.logs.LogRecordCount()
		}
	}
	assert.Equal(t, len(cutLine(0))+1, kept)
	require.NoError(t, s.p.Shutdown(context.Background()))
}

func TestJoinConcurrently(t *testing.T) {
	d := &disk{data: map[string][]byte{}}
	s := newStand(t, d, func(c *Config) { c.JoinWindow = 20 * time.Millisecond })
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 100 {
				assert.NoError(t, s.give(cutLine(i), forgedLine(1000*g+i)))
				assert.NoError(t, s.give(scanOf(i, "CLN")))
			}
		})
	}
	wg.Wait()
	require.NoError(t, s.p.Shutdown(context.Background()))
	assert.Zero(t, d.lines())
	ids := map[string]bool{}
	for _, logs := range s.sink.AllLogs() {
		for _, rl := range logs.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, lr := range sl.LogRecords().All() {
					id, _ := lr.Attributes().Get(record.AttrID)
					ids[strings.TrimSuffix(id.Str(), "_20210204")] = true
				}
			}
		}
	}
	assert.Len(t, ids, 400)
}

func BenchmarkJoin(b *testing.B) {
	cfg := defaults()
	cfg.JoinSyslog = true
	p, err := newSiem(nop(), cfg, consumertest.NewNop())
	require.NoError(b, err)
	raw := scanOf(1, "MAL")
	lr := plog.NewLogRecord()
	batch := p.newBatch(b.Context(), p.workers.Get().(*worker))
	give := func() {
		lr.Body().SetStr(raw)
		if !p.processRecord(&batch, lr) {
			b.Fatal("does not stay")
		}
	}
	give()
	if len(p.joiner.scans) != 1 {
		b.Fatal("not remembered")
	}
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		give()
	}
}
