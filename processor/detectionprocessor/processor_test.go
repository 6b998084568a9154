package detectionprocessor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/siempipe/siempipe/internal/collector/logrecord"
	"github.com/siempipe/siempipe/internal/detect"
	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/internal/schema/panoptica"
	"github.com/siempipe/siempipe/processor/detectionprocessor/internal/metadata"
)

var start = time.Date(2024, 5, 1, 10, 0, 0, 0, time.UTC)

// event is one record as the siem processor writes it.
type event struct {
	logType, id, body string
	at                time.Time
}

func passwordPolicy(id string, at time.Duration) event {
	return event{"AWS.CloudTrail", id, `{"eventName":"GetAccountPasswordPolicy","eventSource":"iam.amazonaws.com","recipientAccountId":"111122223333","userIdentity":{"arn":"arn:aws:iam::111122223333:user/eve"},"p_any_aws_arns":["arn:aws:iam::111122223333:user/eve"]}`, start.Add(at)}
}

func failedSignIn(id string, at time.Duration) event {
	return event{"Azure.SignIn", id, `{"operationName":"Sign-in activity","category":"SignInLogs","tenantId":"t-1","properties":{"userPrincipalName":"eve@example.com","status":{"errorCode":50126}}}`, start.Add(at)}
}

func logsOf(events ...event) plog.Logs {
	logs := plog.NewLogs()
	rl := logs.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("origin", "test")
	records := rl.ScopeLogs().AppendEmpty().LogRecords()
	for _, e := range events {
		lr := records.AppendEmpty()
		lr.Body().SetStr(e.body)
		lr.SetTimestamp(pcommon.NewTimestampFromTime(e.at))
		lr.SetObservedTimestamp(pcommon.NewTimestampFromTime(e.at.Add(time.Second)))
		lr.Attributes().PutStr(record.AttrEventType, e.logType)
		lr.Attributes().PutStr(record.AttrID, e.id)
		lr.Attributes().PutStr(record.AttrTenantID, "id-acme")
	}
	return logs
}

// sink keeps what it takes; it refuses while err is set.
type sink struct {
	mu   sync.Mutex
	err  error
	logs []plog.Logs
}

func (*sink) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (s *sink) ConsumeLogs(_ context.Context, logs plog.Logs) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	copied := plog.NewLogs()
	logs.CopyTo(copied)
	s.logs = append(s.logs, copied)
	return nil
}

// findings are the records that came out and did not go in.
func (s *sink) findings() (list []plog.LogRecord) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, logs := range s.logs {
		for _, rl := range logs.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, lr := range sl.LogRecords().All() {
					if sl.Scope().Name() == scopeName {
						list = append(list, lr)
					}
				}
			}
		}
	}
	return list
}

type host map[component.ID]component.Component

func (h host) GetExtensions() map[component.ID]component.Component { return h }

// run starts a processor, uses it and shuts it down. dir holds its storage; empty means none.
func run(t *testing.T, dir string, configure func(*Config), next consumer.Logs, use func(p processor.Logs)) {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	h := host{}
	if dir != "" {
		f := filestorage.NewFactory()
		fc := f.CreateDefaultConfig().(*filestorage.Config)
		fc.Directory = dir
		id := component.NewID(f.Type())
		ext, err := f.Create(t.Context(), extension.Settings{ID: id, TelemetrySettings: componenttest.NewNopTelemetrySettings()}, fc)
		require.NoError(t, err)
		require.NoError(t, ext.Start(t.Context(), nil))
		defer func() { require.NoError(t, ext.Shutdown(context.Background())) }()
		h[id], cfg.Storage = ext, &id
	}
	if configure != nil {
		configure(cfg)
	}
	p, err := NewFactory().CreateLogs(t.Context(), processortest.NewNopSettings(metadata.Type), cfg, next)
	require.NoError(t, err)
	require.NoError(t, p.Start(t.Context(), h))
	defer func() { require.NoError(t, p.Shutdown(context.Background())) }()
	use(p)
}

