package syslog

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/leodido/go-syslog/v4/rfc5424"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/record"
)

var someTime = time.Date(2026, time.March, 7, 4, 5, 6, 789_123_456, time.UTC)

func TestHeaders(t *testing.T) {
	east := time.FixedZone("", 2*3600)
	for _, c := range []struct {
		name   string
		config HeaderConfig
		time   time.Time
		want   string
	}{
		{"5424", HeaderConfig{Format: RFC5424, Facility: 16, AppName: "siempipe", Hostname: "h.example.com"}, someTime, "<132>1 2026-03-07T04:05:06.789123Z h.example.com siempipe - - - "},
		{"5424 in UTC", HeaderConfig{Format: RFC5424, Facility: 16}, someTime.In(east), "<132>1 2026-03-07T04:05:06.789123Z - - - - - "},
		{"5424 without fraction", HeaderConfig{Format: RFC5424, Facility: 1}, someTime.Truncate(time.Second), "<12>1 2026-03-07T04:05:06Z - - - - - "},
		{"5424 without time", HeaderConfig{Format: RFC5424, Facility: 0, Hostname: "::1"}, time.Time{}, "<4>1 - ::1 - - - - "},
		{"5424 year 10000", HeaderConfig{Format: RFC5424}, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), "<4>1 - - - - - - "},
		{"3164 day padded by a blank", HeaderConfig{Format: RFC3164, Facility: 16, AppName: "siempipe", Hostname: "h", Location: time.UTC}, someTime, "<132>Mar  7 04:05:06 h siempipe: "},
		{"3164 day of two digits", HeaderConfig{Format: RFC3164, Facility: 23, Hostname: "h", Location: time.UTC}, someTime.AddDate(0, 0, 10), "<188>Mar 17 04:05:06 h "},
		{"3164 in its zone", HeaderConfig{Format: RFC3164, Facility: 16, AppName: "a/b", Location: east}, someTime, "<132>Mar  7 06:05:06 - a/b: "},
		{"none", HeaderConfig{Format: None, Facility: 16, AppName: "x"}, someTime, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, err := NewHeader(c.config)
			require.NoError(t, err)
			got := string(h.Append([]byte("x"), c.time, Warning))
			require.Equal(t, "x"+c.want, got)
			if c.config.Format == RFC5424 {
				_, err := rfc5424.NewParser().Parse([]byte(c.want + "datetime:1|Verdict:MAL"))
				require.NoError(t, err, "strict parser")
			}
		})
	}
}

// TestTime5424 holds the time of a header to its layout.
func TestTime5424(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 50_000 {
		at := time.Unix(rnd.Int64N(254_000_000_000)-62_200_000_000, int64(rnd.IntN(1e9))).UTC()
		switch rnd.IntN(4) {
		case 0:
			at = at.Truncate(time.Second)
		case 1:
			at = at.Truncate(time.Duration(rnd.IntN(1e6) + 1))
		}
		want := at.Format(layout5424)
		if at.Year() < 0 || at.Year() > 9999 {
			want = "-"
		}
		require.Equal(t, want, string(append5424Time(nil, at)))
	}
}

func TestHeaderConfigNamesAllMistakes(t *testing.T) {
	for _, c := range []struct {
		config HeaderConfig
		want   []string
	}{
		{HeaderConfig{Format: "rfc9999", Facility: 24}, []string{"header: ", "facility: "}},
		{HeaderConfig{Format: RFC5424, AppName: "two words", Hostname: strings.Repeat("h", 256)}, []string{"app_name: ", "hostname: "}},
		{HeaderConfig{Format: RFC3164, AppName: "a[1]:", Hostname: "h\n<14>"}, []string{"app_name: ", "hostname: "}},
		{HeaderConfig{Format: RFC5424, AppName: strings.Repeat("a", 49)}, []string{"app_name: longer than 48"}},
	} {
		_, err := NewHeader(c.config)
		require.Error(t, err)
		for _, want := range c.want {
			require.ErrorContains(t, err, want)
		}
	}
}

func TestFacility(t *testing.T) {
	for name, want := range map[string]int{"kern": 0, "auth": 4, "local0": 16, "local7": 23, "16": 16} {
		got, err := Facility(name)
		require.NoError(t, err)
		require.Equal(t, want, got, name)
	}
	for _, name := range []string{"", "LOCAL0", "24", "-1", "local8"} {
		_, err := Facility(name)
		require.Error(t, err, name)
	}
}

func TestLongestHeader(t *testing.T) {
	at := time.Date(2026, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
	for _, c := range []HeaderConfig{
		{Format: RFC5424, Facility: 23, AppName: "siempipe", Hostname: "h.example.com"}, {Format: RFC5424, Facility: 23},
		{Format: RFC3164, Facility: 23, AppName: "siempipe", Hostname: "h"}, {Format: RFC3164, Facility: 23}, {Format: None},
	} {
		h, err := NewHeader(c)
		require.NoError(t, err)
		require.Len(t, h.Append(nil, at, Debug), c.Longest(), "%+v", c)
	}
}

func TestSeverities(t *testing.T) {
	require.Equal(t, Notice, SeverityOf(record.SeverityUnknown), "above Informational")
	require.Equal(t, Notice, SeverityOf(200))
	for s := record.SeverityInformation; s < record.SeverityCritical; s++ {
		require.Greater(t, SeverityOf(s), SeverityOf(s+1), "a higher severity is a lower number")
	}
	require.Equal(t, "Critical", SeverityOf(record.SeverityCritical).String())
}

func TestFrames(t *testing.T) {
	require.Equal(t, "x5 a\nb\r|", string(AppendFrame([]byte("x"), []byte("a\nb\r|"), OctetCounting)))
	require.Equal(t, "7 größe", string(AppendFrame(nil, []byte("größe"), OctetCounting)), "bytes, not characters")
	require.Equal(t, "xa  <14>b c\n", string(AppendFrame([]byte("x"), []byte("a\r\n<14>b\x00c"), Newline)))
	require.Equal(t, "0 ", string(AppendFrame(nil, nil, OctetCounting)))
}

func BenchmarkHeaderAndFrame(b *testing.B) {
	message := []byte(strings.Repeat("Subject:abcdefg|", 40))
	for _, format := range []string{RFC5424, RFC3164} {
		h, err := NewHeader(HeaderConfig{Format: format, Facility: 16, AppName: "siempipe", Hostname: "collector-1"})
		require.NoError(b, err)
		for _, framing := range []string{OctetCounting, Newline} {
			b.Run(format+"/"+framing, func(b *testing.B) {
				var line, frame []byte
				line = append(h.Append(line[:0], someTime, Warning), message...)
				frame = AppendFrame(frame[:0], line, framing)
				if !strings.Contains(string(frame), "<132>") || !strings.Contains(string(frame), string(message)) {
					b.Fatalf("%q", frame)
				}
				b.SetBytes(int64(len(frame)))
				b.ReportAllocs()
				for b.Loop() {
					line = append(h.Append(line[:0], someTime, Warning), message...)
					frame = AppendFrame(frame[:0], line, framing)
				}
			})
		}
	}
}
