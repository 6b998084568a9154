package pipe

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/siempipe/siempipe/internal/encode"
	"github.com/siempipe/siempipe/internal/encode/pairs"
	"github.com/siempipe/siempipe/internal/jsonscan"
	pp "github.com/siempipe/siempipe/internal/perceptionpoint"
	"github.com/siempipe/siempipe/internal/record"
)

// seedPairs are the pairs of the only line that the vendor published.
var seedPairs = func() (seed []Pair) {
	line, err := os.ReadFile("../../../testdata/perception_point_syslog/seed.in")
	if err != nil {
		panic(err)
	}
	seed, _, err = vendorPairs(string(line))
	if err != nil {
		panic(err)
	}
	return seed
}()

// vendorPairs reads a line as the vendor's.
func vendorPairs(line string) (pairs []Pair, info pp.LineInfo, err error) {
	parsed, info, err := pp.ParseLine(nil, line)
	for _, p := range parsed {
		pairs = append(pairs, Pair(p))
	}
	return pairs, info, err
}

// scanRecord makes a record of pairs, as the source does.
func scanRecord(eventType string, pairs []Pair) *record.Record {
	body := []byte{'{'}
	for i, p := range pairs {
		if i > 0 {
			body = append(body, ',')
		}
		body = jsonscan.AppendQuoted(body, p.Key)
		body = append(body, ':')
		body = jsonscan.AppendQuoted(body, p.Value)
	}
	return &record.Record{EventType: eventType, Body: string(append(body, '}'))}
}

