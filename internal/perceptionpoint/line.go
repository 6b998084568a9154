package perceptionpoint

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// key is a known key's place in the canonical order.
type key uint8

const (
	keyDatetime key = iota
	keyScanID
	keyEvent
	keyIPAddress
	keySubject
	keyName
	keyURL
	keyMessageID
	keyTo
	keyFrom
	keyLayers
	keyVerdict
	keyAction
	keySample
	keyVerdictMessages
	keyCount
)

// vendorKeys is what ParseLine knows of each key.
var vendorKeys = [keyCount]struct {
	name string
	// rank is the key's position in a line; those of the same rank may stand in any order. Where Action and Verdict Messages
	// stand is not documented.
	rank uint8
	// hostile: the value is chosen by whoever sent the mail or made the file; what follows may be forged.
	hostile bool
	// head: of several occurrences the first is the vendor's, since no hostile value stands before it.
	head bool
}{
	keyDatetime:        {KeyDatetime, 0, false, true},
	keyScanID:          {KeyScanID, 1, false, true},
	keyEvent:           {KeyEvent, 2, false, true},
	keyIPAddress:       {KeyIPAddress, 3, false, true},
	keySubject:         {KeySubject, 4, true, true},
	keyName:            {KeyName, 4, true, true},
	keyURL:             {KeyURL, 4, true, true},
	keyMessageID:       {KeyMessageID, 5, true, false},
	keyTo:              {KeyTo, 6, true, false},
	keyFrom:            {KeyFrom, 7, true, false},
	keyLayers:          {KeyLayers, 8, false, false},
	keyVerdict:         {KeyVerdict, 9, false, false},
	keyAction:          {KeyAction, 9, false, false},
	keySample:          {KeySample, 9, true, false},
	keyVerdictMessages: {KeyVerdictMessages, 9, true, false},
}

// limitReached is the length in bytes, header included, from which on a line may have been cut. The vendor's limit is
// 1,024 characters; whether that counts the header, or bytes, is not documented.
const limitReached = 1000

// lineLimit is the vendor's limit itself. A line of exactly that length, in bytes or characters, with its header or without, was
// cut: its last value is not whole, though all keys are there.
const lineLimit = 1024

// isCut reports whether a line, whose message begins at start, is of exactly the vendor's limit.
func isCut(line string, start int) bool {
	if len(line) < lineLimit {
		return false
	}
	n := utf8.RuneCountInString(line)
	return len(line) == lineLimit || len(line)-start == lineLimit || n == lineLimit || n-utf8.RuneCountInString(line[:start]) == lineLimit
}

// maxHeader bounds the syslog header before the first key.
const maxHeader = 512

// Pair is one key of a line and its value.
type Pair struct {
	Key, Value string
}

// LineInfo says what ParseLine found beside the pairs.
type LineInfo struct {
	Header string // what stood before the first key: octet count, PRI, timestamp, host; empty without header
	// Ambiguous: a value may have forged pairs: a key was repeated, or stood where the vendor does not write it.
	Ambiguous bool
	// Truncated: the line was cut, or is so long that its end may be missing or cannot be told from a forged one.
	Truncated bool
	// NotUTF8: the line, and with it some value, holds bytes that are no UTF-8. Values have them as they came.
	NotUTF8 bool
}

var errNoKey = errors.New("no key of a Perception Point line at its start")

