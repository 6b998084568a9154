package pairs

import (
	"fmt"
	"strings"

	"github.com/siempipe/siempipe/internal/encode"
)

// column is a Row or a Field ready for use.
type column struct {
	key   string
	paths []path
	class encode.Class
}

// columnsOf compiles a table, or the user's fields over it.
func columnsOf(t *Table, fields []encode.Field) ([]column, error) {
	rows := t.Rows
	if len(fields) > 0 {
		rows = make([]Row, 0, len(fields))
		for _, f := range fields {
			from := f.From
			if from == "" {
				from = f.Key
			}
			row := Row{Key: f.Key, From: from, Class: t.classOf(from)}
			if r := t.Row(from); r != nil {
				row.From, row.Class = r.From, r.Class
			}
			rows = append(rows, row)
		}
	}
	columns := make([]column, 0, len(rows))
	for _, row := range rows {
		c := column{key: row.Key, class: row.Class}
		for alternative := range strings.SplitSeq(row.From, "|") {
			p, err := parsePath(alternative)
			if err != nil {
				return nil, fmt.Errorf("table %s, key %s: %w", t.Name, row.Key, err)
			}
			c.paths = append(c.paths, p)
		}
		columns = append(columns, c)
	}
	return columns, nil
}
