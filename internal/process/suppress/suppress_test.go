package suppress

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/jsonscan"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func TestMatch(t *testing.T) {
	const finding = `{"alert_id":"f-1","account_id":"111122223333","resolved":false,"na\u006de":"x","a.b":"dotted","risk_params":{"risk_score":93},"labels":["Sensitive","Known Admin"],"related_resources":[["pod/a","role/b"]],"n":null}`
	for _, c := range []struct {
		match string
		want  bool
	}{
		{`alert_id: f-1`, true},
		{`alert_id: F-1`, false},
		{`alert_id: [f-0, f-1]`, true},
		{`alert_id: f-1, account_id: "111122223333"`, true},
		{`alert_id: f-1, account_id: "111122223334"`, false},
		{`absent: ""`, false},
		{`resolved: false`, true},
		{`name: x`, true},
		{`a.b: dotted`, true},
		{`risk_params.risk_score: 93`, true},
		{`risk_params.risk_score.deeper: 93`, false},
		{`risk_params: 93`, false},
		{`labels: Known Admin`, true},
		{`related_resources: role/b`, true},
		{`labels: {prefix: Sens}`, true},
		{`labels: {suffix: dmin}`, true},
		{`labels: {contains: own}`, true},
		{`labels: {regex: "(?i)^sensitive$"}`, true},
		{`n: null`, true},
	} {
		list, err := Parse([]byte("suppressions: [{name: r, reason: test, expires: never, match: {" + c.match + "}}]"))
		require.NoError(t, err, c.match)
		members, _, err := jsonscan.Members(nil, finding)
		require.NoError(t, err)
		name, ok := list.Match(members, now)
		assert.Equal(t, c.want, ok, c.match)
		assert.Equal(t, c.want, name == "r", c.match)
	}
}

func TestExpiry(t *testing.T) {
	for expires, want := range map[string]bool{
		"2026-11-20": false, "2026-11-21": true, "2026-11-21T12:00:00Z": false, "2026-11-21T12:00:01Z": true, "never": true,
	} {
		list, err := Parse([]byte(`suppressions: [{name: r, reason: test, expires: "` + expires + `", match: {a: b}}]`))
		require.NoError(t, err)
		members, _, _ := jsonscan.Members(nil, `{"a":"b"}`)
		_, ok := list.Match(members, now)
		assert.Equal(t, want, ok, expires)
		assert.Equal(t, want, len(list.Expired(now)) == 0, expires)
	}
}

func TestParseNamesEveryMistake(t *testing.T) {
	_, err := Parse([]byte(`
suppressions:
  - {name: a, reason: r, expires: soon, match: {x: y}}
  - {name: a, expires: never, match: {x: {regex: "("}}}
  - {reason: r, expires: never}
  - {name: b, reason: r, expires: never, match: {x: {prefix: ""}, y: []}}
`))
	require.Error(t, err)
	for _, want := range []string{
		`suppressions[0] (a): expires: "soon"`, `suppressions[1] (a): name: used twice`, `suppressions[1] (a): reason: required`,
		`suppressions[1] (a): match: x: error parsing regexp`, `suppressions[2]: name: required`, `suppressions[2]: match: required`,
		`suppressions[3] (b): match: x: prefix: empty`, `suppressions[3] (b): match: y: empty list`,
	} {
		assert.ErrorContains(t, err, want)
	}
	_, err = Parse([]byte(`suppressions: [{name: a, reason: r, expires: never, matches: {x: y}}]`))
	assert.ErrorContains(t, err, "matches", "a misspelt key")
}

func TestEmptyFileSuppressesNothing(t *testing.T) {
	list, err := Parse([]byte("\n"))
	require.NoError(t, err)
	assert.Zero(t, list.Len())
}

func TestReloadKeepsTheLastGood(t *testing.T) {
	path := filepath.Join(t.TempDir(), "suppressions.yaml")
	write := func(text string) { require.NoError(t, os.WriteFile(path, []byte(text), 0o600)) }
	const good = "suppressions: [{name: r, reason: test, expires: never, match: {a: b}}]"

	_, err := Open(path)
	require.ErrorContains(t, err, "no such file")

	write(good)
	f, err := Open(path)
	require.NoError(t, err)
	require.Equal(t, 1, f.List().Len())

	changed, err := f.Reload()
	assert.False(t, changed)
	assert.NoError(t, err)

	write("suppressions: [")
	_, err = f.Reload()
	assert.ErrorContains(t, err, path)
	_, err = f.Reload()
	assert.NoError(t, err, "said once")
	assert.Equal(t, 1, f.List().Len(), "the last good one stays")

	write(" \n") // an editor that has truncated it and not yet written
	changed, err = f.Reload()
	assert.False(t, changed)
	assert.ErrorContains(t, err, path+": is empty; its last 1 rules stay in force")
	assert.Equal(t, 1, f.List().Len())

	require.NoError(t, os.Remove(path))
	_, err = f.Reload()
	assert.ErrorContains(t, err, "no such file")
	assert.Equal(t, 1, f.List().Len())

	write("suppressions: []")
	changed, err = f.Reload()
	require.NoError(t, err)
	assert.True(t, changed)
	assert.Zero(t, f.List().Len())
}
