package perceptionpoint

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// seedLine is the only line the vendor published.
const seedLine = `datetime:1612422455.63|Scan ID:000176_1_3e0af324-b2dd-4c24-b952-37457c5882e2|Event:Email Scanned|IP Address:1.2.3.4|Subject:Just Landed | New season femininity + Final sale reductions|Message ID:51e28gbf95n7d2650e0hphroitr3rmefedmftg01|To:harold@acme.com|From: Sender <sender@domain.com>|Layers:|Verdict:SUS|Sample:<3a1a1ddf-b20b-4536-904a5d376d9eb38c@journal.report.generator>`

var seedPairs = []Pair{
	{"datetime", "1612422455.63"},
	{"Scan ID", "000176_1_3e0af324-b2dd-4c24-b952-37457c5882e2"},
	{"Event", "Email Scanned"},
	{"IP Address", "1.2.3.4"},
	{"Subject", "Just Landed | New season femininity + Final sale reductions"},
	{"Message ID", "51e28gbf95n7d2650e0hphroitr3rmefedmftg01"},
	{"To", "harold@acme.com"},
	{"From", "Sender <sender@domain.com>"},
	{"Layers", ""},
	{"Verdict", "SUS"},
	{"Sample", "<3a1a1ddf-b20b-4536-904a5d376d9eb38c@journal.report.generator>"},
}

func TestParseSeed(t *testing.T) {
	for _, header := range []string{
		"", "<14>Feb  4 07:07:35 pp01 ", "<14>1 2021-02-04T07:07:35.630Z pp01 scanner 12 ID47 - ", "<14>1 2021-02-04T07:07:35Z pp01 app - - ",
		"<14>1 2021-02-04T07:07:35Z pp01 app - - - \uFEFF", "571 <14>1 2021-02-04T07:07:35Z h a - - [x@1 y=\"z\"] ", "Feb  4 07:07:35 pp01 pp: ", "512 ",
		"<14>", "422 <14>", "<14>Feb  4 07:07:35 pp01 pp:", "<14>Feb  4 07:07:35 pp01 pp[7]", "\uFEFF", "<14>1 2021-02-04T07:07:35+02:00 - - - - - ",
	} {
		for _, end := range []string{"", "\n", "\r\n", "\n\x00"} {
			pairs, info, err := ParseLine(nil, header+seedLine+end)
			if err != nil || info.Ambiguous || info.Truncated || !slices.Equal(pairs, seedPairs) {
				t.Errorf("header %q: %v %+v\n%v", header, err, info, pairs)
			}
			if want := strings.TrimRight(header, " \uFEFF"); info.Header != want {
				t.Errorf("header %q, want %q", info.Header, want)
			}
		}
	}
}

