package findingstateprocessor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor"

	"github.com/siempipe/siempipe/internal/collector/logrecord"
	"github.com/siempipe/siempipe/internal/findingstate"
	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/processor/findingstateprocessor/internal/metadata"
)

var start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

var storageID = component.MustNewID("file_storage")

func defaults() *Config {
	cfg := createDefaultConfig().(*Config)
	cfg.Storage = storageID
	cfg.Emit = "changes"
	return cfg
}

func nop() processor.Settings {
	return processor.Settings{ID: component.NewID(metadata.Type), TelemetrySettings: componenttest.NewNopTelemetrySettings()}
}

// host has one extension.
type host map[component.ID]component.Component

func (h host) GetExtensions() map[component.ID]component.Component { return h }

// sink is what comes next: it keeps what it takes, and refuses when told to.
type sink struct {
	refuse error
	logs   []plog.Logs
}

func (s *sink) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (s *sink) ConsumeLogs(_ context.Context, logs plog.Logs) error {
	if s.refuse != nil {
		return s.refuse
	}
	copied := plog.NewLogs()
	logs.CopyTo(copied)
	s.logs = append(s.logs, copied)
	return nil
}

// counter counts what it takes.
type counter struct{ n int }

func (c *counter) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (c *counter) ConsumeLogs(_ context.Context, logs plog.Logs) error {
	c.n += logs.LogRecordCount()
	return nil
}

// take returns what came since the last take, each as "id change(fields)".
func (s *sink) take() []string {
	var out []string
	for _, logs := range s.logs {
		for _, lr := range records(logs) {
			out = append(out, describe(lr))
		}
	}
	s.logs = nil
	return out
}

func describe(lr plog.LogRecord) string {
	attrs := lr.Attributes()
	id, _ := attrs.Get(record.AttrID)
	text := id.AsString()
	if change, ok := attrs.Get(record.AttrChange); ok {
		text += " " + change.Str()
	}
	if fields, ok := attrs.Get(record.AttrChangedFields); ok {
		var names []string
		for _, name := range fields.Slice().All() {
			names = append(names, name.Str())
		}
		text += "(" + strings.Join(names, ",") + ")"
	}
	return text
}

func records(logs plog.Logs) (all []plog.LogRecord) {
	for _, rl := range logs.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, lr := range sl.LogRecords().All() {
				all = append(all, lr)
			}
		}
	}
	return all
}

// rig is a processor on a real file storage, with a clock that only the test moves.
type rig struct {
	*findingState
	t     testing.TB
	set   processor.Settings
	dir   string
	sink  *sink
	ext   extension.Extension
	clock time.Time
	opts  func(*findingstate.Options) // what no user may say

	context context.Context // of what is consumed
	writes  int             // so many more succeed; -1 for all
}

func newRig(t testing.TB, cfg *Config, opts ...func(*findingstate.Options)) *rig {
	return newRigWith(t, nop(), cfg, opts...)
}

func newRigWith(t testing.TB, set processor.Settings, cfg *Config, opts ...func(*findingstate.Options)) *rig {
	r := &rig{t: t, set: set, dir: t.TempDir(), sink: &sink{}, clock: start, context: context.Background(), writes: -1}
	if len(opts) > 0 {
		r.opts = opts[0]
	}
	r.start(cfg)
	t.Cleanup(func() { r.stop() })
	return r
}

func (r *rig) start(cfg *Config) {
	r.t.Helper()
	r.ext = fileStorage(r.t, r.dir)
	p, err := newFindingState(r.set, cfg, r.sink)
	require.NoError(r.t, err)
	if r.opts != nil {
		r.opts(&p.opts)
	}
	p.now = func() time.Time { return r.clock }
	require.NoError(r.t, p.open(context.Background(), host{storageID: breakable{r.ext.(storage.Extension), r}})) // without the loop: the test ticks
	r.findingState = p
}

// breakWrite lets the write after so many fail, and all that follow; -1 mends it.
func (r *rig) breakWrite(after int) { r.writes = after }

// breakable is a storage whose writes fail when the rig says so.
type breakable struct {
	storage.Extension
	r *rig
}

type breakableClient struct {
	storage.Client
	r *rig
}

func (b breakable) GetClient(ctx context.Context, kind component.Kind, id component.ID, name string) (storage.Client, error) {
	client, err := b.Extension.GetClient(ctx, kind, id, name)
	return breakableClient{client, b.r}, err
}

func (c breakableClient) Batch(ctx context.Context, ops ...*storage.Operation) error {
	if slices.ContainsFunc(ops, func(op *storage.Operation) bool { return op.Type != storage.Get }) && c.r.writes >= 0 {
		if c.r.writes == 0 {
			return errors.New("no space left on device")
		}
		c.r.writes--
	}
	return c.Client.Batch(ctx, ops...)
}

func fileStorage(t testing.TB, dir string) extension.Extension {
	t.Helper()
	f := filestorage.NewFactory()
	cfg := f.CreateDefaultConfig().(*filestorage.Config)
	cfg.Directory = dir
	ext, err := f.Create(context.Background(), extension.Settings{ID: storageID, TelemetrySettings: componenttest.NewNopTelemetrySettings()}, cfg)
	require.NoError(t, err)
	require.NoError(t, ext.Start(context.Background(), nil))
	return ext
}

// stop shuts down in order.
func (r *rig) stop() {
	r.t.Helper()
	require.NoError(r.t, r.Shutdown(context.Background()))
	require.NoError(r.t, r.ext.Shutdown(context.Background()))
}