func newEncoder(t testing.TB, c encode.Config) encode.Encoder {
	t.Helper()
	e, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func one(t testing.TB, e encode.Encoder, rec *record.Record, budget int) (string, encode.Result) {
	t.Helper()
	msg, ends, result, err := e.Append(nil, nil, rec, jsonscan.Known{}, budget)
	if err != nil || len(ends) != 1 || ends[0] != len(msg) || len(msg) > budget {
		t.Fatalf("%v %v: %d bytes for %d: %s", err, ends, len(msg), budget, msg)
	}
	return string(msg), result
}

func TestSeedEncoded(t *testing.T) {
	rec := scanRecord(record.EmailScan, seedPairs)
	const before, after = `datetime:1612422455.63|Scan ID:000176_1_3e0af324-b2dd-4c24-b952-37457c5882e2|Event:Email Scanned|IP Address:1.2.3.4|Subject:Just Landed `, ` New season femininity + Final sale reductions|Message ID:51e28gbf95n7d2650e0hphroitr3rmefedmftg01|To:harold@acme.com|From:Sender <sender@domain.com>|Layers:|Verdict:SUS|Sample:<3a1a1ddf-b20b-4536-904a5d376d9eb38c@journal.report.generator>`
	for escape, between := range map[string]string{EscapeBackslash: `\|`, EscapeReplace: ` `, EscapeNone: `|`} {
		got, result := one(t, newEncoder(t, encode.Config{Escape: escape}), rec, DefaultMaxLength)
		if want := before + between + after; got != want || result != encode.Whole {
			t.Errorf("%s: %v\n%s\n%s", escape, result, got, want)
		}
		if escape == EscapeBackslash && !slices.Equal(SplitEscaped(nil, got), seedPairs) {
			t.Errorf("split: %v", SplitEscaped(nil, got))
		}
		if naive := strings.Split(got, "|"); escape == EscapeReplace && len(naive) != 11 {
			t.Errorf("a plain splitter finds %d fields", len(naive))
		}
		if pairs, info, err := vendorPairs(got); escape == EscapeNone && (err != nil || info.Ambiguous || !slices.Equal(pairs, seedPairs)) {
			t.Errorf("parsed back: %v %v", pairs, err)
		}
	}
}

func TestTables(t *testing.T) {
	at := time.Unix(1726420560, 500000000)
	for _, c := range []struct {
		name   string
		config encode.Config
		rec    record.Record
		want   string
	}{
		{"file", encode.Config{}, record.Record{EventType: record.FileScan, Body: `{"Event":"File Scanned","Name":"a|b.exe","Verdict":"MAL","ambiguous":true,"raw":"x"}`, Time: at, ID: "7"},
			`datetime:1726420560.5|Scan ID:7|Event:File Scanned|Name:a\|b.exe|Verdict:MAL|Ambiguous:true`},
		{"url", encode.Config{Escape: EscapeReplace}, record.Record{EventType: record.URLScan, Body: `{"datetime":"1","Scan ID":"7","Event":"URL Scanned","URL":"http://x/|\\y","Verdict":"unknown","truncated":true}`},
			`datetime:1|Scan ID:7|Event:URL Scanned|URL:http://x/ /y|Verdict:unknown|Truncated:true`},
		{"finding", encode.Config{}, record.Record{EventType: record.AttackPath, Time: at, Severity: record.SeverityHigh, Body: `{"labels":["a","b"],"alert_id":"f-1","asset_id":null,"resolved":false,"severity":"High","risk_params":{"risk_score":87.0,"workload":{}},"description":"one\ntwo","account_id":"1,2","detection_type":"attack_path","related_resources":[["a","b"]]}`},
			`datetime:1726420560.5|Alert ID:f-1|Event:attack_path|Severity:High|Detection Type:attack_path|Risk Score:87.0|Account:1,2|Resources:[["a","b"]]|Labels:a,b|Description:one\ntwo|Resolved:false`},
		{"labels with a comma", encode.Config{}, record.Record{EventType: record.Other, Body: `{"labels":["a,b","c"]}`}, `Event:other|Labels:["a,b","c"]`},
		{"log", encode.Config{}, record.Record{EventType: "AWS.CloudTrail", Time: at, AccountID: "1", Body: `{"eventName":"GetObject","p_log_type":"AWS.CloudTrail","p_row_id":"r","p_any_ip_addresses":["1.2.3.4","::1"]}`},
			`datetime:1726420560.5|Row ID:r|Event:AWS.CloudTrail|Account:1|Action:GetObject|IP Addresses:1.2.3.4,::1`},
		{"invalid", encode.Config{}, record.Record{EventType: record.Invalid, Received: at, Body: `{"error":"byte 1: x","format":"auto","received_at":"2024-09-15T17:16:00Z","raw":"{\\|\u0000"}`},
			`datetime:1726420560.5|Event:invalid|Format:auto|Error:byte 1: x|Raw:{\\\|\x00`},
		{"fields", encode.Config{Fields: []encode.Field{{Key: "Subj", From: "Subject"}, {Key: "Verdict"}, {Key: "Size", From: "sample.file_size"}, {Key: "Format", From: "@format"}, {Key: "when", From: "datetime"}, {Key: "gone"}}},
			record.Record{EventType: record.EmailScan, Format: "perception_point", Body: `{"datetime":"5","Subject":"s","Verdict":"MAL","sample":{"file_size":12}}`},
			`Subj:s|Verdict:MAL|Size:12|Format:perception_point|when:5`},
		{"fields of a finding", encode.Config{Fields: []encode.Field{{Key: "Severity"}, {Key: "Alert ID"}, {Key: "title", From: "attack_scenario"}}},
			record.Record{EventType: record.SecurityFinding, ID: "f", Body: `{"severity":"Low","attack_scenario":"x"}`}, `Severity:Low|Alert ID:f|title:x`},
		{"repeated and escaped names", encode.Config{}, record.Record{EventType: record.EmailScan, Body: `{"Subject":"a","Subj\u0065ct":"b"}`}, `Subject:b`},
		{"unsafe", encode.Config{}, record.Record{EventType: record.EmailScan, Body: "{\"Subject\":\"\\u0000\\r\\n\\t\\u001f\u007f\u0085\u009f\u061c\u200e\u2028\u2029\u202e\u2066\ufeff\\\\|é😀\"}"},
			`Subject:\x00\r\n\t\x1f\x7f\u0085\u009f\u061c\u200e\u2028\u2029\u202e\u2066\ufeff\\\|é😀`},
		{"unsafe, replaced", encode.Config{Escape: EscapeReplace}, record.Record{EventType: record.EmailScan, Body: "{\"Subject\":\"\\u0000\\r\\n\u0085\u202e\ufeff\\\\|é\"}"}, "Subject:      / é"},
		{"unsafe, as the vendor", encode.Config{Escape: EscapeNone}, record.Record{EventType: record.EmailScan, Body: "{\"Subject\":\"\\u0000\\r\\n\u0085\u202e\ufeff\\\\|é\"}"}, "Subject:      \\|é"},
	} {
		if got, _ := one(t, newEncoder(t, c.config), &c.rec, DefaultMaxLength); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

func TestConfig(t *testing.T) {
	for want, c := range map[string]encode.Config{
		"":                      {Escape: "replace", Overflow: "split", Fields: []encode.Field{{Key: "é x"}, {Key: "y", From: "a.b|@id"}}},
		"escape:":               {Escape: "x"},
		"overflow:":             {Overflow: "x"},
		"fields[0].key: must":   {Fields: []encode.Field{{}}},
		"fields[0].key: \"a:b":  {Fields: []encode.Field{{Key: "a:b"}}},
		"fields[0].key: \"a|b":  {Fields: []encode.Field{{Key: "a|b"}}},
		"fields[0].key: \"a\\n": {Fields: []encode.Field{{Key: "a\nb"}}},
		"fields[0].key: \" a":   {Fields: []encode.Field{{Key: " a"}}},
		"fields[0].key: longer": {Fields: []encode.Field{{Key: strings.Repeat("a", 65)}}},
		"fields[0].key: Part":   {Fields: []encode.Field{{Key: "Part"}}},
		"fields[1].key: \"a":    {Fields: []encode.Field{{Key: "a"}, {Key: "a"}}},
		"fields[0].from: \"@x":  {Fields: []encode.Field{{Key: "a", From: "@x"}}},
		"fields[0].from: must":  {Fields: []encode.Field{{Key: "a", From: "b|"}}},
	} {
		err := Check(c)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v", want, err)
		}
	}
}

// TestClassOfFrom: a value that the user names by its place in the body keeps its class, whichever alternative of the row it is.
func TestClassOfFrom(t *testing.T) {
	rec := record.Record{EventType: "Azure.SignIn", Body: `{"operationName":"` + strings.Repeat("x", 60) + `","userAgent":"` + strings.Repeat("y", 300) + `"}`}
	for _, overflow := range []string{encode.OverflowShorten, encode.OverflowSplit} {
		e := newEncoder(t, encode.Config{Overflow: overflow, Fields: []encode.Field{{Key: "agent", From: "userAgent"}, {Key: "what", From: "operationName"}}})
		if all, _, _, err := e.Append(nil, nil, &rec, jsonscan.Known{}, 100); err != nil || !strings.Contains(string(all), "|what:"+strings.Repeat("x", 60)) {
			t.Errorf("%s: %s %v", overflow, all, err)
		}
	}
}

func TestErrTooLong(t *testing.T) {
	rec := scanRecord(record.EmailScan, seedPairs)
	for _, overflow := range []string{encode.OverflowShorten, encode.OverflowSplit, encode.OverflowDrop} {
		e := newEncoder(t, encode.Config{Overflow: overflow})
		dst, ends, _, err := e.Append([]byte("x"), []int{1}, rec, jsonscan.Known{}, 60)
		if !errors.Is(err, encode.ErrTooLong) || string(dst) != "x" || len(ends) != 1 {
			t.Errorf("%s: %v %q %v", overflow, err, dst, ends)
		}
	}
	e := newEncoder(t, encode.Config{})
	if _, _, _, err := e.Append(nil, nil, &record.Record{Body: "x"}, jsonscan.Known{}, 100); err == nil {
		t.Error("a body that is no object")
	}
	if _, _, _, err := e.Append(nil, nil, &record.Record{EventType: record.EmailScan, Body: "{}"}, jsonscan.Known{}, 100); !errors.Is(err, encode.ErrEmpty) {
		t.Error("a record without any pair:", err)
	}
}

// randomText is hostile: pipes, keys, escapes, controls, all of Unicode.
func randomText(r *rand.Rand, most int) string {
	pieces := []string{"|Verdict:CLN", "|Action:Delivered", "\\", "|", ":", "\r\n<14>1 - ", "\x00", "\ufeff", "\u202e", "\u0085", "é", "😀", "plain text ", "x", "\u2028", "\\n", "…"}
	var b strings.Builder
	for n := r.IntN(most + 1); b.Len() < n; {
		if r.IntN(3) == 0 {
			if c := rune(r.IntN(0x3000)); utf8.ValidRune(c) {
				b.WriteRune(c)
			}
			continue
		}
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return b.String()
}

func randomRecord(r *rand.Rand) (*record.Record, []Pair) {
	i := r.IntN(3)
	var pairs []Pair
	for _, row := range Tables[i].Rows {
		if row.Class < encode.Code && r.IntN(5) > 0 {
			most := 40
			if r.IntN(3) == 0 {
				most = 3000
			}
			pairs = append(pairs, Pair{row.Key, randomText(r, most)})
		}
		if row.Class >= encode.Code && row.Key != "Ambiguous" && row.Key != "Truncated" {
			pairs = append(pairs, Pair{row.Key, fmt.Sprintf("%s-%d", row.Key, r.IntN(1e6))})
		}
	}
	return scanRecord(Tables[i].Name, pairs), pairs
}

// checkSafe: no control and no other unsafe character, and UTF-8.
func checkSafe(t testing.TB, msg string) {
	t.Helper()
	for _, c := range msg {
		if unicode.IsControl(c) || c == '\ufeff' || c == '\u2028' || c == '\u2029' || unicode.Is(unicode.Bidi_Control, c) {
			t.Fatalf("%U in %q", c, msg)
		}
	}
	if !utf8.ValidString(msg) {
		t.Fatalf("not UTF-8: %q", msg)
	}
}

// independent splits as a SIEM would be told to: by a regular expression's worth of state, written without the package's
// own code.
func independent(msg string) (pairs []Pair) {
	key, value, inKey := "", "", true
	runes := []rune(msg)
	for i := 0; i < len(runes); i++ {
		switch c := runes[i]; {
		case c == '|':
			pairs = append(pairs, Pair{key, value})
			key, value, inKey = "", "", true
		case inKey && c == ':':
			inKey = false
		case inKey:
			key += string(c)
		case c == '\\':
			i++
			switch runes[i] {
			case 'r':
				value += "\r"
			case 'n':
				value += "\n"
			case 't':
				value += "\t"
			case 'x':
				var u rune
				fmt.Sscanf(string(runes[i+1:i+3]), "%x", &u)
				value += string(u)
				i += 2
			case 'u':
				var u rune
				fmt.Sscanf(string(runes[i+1:i+5]), "%x", &u)
				value += string(u)
				i += 4
			default:
				value += string(runes[i])
			}
		default:
			value += string(c)
		}
	}
	return append(pairs, Pair{key, value})
}

func TestOverflowProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, escape := range []string{EscapeBackslash, EscapeReplace, EscapeNone} {
		shorten, split := newEncoder(t, encode.Config{Escape: escape}), newEncoder(t, encode.Config{Escape: escape, Overflow: encode.OverflowSplit})
		for range 1500 {
			rec, pairs := randomRecord(r)
			budget := 300 + r.IntN(900)
			msg, result := one(t, shorten, rec, budget)
			checkSafe(t, msg)
			if escape == EscapeBackslash {
				checkShortened(t, msg, pairs, result)
			}
			if result == encode.Shortened && len(msg) < budget-40 {
				t.Fatalf("%d bytes of %d used: %s", len(msg), budget, msg)
			}
			all, ends, result, err := split.Append(nil, nil, rec, jsonscan.Known{}, budget)
			if err != nil || (len(ends) > 1) != (result == encode.Split) {
				t.Fatal(err, ends, result)
			}
			checkParts(t, string(all), ends, budget, pairs, escape == EscapeBackslash)
		}
	}
}

// pairsRow has a name for where pairs are a variable.
type pairsRow = pairs.Row

// checkShortened: codes and ids whole, other values whole or a beginning with an ellipsis.
func checkShortened(t testing.TB, msg string, pairs []Pair, result encode.Result) {
	t.Helper()
	for _, p := range independent(msg) {
		want := get(pairs, p.Key)
		row := Tables[0].Row(p.Key)
		if row == nil {
			row = &pairsRow{Class: encode.Text}
		}
		if p.Value == want {
			continue
		}
		if start, ok := strings.CutSuffix(p.Value, "…"); result != encode.Shortened || row.Class >= encode.Code || !ok || !strings.HasPrefix(want, start) {
			t.Fatalf("%s is %q, want %q", p.Key, p.Value, want)
		}
	}
	for _, key := range []string{pp.KeyDatetime, pp.KeyScanID, pp.KeyEvent, pp.KeyVerdict, pp.KeyAction} {
		if get(independent(msg), key) != get(pairs, key) {
			t.Fatalf("%s is not whole in %s", key, msg)
		}
	}
}

// checkParts: each part in the budget and with the ids, and put together the whole record.
func checkParts(t testing.TB, all string, ends []int, budget int, pairs []Pair, exact bool) {
	t.Helper()
	var whole []Pair
	from := 0
	for n, end := range ends {
		part := all[from:end]
		from = end
		checkSafe(t, part)
		if len(part) > budget {
			t.Fatalf("part of %d bytes for %d", len(part), budget)
		}
		if !exact {
			continue
		}
		got := independent(part)
		if len(ends) > 1 {
			if got[0] != pairs[0] || got[1] != pairs[1] || got[2] != (Pair{KeyPart, fmt.Sprintf("%d/%d", n+1, len(ends))}) {
				t.Fatalf("part %d: %v", n, got[:3])
			}
			if got = got[3:]; n == 0 {
				whole = append(whole, pairs[:2]...)
			}
		}
		for i, p := range got {
			if i == 0 && n > 0 && whole[len(whole)-1].Key == p.Key {
				whole[len(whole)-1].Value += p.Value
				continue
			}
			whole = append(whole, p)
		}
	}
	if exact && !slices.Equal(whole, pairs) {
		t.Fatalf("put together\n%q\nwant\n%q", whole, pairs)
	}
}

// TestForgedCodes: a forged id or code can neither suppress its record nor break the limit.
func TestForgedCodes(t *testing.T) {
	huge := strings.Repeat("A|", 800)
	rec := scanRecord(record.EmailScan, []Pair{{"datetime", "1" + huge}, {"Scan ID", huge}, {"Event", huge}, {"Message ID", huge}, {"Verdict", "MAL"}, {"Action", huge}})
	for _, overflow := range []string{encode.OverflowShorten, encode.OverflowSplit} {
		all, ends, _, err := newEncoder(t, encode.Config{Overflow: overflow}).Append(nil, nil, rec, jsonscan.Known{}, 900)
		if err != nil || !strings.Contains(string(all), "|Verdict:MAL") {
			t.Fatal(overflow, err)
		}
		from := 0
		for _, end := range ends {
			if end-from > 900 {
				t.Errorf("%s: %d bytes", overflow, end-from)
			}
			from = end
		}
	}
}

// FuzzRoundTrip: what an independent splitter reads of a message is what went in; in parts and shortened, too.
func FuzzRoundTrip(f *testing.F) {
	f.Add("x|Verdict:CLN|Action:Delivered", "a\r\n<14>Feb  4 07:07:35 h datetime:0", "\\", 1024)
	f.Add("\x00\ufeff\u202e\u0085\xff", strings.Repeat("é|", 700), "…", 300)
	f.Fuzz(func(t *testing.T, subject, from, messages string, budget int) {
		if budget < 300 || budget > 5000 {
			budget = 1024
		}
		clean := func(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
		pairs := []Pair{{pp.KeyDatetime, "1.5"}, {pp.KeyScanID, "id"}, {pp.KeyEvent, pp.EventEmail}, {pp.KeySubject, clean(subject)}, {pp.KeyFrom, clean(from)}, {pp.KeyVerdict, "MAL"}, {pp.KeyAction, "Delivered"}, {pp.KeyVerdictMessages, clean(messages)}}
		var body map[string]any
		rec := scanRecord(record.EmailScan, pairs)
		if err := json.Unmarshal([]byte(rec.Body), &body); err != nil {
			t.Fatal(err)
		}
		// U+FFFD for each invalid byte or for a run of them: take what the record says.
		for i := range pairs {
			pairs[i].Value = body[pairs[i].Key].(string)
		}
		for _, escape := range []string{EscapeBackslash, EscapeReplace, EscapeNone} {
			msg, result := one(t, newEncoder(t, encode.Config{Escape: escape}), rec, budget)
			checkSafe(t, msg)
			switch escape {
			case EscapeBackslash:
				checkShortened(t, msg, pairs, result)
				if own, other := SplitEscaped(nil, msg), independent(msg); !slices.Equal(own, other) {
					t.Fatalf("SplitEscaped %q, want %q", own, other)
				}
			case EscapeReplace:
				if result == encode.Whole && strings.Count(msg, "|") != len(pairs)-1 || strings.Contains(msg, `\`) {
					t.Fatalf("a value started a pair: %s", msg)
				}
			}
			all, ends, _, err := newEncoder(t, encode.Config{Escape: escape, Overflow: encode.OverflowSplit}).Append(nil, nil, rec, jsonscan.Known{}, budget)
			if err != nil {
				t.Fatal(err)
			}
			checkParts(t, string(all), ends, budget, pairs, escape == EscapeBackslash)
		}
	})
}

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{`a\\b\|\r\n\t\x00\u2028`: "a\\b|\r\n\t\x00\u2028", `\`: `\`, `\q`: `\q`, `\x0`: `\x0`, `\xzz`: `\xzz`, `\u12`: `\u12`, "": ""} {
		if got := Unescape(in); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
	if got := SplitEscaped(nil, `a:1\`); len(got) != 1 || got[0] != (Pair{"a", `1\`}) {
		t.Errorf("%q", got)
	}
}

func TestNoAllocations(t *testing.T) {
	rec := scanRecord(record.EmailScan, append(slices.Clone(seedPairs), Pair{pp.KeyVerdictMessages, strings.Repeat("quoted \" text | ", 80)}))
	for _, overflow := range []string{encode.OverflowShorten, encode.OverflowSplit} {
		e := newEncoder(t, encode.Config{Overflow: overflow})
		var dst []byte
		var ends []int
		if n := testing.AllocsPerRun(100, func() {
			dst, ends, _, _ = e.Append(dst[:0], ends[:0], rec, jsonscan.Known{}, DefaultMaxLength)
		}); n != 0 || len(ends) == 0 {
			t.Errorf("%s: %v allocations, %d messages", overflow, n, len(ends))
		}
	}
}

// TestOneEncoderForAll: what an encoder remembers of the records before changes nothing about the next one.
func TestOneEncoderForAll(t *testing.T) {
	bodies := []string{
		`{"alert_id":"a","severity":"High","description":"x|y"}`, `{"alert_id":"b","severity":"Low","description":"\u00e9\\"}`,
		`{"severity":"Low","alert_id":"b"}`, `{"alert_id":"b","severity":"Low"}`, `{"alert_id":"b","alert_id":"c"}`, `{`, `{"alert_id":"b","severity":null}`,
		`{"labels":["a","b,c"],"risk_params":{"risk_score":7}}`, `{"labels":["a","é"],"risk_params":{}}`, `{}`, `{"Scan ID":"x","Subject":"a\nb"}`, `{"Scan ID":"y","Subject":"12345678 "}`,
	}
	for _, overflow := range []string{encode.OverflowShorten, encode.OverflowSplit, encode.OverflowDrop} {
		e := newEncoder(t, encode.Config{Overflow: overflow})
		for i := range 500 {
			body := bodies[i*i%len(bodies)]
			if i%3 == 0 {
				body = bodies[i/30%len(bodies)]
			}
			rec := &record.Record{EventType: []string{record.SecurityFinding, record.EmailScan, "AWS.CloudTrail"}[i%7%3], Body: body, ID: "id"}
			got, ends, result, err := e.Append([]byte("before"), nil, rec, jsonscan.Known{}, 60)
			want, wantEnds, wantResult, wantErr := newEncoder(t, encode.Config{Overflow: overflow}).Append([]byte("before"), nil, rec, jsonscan.Known{}, 60)
			if string(got) != string(want) || !slices.Equal(ends, wantEnds) || result != wantResult || fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Fatalf("%s: %q %v %v %v, want %q %v %v %v", body, got, ends, result, err, want, wantEnds, wantResult, wantErr)
			}
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	finding := `{"labels":["Sensitive","Known Admin"],"alert_id":"f-0001-3e0af324","asset_id":"arn:aws:s3:::acme","provider":"AWS","resolved":false,"severity":"High","tenant_id":"id-1234","account_id":"111122223333","description":"` + strings.Repeat("A remote attacker may read every object. ", 12) + `","resource_type":"Storage","risk_category":"Data Exposure","detection_type":"security_finding","attack_scenario":"Publicly readable bucket","related_resources":[["arn:aws:s3:::acme","arn:aws:iam::111122223333:role/reader"]],"detection_timestamp":"2024-09-15T17:16:00Z","first_seen_timestamp":"2024-01-02T03:04:05Z"}`
	for _, c := range []struct {
		name     string
		overflow string
		rec      *record.Record
		budget   int
		result   encode.Result
	}{
		{"scan", encode.OverflowShorten, scanRecord(record.EmailScan, seedPairs), 1024, encode.Whole},
		{"finding", encode.OverflowShorten, &record.Record{EventType: record.SecurityFinding, Body: finding, Time: time.Unix(1726420560, 0)}, 2048, encode.Whole},
		{"finding shortened", encode.OverflowShorten, &record.Record{EventType: record.SecurityFinding, Body: finding, Time: time.Unix(1726420560, 0)}, 600, encode.Shortened},
		{"finding split", encode.OverflowSplit, &record.Record{EventType: record.SecurityFinding, Body: finding, Time: time.Unix(1726420560, 0)}, 600, encode.Split},
	} {
		b.Run(c.name, func(b *testing.B) {
			e := newEncoder(b, encode.Config{Overflow: c.overflow})
			dst, ends, result, err := e.Append(nil, nil, c.rec, jsonscan.Known{}, c.budget)
			if err != nil || result != c.result {
				b.Fatal(result, err)
			}
			b.SetBytes(int64(len(c.rec.Body)))
			b.ReportAllocs()
			for b.Loop() {
				dst, ends, _, _ = e.Append(dst[:0], ends[:0], c.rec, jsonscan.Known{}, c.budget)
			}
		})
	}
}

// TestNotPlain holds the check of eight bytes at once to the table.
func TestNotPlain(t *testing.T) {
	for c := range 256 {
		for at := range 8 {
			text := []byte("aaaaaaaa")
			text[at] = byte(c)
			m := notPlain(binary.LittleEndian.Uint64(text))
			if plain[c] != (m == 0) || m != 0 && bits.TrailingZeros64(m)/8 != at {
				t.Fatalf("byte %#x at %d: %#x", c, at, m)
			}
		}
	}
}

// get is the value of a pair, "-" when there is none.
func get(pairs []Pair, key string) string {
	for _, p := range pairs {
		if p.Key == key {
			return p.Value
		}
	}
	return "-"
}