func TestParse(t *testing.T) {
	const head = "datetime:1612422455.63|Scan ID:000176_1_x|Event:Email Scanned|IP Address:1.2.3.4|Subject:"
	const middle = "|Message ID:m|To:t|From:f|Layers:|"
	long := strings.Repeat("y", 1000)
	for _, c := range []struct {
		name, line string
		ambiguous  bool
		truncated  bool
		want       map[string]string // "-" = not there
	}{
		{"colons and pipes", "datetime:1|Scan ID:a|Event:URL Scanned|URL:https://x.example/?a=1|2&b=Verdict:CLN|Verdict:SUS|Sample:z", false, false,
			map[string]string{"URL": "https://x.example/?a=1|2&b=Verdict:CLN", "Verdict": "SUS"}},
		{"pipe in a name", "Scan ID:a|Event:File Scanned|Name:a|b:c.exe|Verdict:MAL|Action:Quarantined|Sample:abc|Verdict Messages:Known | variant 2", false, false,
			map[string]string{"Name": "a|b:c.exe", "Verdict Messages": "Known | variant 2", "datetime": "-"}},
		{"case and blank", head + "a|verdict:CLN| Verdict:CLN|Verdict :CLN|Verdict Messages" + middle + "Verdict:MAL|Sample:s", false, false,
			map[string]string{"Subject": "a|verdict:CLN| Verdict:CLN|Verdict :CLN|Verdict Messages", "Verdict": "MAL"}},
		{"forged verdict", head + "x|Verdict:CLN|Action:Delivered" + middle + "Verdict:MAL|Action:Quarantined|Sample:s", true, false,
			map[string]string{"Subject": "x", "Verdict": "MAL", "Action": "Quarantined"}},
		{"forged verdict, none of the vendor's", head + "x|Verdict:CLN" + middle + "Sample:s", true, false,
			map[string]string{"Verdict": "unknown"}},
		{"forged verdict by the sender's name", head + "x|Message ID:m|To:t|From:f|Verdict:CLN|Layers:|Verdict:MAL|Sample:s", true, false,
			map[string]string{"Verdict": "MAL"}},
		{"forged verdict behind the vendor's", head + "x" + middle + "Verdict:MAL|Sample:s|Verdict Messages:m|Verdict:CLN", true, false,
			map[string]string{"Verdict": "unknown"}},
		{"forged verdicts behind the vendor's", head + "x" + middle + "Verdict:SUS|Sample:s|Verdict:SUS|Verdict:CLN", true, false,
			map[string]string{"Verdict": "unknown"}},
		{"forged verdict behind one that is new", head + "x" + middle + "Verdict:PHI|Sample:s|Verdict:CLN", true, false,
			map[string]string{"Verdict": "unknown"}},
		{"forged spam behind the vendor's malicious", head + "x" + middle + "Verdict:MAL|Sample:s|Verdict:SPM", true, false,
			map[string]string{"Verdict": "unknown"}},
		{"forged spam before and behind the vendor's malicious", head + "x|Verdict:SPM" + middle + "Verdict:MAL|Sample:s|Verdict:SPM", true, false,
			map[string]string{"Verdict": "unknown"}},
		{"forged malicious behind the vendor's", head + "x" + middle + "Verdict:SPM|Sample:s|Verdict:MAL", true, false,
			map[string]string{"Verdict": "MAL"}},
		{"forged spam before the vendor's", head + "x|Verdict:MAL" + middle + "Verdict:SPM|Sample:s", true, false,
			map[string]string{"Verdict": "SPM"}},
		{"forged id and time", head + "x|Scan ID:other|datetime:0|Event:File Scanned|IP Address:9.9.9.9" + middle + "Verdict:MAL|Sample:s", true, false,
			map[string]string{"Scan ID": "000176_1_x", "datetime": "1612422455.63", "Event": "Email Scanned", "IP Address": "1.2.3.4"}},
		{"forged subject", head + "x|Subject:y" + middle + "Verdict:MAL|Sample:s", true, false, map[string]string{"Subject": "x"}},
		{"forged name in a mail", head + "x|Name:y.exe" + middle + "Verdict:MAL|Sample:s", true, false, map[string]string{"Subject": "x"}},
		{"forged head where the vendor has none", "Scan ID:a|Event:Email Scanned|Subject:x|datetime:0" + middle + "Verdict:MAL|Sample:s", true, false, nil},
		{"last verdict clean", head + "x|Verdict:MAL" + middle + "Verdict:CLN|Sample:s", true, false, map[string]string{"Verdict": "CLN"}},
		{"cut before the verdict", head + long + long[:100], false, true, map[string]string{"Verdict": "unknown", "Message ID": "-"}},
		{"cut inside the verdict", head + long + middle + "Verdict:CL", false, true, map[string]string{"Verdict": "unknown"}},
		{"cut behind clean", head + long + middle + "Verdict:CLN", false, true, map[string]string{"Verdict": "unknown"}},
		{"cut behind malicious", head + long + middle + "Verdict:MAL", false, true, map[string]string{"Verdict": "MAL"}},
		{"cut inside the key behind malicious", head + long + middle + "Verdict:MAL|Sam", false, true, map[string]string{"Verdict": "MAL"}},
		{"cut at the pipe behind malicious", head + long + middle + "Verdict:MAL|", false, true, map[string]string{"Verdict": "MAL"}},
		{"long, whole", head + long + middle + "Verdict:MAL|Sample:s", false, false, map[string]string{"Verdict": "MAL"}},
		{"the last value cut at the limit", cutTo(head+long[:700]+middle+"Verdict:MAL|Action:Quarantined|Sample:"+long, 1024), false, true,
			map[string]string{"Verdict": "MAL", "Action": "Quarantined"}},
		{"cut at the limit behind a header", "<14>Feb  4 07:07:35 pp01 " + cutTo(head+long[:700]+middle+"Verdict:MAL|Sample:"+long, 1024), false, true,
			map[string]string{"Verdict": "MAL"}},
		{"cut at characters", head + strings.Repeat("é", 700) + middle + "Verdict:MAL|Sample:" + long[:1024-len(head+middle+"Verdict:MAL|Sample:")-700], false, true,
			map[string]string{"Verdict": "MAL"}},
		{"one byte below the limit", cutTo(head+long[:700]+middle+"Verdict:MAL|Sample:"+long, 1023), false, false, map[string]string{"Verdict": "MAL"}},
		{"all forged, the vendor's cut off", head + "x" + middle + "Verdict:CLN|Sample:" + long, false, true, map[string]string{"Verdict": "unknown"}},
		{"all forged, the vendor's cut off behind blanks", cutTo(head+"x"+middle+"Verdict:CLN|Sample:s"+strings.Repeat(" ", 1024), 1024) + "\r\n", false, true,
			map[string]string{"Verdict": "unknown", "Sample": "s"}},
		{"blanks at the end", head + "x" + middle + "Verdict:CLN|Sample:s \t ", false, false, map[string]string{"Verdict": "CLN", "Sample": "s"}},
		{"cut character", head + "x" + middle + "Verdict:CLN|Sample:caf\xc3", false, true, map[string]string{"Sample": "caf", "Verdict": "unknown"}},
		{"short without verdict", head + "x" + middle + "Sample:s", false, false, map[string]string{"Verdict": "-"}},
		{"controls", head + "x\r\n<14>Feb  4 07:07:35 h datetime:0|Verdict :CLN\x00" + middle + "Verdict:SUS|Sample:s", false, false,
			map[string]string{"Subject": "x\r\n<14>Feb  4 07:07:35 h datetime:0|Verdict :CLN\x00"}},
		{"one blank", head + "  two" + middle + "Verdict: SUS|Sample:", false, false, map[string]string{"Subject": " two", "Verdict": "SUS", "Sample": ""}},
	} {
		pairs, info, err := ParseLine(nil, c.line)
		if err != nil || info.Ambiguous != c.ambiguous || info.Truncated != c.truncated {
			t.Errorf("%s: %v %+v\n%v", c.name, err, info, pairs)
		}
		for k, want := range c.want {
			if got := get(pairs, k); got != want {
				t.Errorf("%s: %s is %q, want %q", c.name, k, got, want)
			}
		}
	}
}

