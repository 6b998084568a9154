package format

import (
	"strings"
	"unicode/utf8"

	"github.com/siempipe/siempipe/internal/jsonscan"
)

// Input is one raw record, scanned once. It belongs to its Parser and is valid, and keeps the record alive, until the next Parse.
type Input struct {
	// Context is what the receiver knows of the record.
	Context
	// Raw is the text without blanks and a byte order mark around it, whole the text as it came.
	Raw, whole string
	// Members are those of the JSON object that Raw is; none when JSONErr is set.
	Members []jsonscan.Member
	// Compact says that Raw is an object without blanks outside of strings.
	Compact bool
	// IsObject says that Raw is one JSON object; JSONErr says why it is not.
	IsObject bool
	JSONErr  error

	defaultFields string      // of flow logs that stand under no header
	header        *flowHeader // the one that was read last

	top      topNames       // names of Members by which formats are told apart
	topKnown bool           // top is of Members
	topShape jsonscan.Shape // of the object that top was read of

	names *jsonscan.Names // nil for an object that siempipe made
	shape jsonscan.Shape  // of Members
	room  []jsonscan.Member
}

var errNoObject error = &jsonscan.SyntaxError{Msg: "not a JSON object"}

// blanks are what may stand around a record: line ends of every kind, and the byte order mark that Windows tools write.
const blanks = " \t\r\n\uFEFF"

func (in *Input) scan(raw string) {
	before := len(in.room)
	in.whole, in.Raw, in.shape = raw, trim(raw), 0
	if in.Raw != "" && in.Raw[0] != '{' { // a line, whose error need not be made for each
		in.room, in.Compact, in.JSONErr = in.room[:0], false, errNoObject
	} else {
		in.room, in.Compact, in.shape, in.JSONErr = in.names.Members(in.room[:0], in.Raw)
	}
	if n := len(in.room); n < before { // what is left of earlier records would keep them alive
		clear(in.room[n:before])
	}
	in.Members = in.room
	in.IsObject = in.JSONErr == nil
	in.topKnown = false
}

// take is scan for a text whose members are known.
func (in *Input) take(raw string, o Object) {
	clear(in.room)
	in.room = in.room[:0]
	in.whole, in.Raw, in.Members, in.shape = raw, raw, o.Members, o.Shape
	in.Compact, in.IsObject, in.JSONErr = true, true, nil
	in.topKnown = false
}

// Get is the last member of that exact name, nil when there is none.
func (in *Input) Get(name string) *jsonscan.Member {
	for i := len(in.Members) - 1; i >= 0; i-- {
		if m := &in.Members[i]; m.Name == name || m.NameEscaped && m.Key() == name {
			return m
		}
	}
	return nil
}

// trim takes the blanks off both ends.
func trim(raw string) string {
	if raw == "" || isPrintable(raw[0]) && isPrintable(raw[len(raw)-1]) { // most are clean, and looking for a mark is slow
		return raw
	}
	return strings.Trim(raw, blanks)
}

func isPrintable(c byte) bool { return ' ' < c && c < utf8.RuneSelf }