// crash leaves the state as it is on disk; only the file's lock is given back.
func (r *rig) crash(cfg *Config) {
	r.t.Helper()
	require.NoError(r.t, r.client.Close(context.Background()))
	r.client = nil
	require.NoError(r.t, r.ext.Shutdown(context.Background()))
	r.telemetry.Shutdown()
	r.start(cfg)
}

// post is one record as it leaves the siem processor.
type post struct {
	body   string
	scan   string
	status string
	tenant string // where the body names none

	suppressed bool
}

func (r *rig) logs(posts ...post) plog.Logs {
	r.t.Helper()
	logs := plog.NewLogs()
	list := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for _, p := range posts {
		parser, err := format.NewParser(format.Options{Format: "panoptica", TenantID: p.tenant})
		require.NoError(r.t, err)
		lr := list.AppendEmpty()
		if p.body == "" {
			lr.Attributes().PutStr(record.AttrEventType, record.Scan)
			lr.Body().SetStr(`{}`)
		} else {
			var rec record.Record
			parser.Parse(p.body, "", r.clock, &rec)
			logrecord.Write(&rec, lr)
		}
		lr.SetObservedTimestamp(pcommon.NewTimestampFromTime(r.clock))
		if p.scan != "" {
			lr.Attributes().PutStr(record.AttrScanID, p.scan)
		}
		if p.suppressed {
			lr.Attributes().PutStr(record.AttrSuppressed, "rule")
		}
		if p.status != "" {
			lr.Attributes().PutStr(record.AttrScanStatus, p.status)
		}
	}
	return logs
}

// finding is a finding's body, with the time of the clock and more members.
func (r *rig) finding(id, members string) post {
	if members != "" {
		members = "," + members
	}
	return post{body: fmt.Sprintf(`{"alert_id":%q,"tenant_id":"id-1","account_id":"111122223333","severity":"High","detection_type":"security_finding","detection_timestamp":%q%s}`,
		id, r.clock.Format(time.RFC3339), members)}
}

func (p post) of(scan, status string) post {
	p.scan, p.status = scan, status
	return p
}

// do runs one line of a scenario and returns what went on, sorted where order is no part of the contract.
//
//	+1h                       the clock moves; snapshots and scans are looked after
//	f-1 f-2@7 "labels":["x"]  findings come, of account 7 too; members stand behind their finding
//	suppressed f-1            findings come that a suppression holds for
//	event {…} {…}             dispositions come on their own, for the findings' tenant
//	any {…}                   one that names no tenant, or its own
//	both {…}                  such a one and f-1 in one batch
//	scan s1 running: f-1 f-2  findings of a scan
//	scan s1 completed         a scan event
//	crash, restart            the processor begins again
//	refuse, accept            the next component refuses from now on, or no longer
//	refuse for good           with an error that is permanent
func (r *rig) do(cfg *Config, line string) []string {
	r.t.Helper()
	word, rest, _ := strings.Cut(line, " ")
	switch {
	case strings.HasPrefix(word, "+"):
		d, err := time.ParseDuration(word[1:])
		require.NoError(r.t, err)
		r.clock = r.clock.Add(d)
		err = r.tick(context.Background())
		if r.sink.refuse == nil {
			require.NoError(r.t, err)
		}
	case word == "crash":
		r.crash(cfg)
	case word == "restart":
		r.stop()
		r.start(cfg)
	case word == "refuse":
		if r.sink.refuse = errors.New("queue full"); rest != "" {
			r.sink.refuse = consumererror.NewPermanent(r.sink.refuse)
		}
	case word == "accept":
		r.sink.refuse = nil
	case word == "suppressed":
		posts := r.findings(rest)
		for i := range posts {
			posts[i].suppressed = true
		}
		r.consume(posts...)
	case word == "event":
		var posts []post
		for _, body := range strings.SplitAfter(rest, "} ") {
			posts = append(posts, post{body: body, tenant: "id-1"})
		}
		r.consume(posts...)
	case word == "any":
		r.consume(post{body: rest})
	case word == "both":
		r.consume(post{body: rest}, r.finding("f-1", ""))
	case word == "scan":
		head, list, _ := strings.Cut(rest, ":")
		id, status, _ := strings.Cut(strings.TrimSpace(head), " ")
		posts := r.findings(list)
		for i := range posts {
			posts[i] = posts[i].of(id, status)
		}
		if len(posts) == 0 {
			posts = []post{{scan: id, status: status}}
		}
		r.consume(posts...)
	default:
		r.consume(r.findings(line)...)
	}
	out := r.sink.take()
	slices.Sort(out)
	return out
}

func (r *rig) consume(posts ...post) {
	r.t.Helper()
	err := r.ConsumeLogs(r.context, r.logs(posts...))
	if r.sink.refuse == nil {
		require.NoError(r.t, err)
	}
}

func (r *rig) findings(line string) (posts []post) {
	for _, word := range strings.Fields(line) {
		if strings.HasPrefix(word, `"`) {
			last := &posts[len(posts)-1].body
			*last = strings.TrimSuffix(*last, "}") + "," + word + "}"
			require.True(r.t, json.Valid([]byte(*last)), *last)
			continue
		}
		id, account, _ := strings.Cut(word, "@")
		p := r.finding(id, "")
		if account != "" {
			p.body = strings.Replace(p.body, "111122223333", account, 1)
		}
		posts = append(posts, p)
	}
	return posts
}