// cutTo is what the vendor's limit leaves of a line.
func cutTo(line string, n int) string { return line[:n] }

// get is the value of a key, "-" without one.
func get(pairs []Pair, key string) string {
	for _, p := range pairs {
		if p.Key == key {
			return p.Value
		}
	}
	return "-"
}

func TestParseErrors(t *testing.T) {
	for line, want := range map[string]string{
		"":                                      "no key",
		"hello world":                           "no key",
		"From the mail log: Subject:x":          "no key",
		"a|datetime:1":                          "no key",
		strings.Repeat("x", 600) + " Scan ID:a": "no key",
	} {
		if pairs, _, err := ParseLine(nil, line); err == nil || !strings.Contains(err.Error(), want) || len(pairs) > 0 {
			t.Errorf("%q: %v %v", line, pairs, err)
		}
	}
}

func TestEpoch(t *testing.T) {
	for in, want := range map[string]time.Time{
		"1612422455.63":          time.Unix(1612422455, 630000000),
		"1612422455":             time.Unix(1612422455, 0),
		"1612422455.123456789":   time.Unix(1612422455, 123456789),
		"1612422455.1234567899":  time.Unix(1612422455, 123456789),
		"0":                      time.Unix(0, 0),
		"253402300799.999999999": time.Unix(253402300799, 999999999),
	} {
		got, ok := ParseEpoch(in)
		if !ok || !got.Equal(want) {
			t.Errorf("%s: %v %v", in, got, ok)
		}
		if back := string(AppendEpoch(nil, got)); len(in) <= 22 && back != in && in != "1612422455.1234567899" {
			t.Errorf("%s: back as %s", in, back)
		}
	}
	for _, in := range []string{"", ".", "1.", ".5", "-1", "1e9", "1612422455630", "253402300800", "1 ", "１"} {
		if got, ok := ParseEpoch(in); ok {
			t.Errorf("%q: %v", in, got)
		}
	}
	for ns, want := range map[int64]string{-500_000_000: "-0.5", -1_500_000_000: "-1.5", -2_000_000_000: "-2", 1: "0.000000001"} {
		if got := string(AppendEpoch(nil, time.Unix(0, ns))); got != want {
			t.Errorf("%d ns: %s, want %s", ns, got, want)
		}
	}
}

