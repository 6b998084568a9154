package format

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"unicode/utf8"

	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
)

// Lines of text with blanks between their fields. A dash, quoted or not, stands for a field that has no value.

// additionalFields holds what a line has behind the fields that are known, as Panther's S3 table names it.
const additionalFields = "additionalFields"

// rawMember holds a line that is not UTF-8, in base64: the columns have U+FFFD in the place of what is wrong. A client
// chooses its user agent, and must not be able to keep its requests out of the tables.
const rawMember = "raw_base64"

var errNoLine = errors.New("not a line of this format")

// beginLine begins the row of a line. Each column is written with a comma before it; endLine makes a brace of the first.
func (p *Parser) beginLine() []byte {
	p.row.reset()
	return p.buf[:0]
}

// put appends a column with the value of a field, unless the field has none, and gives it to the indicators.
func (p *Parser) put(dst []byte, lt *logType, index int, field string) ([]byte, error) {
	if field == "" || field == "-" {
		return dst, nil
	}
	c := &lt.table.fields[index]
	p.row.seen |= 1 << index
	dst = c.key.append(dst)
	switch c.kind {
	case varchar:
		dst = jsonscan.AppendQuoted(dst, field)
		if c.feed != noFeed {
			p.row.feed(c.feed, field)
		}
		if c.account != 0 {
			p.row.setAccount(c.account, field)
		}
	case bigint, smallint, tinyint:
		if !isPlainInteger(field) {
			return dst, fmt.Errorf("%s: is %s, want an integer", c.name, quote(field))
		}
		dst = append(dst, field...)
	case double, float:
		if !isPlainDecimal(field) && !isNumber(field) {
			return dst, fmt.Errorf("%s: is %s, want a number", c.name, quote(field))
		}
		dst = append(dst, field...)
	case timestamp:
		t, ok := parseInstant(field)
		if !ok {
			return dst, fmt.Errorf("%s: is %s, want a time", c.name, quote(field))
		}
		dst = p.appendTime(dst, c, t)
	case textList:
		dst = append(dst, '[')
		for i, n := 0, 0; i <= len(field); n++ {
			element, _, _ := cutByte(field[i:], ',')
			if n > 0 {
				dst = append(dst, ',')
			}
			dst = jsonscan.AppendQuoted(dst, element)
			i += len(element) + 1
		}
		dst = append(dst, ']')
	}
	return dst, nil
}

// putTime appends a column that is a time.
func (p *Parser) putTime(dst []byte, lt *logType, index int, t instant) []byte {
	c := &lt.table.fields[index]
	p.row.seen |= 1 << index
	return p.appendTime(c.key.append(dst), c, t)
}

func (p *Parser) appendTime(dst []byte, c *column, t instant) []byte {
	p.row.setTime(c.time, t)
	return append(p.row.appendTime(append(dst, '"'), t), '"')
}

// putMore appends what stands behind the known fields.
func putMore(dst []byte, fields []string) []byte {
	if len(fields) == 0 {
		return dst
	}
	dst = append(appendMember(dst, additionalFields), '[')
	for i, field := range fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = jsonscan.AppendQuoted(dst, field)
	}
	return append(dst, ']')
}

// endLine checks that the row has what it must have, and makes rec of it.
func (p *Parser) endLine(dst []byte, lt *logType, in *Input, rec *record.Record) error {
	if missing := lt.needed &^ p.row.seen; missing != 0 {
		return fmt.Errorf("%s: missing, required of %s", lt.table.fields[bits.TrailingZeros64(missing)].name, lt.name)
	}
	if !isASCII(in.Raw) && !utf8.ValidString(in.Raw) {
		dst = append(appendMember(dst, rawMember), '"')
		dst = append(base64.StdEncoding.AppendEncode(dst, []byte(in.Raw)), '"')
	}
	dst[0] = '{' // the first column's comma; there is one, since some are required
	p.buf = dst
	p.finish(lt, in, rec)
	return nil
}

// appendMember appends the name of a member that the table does not have.
func appendMember(dst []byte, name string) []byte {
	return append(jsonscan.AppendQuoted(append(dst, ','), name), ':')
}

