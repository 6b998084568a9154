package format

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
)

// parseJSON reads an object of a log type: one as its vendor writes it, or a row that siempipe made of one, which goes
// through unchanged. Types are set right where one value can only mean one thing ("443" where a number is due); null, empty
// texts and empty arrays are left out, but for those of required columns; fields that the table does not have stay.
func (p *Parser) parseJSON(lt *logType, in *Input, rec *record.Record) error {
	if in.JSONErr != nil {
		return in.JSONErr
	}
	in.compact()
	r := &p.row
	r.reset()
	known := r.ordered == lt && in.shape != 0 && r.shape == in.shape // its names are those of the object before
	r.shape = 0
	if !known {
		if err := p.standardFields(lt, in); err != nil {
			return err
		}
	}
	for i := range in.Members {
		m := &in.Members[i]
		name := m.Name
		if m.NameEscaped {
			name = m.Key()
		}
		column, exact := 0, true
		if known && i < len(r.order) && r.order[i] != 0 {
			column = int(r.order[i]) - 1
		} else {
			column, exact = r.column(lt, i, name)
		}
		if column < 0 {
			if !r.done && strings.HasPrefix(name, fieldPrefix) {
				return fmt.Errorf("%.64q: names that begin with %s are those of rows; this is none, since it has not all of %s, %s, %s and %s",
					name, fieldPrefix, fieldLogType, fieldRowID, fieldEventTime, fieldParseTime)
			}
			continue
		}
		c := &lt.table.fields[column]
		if r.seen&(1<<column) != 0 {
			return fmt.Errorf("%s: stands twice", c.name)
		}
		if m.Kind == jsonscan.Null || !c.required && (m.Value == `""` || m.Value == "[]") {
			to := m.Offset + len(m.Value)
			if in.Raw[to] == ',' {
				to++
			}
			r.remove(memberStart(m), to)
			continue
		}
		r.seen |= 1 << column
		if !exact || m.NameEscaped {
			begun := r.begin()
			r.scratch = append(r.scratch, c.quoted...)
			r.end(begun, memberStart(m), m.Offset)
		}
		if c.walk || c.kind != anyJSON && (c.kind != varchar || m.Kind != jsonscan.String) { // else there is nothing to look at
			if reason := p.value(c, in.Raw, m); reason != "" {
				return fmt.Errorf("%s: %s", c.name, reason)
			}
		}
	}
	if missing := lt.needed &^ r.seen; missing != 0 {
		return fmt.Errorf("%s: missing, required of %s", lt.table.fields[bits.TrailingZeros64(missing)].name, lt.name)
	}
	if !r.done {
		r.shape = in.shape
	}
	p.buf = r.apply(p.buf[:0], in.Raw)
	p.finish(lt, in, rec)
	return nil
}

// column finds the column of the name that stands at a place. A vendor writes its names in one order, so that the one that
// stood there last is looked at first.
func (r *row) column(lt *logType, place int, name string) (index int, exact bool) {
	if r.ordered != lt {
		r.ordered, r.order = lt, [64]uint8{}
	}
	if place >= len(r.order) {
		return lt.table.find(name)
	}
	if last := int(r.order[place]) - 1; last >= 0 && lt.table.fields[last].name == name {
		return last, true
	}
	r.order[place] = 0
	if index, exact = lt.table.find(name); exact {
		r.order[place] = uint8(index) + 1
	}
	return index, exact
}

// standardFields finds out whether the object is a row already and reads its standard fields.
func (p *Parser) standardFields(lt *logType, in *Input) error {
	logType := in.Get(fieldLogType)
	if logType == nil {
		return nil
	}
	id, event, parsed := in.Get(fieldRowID), in.Get(fieldEventTime), in.Get(fieldParseTime)
	if id == nil || event == nil || parsed == nil {
		return nil // not all of them: parseJSON says so
	}
	if text := logType.Text(); text != lt.name {
		return fmt.Errorf("%s: is %.64q, want %q", fieldLogType, text, lt.name)
	}
	seen := 0
	for i := range in.Members {
		switch in.Members[i].Key() {
		case fieldLogType, fieldRowID, fieldEventTime, fieldParseTime:
			seen++
		}
	}
	r := &p.row
	var ok bool
	switch r.event, ok = parseInstant(event.Text()); {
	case seen != 4:
		return fmt.Errorf("%s and its like: stand twice", fieldLogType)
	case !ok:
		return fmt.Errorf("%s: is no time", fieldEventTime)
	case id.Text() == "":
		return fmt.Errorf("%s: is empty", fieldRowID)
	}
	if _, ok := parseInstant(parsed.Text()); !ok {
		return fmt.Errorf("%s: is no time", fieldParseTime)
	}
	r.done, r.id = true, id.Text()
	return nil
}

