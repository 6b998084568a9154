package exporterbase

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exporterhelper/xexporterhelper"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/siempipe/siempipe/internal/collector/logrecord"
	"github.com/siempipe/siempipe/internal/record"
)

// destination keeps what it is sent, by account. Of what refuses names it takes nothing.
type destination struct {
	mu      sync.Mutex
	got     map[string][]string
	refuses map[string]error
}

func (d *destination) send(_ context.Context, p *Part[folder, string]) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.refuses[p.Key.Account]; err != nil {
		return err
	}
	if d.got == nil {
		d.got = map[string][]string{}
	}
	d.got[p.Key.Account] = append(d.got[p.Key.Account], p.Items...)
	return nil
}

// onDestination is an exporter without queue and retry: what is sent is delivered, or its error comes back.
func onDestination(t *testing.T, d *destination, change func(*Settings[folder, string])) (*Exporter[folder, string], *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	set := exportertest.NewNopSettings(component.MustNewType("test"))
	set.Logger = zap.New(core)
	s := Settings[folder, string]{
		Retry: configretry.BackOffConfig{}, Form: form, Parallel: 4, Send: d.send,
		NewBatch: func() Partitioner[folder] {
			return func(rec *record.Record) folder {
				return folder{EventType: rec.EventType, Day: "2026-09-15", Account: rec.AccountID}
			}
		},
		Item: func(rec *record.Record) string { return rec.Body },
	}
	if change != nil {
		change(&s)
	}
	e, err := New(t.Context(), set, s)
	require.NoError(t, err)
	return e, logs
}

// batchOf has a resource for each record.
func batchOf(recs ...record.Record) plog.Logs {
	logs := plog.NewLogs()
	for i := range recs {
		logrecord.Write(&recs[i], logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty())
	}
	return logs
}

func numbered(n int) (recs []record.Record) {
	for i := range n {
		recs = append(recs, record.Record{Body: fmt.Sprintf(`{"n":%d}`, i), EventType: record.Other, AccountID: fmt.Sprint("account-", i%2), ID: fmt.Sprint(i)})
	}
	return recs
}

// TestOnlyWhatIsRefusedComesBack: of a batch that makes several requests, those that are in are not sent again.
func TestOnlyWhatIsRefusedComesBack(t *testing.T) {
	e, _ := onDestination(t, &destination{}, nil)
	e.queue, e.limits.items = &secondRefused{}, 2
	logs := batchOf(numbered(5)...)
	err := e.ConsumeLogs(t.Context(), logs)
	var partly consumererror.Logs
	require.ErrorAs(t, err, &partly)
	var ids []string
	for lr := range logrecord.All(partly.Data()) {
		id, _ := lr.Attributes().Get(record.AttrID)
		ids = append(ids, id.Str())
	}
	assert.Equal(t, []string{"2", "3"}, ids, "with all their attributes, to be tried again")
	assert.Equal(t, 5, logs.LogRecordCount(), "the batch belongs to others too")

	e.limits.items = 5
	require.NoError(t, e.ConsumeLogs(t.Context(), logs))
	err = e.ConsumeLogs(t.Context(), plog.NewLogs())
	require.NoError(t, err, "no request of no records")
	e.queue = &secondRefused{seen: 1}
	require.Error(t, e.ConsumeLogs(t.Context(), logs))
	require.NotErrorAs(t, e.ConsumeLogs(t.Context(), logs), &partly, "all of it: as it came")
}

type secondRefused struct{ seen int }

func (q *secondRefused) Send(_ context.Context, r xexporterhelper.Request) error {
	if q.seen++; q.seen == 2 {
		return errors.New("queue is full")
	}
	r.(*bodyRequest).items = 0 // it is another's now
	return nil
}

// TestPartitionsOfMergedRequests: each part is sent once, with all its records in order.
func TestPartitionsOfMergedRequests(t *testing.T) {
	d := &destination{}
	e, _ := onDestination(t, d, nil)
	e.limits.items = 2
	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	requests := e.split(batchOf(numbered(3)...))
	require.Len(t, requests, 2)
	mixed, err := requests[0].MergeSplit(t.Context(), 0, exporterhelper.RequestSizerTypeBytes, requests[1])
	require.NoError(t, err)
	require.Len(t, mixed, 1)
	require.NoError(t, e.push(t.Context(), mixed[0]))
	assert.Equal(t, map[string][]string{"account-0": {`{"n":0}`, `{"n":2}`}, "account-1": {`{"n":1}`}}, d.got)
}

// TestWhatFailedIsSentAgain: the parts that are delivered are not.
func TestWhatFailedIsSentAgain(t *testing.T) {
	d := &destination{refuses: map[string]error{"account-1": errors.New("away")}}
	e, _ := onDestination(t, d, nil)
	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	all := e.split(batchOf(numbered(4)...))[0]
	err := e.push(t.Context(), all)
	require.ErrorContains(t, err, "away")
	rest := all.OnError(fmt.Errorf("wrapped: %w", err)).(*bodyRequest)
	assert.Equal(t, 2, rest.ItemsCount())
	assert.Equal(t, map[string][]string{"account-1": {`{"n":1}`, `{"n":3}`}}, flat(rest))
	assert.Same(t, all, all.OnError(errors.New("away")))
	d.refuses = nil
	require.NoError(t, e.push(t.Context(), rest))
	assert.Equal(t, map[string][]string{"account-0": {`{"n":0}`, `{"n":2}`}, "account-1": {`{"n":1}`, `{"n":3}`}}, d.got)
}