func TestRecordsGoOnUnchangedWithTheirFindings(t *testing.T) {
	s := &sink{}
	run(t, "", nil, s, func(p processor.Logs) {
		in := logsOf(passwordPolicy("a", 0), event{"AWS.CloudTrail", "x", `{"eventName":"ListUsers"}`, start}, passwordPolicy("b", time.Minute), passwordPolicy("c", 2*time.Minute),
			event{record.Invalid, "", `{"error":"x"}`, start}, event{"", "", `{"eventName":"GetAccountPasswordPolicy"}`, start})
		want := plog.NewLogs()
		in.CopyTo(want)
		require.NoError(t, p.ConsumeLogs(t.Context(), in))
		require.Len(t, s.logs, 1)
		got := s.logs[0]
		scopes := got.ResourceLogs().At(0).ScopeLogs()
		require.Equal(t, 2, scopes.Len())
		assert.Equal(t, want.ResourceLogs().At(0).ScopeLogs().At(0), scopes.At(0), "the records")
	})
	require.Len(t, s.findings(), 1)
	lr := s.findings()[0]
	assert.JSONEq(t, `{
		"alert_id": "`+lr.Attributes().AsRaw()[record.AttrID].(string)+`",
		"detection_type": "other",
		"attack_scenario": "Password Policy Discovery detected in AWS CloudTrail from [arn:aws:iam::111122223333:user/eve]",
		"description": "Someone read or changed the password policy of an AWS account, as attackers do before they guess passwords.",
		"severity": "Information", "resolved": false, "provider": "AWS", "account_id": "111122223333", "tenant_id": "id-acme",
		"labels": ["TA0007", "T1201"],
		"related_resources": [["arn:aws:iam::111122223333:user/eve"]],
		"rule_id": "AWS.CloudTrail.Password.Policy.Discovery",
		"rule_uuid": "`+ruleUUID(t, "AWS.CloudTrail.Password.Policy.Discovery")+`",
		"rule_title": "Password Policy Discovery in AWS CloudTrail",
		"dedup": "Password Policy Discovery detected in AWS CloudTrail from [arn:aws:iam::111122223333:user/eve]",
		"log_type": "AWS.CloudTrail",
		"context": {"eventName":"GetAccountPasswordPolicy","eventSource":"iam.amazonaws.com","awsRegion":"<MISSING_AWS_REGION>","recipientAccountId":"111122223333","sourceIPAddress":"<MISSING_SOURCE_IP>","userAgent":"<MISSING_USER_AGENT>","userIdentity":{"arn":"arn:aws:iam::111122223333:user/eve"}},
		"references": ["https://attack.mitre.org/techniques/T1201/", "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_passwords_account-policy.html"],
		"detection_timestamp": "2024-05-01T10:01:00Z", "first_seen_timestamp": "2024-05-01T10:00:00Z",
		"count": 2, "sample_event_ids": ["a", "b"]
	}`, lr.Body().Str())
	assert.Equal(t, map[string]any{
		record.AttrEventType: record.Other, record.AttrAccountID: "111122223333", record.AttrTenantID: "id-acme", record.AttrFormat: detect.Format,
		record.AttrID: lr.Attributes().AsRaw()[record.AttrID],
	}, lr.Attributes().AsRaw())
	assert.Equal(t, plog.SeverityNumberInfo, lr.SeverityNumber())
	assert.Equal(t, start.Add(time.Minute), lr.Timestamp().AsTime())
	validate(t, lr.Body().Str())
}

func ruleUUID(t *testing.T, name string) string {
	t.Helper()
	set, _, _, err := createDefaultConfig().(*Config).loader().Load()
	require.NoError(t, err)
	for _, r := range set.Rules {
		if r.Name == name {
			return r.ID
		}
	}
	t.Fatal(name)
	return ""
}