// lineScanner takes a line apart from its beginning.
type lineScanner struct {
	s string
	i int
}

// next is the next field, up to a blank; "" at the end.
func (l *lineScanner) next() string {
	s, i := l.s, l.i
	for i < len(s) && s[i] == ' ' {
		i++
	}
	from := i
	for i+8 <= len(s) { // fields are short: eight bytes at once
		x := load(s, i) ^ eachByte*' '
		if blank := (x - eachByte) &^ x & (eachByte << 7); blank != 0 { // its lowest bit is at the first blank
			l.i = i + bits.TrailingZeros64(blank)/8
			return s[from:l.i]
		}
		i += 8
	}
	for i < len(s) && s[i] != ' ' {
		i++
	}
	l.i = i
	return s[from:i]
}

// load is eight bytes at i, little endian.
func load(s string, i int) uint64 {
	s = s[i : i+8]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

const eachByte = 0x0101010101010101

// rest is what has not been taken.
func (l *lineScanner) rest() string { return strings.TrimLeft(l.s[l.i:], " ") }

func (l *lineScanner) atEnd() bool { return l.rest() == "" }

// quoted is the next field, without the quotes round it if it has some. The closing quote is the first that stands before a
// blank or the end. Behind a backslash it closes only where another quoted field or the end follows: a text may end with one.
func (l *lineScanner) quoted() string { return l.quotedBefore(nil, false) }

// quotedBefore is quoted for a field that a client chooses, and which may hold quotes itself: it ends at the first quote, or
// the last, behind which the rest of the line is as follows wants it. It is quoted where none is.
func (l *lineScanner) quotedBefore(follows func(rest string) bool, last bool) string {
	for l.i < len(l.s) && l.s[l.i] == ' ' {
		l.i++
	}
	if l.i == len(l.s) || l.s[l.i] != '"' {
		return l.next()
	}
	from := l.i + 1
	closing := -1
	followed := false
	for i := from; i < len(l.s); i++ {
		n := strings.IndexByte(l.s[i:], '"')
		if n < 0 {
			break
		}
		i += n
		atEnd := i+1 == len(l.s)
		if !atEnd && l.s[i+1] != ' ' {
			continue
		}
		if follows == nil {
			if i > from && l.s[i-1] == '\\' && !atEnd && !strings.HasPrefix(l.s[i+2:], `"`) {
				continue
			}
			closing = i
			break
		}
		if !atEnd && follows(l.s[i+2:]) {
			closing, followed = i, true
			if !last {
				break
			}
		} else if closing < 0 && !followed {
			closing = i
		}
	}
	if closing < 0 { // no closing quote: all of the rest
		l.i = len(l.s)
		return l.s[from:]
	}
	l.i = closing + 1
	return l.s[from:closing]
}

// all are the fields that are left.
func (l *lineScanner) all() []string {
	var fields []string
	for !l.atEnd() {
		fields = append(fields, l.quoted())
	}
	return fields
}

// isPlainInteger reports whether s is an integer of 64 bits as JSON writes it.
func isPlainInteger(s string) bool {
	if len(s) > 1 && (s[0] == '0' || s[0] == '-' && s[1] == '0') {
		return false
	}
	_, ok := parseInteger(s)
	return ok
}

// isPlainDecimal reports whether s is digits with at most one point inside, which most numbers of logs are.
func isPlainDecimal(s string) bool {
	point := 0
	for i := range len(s) {
		switch c := s[i]; {
		case '0' <= c && c <= '9':
		case c == '.' && i > 0 && i+1 < len(s) && point == 0:
			point = i
		default:
			return false
		}
	}
	return s != "" && (s[0] != '0' || len(s) == 1 || point == 1)
}

// isASCII reports whether s is ASCII, sooner than it is found to be UTF-8.
func isASCII(s string) bool {
	high, i := uint64(0), 0
	for ; i+8 <= len(s); i += 8 {
		high |= load(s, i)
	}
	for ; i < len(s); i++ {
		high |= uint64(s[i])
	}
	return high&(eachByte<<7) == 0
}

func quote(field string) string { return fmt.Sprintf("%q", shown(field)) }
