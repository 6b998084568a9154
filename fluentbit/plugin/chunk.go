package plugin

import (
	"bytes"
	"errors"
	"slices"
	"time"
	"unsafe"

	"github.com/siempipe/siempipe/fluentbit/msgpackjson"
	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/perceptionpoint"
	"github.com/siempipe/siempipe/internal/record"
)

// chunk reads the events of one chunk: [EventTime, body] or [[EventTime, metadata], body], one after another. Its texts
// point into the chunk or its arena: they are valid until the next reset, and no longer than the host leaves us the data.
type chunk struct {
	data      []byte
	at        int       // where the next event starts
	last      time.Time // of the last good event; what is broken behind it came at about that time
	recordKey string    // "" is log, or message
	arena     []byte    // JSON of structured events

	// object is what is known of the text of the last event, until the next one.
	object  format.Object
	members []jsonscan.Member
	names   msgpackjson.Names
	writer  msgpackjson.Writer
}

// event is one record as it came.
type event struct {
	raw    string    // a line, or the JSON of the body
	format string    // its own siem.format, "" when it names none
	fields string    // its own siem.fields: the header line that a flow log's line stands under
	time   time.Time // zero when the event has none
	broken string    // why raw could not be read, "" when it could
}

// maxArena is how large an arena is kept from one chunk to the next; Fluent Bit's chunks are about 2 MB.
const maxArena = 16 << 20

func (c *chunk) reset(data []byte) {
	if cap(c.arena) > maxArena {
		c.arena = nil
	}
	c.data, c.at, c.last, c.arena = data, 0, time.Time{}, c.arena[:0]
	clear(c.members[:cap(c.members)])
	c.members, c.object = c.members[:0], format.Object{}
}

// text is b as a string that shares its bytes: nothing may write to them while it is in use.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// Seconds of the EventTime of Fluent Bit's group markers, -1 and -2 in 32 bits: what comes before the records of one
// resource and scope, and behind them. They are no records.
const (
	groupStart = 1<<32 - 1
	groupEnd   = 1<<32 - 2
)

// next reads the next record and reports whether there was one. What is well-formed and no event becomes one broken event
// up to the next good one; where the framing itself is lost, the rest of the chunk does.
func (c *chunk) next(e *event) bool {
	bad := -1 // start of what is no event
	for c.at < len(c.data) {
		start := c.at
		marker, end, err := c.read(e)
		if err == nil {
			if bad >= 0 && !marker { // first what stands before it; this event again next time
				c.setBroken(e, bad, start, e.time, noEvents)
				return true
			}
			c.at = end
			if marker {
				continue
			}
			c.last = e.time
			return true
		}
		end, skipErr := msgpackjson.Skip(c.data, start)
		if bad < 0 {
			bad = start
		}
		switch {
		case skipErr != nil:
			c.setBroken(e, bad, len(c.data), time.Time{}, "the chunk is broken: "+within(skipErr, bad))
			return true
		case e.broken != "" && bad == start: // an event whose body JSON cannot say
			c.setBroken(e, start, end, e.time, within(err, start))
			return true
		case e.broken != "":
			c.setBroken(e, bad, start, e.time, noEvents)
			return true
		}
		c.at = end
	}
	if bad >= 0 {
		c.setBroken(e, bad, len(c.data), time.Time{}, noEvents)
		return true
	}
	return false
}

const noEvents = "no events of Fluent Bit"

// within is err with its place in the record that keeps the bytes from start.
func within(err error, start int) string {
	var e *msgpackjson.Error
	if errors.As(err, &e) {
		return (&msgpackjson.Error{Offset: e.Offset - start, Msg: e.Msg}).Error()
	}
	return err.Error()
}

// setBroken makes the bytes from start to end a record that cannot be read. at is when it came, if that is known;
// otherwise it came after the event before it.
func (c *chunk) setBroken(e *event, start, end int, at time.Time, why string) {
	if at.IsZero() {
		at = c.last
	}
	c.object = format.Object{}
	*e = event{raw: text(c.data[start:end]), broken: why, time: at, format: e.format}
	c.at = end
}

// read reads the event at c.at. An error without e.broken says that there is no event; e.time then still is what is
// known of it.
func (c *chunk) read(e *event) (marker bool, end int, err error) {
	*e, c.object = event{}, format.Object{}
	b := c.data
	outer, err := msgpackjson.Read(b, c.at)
	if err != nil {
		return false, 0, err
	}
	if outer.Kind != msgpackjson.Array || outer.Len != 2 {
		return false, 0, errNoEvent
	}
	head, err := msgpackjson.Read(b, outer.Next)
	if err != nil {
		return false, 0, err
	}
	body := head.Next
	switch {
	case head.Kind != msgpackjson.Array:
		if e.time, marker, err = eventTime(b, head); err != nil {
			return false, 0, err
		}
	case head.Len != 2:
		return false, 0, errNoEvent
	default:
		stamp, err := msgpackjson.Read(b, head.Next)
		if err != nil {
			return false, 0, err
		}
		if e.time, marker, err = eventTime(b, stamp); err != nil {
			return false, 0, err
		}
		if body, err = e.readMetadata(b, stamp.Next); err != nil {
			return false, 0, err
		}
	}
	fields, err := msgpackjson.Read(b, body)
	if err != nil {
		return false, 0, err
	}
	if fields.Kind != msgpackjson.Map {
		return false, 0, errNoEvent
	}
	if marker {
		end, err = msgpackjson.Skip(b, body)
		return true, end, err
	}
	end, err = c.readBody(e, body, fields)
	return false, end, err
}