// value looks at a column's value: its type, and the indicators, time and account in it. It returns what is wrong.
func (p *Parser) value(c *column, raw string, m *jsonscan.Member) (reason string) {
	r := &p.row
	start, end := m.Offset, m.Offset+len(m.Value)
	switch c.kind {
	case anyJSON:
		if c.feed != noFeed && !r.done {
			r.extract(raw[:end], start)
		}
	case object:
		if m.Kind != jsonscan.Object {
			return want(c, m)
		}
		if c.walk {
			p.object(c, raw, start)
		}
	case objectList:
		if m.Kind != jsonscan.Array {
			return want(c, m)
		}
		if c.walk {
			p.array(c, raw, start)
		}
		if c.feed == feedAnswers && !r.done {
			r.answers(raw, start)
		}
	case textList:
		if m.Kind != jsonscan.Array {
			return want(c, m)
		}
		p.array(c, raw, start)
	default:
		return p.scalar(c, m.Value, m.Kind, start)
	}
	return ""
}

func want(c *column, m *jsonscan.Member) string {
	kind := "array"
	if c.kind == object {
		kind = "object"
	}
	return "is " + m.Kind.String() + ", want " + kind
}

// scalar looks at a value of a scalar type that stands at an offset of the input.
func (p *Parser) scalar(c *column, value string, kind jsonscan.Kind, at int) (reason string) {
	r := &p.row
	end := at + len(value)
	inner := value
	if kind == jsonscan.String {
		inner = value[1 : len(value)-1]
	}
	switch c.kind {
	case varchar, textList:
		switch kind {
		case jsonscan.String:
			if c.feed != noFeed || c.account != 0 {
				inner = jsonscan.Unquote(inner)
			}
		case jsonscan.Number, jsonscan.Bool:
			begun := r.begin()
			r.scratch = append(append(append(r.scratch, '"'), value...), '"')
			r.end(begun, at, end)
		default:
			return "is " + kind.String() + ", want string"
		}
		if c.feed != noFeed && !r.done {
			r.feed(c.feed, inner)
		}
		if c.account != 0 {
			r.setAccount(c.account, inner)
		}
	case bigint, smallint, tinyint:
		if _, ok := parseInteger(inner); !ok || kind != jsonscan.Number && kind != jsonscan.String {
			return "is " + shown(value) + ", want an integer"
		}
		if kind == jsonscan.String || inner == "-0" || len(inner) > 1 && (inner[0] == '0' || inner[0] == '-' && inner[1] == '0') {
			n, _ := parseInteger(inner)
			begun := r.begin()
			r.scratch = strconv.AppendInt(r.scratch, n, 10)
			r.end(begun, at, end)
		}
	case double, float:
		if kind == jsonscan.Number {
			break
		}
		if kind != jsonscan.String || !isNumber(inner) {
			return "is " + shown(value) + ", want a number"
		}
		begun := r.begin()
		r.scratch = append(r.scratch, inner...)
		r.end(begun, at, end)
	case boolean:
		if kind == jsonscan.Bool {
			break
		}
		yes := strings.EqualFold(inner, "true")
		if kind != jsonscan.String || !yes && !strings.EqualFold(inner, "false") {
			return "is " + shown(value) + ", want true or false"
		}
		begun := r.begin()
		r.scratch = strconv.AppendBool(r.scratch, yes)
		r.end(begun, at, end)
	case timestamp, timestampOr, timestampMS, timestampUS:
		t, ok := parseInstant(inner)
		if c.kind == timestampUS && !ok {
			t, ok = parseUSInstant(jsonscan.Unquote(inner))
		}
		if c.kind == timestampMS && !ok {
			if n, isInteger := parseInteger(inner); isInteger {
				t, ok = epochInstant(n, 1000)
			}
		}
		switch {
		case ok && (kind == jsonscan.String || c.kind == timestampMS):
		case c.kind == timestampOr:
			return ""
		default:
			return "is " + shown(value) + ", want a time"
		}
		r.setTime(c.time, t)
		begun := r.begin()
		r.scratch = append(r.appendTime(append(r.scratch, '"'), t), '"')
		if string(r.scratch[begun:]) == value {
			r.scratch = r.scratch[:begun]
			break
		}
		r.end(begun, at, end)
	}
	return ""
}