func validate(t *testing.T, text string) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(panoptica.Schema)))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	require.NoError(t, compiler.AddResource("schema.json", doc))
	schema, err := compiler.Compile("schema.json")
	require.NoError(t, err)
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	require.NoError(t, err, text)
	require.NoError(t, schema.Validate(value), text)
}

func signIns(from, n int) []event {
	var events []event
	for i := from; i < from+n; i++ {
		events = append(events, failedSignIn(fmt.Sprint(i), time.Duration(i)*time.Second))
	}
	return events
}

func TestThresholds(t *testing.T) {
	tests := map[string]struct {
		batches  [][]event
		findings int
	}{
		"nine":                        {[][]event{signIns(0, 9)}, 0},
		"ten":                         {[][]event{signIns(0, 10)}, 1},
		"ten, one by one":             {[][]event{signIns(0, 5), signIns(5, 4), signIns(9, 1), signIns(10, 30)}, 1},
		"nine, one of them ten times": {[][]event{signIns(0, 9), signIns(8, 1), signIns(8, 1), signIns(8, 1)}, 0},
		"two password policy calls":   {[][]event{{passwordPolicy("a", 0)}, {passwordPolicy("b", 29*time.Minute)}}, 1},
		"two calls, too far apart":    {[][]event{{passwordPolicy("a", 0)}, {passwordPolicy("b", 30*time.Minute)}}, 0},
		"two calls, the later first":  {[][]event{{passwordPolicy("b", 29*time.Minute)}, {passwordPolicy("a", 0)}}, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := &sink{}
			run(t, "", nil, s, func(p processor.Logs) {
				for _, batch := range test.batches {
					require.NoError(t, p.ConsumeLogs(t.Context(), logsOf(batch...)))
				}
			})
			assert.Len(t, s.findings(), test.findings)
		})
	}
}

// TestRestart: a restart in the middle of a window neither forgets nor doubles.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	s := &sink{}
	parts := [][]event{signIns(0, 5), signIns(5, 4), signIns(9, 1), signIns(10, 20)}
	for i, part := range parts {
		run(t, dir, nil, s, func(p processor.Logs) {
			require.NoError(t, p.ConsumeLogs(t.Context(), logsOf(part...)))
		})
		want := 0
		if i >= 2 {
			want = 1
		}
		require.Len(t, s.findings(), want, "after part %d", i)
	}
	assert.Contains(t, s.findings()[0].Body().Str(), `"first_seen_timestamp":"2024-05-01T10:00:00Z","count":10,"sample_event_ids":["0","1","2","3","4","5","6","7","8","9"]`)
}

// TestCrash: what happens between delivery and acknowledgement. The state is copied while the processor runs, as a crash
// would leave it, and what was not acknowledged comes again.
func TestCrash(t *testing.T) {
	t.Run("before the windows are written", func(t *testing.T) {
		dir := t.TempDir()
		s := &sink{}
		run(t, dir, nil, s, func(p processor.Logs) { require.NoError(t, p.ConsumeLogs(t.Context(), logsOf(signIns(0, 9)...))) })
		crashed := copyDir(t, dir) // the tenth is delivered, its window not written, and it was not acknowledged
		run(t, dir, nil, s, func(p processor.Logs) { require.NoError(t, p.ConsumeLogs(t.Context(), logsOf(signIns(9, 1)...))) })
		run(t, crashed, nil, s, func(p processor.Logs) { require.NoError(t, p.ConsumeLogs(t.Context(), logsOf(signIns(9, 1)...))) })
		findings := s.findings()
		require.Len(t, findings, 2, "the finding comes again")
		assert.Equal(t, findings[0].Body().Str(), findings[1].Body().Str(), "and is the same")
	})
	t.Run("after the windows are written", func(t *testing.T) {
		dir := t.TempDir()
		s := &sink{}
		run(t, dir, nil, s, func(p processor.Logs) { require.NoError(t, p.ConsumeLogs(t.Context(), logsOf(signIns(0, 6)...))) })
		// Not acknowledged: the same six come again, and are not twelve.
		run(t, dir, nil, s, func(p processor.Logs) { require.NoError(t, p.ConsumeLogs(t.Context(), logsOf(signIns(0, 6)...))) })
		assert.Empty(t, s.findings())
	})
}

