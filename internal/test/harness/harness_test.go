package harness

import (
	"bufio"
	"net"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseMetrics(t *testing.T) {
	m, err := ParseMetrics(strings.NewReader(`# HELP a things
# TYPE a counter
a_total{reason="dis\"missed",x="}"} 3
a_total{reason="snoozed",x="y"} 4 1700000000
a_bytes_total 9
b 1.5e+01
`))
	require.NoError(t, err)
	assert.Equal(t, 7, m.Sum("a"))
	assert.Equal(t, 4, m.Sum("a", "reason", "snoozed"))
	assert.Equal(t, map[string]int{`dis"missed`: 3, "snoozed": 4}, m.By("a", "reason"))
	assert.Equal(t, 15, m.Sum("b"))
	for _, broken := range []string{"a", `a{x="1} 2`, `a{x} 2`, "a one"} {
		_, err := ParseMetrics(strings.NewReader(broken))
		assert.Error(t, err, broken)
	}
}

func TestReadFrame(t *testing.T) {
	tests := map[string]struct {
		stream string
		want   []string
		broken bool
	}{
		"octet counted":  {"3 a\nb2 cd", []string{"a\nb", "cd"}, false},
		"lines":          {"<13>a\n<13>b\n", []string{"<13>a", "<13>b"}, false},
		"cut in a line":  {"<13>a\n<13>", []string{"<13>a"}, true},
		"cut in a frame": {"9 abc", nil, true},
		"no count":       {"9x abc", nil, true},
		"huge":           {"99999999 abc", nil, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := bufio.NewReader(strings.NewReader(test.stream))
			var got []string
			var err error
			for {
				var message string
				if message, err = ReadFrame(r); err != nil {
					break
				}
				got = append(got, message)
			}
			assert.Equal(t, test.want, got)
			assert.Equal(t, test.broken, err.Error() != "EOF", "%v", err)
		})
	}
}

func TestCompare(t *testing.T) {
	object := func(key string, lines ...string) Object { return Object{Key: key, Lines: lines} }
	same := func(body string) string {
		s, err := identity(body)
		require.NoError(t, err)
		return s
	}
	kept := Expected{Name: "kept", EventType: "other", Day: "2026-01-02", Account: "a/b", same: same(`{"n":1}`)}
	dropped := Expected{Name: "dropped", EventType: "other", Dropped: "dismissed", same: same(`{"n":2}`)}
	invalid := Expected{Name: "invalid", EventType: "invalid", Day: time.Now().UTC().Format(time.DateOnly),
		same: same(`{"error":"x","received_at":"1","raw":"{\n"}`)}
	right := object("P/other/2026-01-02/a_b/f.json", `{"n":1}`)
	tests := map[string]struct {
		expected []Expected
		objects  []Object
		exact    bool
		problems int
	}{
		"right":              {[]Expected{kept, dropped}, []Object{right}, true, 0},
		"other day":          {[]Expected{kept}, []Object{object("P/other/2026-01-03/a_b/f.json", `{"n":1}`)}, true, 1},
		"other account":      {[]Expected{kept}, []Object{object("P/other/2026-01-02/ab/f.json", `{"n":1}`)}, true, 1},
		"missing":            {[]Expected{kept}, nil, false, 1},
		"dropped is there":   {[]Expected{dropped}, []Object{object("P/other/d/a/f", `{"n":2}`)}, false, 1},
		"twice":              {[]Expected{kept}, []Object{right, object("P/other/2026-01-02/a_b/g.json", `{"n":1}`)}, true, 1},
		"one for two":        {[]Expected{kept, kept}, []Object{right}, true, 0},
		"twice, not exact":   {[]Expected{kept}, []Object{right, object("P/other/2026-01-02/a_b/g.json", `{"n":1}`)}, false, 0},
		"more":               {[]Expected{kept}, []Object{right, object("P/other/2026-01-02/a_b/g.json", `{"n":3}`)}, true, 1},
		"invalid, other why": {[]Expected{invalid}, []Object{object("P/invalid/"+invalid.Day+"/unknown/f", `{"error":"y","received_at":"2","raw":"{"}`)}, true, 0},
		"short key":          {nil, []Object{object("P/other/f", `{"n":3}`)}, false, 1},
		"no JSON":            {nil, []Object{object("P/other/d/a/f", `{"n":`)}, false, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, problems := Compare(test.expected, test.objects, "P", test.exact)
			assert.Len(t, problems, test.problems)
		})
	}
}

func TestFreeAddress(t *testing.T) {
	address, err := FreeAddress()
	require.NoError(t, err)
	other, err := FreeAddress()
	require.NoError(t, err)
	assert.NotEqual(t, address, other)
	l, err := net.Listen("tcp", address)
	require.NoError(t, err)
	require.NoError(t, l.Close())
	if runtime.GOOS == "linux" {
		_, port, err := net.SplitHostPort(address)
		require.NoError(t, err)
		n, err := strconv.Atoi(port)
		require.NoError(t, err)
		_, err = claimPort(n)
		assert.Error(t, err, "no other process gets it")
	}
}

func TestNewObject(t *testing.T) {
	o, err := NewObject("k.json", []byte("{}\n{}\n"))
	require.NoError(t, err)
	assert.Equal(t, []string{"{}", "{}"}, o.Lines)
	for _, broken := range []string{"", "{}", "{}\n\n{}\n"} {
		_, err := NewObject("k.json", []byte(broken))
		assert.Error(t, err, "%q", broken)
	}
}
