package format_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
)

// checked is a batch of texts of every kind, and its scans.
func checked(rnd *rand.Rand, n int) ([]string, *format.Scans) {
	var texts []string
	scans := new(format.Scans)
	for i := range n {
		text := [...]string{
			fmt.Sprintf(`{"alert_id":"%d","severity":"High","n":[%d]}`, i, rnd.IntN(9)),
			fmt.Sprintf(`{"alert_id":"%d","severity":"Low","n":[%d]}`, rnd.IntN(3), rnd.IntN(3)), // often the same as another
			fmt.Sprintf(`{"severity":"High","alert_id":"\u00e9%d","x\n":null}`, i),
			fmt.Sprintf("{\n  \"alert_id\": \"%d\"\n}", i),
			fmt.Sprintf("\uFEFF{\"alert_id\":\"%d\"}", i),
			fmt.Sprintf(`{"alert_id":"%d","description":"%s"}`, i, strings.Repeat("x", rnd.IntN(80_000))),
			`{}`, `{"broken":`, `{"a":1}{"b":2}`, "words", "datetime:1|Scan ID:a",
		}[[...]int{0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10}[rnd.IntN(18)]]
		texts = append(texts, text)
		_ = scans.Check(text, "", "") // broken texts have no scan
	}
	return texts, scans
}

// changed is what may become of a batch between a receiver and a processor.
func changed(rnd *rand.Rand, texts []string) []string {
	var out []string
	for _, text := range texts {
		switch rnd.IntN(8) {
		case 0: // left out
		case 1:
			out = append(out, strings.Replace(text, "1", "2", 1))
		case 2:
			out = append(out, strings.Clone(text), text)
		default:
			out = append(out, text)
		}
	}
	if rnd.IntN(2) == 0 {
		for range rnd.IntN(4) {
			rnd.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
		}
	}
	return out
}

// TestScansHoldForTheirTexts: whatever became of the records on the way, what is found of a text is what scanning it finds.
func TestScansHoldForTheirTexts(t *testing.T) {
	found := 0
	for seed := range uint64(100) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		texts, scans := checked(rnd, rnd.IntN(60))
		if rnd.IntN(3) == 0 { // of a batch before
			scans.Reset()
			var more []string
			more, scans = checked(rnd, rnd.IntN(60))
			texts = append(texts, more...)
		}
		reader := scans.Reader()
		names := map[jsonscan.Shape][]string{}
		for _, text := range changed(rnd, texts) {
			o := reader.Find(text)
			if o.Members == nil {
				assert.Zero(t, o.Shape)
				continue
			}
			found++
			want, compact, err := jsonscan.Members(nil, text)
			require.NoError(t, err, text)
			require.True(t, compact, text)
			require.Equal(t, want, o.Members, text)
			var now []string
			for i := range want {
				now = append(now, want[i].Name)
			}
			if before, ok := names[o.Shape]; ok && o.Shape != 0 {
				require.True(t, slices.Equal(before, now), "shape %d of %q and %q", o.Shape, before, now)
			}
			names[o.Shape] = now
		}
	}
	assert.Greater(t, found, 300)
}

// TestScansOfABatch: all records of a batch that nobody changed are found, also when others were left out.
func TestScansOfABatch(t *testing.T) {
	scans := new(format.Scans)
	var texts []string
	for i := range 1000 {
		texts = append(texts, fmt.Sprintf(`{"alert_id":"%d","severity":"High"}`, i))
		require.NoError(t, scans.Check(texts[i], "", ""))
	}
	for _, step := range []int{1, 2, 7, 100, 999} {
		reader := scans.Reader()
		for i := 0; i < len(texts); i += step {
			require.Len(t, reader.Find(strings.Clone(texts[i])).Members, 2, "every %dth", step)
		}
	}
	reader := scans.Reader()
	for i := len(texts) - 1; i >= 0; i-- { // backwards: the last one, and then none
		require.Equal(t, i == len(texts)-1, reader.Find(texts[i]).Members != nil)
	}
	scans.Reset()
	reader = scans.Reader()
	assert.Nil(t, reader.Find(texts[0]).Members)
	var none *format.ScanReader
	assert.Nil(t, none.Find(texts[0]).Members)
	assert.Zero(t, testing.AllocsPerRun(100, func() { _ = scans.Check(texts[1], "", ""); scans.Reset() }))
}

// TestParseWithAScan: the record is the same as without.
func TestParseWithAScan(t *testing.T) {
	for seed := range uint64(20) {
		texts, scans := checked(rand.New(rand.NewPCG(seed, 3)), 40)
		for _, opts := range []format.Options{{}, {Format: "panoptica", TenantID: "id-1"}} {
			with, err := format.NewParser(opts)
			require.NoError(t, err)
			without, err := format.NewParser(opts)
			require.NoError(t, err)
			reader := scans.Reader()
			for _, text := range texts {
				var got, want record.Record
				with.ParseIn(text, format.Context{Received: received, Object: reader.Find(text)}, &got)
				without.ParseIn(text, format.Context{Received: received}, &want)
				require.Equal(t, want, got, text)
			}
		}
	}
}

// TestCheckTakesWhatTheParserTakes: a pipe line without Scan ID and Event is one when its format is named.
func TestCheckTakesWhatTheParserTakes(t *testing.T) {
	var scans format.Scans
	for text, want := range map[string]string{"datetime:1|Subject:x|Verdict:MAL": "", "x|datetime:1": "no key of a Perception Point line", "no line": "no key of a Perception Point line"} {
		err := scans.Check(text, "perception_point_syslog", "")
		p, perr := format.NewParser(format.Options{Format: "perception_point_syslog"})
		require.NoError(t, perr)
		var rec record.Record
		p.Parse(text, "", time.Time{}, &rec)
		if want == "" {
			assert.NoError(t, err, text)
			assert.Equal(t, record.EmailScan, rec.EventType, text)
		} else {
			assert.ErrorContains(t, err, want, text)
			assert.Equal(t, record.Invalid, rec.EventType, text)
		}
		assert.Error(t, scans.Check(text, "", ""), text)
	}
}