func copyDir(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	require.NoError(t, os.CopyFS(to, os.DirFS(dir)))
	return to
}

// TestRefused: a batch that was not taken is not counted, and its finding comes with the next try.
func TestRefused(t *testing.T) {
	s := &sink{err: errors.New("queue is full")}
	run(t, t.TempDir(), nil, s, func(p processor.Logs) {
		for range 5 {
			require.Error(t, p.ConsumeLogs(t.Context(), logsOf(signIns(0, 10)...)))
		}
		s.err = nil
		require.NoError(t, p.ConsumeLogs(t.Context(), logsOf(signIns(0, 9)...)))
		assert.Empty(t, s.findings())
		s.err = errors.New("again")
		require.Error(t, p.ConsumeLogs(t.Context(), logsOf(signIns(9, 1)...)))
		s.err = nil
		require.NoError(t, p.ConsumeLogs(t.Context(), logsOf(signIns(9, 1)...)))
		assert.Len(t, s.findings(), 1)
	})
}

// TestSameBatchAgain: receivers that try again do so with the batch that they have, which holds the finding already.
func TestSameBatchAgain(t *testing.T) {
	s := &sink{err: errors.New("queue is full")}
	run(t, "", nil, s, func(p processor.Logs) {
		logs := logsOf(signIns(0, 10)...)
		require.Error(t, p.ConsumeLogs(t.Context(), logs))
		require.Error(t, p.ConsumeLogs(t.Context(), logs))
		s.err = nil
		require.NoError(t, p.ConsumeLogs(t.Context(), logs))
	})
	assert.Len(t, s.findings(), 1)
}

// TestNoTime: a record without any time is of now.
func TestNoTime(t *testing.T) {
	s := &sink{}
	run(t, "", nil, s, func(p processor.Logs) {
		logs := logsOf(passwordPolicy("a", 0), passwordPolicy("b", 0))
		for _, lr := range logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
			lr.SetTimestamp(0)
			lr.SetObservedTimestamp(0)
		}
		require.NoError(t, p.ConsumeLogs(t.Context(), logs))
	})
	require.Len(t, s.findings(), 1)
	assert.WithinDuration(t, time.Now(), s.findings()[0].Timestamp().AsTime(), time.Minute)
}

// TestMapBody: siem with body: map.
func TestMapBody(t *testing.T) {
	s := &sink{}
	run(t, "", nil, s, func(p processor.Logs) {
		logs := logsOf(passwordPolicy("a", 0), passwordPolicy("b", 0))
		for _, lr := range logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
			require.NoError(t, logrecord.SetMapBody(lr))
		}
		require.NoError(t, p.ConsumeLogs(t.Context(), logs))
	})
	require.Len(t, s.findings(), 1)
	assert.Contains(t, s.findings()[0].Body().Str(), "user/eve")
}