// TestWithoutQueueTheRestComesBack: a caller that hears of a failure at once sends again only what is not delivered.
func TestWithoutQueueTheRestComesBack(t *testing.T) {
	d := &destination{refuses: map[string]error{"account-1": errors.New("away")}}
	e, _ := onDestination(t, d, nil)
	e.limits.items = 3
	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	var partly consumererror.Logs
	require.ErrorAs(t, e.ConsumeLogs(t.Context(), batchOf(numbered(8)...)), &partly)
	d.refuses = nil
	require.NoError(t, e.ConsumeLogs(t.Context(), partly.Data()))
	assert.Equal(t, []string{`{"n":0}`, `{"n":2}`, `{"n":4}`, `{"n":6}`}, d.got["account-0"])
	assert.Equal(t, []string{`{"n":1}`, `{"n":3}`, `{"n":5}`, `{"n":7}`}, d.got["account-1"])
}

// TestRemoveDone: what is left of a part is in order, and nothing else of the batch changes.
func TestRemoveDone(t *testing.T) {
	items := []string{"a", "b", "c", "d", "of another part"}
	p := Part[string, string]{Items: items[0:4:4]}
	p.RemoveDone([]bool{true, false, true, false})
	assert.Equal(t, []string{"b", "d"}, p.Items)
	assert.Equal(t, "of another part", items[4])
}

// watching is a host that keeps what is reported.
type watching struct {
	component.Host
	events []componentstatus.Status
}

func (w *watching) Report(e *componentstatus.Event) { w.events = append(w.events, e.Status()) }

// TestHealth: the Collector hears of each change once, the log of the first failure and of another remedy.
func TestHealth(t *testing.T) {
	d := &destination{}
	e, logs := onDestination(t, d, func(s *Settings[folder, string]) {
		s.Remedy = func(err error) string { return err.Error() }
	})
	host := &watching{Host: componenttest.NewNopHost()}
	require.NoError(t, e.Start(t.Context(), host))
	try := func(failure error) {
		d.refuses = map[string]error{"account-0": failure}
		if err := e.ConsumeLogs(t.Context(), batchOf(numbered(1)...)); failure == nil {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, failure)
		}
	}
	bucket, role := errors.New("create the bucket"), errors.New("allow the role")
	for _, failure := range []error{nil, bucket, bucket, bucket, role, role, nil, nil} {
		try(failure)
	}
	assert.Equal(t, []componentstatus.Status{componentstatus.StatusRecoverableError, componentstatus.StatusRecoverableError, componentstatus.StatusOK}, host.events)
	assert.Equal(t, 2, logs.FilterMessageSnippet("not delivered").Len())
	assert.Equal(t, 1, logs.FilterMessageSnippet("delivered again").Len())
}

// TestUnprocessedRecordsAreSaid: once, with the processor to add.
func TestUnprocessedRecordsAreSaid(t *testing.T) {
	e, logs := onDestination(t, &destination{}, nil)
	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	require.NoError(t, e.ConsumeLogs(t.Context(), batchOf(numbered(3)...)))
	assert.Zero(t, logs.FilterMessageSnippet("siem processor").Len())
	for range 3 {
		require.NoError(t, e.ConsumeLogs(t.Context(), batchOf(record.Record{Body: "{}"}, record.Record{Body: "{}"})))
	}
	assert.Equal(t, 1, logs.FilterMessageSnippet("siem processor").Len())
}

// TestRecordsRoundTrip: all that is known of a record outlives the queue.
func TestRecordsRoundTrip(t *testing.T) {
	records := Form[string, record.Record]{Version: 2, Keys: Texts, Items: Records}
	want := []Part[string, record.Record]{{Key: "soc", First: time.Unix(5, 0).UTC(), Items: []record.Record{
		{Body: `{"a":1}`, Time: time.Unix(0, 1700000000123456789).UTC(), Received: time.Unix(1, 0).UTC(), Severity: record.SeverityHigh, EventType: "e", AccountID: "a", TenantID: "t", Format: "f", ID: "i", Error: "x"},
		{Body: "ü"},
	}}}
	stored := records.Append(nil, want)
	got, err := records.Parts(stored)
	require.NoError(t, err)
	assert.Equal(t, want, got)
	for n := range stored {
		if _, err := records.Parts(stored[:n]); n != 1 {
			assert.ErrorContains(t, err, "stored request", n)
		}
	}
}

// TestOlderForm: what an earlier version stored is read by the function that knows it.
func TestOlderForm(t *testing.T) {
	e, _ := onDestination(t, &destination{}, func(s *Settings[folder, string]) {
		s.ReadOlder = (&plog.ProtoUnmarshaler{}).UnmarshalLogs
	})
	stored, err := (&plog.ProtoMarshaler{}).MarshalLogs(batchOf(numbered(4)...))
	require.NoError(t, err)
	older := encoding[folder, string]{form: &form, older: e.readOlder}
	_, r, err := older.Unmarshal(stored)
	require.NoError(t, err)
	assert.Equal(t, map[string][]string{"account-0": {`{"n":0}`, `{"n":2}`}, "account-1": {`{"n":1}`, `{"n":3}`}}, flat(r.(*bodyRequest)))
	_, _, err = older.Unmarshal([]byte("?"))
	assert.Error(t, err)
	again, err := older.Marshal(t.Context(), r)
	require.NoError(t, err)
	_, r2, err := older.Unmarshal(again)
	require.NoError(t, err)
	assert.True(t, slices.EqualFunc(r.(*bodyRequest).parts, r2.(*bodyRequest).parts, func(a, b Part[folder, string]) bool { return a.Key == b.Key && slices.Equal(a.Items, b.Items) }))
}
