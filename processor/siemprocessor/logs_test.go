package siemprocessor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/siempipe/siempipe/internal/record"
)

func corpusCase(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("../../testdata", name+".in"))
	require.NoError(t, err)
	return strings.TrimSpace(string(raw))
}

func text(lr plog.LogRecord, name string) string {
	value, _ := lr.Attributes().Get(name)
	return value.AsString()
}

// facts are event type and format of each record.
func facts(out []plog.LogRecord) (all []string) {
	for _, lr := range out {
		all = append(all, text(lr, record.AttrEventType)+" "+text(lr, record.AttrFormat))
	}
	return all
}

// TestGuardDutyIsTwoRecords: a row of its log and a finding, each with the attributes that came.
func TestGuardDutyIsTwoRecords(t *testing.T) {
	out := run(t, defaults(), nop(), corpusCase(t, "aws.guardduty/ssh_brute_force"))
	assert.Equal(t, []string{"AWS.GuardDuty aws.guardduty", "security_finding aws.guardduty"}, facts(out))
	assert.Contains(t, out[1].Body().Str(), `"p_row_id":"`+text(out[0], record.AttrID)+`"`)
	assert.Equal(t, "44b7c4e9781822beb75d3fbd518abf5b", text(out[1], record.AttrID))

	// An archived finding counts as dismissed; its row stays.
	out = run(t, defaults(), nop(), corpusCase(t, "aws.guardduty/archived"), finding)
	assert.Equal(t, []string{"AWS.GuardDuty aws.guardduty", "security_finding panoptica"}, facts(out))
	cfg := defaults()
	cfg.Exclude.Dismissed = false
	assert.Len(t, run(t, cfg, nop(), corpusCase(t, "aws.guardduty/archived")), 2)

	// What follows it makes no finding again, also where it is not parsed.
	out = run(t, defaults(), nop(), corpusCase(t, "aws.guardduty/ssh_brute_force"), "", finding, "words")
	assert.Equal(t, []string{"AWS.GuardDuty aws.guardduty", "security_finding panoptica", "invalid auto", "security_finding aws.guardduty"}, facts(out))
	logs := plog.NewLogs()
	records := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	records.AppendEmpty().Body().SetStr(corpusCase(t, "aws.guardduty/ssh_brute_force"))
	out[2].CopyTo(records.AppendEmpty())
	sink := new(consumertest.LogsSink)
	p, err := NewFactory().CreateLogs(t.Context(), nop(), defaults(), sink)
	require.NoError(t, err)
	require.NoError(t, p.ConsumeLogs(t.Context(), logs))
	assert.Equal(t, 3, sink.LogRecordCount())

	// A second siem processor changes neither.
	again := run(t, defaults(), nop(), out[0].Body().Str())
	assert.Equal(t, out[0].Body().Str(), again[0].Body().Str())
	assert.Len(t, again, 1)
}

// TestEnvelopeOnOneLine: a file that came as one record is taken apart.
func TestEnvelopeOnOneLine(t *testing.T) {
	event := corpusCase(t, "aws.cloudtrail/start_instances")
	out := run(t, defaults(), nop(), finding, `{"Records":[`+event+`,{"x":1},`+event+`]}`, finding)
	assert.ElementsMatch(t, []string{"security_finding panoptica", "security_finding panoptica", "AWS.CloudTrail aws.cloudtrail", "invalid auto", "AWS.CloudTrail aws.cloudtrail"}, facts(out))

	// No envelope stays one invalid record.
	assert.Equal(t, []string{"invalid auto"}, facts(run(t, defaults(), nop(), `{"Records":5}`)))
	assert.Empty(t, run(t, defaults(), nop(), `{"Records":[]}`))
}

// TestFlowLogs: lines stand under the header that their receiver read, or else the configured fields, or else the default
// ones; a header itself, tailed from a file, is no record.
func TestFlowLogs(t *testing.T) {
	const fields = "log-status end start dstaddr srcaddr"
	const line = "OK 1566848933 1566848875 10.0.0.2 10.0.0.1"
	send := func(cfg *Config, header, body string) []plog.LogRecord {
		logs := plog.NewLogs()
		lr := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		lr.SetObservedTimestamp(pcommon.NewTimestampFromTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)))
		lr.Body().SetStr(body)
		if header != "" {
			lr.Attributes().PutStr(record.AttrFields, header)
		}
		lr.Attributes().PutStr(record.AttrOrigin, "s3://bucket/key#7")
		sink := new(consumertest.LogsSink)
		p, err := NewFactory().CreateLogs(t.Context(), nop(), cfg, sink)
		require.NoError(t, err)
		require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
		require.NoError(t, p.ConsumeLogs(t.Context(), logs))
		require.NoError(t, p.Shutdown(t.Context()))
		if sink.LogRecordCount() == 0 {
			return nil
		}
		return []plog.LogRecord{sink.AllLogs()[0].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)}
	}
	configured := defaults()
	configured.VpcFlowFields = fields
	require.NoError(t, configured.Validate())

	out := send(defaults(), fields, line)
	assert.Equal(t, []string{"AWS.VPCFlow aws.vpc_flow"}, facts(out))
	assert.Contains(t, out[0].Body().Str(), `"srcAddr":"10.0.0.1"`)
	_, kept := out[0].Attributes().Get(record.AttrFields)
	assert.False(t, kept)
	again := send(configured, "", line)
	assert.Equal(t, out[0].Body().Str(), again[0].Body().Str())
	assert.Equal(t, []string{"invalid auto"}, facts(send(defaults(), "", line)))
	assert.Empty(t, send(defaults(), "", "version account-id interface-id srcaddr dstaddr srcport dstport"))

	broken := defaults()
	broken.VpcFlowFields = "nothing known"
	_, err := NewFactory().CreateLogs(t.Context(), nop(), broken, new(consumertest.LogsSink))
	assert.ErrorContains(t, err, "nothing known")
}