// TestDamagedStore: what is broken in the store is left out, and its slot is used again.
func TestDamagedStore(t *testing.T) {
	ext := &mapStorage{values: map[string][]byte{}}
	start := func(use func(p processor.Logs)) *sink {
		s := &sink{}
		cfg := createDefaultConfig().(*Config)
		cfg.Storage = new(component.MustNewID("file_storage"))
		p, err := NewFactory().CreateLogs(t.Context(), processortest.NewNopSettings(metadata.Type), cfg, s)
		require.NoError(t, err)
		require.NoError(t, p.Start(t.Context(), host{*cfg.Storage: ext}))
		use(p)
		require.NoError(t, p.Shutdown(t.Context()))
		return s
	}
	start(func(p processor.Logs) { require.NoError(t, p.ConsumeLogs(t.Context(), logsOf(signIns(0, 5)...))) })
	require.Equal(t, "1024", string(ext.values["slots"]))
	whole := ext.values["window/0"]
	for _, broken := range []string{"", "{", "null", string(whole[:len(whole)/2]), strings.Replace(string(whole), `"key"`, `"kez"`, 1)} {
		ext.values["window/0"] = []byte(broken)
		s := start(func(p processor.Logs) { require.NoError(t, p.ConsumeLogs(t.Context(), logsOf(signIns(5, 5)...))) })
		assert.Empty(t, s.findings())
		assert.NotEqual(t, broken, string(ext.values["window/0"]))
	}
	ext.values["window/0"] = []byte(strings.Replace(string(whole), `"draft":{`, `"draft":["x"],"d":{`, 1))
	s := start(func(p processor.Logs) { require.NoError(t, p.ConsumeLogs(t.Context(), logsOf(signIns(5, 5)...))) })
	require.Len(t, s.findings(), 1, "a draft that is none is made again")
	validate(t, s.findings()[0].Body().Str())
	ext.values["slots"] = []byte("many")
	cfg := createDefaultConfig().(*Config)
	cfg.Storage = new(component.MustNewID("file_storage"))
	p, err := NewFactory().CreateLogs(t.Context(), processortest.NewNopSettings(metadata.Type), cfg, s)
	require.NoError(t, err)
	require.ErrorContains(t, p.Start(t.Context(), host{*cfg.Storage: ext}), "damaged")
}

// mapStorage is a storage in memory.
type mapStorage struct {
	component.StartFunc
	component.ShutdownFunc
	values map[string][]byte
}

func (s *mapStorage) GetClient(context.Context, component.Kind, component.ID, string) (storage.Client, error) {
	return s, nil
}
func (s *mapStorage) Get(_ context.Context, key string) ([]byte, error) { return s.values[key], nil }
func (s *mapStorage) Set(_ context.Context, key string, value []byte) error {
	s.values[key] = value
	return nil
}
func (s *mapStorage) Delete(_ context.Context, key string) error { delete(s.values, key); return nil }
func (s *mapStorage) Close(context.Context) error                { return nil }
func (s *mapStorage) Batch(_ context.Context, ops ...*storage.Operation) error {
	for _, op := range ops {
		switch op.Type {
		case storage.Get:
			op.Value = s.values[op.Key]
		case storage.Set:
			s.values[op.Key] = op.Value
		case storage.Delete:
			delete(s.values, op.Key)
		}
	}
	return nil
}

// TestConcurrent: many senders at once, each finding once.
func TestConcurrent(t *testing.T) {
	s := &sink{}
	run(t, t.TempDir(), nil, s, func(p processor.Logs) {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for j := range 10 {
					assert.NoError(t, p.ConsumeLogs(t.Context(), logsOf(failedSignIn(fmt.Sprint(i, " ", j), time.Duration(j)*time.Second), event{"AWS.CloudTrail", "x", `{"eventName":"ListUsers"}`, start})))
				}
			})
		}
		wg.Wait()
	})
	assert.Len(t, s.findings(), 1)
}

const ownRule = `title: Own rule
logsource: {product: aws, service: cloudtrail}
detection:
  s: {eventName: %s}
  condition: s
level: high
`