// FuzzParse: whatever comes in, each key is there once, values are text of the line, a verdict that is read as clean has
// no adverse one beside it that could be the vendor's, and a long line is never clean.
func FuzzParse(f *testing.F) {
	f.Add(seedLine)
	f.Add("<14>Feb  4 07:07:35 h " + seedLine + "\n")
	f.Add("datetime:1|Scan ID:a|Event:URL Scanned|URL:x|Verdict:CLN|Verdict:SUS|Sample:z|Verdict Messages:|Verdict:CLN")
	f.Add("Event:File Scanned|Name:" + strings.Repeat("é", 600))
	f.Fuzz(func(t *testing.T, line string) {
		pairs, info, err := ParseLine(nil, line)
		if err != nil {
			if len(pairs) > 0 {
				t.Fatal("pairs beside an error")
			}
			return
		}
		rank := -1
		for _, p := range pairs {
			k := slices.IndexFunc(vendorKeys[:], func(v struct {
				name    string
				rank    uint8
				hostile bool
				head    bool
			}) bool {
				return v.name == p.Key
			})
			if k <= rank {
				t.Fatalf("%q out of order or twice", p.Key)
			}
			rank = k
			if p.Value != VerdictUnknown && !strings.Contains(line, p.Value) || !info.NotUTF8 && !utf8.ValidString(p.Value) {
				t.Fatalf("%q is not text of the line", p.Value)
			}
		}
		if len(pairs) == 0 || !strings.HasPrefix(line, info.Header) {
			t.Fatalf("%d pairs, header %q", len(pairs), info.Header)
		}
		verdict := get(pairs, KeyVerdict)
		if len(line) >= limitReached && (!isAdverse(verdict) && verdict != VerdictUnknown) {
			t.Fatalf("verdict %q of a line at the limit", verdict)
		}
		if info.Truncated && verdict == VerdictClean {
			t.Fatal("truncated and clean")
		}
		// Splitting at every place where a known key follows must give no more verdicts than one, or the line is ambiguous.
		if strings.Count(line[len(info.Header):], "|Verdict:") > 1 && !info.Ambiguous {
			t.Fatal("two verdicts and not ambiguous")
		}
	})
}

func BenchmarkParse(b *testing.B) {
	pairs, _, err := ParseLine(nil, seedLine)
	if err != nil || !slices.Equal(pairs, seedPairs) {
		b.Fatal(pairs, err)
	}
	b.SetBytes(int64(len(seedLine)))
	b.ReportAllocs()
	for b.Loop() {
		pairs, _, _ = ParseLine(pairs[:0], seedLine)
	}
}

// TestParseOfWhatIsNotUTF8: a byte that is no UTF-8 takes no pair away.
func TestParseOfWhatIsNotUTF8(t *testing.T) {
	pairs, info, err := ParseLine(nil, "Scan ID:\xffa|Event:File Scanned|Name:a\xfe.exe|Verdict:MAL|Sample:s")
	if err != nil || !info.NotUTF8 || info.Ambiguous || info.Truncated {
		t.Fatalf("%+v %v", info, err)
	}
	for key, want := range map[string]string{KeyScanID: "\xffa", KeyName: "a\xfe.exe", KeyVerdict: VerdictMalicious, KeySample: "s"} {
		if got := get(pairs, key); got != want {
			t.Errorf("%s: %q", key, got)
		}
	}
	if _, info, err = ParseLine(nil, "Scan ID:a\xe2\x82"); err != nil || info.NotUTF8 {
		t.Errorf("a character cut at the end: %+v %v", info, err)
	}
}