// ParseLine reads a line of the vendor's and appends its pairs to dst, in canonical order, each key once. An optional octet
// count and RFC 3164 or RFC 5424 header (with or without PRI) is cut off, and line ends and NUL at the end.
//
// A value ends only at a pipe that a known key and a colon follow directly; one blank at its start is cut off. A pair with
// an empty value is returned. Of a repeated key the last occurrence is taken where hostile text may stand before it,
// and the first for datetime, Scan ID, Event, IP Address and the subject, name or URL, which stand before all hostile text.
//
// Blanks at the end are no part of a value, but they count as long as the line: who pads a subject with them must not be able to
// hide that the line was cut. So line must be what came, not what is left when its blanks were cut off.
//
// The verdict becomes VerdictUnknown, unless it is one that no attacker wants (MAL, BLK, SUS, SPM), when the line was cut
// before its end, when it is so long that forged pairs may have pushed the vendor's own out, and when it can only be forged.
// One of the four does, too, where it may have been written into a Sample or Verdict Messages to hide a graver one.
//
// A character cut at the end of the line is dropped. A line without a key is an error; bytes that are no UTF-8 are none: a
// sender could else keep his verdict away with one. Pairs are substrings of line.
func ParseLine(dst []Pair, line string) (pairs []Pair, info LineInfo, err error) {
	length := len(line)
	line = strings.TrimRight(line, "\r\n\x00")
	line, cutRune := trimRune(line)
	start, k := messageStart(line)
	if start < 0 {
		return dst, info, errNoKey
	}
	info.Header = strings.TrimRight(line[:start], " \uFEFF")
	info.NotUTF8 = !utf8.ValidString(line)
	l := parsedLine{atLimit: length >= limitReached || cutRune, cut: cutRune || isCut(line, start)}
	if c := line[len(line)-1]; c <= ' ' || c >= utf8.RuneSelf { // a cutset outside ASCII is slow; a line has a key at least
		line = strings.TrimRight(line, " \t\r\n\x00\uFEFF")
	}
	for k != keyCount {
		from := start + len(vendorKeys[k].name) + 1
		next, nextKey := nextPair(line, from)
		value := line[from:next]
		if value != "" && value[0] == ' ' {
			value = value[1:]
		}
		if nextKey == keyCount && l.atLimit && (k == keyLayers || k == keyVerdict || k == keyAction) {
			value = trimCutKey(value)
		}
		l.add(k, value)
		start, k = next+1, nextKey
	}
	l.judge(&info)
	for k := range keyCount {
		if l.seen&(1<<k) != 0 {
			dst = append(dst, Pair{Key: vendorKeys[k].name, Value: l.values[k]})
		}
	}
	return dst, info, nil
}

// parsedLine collects the pairs of one line.
type parsedLine struct {
	values    [keyCount]string
	seen      uint16 // bit of each key
	ambiguous bool
	atLimit   bool
	cut       bool // certainly

	hostile  bool  // a hostile value stood before
	rank     uint8 // highest since then
	late     bool  // the last verdict had a key after it that belongs before it
	notClean bool  // a verdict other than clean stood before
	tailText bool  // since the first of them a Sample or Verdict Messages
	shadowed bool  // the last verdict came after both: it may have been written into that text
	worst    int   // gravity of the gravest verdict so far
}

func (l *parsedLine) add(k key, value string) {
	v := &vendorKeys[k]
	repeated := l.seen&(1<<k) != 0
	if repeated || l.hostile && v.rank < l.rank {
		l.ambiguous = true
	}
	if l.hostile && v.rank < vendorKeys[keyVerdict].rank && l.seen&(1<<keyVerdict) != 0 {
		l.late = true
	}
	if k == keyVerdict {
		l.late = false
		l.shadowed = l.notClean && l.tailText
		if value != VerdictClean && !l.notClean {
			l.notClean, l.tailText = true, false
		}
		l.worst = max(l.worst, gravity(value))
	}
	if k == keySample || k == keyVerdictMessages {
		l.tailText = true
	}
	if !repeated || !v.head {
		l.values[k] = value
	}
	l.seen |= 1 << k
	l.hostile = l.hostile || v.hostile
	if l.hostile {
		l.rank = max(l.rank, v.rank)
	}
}

// judge decides what can be trusted.
func (l *parsedLine) judge(info *LineInfo) {
	const subject, name, url = 1 << keySubject, 1 << keyName, 1 << keyURL
	if what := l.seen & (subject | name | url); what&(what-1) != 0 { // each kind of scan has one of the three
		l.ambiguous = true
	}
	verdict := l.values[keyVerdict]
	adverse := isAdverse(verdict)
	hasVerdict := l.seen&(1<<keyVerdict) != 0
	info.Ambiguous = l.ambiguous
	info.Truncated = l.cut || l.atLimit && (!adverse || l.seen&(1<<keySample) == 0)
	if !adverse && (info.Truncated || hasVerdict && (l.late || l.shadowed)) || l.shadowed && gravity(verdict) < l.worst {
		l.values[keyVerdict] = VerdictUnknown
		l.seen |= 1 << keyVerdict
	}
}

