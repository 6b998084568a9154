package format

import (
	"strings"

	"github.com/siempipe/siempipe/internal/jsonscan"
)

// columnKind is the type of a column, as Panther's tables name it.
type columnKind uint8

// Kinds of columns. The zero value is JSON of any shape: a column that the tables call a string because its shape changes
// from one row to the next. It stays nested.
const (
	anyJSON columnKind = iota
	varchar
	bigint
	smallint
	tinyint
	double
	float
	boolean
	timestamp   // ISO 8601
	timestampOr // ISO 8601, or whatever else stands there
	timestampMS // milliseconds since 1970, a number
	timestampUS // ISO 8601, or 12/31/2025 3:03:58 PM
	textList    // an array of strings
	object      // an object of fields
	objectList  // an array of such objects
)

var columnTypes = [...]string{anyJSON: "string", varchar: "string", bigint: "bigint", smallint: "smallint", tinyint: "tinyint",
	double: "double", float: "float", boolean: "boolean", timestamp: "timestamp", timestampOr: "timestamp", timestampMS: "timestamp", timestampUS: "timestamp", textList: "[string]"}

// column is one column of a table, or one field of a column that has fields.
type column struct {
	name     string
	also     string // another spelling of the name, as long as it is
	kind     columnKind
	required bool
	feed     feed
	// account ranks the columns that name the record's account: 1 is asked before 2; 0 names none.
	account uint8
	// time ranks the columns that tell when the event happened, likewise.
	time   uint8
	fields []column // of object and objectList

	quoted   string    // "name": with its quotes and colon
	key      key       // the same with a comma before it
	byLength [][]uint8 // fields by the length of their names
	walk     bool      // there is something to do inside: an indicator, a type, an account
}

const required = true

// typeName is the column's type as Panther's tables write it.
func (c *column) typeName() string {
	switch c.kind {
	case object, objectList:
	default:
		return columnTypes[c.kind]
	}
	var b strings.Builder
	b.WriteString("{ ")
	for i := range c.fields {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(`"` + c.fields[i].name + `":` + c.fields[i].typeName())
	}
	b.WriteString(" }")
	if c.kind == objectList {
		return "[" + b.String() + "]"
	}
	return b.String()
}

// compile fills in what is looked up for each record.
func (c *column) compile() {
	c.quoted = `"` + c.name + `":`
	var fits bool
	if c.key, fits = keyOf("," + c.quoted); !fits {
		panic("source: no room for the name of column " + c.name)
	}
	for i := range c.fields {
		f := &c.fields[i]
		f.compile()
		for len(c.byLength) <= len(f.name) {
			c.byLength = append(c.byLength, nil)
		}
		c.byLength[len(f.name)] = append(c.byLength[len(f.name)], uint8(i))
		c.walk = c.walk || f.walk
	}
	switch c.kind {
	case bigint, smallint, tinyint, double, float, boolean, timestamp, timestampOr, timestampMS, timestampUS:
		c.walk = true
	case anyJSON, varchar, textList:
		c.walk = c.feed != noFeed || c.account != 0
	}
}

// find finds a field by its name: the exact one, or else one that differs in case, as Panther's decoder does, or is its other
// spelling. AWS writes eventID and ARN where the tables have eventId and arn.
func (c *column) find(name string) (index int, exact bool) {
	if len(name) >= len(c.byLength) {
		return -1, false
	}
	candidates := c.byLength[len(name)]
	for _, i := range candidates {
		if c.fields[i].name == name {
			return int(i), true
		}
	}
	for _, i := range candidates {
		if f := &c.fields[i]; strings.EqualFold(f.name, name) || f.also == name {
			return int(i), false
		}
	}
	return -1, false
}

// logType is a table: a type of log with its columns.
type logType struct {
	// Name is the log type, which is the event type of its records too.
	name string
	// table holds the columns as its fields.
	table  column
	needed uint64 // bits of the required columns
	tail   string // what follows the columns: the log type, and the row's id up to its first digit
}

// newLogType compiles a table, of at most 64 columns.
func newLogType(name string, columns []column) *logType {
	lt := &logType{name: name, table: column{kind: object, fields: columns}}
	lt.table.compile()
	lt.tail = `,"` + fieldLogType + `":"` + name + `","` + fieldRowID + `":"`
	for i := range columns {
		if columns[i].required {
			lt.needed |= 1 << i
		}
	}
	return lt
}

// index is the place of a column, which must be there.
func (lt *logType) index(name string) int {
	i, exact := lt.table.find(name)
	if !exact {
		panic("source: " + lt.name + " has no column " + name)
	}
	return i
}

// memberStart is where the name of a member begins, in text without blanks outside of strings.
func memberStart(m *jsonscan.Member) int { return m.Offset - len(`"":`) - len(m.Name) }