// object looks at the fields of a nested object that starts at i and returns the index behind it. What has another type
// than it should stays as it is: only the columns of a table have types that a row must have.
func (p *Parser) object(c *column, raw string, i int) int {
	r := &p.row
	for i++; raw[i] != '}'; {
		if raw[i] == ',' {
			i++
		}
		nameStart := i
		i = jsonscan.StringEnd(raw, i) + 1 // the colon
		field, exact := c.find(raw[nameStart+1 : i-2])
		if field < 0 {
			i = jsonscan.ValueEnd(raw, i)
			continue
		}
		f := &c.fields[field]
		if !exact {
			begun := r.begin()
			r.scratch = append(r.scratch, f.quoted...)
			r.end(begun, nameStart, i)
		}
		if !f.walk {
			i = jsonscan.ValueEnd(raw, i)
			continue
		}
		i = p.nested(f, raw, i)
	}
	return i + 1
}

// nested looks at a value inside a column and returns the index behind it.
func (p *Parser) nested(c *column, raw string, i int) int {
	switch {
	case c.kind == anyJSON && c.feed != noFeed && !p.row.done:
		return p.row.extract(raw, i)
	case c.kind == object && raw[i] == '{':
		return p.object(c, raw, i)
	case (c.kind == objectList || c.kind == textList) && raw[i] == '[':
		return p.array(c, raw, i)
	}
	end := jsonscan.ValueEnd(raw, i)
	kind := jsonscan.Number
	switch raw[i] {
	case '"':
		kind = jsonscan.String
		if end == i+2 {
			return end
		}
	case '{', '[', 'n':
		return end
	case 't', 'f':
		kind = jsonscan.Bool
	}
	switch c.kind {
	case anyJSON, object, objectList, textList:
	default:
		p.scalar(c, raw[i:end], kind, i)
	}
	return end
}

// array looks at the elements of an array that starts at i and returns the index behind it.
func (p *Parser) array(c *column, raw string, i int) int {
	for i++; raw[i] != ']'; {
		switch {
		case raw[i] == ',':
			i++
		case raw[i] == '{' && c.kind == objectList:
			i = p.object(c, raw, i)
		case raw[i] == '"' && c.kind == textList:
			end := jsonscan.StringEnd(raw, i)
			p.scalar(c, raw[i:end], jsonscan.String, i)
			i = end
		default:
			i = jsonscan.ValueEnd(raw, i)
		}
	}
	return i + 1
}

// maxShown is how much of a value an error repeats, in bytes.
const maxShown = 64

func shown(value string) string {
	if len(value) > maxShown {
		value = strings.ToValidUTF8(value[:maxShown], "") + "…"
	}
	return value
}

// isNumber reports whether s is a number as JSON writes it.
func isNumber(s string) bool {
	return s != "" && (s[0] == '-' || s[0]-'0' <= 9) && jsonscan.Valid(s) == nil && s == strings.TrimRight(s, " \t\r\n")
}

// compact makes the input compact, so that offsets tell where names begin.
func (in *Input) compact() {
	if in.Compact {
		return
	}
	in.Raw = string(jsonscan.AppendCompact(make([]byte, 0, len(in.Raw)), in.Raw))
	in.room, in.Compact, in.JSONErr = jsonscan.Members(in.room[:0], in.Raw)
	in.Members = in.room
}