// isAdverse reports verdicts that an attacker would not forge, unless to hide a graver one.
func isAdverse(verdict string) bool { return gravity(verdict) > 0 }

// gravity orders the adverse verdicts as their severities do; every other one is 0.
func gravity(verdict string) int {
	switch verdict {
	case VerdictMalicious, VerdictRestricted:
		return 3
	case VerdictSuspicious:
		return 2
	case VerdictSpam:
		return 1
	}
	return 0
}

// keyAt returns the known key that stands at i with a colon after it, or keyCount.
func keyAt(s string, i int) key {
	if i >= len(s) {
		return keyCount
	}
	for k := range keyCount {
		name := vendorKeys[k].name
		if s[i] == name[0] && i+len(name) < len(s) && s[i+len(name)] == ':' && s[i:i+len(name)] == name {
			return k
		}
	}
	return keyCount
}

// nextPair returns the pipe that ends the value that starts at from, and the key after it; len(s) and keyCount at the end.
func nextPair(s string, from int) (int, key) {
	for i := from; ; i++ {
		n := strings.IndexByte(s[i:], '|')
		if n < 0 {
			return len(s), keyCount
		}
		i += n
		if k := keyAt(s, i+1); k != keyCount {
			return i, k
		}
	}
}

// trimCutKey cuts a pipe and the beginning of a key from the end of a value: what is left of the next pair of a line that
// was cut. Only codes need it, which hold no pipe themselves: "MAL|Sam" is MAL.
func trimCutKey(value string) string {
	i := strings.LastIndexByte(value, '|')
	if i < 0 {
		return value
	}
	for k := range keyCount {
		if strings.HasPrefix(vendorKeys[k].name, value[i+1:]) {
			return value[:i]
		}
	}
	return value
}

// messageStart returns where the first key stands: at the start, or after a header, which ends with a blank, a PRI, a TAG or a
// byte order mark, and which one of the keys follows with which the vendor begins a line. -1 when there is none.
func messageStart(s string) (int, key) {
	if k := keyAt(s, 0); k != keyCount {
		return 0, k
	}
	head := s[:min(len(s), maxHeader)]
	if i := strings.IndexByte(head, '|'); i >= 0 {
		head = head[:i] // no header holds a pipe before its message
	}
	for i := 1; i < len(head); i++ {
		switch head[i-1] {
		case ' ', '>', ':', ']', '\t': // behind a blank, a PRI alone, or a TAG without one
		case 0xBF:
			if !strings.HasSuffix(head[:i], "\uFEFF") {
				continue
			}
		default:
			continue
		}
		if k := keyAt(s, i); k <= keyEvent {
			return i, k
		}
	}
	return -1, keyCount
}

// trimRune cuts the beginning of a character from the end of s.
func trimRune(s string) (string, bool) {
	for i := len(s) - 1; i >= 0 && i > len(s)-utf8.UTFMax; i-- {
		if !utf8.RuneStart(s[i]) {
			continue
		}
		if s[i] >= utf8.RuneSelf && !utf8.FullRuneInString(s[i:]) {
			return s[:i], true
		}
		break
	}
	return s, false
}

// IsLine reports whether s looks like a line of the vendor's: a key at its start or after a header, and a scan's id or
// event in it. It is cheap and does not say that the line is without fault.
func IsLine(s string) bool {
	if !strings.Contains(s, KeyScanID+":") && !strings.Contains(s, KeyEvent+":") { // lines of other formats end here
		return false
	}
	if start, _ := messageStart(s); start < 0 {
		return false
	}
	return strings.Contains(s, KeyScanID+":") || strings.Contains(s, KeyEvent+":"+EventEmail) ||
		strings.Contains(s, KeyEvent+":"+EventFile) || strings.Contains(s, KeyEvent+":"+EventURL)
}