type noEvent struct{}

func (noEvent) Error() string { return "no event of Fluent Bit" }

var errNoEvent error = noEvent{}

// eventTime is the time of an event; a marker is of a group.
func eventTime(b []byte, t msgpackjson.Token) (at time.Time, marker bool, err error) {
	switch t.Kind {
	case msgpackjson.Ext:
		at, ok := msgpackjson.EventTime(b, t)
		if !ok {
			return at, false, errNoEvent
		}
		if sec := at.Unix(); sec == groupStart || sec == groupEnd {
			return time.Time{}, true, nil
		}
		if at.Unix() == 0 && at.Nanosecond() == 0 { // no clock
			return time.Time{}, false, nil
		}
		return at, false, nil
	case msgpackjson.Uint, msgpackjson.Int:
		return seconds(float64(int64(t.Num))), false, nil
	case msgpackjson.Float:
		f, ok := t.Float()
		if !ok {
			return at, false, nil
		}
		return seconds(f), false, nil
	}
	return at, false, errNoEvent
}

// maxSeconds is the end of 2261: later times do not fit the nanoseconds of a record.
const maxSeconds = 9_214_646_399

func seconds(f float64) time.Time {
	if f <= 0 || f > maxSeconds {
		return time.Time{}
	}
	whole := int64(f)
	return time.Unix(whole, int64((f-float64(whole))*1e9)).UTC()
}

// readBody makes the record of the body, the map at start with head: the text under its key, or the whole of it as JSON.
func (c *chunk) readBody(e *event, start int, head msgpackjson.Token) (end int, err error) {
	b := c.data
	from := len(c.arena)
	out := append(c.arena, '{')
	var message string // a raw record under message, as long as there is no log
	found := false
	c.members, c.writer.Doubtful = c.members[:0], false
	c.names.Begin()
	i := head.Next
	for n := range head.Len {
		if n > 0 {
			out = append(out, ',')
		}
		begin, at := len(out), 0
		kind, escaped, nameEscaped := jsonscan.String, false, false
		known, next := c.names.At(b, i, n) // none that use would take
		end := 0
		if known != nil {
			out = append(out, known...)
			at = len(out)
			out, end = msgpackjson.AppendPlain(out, b, next)
		}
		if end == 0 { // not the same name as in the event before, or no plain string
			var name msgpackjson.Token
			if known == nil {
				if name, err = msgpackjson.Read(b, i); err != nil {
					return 0, err
				}
				next = name.Next
			}
			value, err := msgpackjson.Read(b, next)
			if err != nil {
				return 0, err
			}
			if known == nil {
				asked := c.mayBeRecord(b, name)
				if asked {
					switch c.use(b[name.Data:name.Next], value, b, head.Len) {
					case wins:
						c.arena, e.raw = out[:from], text(b[value.Data:value.Next])
						return msgpackjson.Skip(b, start)
					case winsAsJSON:
						out, _, err = c.writer.AppendToken(out[:from], b, next, value)
						if err != nil {
							e.broken = err.Error()
							return 0, err
						}
						c.arena, e.raw = out, text(out[from:])
						return msgpackjson.Skip(b, start)
					case unlessLog:
						message, found = text(b[value.Data:value.Next]), true
					}
				}
				if out, _, err = c.writer.AppendName(out, b, i, name); err != nil {
					e.broken = err.Error()
					return 0, err
				}
				isText := name.Kind == msgpackjson.String || name.Kind == msgpackjson.Binary
				nameEscaped = isText && len(out)-begin != name.Len+len(`""`)
				out = append(out, ':')
				at = len(out)
				c.names.Put(n, b[i:next], out[begin:], !asked && !c.writer.Doubtful)
			}
			if out, end, err = c.writer.AppendToken(out, b, next, value); err != nil {
				e.broken = err.Error()
				return 0, err
			}
			kind, escaped = jsonKinds[value.Kind], value.Kind == msgpackjson.String && len(out)-at != value.Len+len(`""`)
		}
		i = end
		m := c.member() // field by field, as jsonscan does
		m.Name, m.Value, m.Offset = text(out[begin+1:at-2]), text(out[at:]), at-from
		m.Kind, m.Escaped, m.NameEscaped = kind, escaped, nameEscaped
	}
	shape := c.names.End(head.Len)
	if found {
		c.arena, e.raw = out[:from], message
		return i, nil
	}
	out = append(out, '}')
	c.arena, e.raw = out, text(out[from:])
	if !c.writer.Doubtful && len(c.members) > 0 {
		c.object = format.Object{Members: c.members, Shape: shape}
	}
	return i, nil
}