func TestRulesReload(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) { // in one step: a file that is being written may be read empty
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path+".new", []byte(text), 0o600))
		require.NoError(t, os.Rename(path+".new", path))
	}
	write("a.yml", fmt.Sprintf(ownRule, "First"))
	write("broken.yml", "title: broken\n")
	s := &sink{}
	run(t, "", func(c *Config) {
		c.Rules = []string{filepath.Join(dir, "*.yml")}
		c.ReloadInterval = 10 * time.Millisecond
	}, s, func(p processor.Logs) {
		d := p.(*detection)
		assert.EqualValues(t, 1, d.counts.broken.Load())
		send := func(name string) {
			require.NoError(t, p.ConsumeLogs(t.Context(), logsOf(event{"AWS.CloudTrail", "", `{"eventName":"` + name + `"}`, start})))
		}
		send("First")
		require.Len(t, s.findings(), 1)
		write("broken.yml", strings.Replace(fmt.Sprintf(ownRule, "Second"), "Own", "Other", 1))
		require.Eventually(t, func() bool { return len(d.detector.Rules().Rules) == 2 }, time.Minute, 10*time.Millisecond)
		send("Second")
		require.Len(t, s.findings(), 2)
		write("a.yml", "title: [\n")
		require.Eventually(t, func() bool { return len(d.detector.Rules().Rules) == 1 }, time.Minute, 10*time.Millisecond)
		assert.EqualValues(t, 1, d.counts.broken.Load())
		send("First")
		send("Second")
		require.Len(t, s.findings(), 2, "the first is out of force, and the second joins its window")
	})
}

func TestConfig(t *testing.T) {
	dir := t.TempDir()
	own := filepath.Join(dir, "own.yml")
	require.NoError(t, os.WriteFile(own, []byte(fmt.Sprintf(ownRule, "X")), 0o600))
	broken := filepath.Join(dir, "broken.yml")
	require.NoError(t, os.WriteFile(broken, []byte("title: broken\n"), 0o600))
	tests := map[string]struct {
		configure func(*Config)
		err       string
	}{
		"default":            {func(*Config) {}, ""},
		"own beside builtin": {func(c *Config) { c.Rules = append(c.Rules, own) }, ""},
		"no rules":           {func(c *Config) { c.Rules = nil }, "rules: name at least one"},
		"all broken":         {func(c *Config) { c.Rules = []string{broken} }, "not one rule"},
		"none there":         {func(c *Config) { c.Rules = []string{filepath.Join(dir, "none.yml")} }, "not one rule"},
		"bad pattern":        {func(c *Config) { c.Rules = []string{"["} }, "rules: [:"},
		"no mapping":         {func(c *Config) { c.Mapping = filepath.Join(dir, "none") }, "mapping:"},
		"broken mapping":     {func(c *Config) { c.Mapping = broken }, "mapping: " + broken},
		"no interval":        {func(c *Config) { c.ReloadInterval = 0 }, "reload_interval"},
		"no windows":         {func(c *Config) { c.MaxWindows = 0 }, "max_windows"},
		"few window bytes":   {func(c *Config) { c.MaxWindowBytes = 1<<20 - 1 }, "max_window_bytes"},
		"no linger":          {func(c *Config) { c.Linger = 0 }, "linger"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := createDefaultConfig().(*Config)
			test.configure(cfg)
			err := confmap.Validate(cfg)
			if err == nil {
				_, err = NewFactory().CreateLogs(t.Context(), processortest.NewNopSettings(metadata.Type), cfg, consumertest.NewNop())
			}
			if test.err == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.err)
		})
	}
	cfg := createDefaultConfig().(*Config)
	cfg.Storage = new(component.MustNewID("file_storage"))
	p, err := NewFactory().CreateLogs(t.Context(), processortest.NewNopSettings(metadata.Type), cfg, consumertest.NewNop())
	require.NoError(t, err)
	require.ErrorContains(t, p.Start(t.Context(), host{}), "there is no extension file_storage")
	require.NoError(t, p.Shutdown(t.Context()))

	cfg = createDefaultConfig().(*Config)
	cfg.DisabledRules = []string{"AWS.CloudTrail.Password.Policy.Discovery"}
	p, err = NewFactory().CreateLogs(t.Context(), processortest.NewNopSettings(metadata.Type), cfg, consumertest.NewNop())
	require.NoError(t, err)
	for _, r := range p.(*detection).detector.Rules().Rules {
		assert.NotEqual(t, cfg.DisabledRules[0], r.Key())
	}
}
