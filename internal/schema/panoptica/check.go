package panoptica

import (
	"fmt"
	"strings"
	"time"

	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
)

// Fix replaces the value of one member.
type Fix struct {
	Index int    // of the member
	Value string // JSON text
}

// Error says which field breaks the schema, where and how.
type Error struct {
	Field  string
	Offset int // of the value, in bytes; -1 for a field that is missing
	Reason string
}

func (e *Error) Error() string {
	if e.Offset < 0 {
		return e.Field + " " + e.Reason
	}
	return fmt.Sprintf("%s at byte %d: %s", e.Field, e.Offset, e.Reason)
}

// Finding is a checked finding: its members by field. It holds substrings of the input and is valid as long as the
// members it was made from. The zero value is ready for Check, which may be called again and again; not safe for
// concurrent use.
type Finding struct {
	// Fixes set right what has exactly one right answer, in the order of the members.
	Fixes []Fix
	// Deciding are the indexes of the members that may say what people decided: those that the schema does not know, and
	// resolved.
	Deciding []int32

	index [numFields]int32 // of the member, plus one
	enum  [numFields]int8  // of the value in the rule's enum, plus one
	times [numFields - firstTime]time.Time
	// order holds the fields of the finding before by the index of the member: one source writes them in one order, and to
	// compare a name with the right one costs less than to look it up.
	order [32]Field
	shape jsonscan.Shape // of the finding before, 0 when it was not looked at to its end
}

// Check holds the members of one object against the schema. Unknown members are left alone; a schema field that stands
// twice is an error, since readers disagree which one counts. The error is a *Error, for the first field that is wrong.
//
// shape is that of the members, 0 when it is not known.
func (f *Finding) Check(members []jsonscan.Member, shape jsonscan.Shape) error {
	f.Fixes = f.Fixes[:0]
	known := shape != 0 && shape == f.shape // index, order and Deciding are those of the finding before
	if !known {
		f.shape, f.index, f.enum, f.Deciding = 0, [numFields]int32{}, [numFields]int8{}, f.Deciding[:0]
	}
	for i := range members {
		m := &members[i]
		field := f.order[i%len(f.order)]
		if !known {
			if field == none || m.Name != rules[field].name {
				field = fieldOf(m.Key())
				f.order[i%len(f.order)] = field
			}
			if field == none || field == Resolved {
				f.Deciding = append(f.Deciding, int32(i))
			}
			if field != none && f.index[field] != 0 {
				return &Error{Field: rules[field].name, Offset: m.Offset, Reason: "stands twice"}
			}
			f.index[field] = int32(i) + 1
		}
		if field == none {
			continue
		}
		if reason := f.checkField(field, m, i); reason != "" {
			return &Error{Field: rules[field].name, Offset: m.Offset, Reason: reason}
		}
	}
	if len(members) <= len(f.order) {
		f.shape = shape
	}
	if f.EventType() == record.AttackPath && f.index[RiskParams] == 0 {
		return &Error{Field: rules[RiskParams].name, Offset: -1, Reason: "missing, required of an attack_path"}
	}
	return nil
}

func (f *Finding) checkField(field Field, m *jsonscan.Member, index int) (reason string) {
	r := &rules[field]
	switch {
	case m.Kind != r.kind:
		return want(r.want, m)
	case r.enum != nil:
		return f.checkEnum(field, m, index)
	case r.check != nil:
		return r.check(m)
	case field >= firstTime:
		t, ok := ParseDateTime(m.Text())
		if !ok {
			return "is " + quoted(m.Text()) + ", want an RFC 3339 date-time"
		}
		f.times[field-firstTime] = t
	}
	return ""
}

func (f *Finding) checkEnum(field Field, m *jsonscan.Member, index int) (reason string) {
	r := &rules[field]
	text := m.Text()
	for i, allowed := range r.enum {
		if text == allowed {
			f.enum[field] = int8(i) + 1
			return ""
		}
	}
	trimmed := strings.TrimSpace(text)
	if word, ok := r.alias[strings.ToLower(trimmed)]; ok {
		trimmed = word
	}
	for i, allowed := range r.enum {
		if strings.EqualFold(trimmed, allowed) {
			f.enum[field] = int8(i) + 1
			f.Fixes = append(f.Fixes, Fix{Index: index, Value: `"` + allowed + `"`})
			return ""
		}
	}
	return "is " + quoted(text) + ", want one of " + strings.Join(r.enum, ", ")
}

// Text is the text of a string field of the members that were checked, "" when absent.
func (f *Finding) Text(members []jsonscan.Member, field Field) string {
	if f.index[field] == 0 {
		return ""
	}
	return members[f.index[field]-1].Text()
}

// Has reports whether the field is there.
func (f *Finding) Has(field Field) bool { return f.index[field] != 0 }

// Time is the value of a date-time field, zero when absent.
func (f *Finding) Time(field Field) time.Time {
	if field < firstTime || f.index[field] == 0 {
		return time.Time{}
	}
	return f.times[field-firstTime]
}

// EventType is the detection type, or other when the finding has none.
func (f *Finding) EventType() string {
	if n := f.enum[DetectionType]; n != 0 {
		return rules[DetectionType].enum[n-1]
	}
	return record.Other
}

// Severity is the severity, unknown when absent.
func (f *Finding) Severity() record.Severity { return record.Severity(f.enum[Severity]) }

// Resolved is the value of resolved, false when absent.
func (f *Finding) Resolved(members []jsonscan.Member) bool {
	n := f.index[Resolved]
	return n != 0 && members[n-1].Value == "true"
}
