package format

import (
	"errors"
	"fmt"
	"strings"

	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/perceptionpoint"
)

// Scans remember where the members of a batch's objects stand. A receiver that checks the records of a batch keeps them for the
// parser, so that no text is scanned twice. A scan is found by its text: components that filter, reorder or change records on the
// way need not know of it.
//
// The zero value is ready. Scans are not safe for concurrent use while they are added to; afterwards any number of readers may
// use them at the same time.
type Scans struct {
	texts   []scanned
	members []jsonscan.Where
	names   jsonscan.Names
}

// scanned is one text that was checked. Its members are Scans.members[from:to], which is empty when they were not kept.
type scanned struct {
	text     string
	shape    jsonscan.Shape
	from, to int
}

const (
	// maxScannedBytes is the longest text whose members are kept. Few records are longer, and checking one must not take many
	// times the memory of its text.
	maxScannedBytes = 64 << 10
	// maxScannedMembers bounds those of a batch, and so what Scans hold: some 400 KB. A thousand records have 20,000.
	maxScannedMembers = 32 << 10
)

// Check says why a raw text cannot be a record of a format ("" or Auto: of any) without mapping it: a receiver can tell
// its sender so at once. Text that passes may still break its schema. fields is the header line that it stands under.
func (s *Scans) Check(raw, format, fields string) error {
	text := strings.Trim(raw, blanks)
	if !strings.HasPrefix(text, "{") {
		return checkLine(text, format, fields)
	}
	from := len(s.members)
	var shape jsonscan.Shape
	var err error
	if len(text) > maxScannedBytes || from > maxScannedMembers {
		err = jsonscan.Valid(text)
	} else {
		var compact bool
		if s.members, compact, shape, err = s.names.Where(s.members, text); !compact || len(text) != len(raw) {
			s.members = s.members[:from]
		}
	}
	if err != nil {
		return fmt.Errorf("broken JSON: %w", err)
	}
	s.texts = append(s.texts, scanned{raw, shape, from, len(s.members)})
	return nil
}

// Reset forgets all scans and lets go of their texts.
func (s *Scans) Reset() {
	clear(s.texts)
	s.texts, s.members = s.texts[:0], s.members[:0]
}

// Reader returns a reader that stands before the first scan. s may be nil.
func (s *Scans) Reader() ScanReader {
	r := ScanReader{scans: s}
	if s != nil {
		r.left = triesPerText * len(s.texts)
	}
	return r
}

// triesPerText bounds how often a ScanReader compares a text in vain. Where records were left out each costs one; where many were
// changed or put in another order it is better to scan them again.
const triesPerText = 4

// ScanReader finds the scans of texts that come in the order of the batch. It is for one goroutine; the zero value and nil find
// none.
type ScanReader struct {
	scans   *Scans
	next    int
	left    int // comparisons
	members []jsonscan.Member
	shape   jsonscan.Shape // of members
}

// Find returns what is known of a text, the zero value where that is nothing. It is valid until the next Find.
func (r *ScanReader) Find(raw string) Object {
	if r == nil || r.left <= 0 || !strings.HasPrefix(raw, "{") {
		return Object{}
	}
	for i := r.next; i < len(r.scans.texts) && r.left > 0; i++ {
		s := &r.scans.texts[i]
		if s.text != raw { // costs nothing where both are the same bytes in memory
			r.left--
			continue
		}
		r.next = i + 1
		if s.from == s.to {
			return Object{}
		}
		if where := r.scans.members[s.from:s.to]; s.shape == r.shape && len(where) == len(r.members) {
			jsonscan.SetValues(r.members, raw, where)
		} else {
			r.members = jsonscan.AppendMembers(r.members[:0], raw, where)
			r.shape = s.shape
		}
		return Object{Members: r.members, Shape: s.shape}
	}
	return Object{}
}

// checkLine is Check for a text that is no object.
func checkLine(text, format, fields string) error {
	if IsHeader(format, text) || format == vpcFlowName { // the processor may be told the fields of flow logs
		return nil
	}
	if fields != "" && (format == "" || format == Auto) { // a line of a flow log, most likely, or else nobody's
		return nil
	}
	in := Input{Raw: text, JSONErr: errNoObject, defaultFields: DefaultFlowFields, header: defaultFlowHeader}
	f, named := Lookup(format)
	switch {
	case named && f.claims(&in):
		return nil
	case named && f.Name == "perception_point_syslog": // a line may lack the keys by which auto knows it
		_, _, err := perceptionpoint.ParseLine(nil, text)
		return err
	case named:
		return fmt.Errorf("no record of format %s", f.Name)
	}
	for i := range Formats {
		if Formats[i].claims(&in) {
			return nil
		}
	}
	return errors.New("neither a JSON object nor a line of a known format")
}