// member is one more of members.
func (c *chunk) member() *jsonscan.Member {
	n := len(c.members)
	if n == cap(c.members) {
		c.members = slices.Grow(c.members, 1)
	}
	c.members = c.members[:n+1]
	return &c.members[n]
}

// jsonKinds are what the kinds of values are in JSON.
var jsonKinds = [...]jsonscan.Kind{
	msgpackjson.Nil: jsonscan.Null, msgpackjson.Bool: jsonscan.Bool, msgpackjson.Int: jsonscan.Number, msgpackjson.Uint: jsonscan.Number,
	msgpackjson.Float: jsonscan.Number, msgpackjson.String: jsonscan.String, msgpackjson.Binary: jsonscan.String, msgpackjson.Ext: jsonscan.String,
	msgpackjson.Array: jsonscan.Array, msgpackjson.Map: jsonscan.Object,
}

// mayBeRecord reports whether use has to be asked about a member of that name.
func (c *chunk) mayBeRecord(b []byte, name msgpackjson.Token) bool {
	if name.Kind != msgpackjson.String {
		return false
	}
	switch text := b[name.Data:name.Next]; {
	case c.recordKey != "":
		return string(text) == c.recordKey
	default:
		return string(text) == "log" || string(text) == "message"
	}
}

// use is what becomes of one member of a body.
type use uint8

const (
	part       use = iota // it is a part of the record
	wins                  // its text is the record
	winsAsJSON            // its object is the record
	unlessLog             // its text is the record unless there is a log
)

// use says what a member is. log is Fluent Bit's name for a line; message is also a name of fields, so it counts where it
// stands alone or holds what can be a record.
func (c *chunk) use(name []byte, value msgpackjson.Token, b []byte, members int) use {
	isText := value.Kind == msgpackjson.String || value.Kind == msgpackjson.Binary
	if c.recordKey != "" {
		switch {
		case string(name) != c.recordKey:
			return part
		case isText:
			return wins
		case value.Kind == msgpackjson.Map:
			return winsAsJSON
		}
		return part
	}
	switch {
	case !isText:
	case string(name) == "log":
		return wins
	case string(name) == "message":
		if members == 1 {
			return wins
		}
		if raw := bytes.TrimLeft(b[value.Data:value.Next], " \t\r\n"); len(raw) > 0 && raw[0] == '{' || perceptionpoint.IsLine(text(raw)) {
			return unlessLog
		}
	}
	return part
}

// readMetadata finds what the metadata at i says of the record, siem.format and siem.fields, and returns the index after it.
// They stand there themselves, or among the attributes of an OpenTelemetry record.
func (e *event) readMetadata(b []byte, i int) (end int, err error) {
	head, err := msgpackjson.Read(b, i)
	if err != nil {
		return i, err
	}
	if head.Kind == msgpackjson.Map && head.Len == 0 { // nearly always
		return head.Next, nil
	}
	if end, err = msgpackjson.Skip(b, i); err != nil || head.Kind != msgpackjson.Map {
		return end, err
	}
	if otlp, ok := member(b, head, "otlp"); ok && otlp.Kind == msgpackjson.Map {
		if attributes, ok := member(b, otlp, "attributes"); ok && attributes.Kind == msgpackjson.Map {
			e.format, e.fields = textOf(b, attributes, record.AttrFormat), textOf(b, attributes, record.AttrFields)
		}
	}
	if format := textOf(b, head, record.AttrFormat); format != "" {
		e.format = format
	}
	if fields := textOf(b, head, record.AttrFields); fields != "" {
		e.fields = fields
	}
	return end, nil
}

// textOf is a copy of the text of a member, "" when there is none: parsers remember the last header line beyond the chunk.
func textOf(b []byte, head msgpackjson.Token, name string) string {
	t, ok := member(b, head, name)
	if !ok || t.Kind != msgpackjson.String {
		return ""
	}
	return string(b[t.Data:t.Next])
}

// member finds a member of the map with head, in data that can be skipped.
func member(b []byte, head msgpackjson.Token, name string) (msgpackjson.Token, bool) {
	i := head.Next
	for range head.Len {
		key, err := msgpackjson.Read(b, i)
		if err != nil {
			break
		}
		if i, err = msgpackjson.Skip(b, i); err != nil {
			break
		}
		if key.Kind == msgpackjson.String && string(b[key.Data:key.Next]) == name {
			value, err := msgpackjson.Read(b, i)
			return value, err == nil
		}
		if i, err = msgpackjson.Skip(b, i); err != nil {
			break
		}
	}
	return msgpackjson.Token{}, false
}
