package pairs

import (
	"strings"

	"github.com/siempipe/siempipe/internal/encode"
)

// Row is one key of a table.
type Row struct {
	Key string
	// From is where the value comes from. A pipe separates alternatives, of which the first that is there is taken: the name
	// of a member of the body, "a.b" for a member of a member, or a fact of the record: @time and @received (epoch seconds,
	// a fraction only where there is one), @event_type, @account_id, @tenant_id, @format, @id, @severity, @error, @body.
	From  string
	Class encode.Class
	Doc   string // what the value is, for the documentation
}

// Text, Detail, Code and Identity make a Row of their class.
func Text(key, from, doc string) Row     { return Row{key, from, encode.Text, doc} }
func Detail(key, from, doc string) Row   { return Row{key, from, encode.Detail, doc} }
func Code(key, from, doc string) Row     { return Row{key, from, encode.Code, doc} }
func Identity(key, from, doc string) Row { return Row{key, from, encode.Identity, doc} }

// Table is the keys of one kind of record, in the order in which they are written.
type Table struct {
	Name string
	Doc  string
	Rows []Row
}

// Row finds a row by its key, nil when there is none.
func (t *Table) Row(key string) *Row {
	for i := range t.Rows {
		if t.Rows[i].Key == key {
			return &t.Rows[i]
		}
	}
	return nil
}

// classOf keeps a value's class when the user names its place in the body instead of its key.
func (t *Table) classOf(from string) encode.Class {
	for _, row := range t.Rows {
		for alternative := range strings.SplitSeq(row.From, "|") {
			if alternative == from {
				return row.Class
			}
		}
	}
	return encode.Text
}
