package format_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/record"
)

func TestJoinKey(t *testing.T) {
	for id, want := range map[string]string{
		"000176_1_3e0af324-b2dd-4c24-b952-37457c5882e2":             "000176_1_3e0af324-b2dd-4c24-b952-37457c5882e2",
		"001E94824_1_ab2ee57f-ae13-45d5-be20-175162c62316_20230607": "001E94824_1_ab2ee57f-ae13-45d5-be20-175162c62316",
		"a_1_x_2023060":   "a_1_x_2023060",
		"a_1_x_2023060x":  "a_1_x_2023060x",
		"_20230607":       "_20230607",
		"":                "",
		"a_1_x_202306078": "a_1_x_202306078",
	} {
		assert.Equal(t, want, format.JoinKey(id), id)
	}
}

// TestJoinCorpus: each damaged line of the corpus, joined to a scan, is one record that stays what it is.
func TestJoinCorpus(t *testing.T) {
	p, err := format.NewParser(format.Options{})
	require.NoError(t, err)
	damaged := 0
	for _, c := range corpus(t) {
		rec := c.parse(p)
		damage, line := format.Damage(&rec)
		if rec.Format != "perception_point_syslog" {
			assert.Empty(t, damage, c.name())
			continue
		}
		if len(damage) == 0 {
			assert.False(t, strings.Contains(rec.Body, `"raw"`) && strings.Contains(rec.Body, "Scan ID"), c.name())
			continue
		}
		damaged++
		id := rec.ID + "_20230607"
		var scan, repaired, joined, again record.Record
		p.Parse(`{"full_scan_id":"`+id+`","finished_at":"2023-06-07T10:30:45Z","origin":"email","verbose_verdict":"MAL","sample":{"subject":"whole"}}`, "", received, &scan)
		assert.Equal(t, format.JoinKey(id), format.JoinKey(rec.ID))
		pairs := format.ScanPairs(&scan)
		p.Parse(format.RepairedLine(pairs, damage, line), "perception_point_syslog", received, &repaired)
		assert.Equal(t, record.EmailScan, repaired.EventType, repaired.Error)
		assert.Equal(t, record.SeverityHigh, repaired.Severity)
		assert.Equal(t, id, repaired.ID)
		assert.Contains(t, repaired.Body, `"Subject":"whole","Verdict":"MAL","joined":{"format":"perception_point","damage":["`)
		none, _ := format.Damage(&repaired)
		assert.Empty(t, none, "a joined line is whole")
		p.Parse(format.JoinedScan(scan.Body, damage, line), "perception_point", received, &joined)
		assert.Equal(t, id, joined.ID)
		for _, r := range []record.Record{repaired, joined} {
			p.Parse(r.Body, r.Format, received, &again)
			assert.Equal(t, r, again)
		}
	}
	assert.Greater(t, damaged, 8)
}
