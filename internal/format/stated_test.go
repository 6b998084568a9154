package format

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/jsonscan"
)

func TestStated(t *testing.T) {
	for in, want := range map[string]struct{ hidden, resolved, open bool }{
		`{}`:                     {},
		`{"status":"dismissed"}`: {hidden: true},
		`{"IsIgnored":"TRUE"}`:   {hidden: true},
		`{"snoozed_until":"2030-01-01T00:00:00Z"}`: {hidden: true},
		`{"status":"Reopened"}`:                    {open: true},
		`{"dismissed":false}`:                      {open: true},
		`{"snoozed":"false","resolved":true}`:      {open: true, resolved: true},
		`{"dismissed":false,"snoozed":true}`:       {hidden: true},
		`{"status":"open","dismissed":true}`:       {hidden: true},
		`{"status":"resolved"}`:                    {resolved: true},
		`{"resolved":false}`:                       {},
		`{"status":"in progress"}`:                 {},
		`{"status":7,"dismissed":null}`:            {},
	} {
		members, _, err := jsonscan.Members(nil, in)
		require.NoError(t, err)
		got, err := Stated(members)
		require.NoError(t, err, in)
		assert.Equal(t, want.hidden, got.Dismissed || got.Snoozed, in)
		assert.Equal(t, want.resolved, got.Resolved, in)
		assert.Equal(t, want.open, got.Open, in)
	}
	members, _, err := jsonscan.Members(nil, `{"dismissed":"perhaps"}`)
	require.NoError(t, err)
	_, err = Stated(members)
	require.ErrorContains(t, err, "dismissed")
}

func TestStates(t *testing.T) {
	for name, want := range map[string][2]bool{
		"status": {true, false}, "resolved": {true, false}, "is_dismissed": {true, true}, "snoozed_until": {true, true}, "severity": {false, false},
	} {
		states, hides := States(name)
		assert.Equal(t, want, [2]bool{states, hides}, name)
	}
}

func TestScanEventBothWays(t *testing.T) {
	for _, c := range [][2]string{{"s-1", "failed"}, {`a"b` + "\n", ""}, {"7", "done"}} {
		id, status, ok := ReadScanEvent(ScanEvent(c[0], c[1]))
		assert.True(t, ok)
		assert.Equal(t, c, [2]string{id, status})
	}
	for _, in := range []string{"", "scan_id", `{"scan_id":""}`, `{"scan_id":"s"`, `["scan_id"]`, `{"scan_id":"s","alert_id":"f-1"}`, `{"scan_id":true}`} {
		_, _, ok := ReadScanEvent(in)
		assert.False(t, ok, in)
	}
}
