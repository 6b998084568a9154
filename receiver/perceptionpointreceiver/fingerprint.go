package perceptionpointreceiver

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/siempipe/siempipe/internal/jsonscan"
)

// trackedFields are the fields that a change names: those that people and the vendor change after a scan was made, and those that
// best say why. A change of any other field is named otherField. A fingerprint has one byte for each; the order is that of the
// stored bytes and must not change.
var trackedFields = [numChecks - 1]string{
	"verbose_verdict", "verbose_action", "verbose_confidence", "confidence", "root_scan_summary", "finished_at", "decisions",
	"evidence", "scan_engines", "scan_layers", "handle_status", "sample.last_action", "sample.last_action_time", "sample",
}

const (
	otherField = "other"
	// numChecks is how many fields, and groups of fields, a fingerprint tells apart.
	numChecks = 15
	// fingerprintBytes is the size of one fingerprint, in memory and in storage.
	fingerprintBytes = 8 + 8 + 1 + numChecks
)

// fingerprint is what is remembered of one scan, in 32 bytes: enough to know it again, to see that it changed, and to say what
// moved. Two scans that share id and content by chance (128 bits) would be one; two that share only id (64 bits) come out twice. A check
// is one byte, so a field that moved is missing from a change once in 256 times; codes tell verdict and action exactly.
type fingerprint struct {
	id      uint64
	content uint64
	codes   byte // verdict and action before, see codeOf
	checks  [numChecks]byte
}

func (s *fingerprint) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, s.id)
	dst = binary.BigEndian.AppendUint64(dst, s.content)
	dst = append(dst, s.codes)
	return append(dst, s.checks[:]...)
}

func readFingerprint(b []byte) (s fingerprint) {
	s.id = binary.BigEndian.Uint64(b)
	s.content = binary.BigEndian.Uint64(b[8:])
	s.codes = b[16]
	copy(s.checks[:], b[17:fingerprintBytes])
	return s
}

// Verdicts and actions that a fingerprint can name; others are known to have changed, but not from what.
var (
	verdictCodes = [...]string{"", "MAL", "BLK", "SUS", "SPM", "CLN"}
	actionCodes  = [...]string{"", "Delivered", "Scanned", "Quarantined", "Released", "Blocked"}
)

func codeOf(verdict, action string) byte {
	v, a := slices.Index(verdictCodes[:], verdict), slices.Index(actionCodes[:], action)
	return byte(max(v, 0)<<4 | max(a, 0))
}

func (s *fingerprint) verdict() string { return at(verdictCodes[:], int(s.codes>>4)) }
func (s *fingerprint) action() string  { return at(actionCodes[:], int(s.codes&15)) }

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return ""
}

// fingerprinter makes fingerprints of scans. For one goroutine.
type fingerprinter struct {
	ignored map[string]bool
	members []jsonscan.Member
	nested  []jsonscan.Member
	buf     []byte
}

func newFingerprinter(ignored []string) *fingerprinter {
	s := &fingerprinter{ignored: make(map[string]bool, len(ignored))}
	for _, name := range ignored {
		s.ignored[name] = true
	}
	return s
}

// fingerprint makes the fingerprint of a scan. The order of its members does not count. What is no JSON object is known by its text.
func (g *fingerprinter) fingerprint(raw string) (s fingerprint) {
	var err error
	if g.members, _, err = jsonscan.Members(g.members[:0], raw); err != nil {
		s.content = g.hash("", raw)
		s.id = s.content
		return s
	}
	var id, verdict, action, rootVerdict string
	var sums [numChecks]uint64
	add := func(name, value string) {
		if g.ignored[name] {
			return
		}
		h := g.hash(name, value)
		s.content += h
		sums[checkOf(name)] += h
	}
	for i := range g.members {
		m := &g.members[i]
		name := m.Key()
		switch name {
		case "full_scan_id":
			id = first(m.Text(), id)
		case "id":
			if id == "" {
				id = first(m.Text(), m.Value)
			}
		case "verbose_verdict":
			verdict = m.Text()
		case "verbose_action":
			action = m.Text()
		}
		if m.Kind != jsonscan.Object || name != "sample" && name != "root_scan_summary" && !g.ignoresIn(name) {
			add(name, m.Value)
			continue
		}
		if g.nested, _, err = jsonscan.Members(g.nested[:0], m.Value); err != nil {
			add(name, m.Value)
			continue
		}
		for j := range g.nested {
			n := &g.nested[j]
			if name == "root_scan_summary" && n.Key() == "verbose_verdict" {
				rootVerdict = n.Text()
			}
			add(name+"."+n.Key(), n.Value)
		}
	}
	clear(g.members)
	clear(g.nested)
	s.codes = codeOf(first(rootVerdict, verdict), action)
	for i, sum := range sums {
		s.checks[i] = byte(sum >> 56)
	}
	s.id = s.content
	if id != "" && id != "null" {
		s.id = g.hash("id", id)
	}
	return s
}

// ignoresIn reports whether a field of the named object is ignored.
func (g *fingerprinter) ignoresIn(name string) bool {
	for ignored := range g.ignored {
		if strings.HasPrefix(ignored, name) && strings.HasPrefix(ignored[len(name):], ".") {
			return true
		}
	}
	return false
}

// checkOf is the check that a field belongs to: its own, that of the object it is in, or the last one.
func checkOf(name string) int {
	if i := slices.Index(trackedFields[:], name); i >= 0 {
		return i
	}
	if object, _, ok := strings.Cut(name, "."); ok {
		if i := slices.Index(trackedFields[:], object); i >= 0 {
			return i
		}
	}
	return numChecks - 1
}

// hash is 64 bits of the SHA-256: a sender who chooses a subject must not be able to make two scans look alike.
func (g *fingerprinter) hash(name, value string) uint64 {
	g.buf = append(g.buf[:0], name...)
	g.buf = append(g.buf, 0)
	g.buf = append(g.buf, value...)
	sum := sha256.Sum256(g.buf)
	return binary.BigEndian.Uint64(sum[:])
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
