// Package jsonscan reads JSON text in one pass without building values: it checks the whole text against RFC 8259 and
// hands out the members of an object as substrings of the input, so that what is not changed can be copied through.
//
// It is stricter than RFC 8259 asks where siempipe's readers would disagree otherwise: the text must be UTF-8, escaped
// surrogates must come in pairs, and nesting is bounded by MaxDepth. Names may repeat: which one wins is the caller's
// decision.
//
// All functions are safe for concurrent use; results are substrings of the input and keep it alive.
package jsonscan

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"unicode/utf8"
)

// MaxDepth is how deep arrays and objects may nest, the outermost counted as 1. Vendors' records stay below 20;
// the bound keeps a hostile record from growing the stack.
const MaxDepth = 64

// Kind is the type of a JSON value.
type Kind uint8

// Kinds of a JSON value. The zero value is no value at all.
const (
	None Kind = iota
	Null
	Bool
	Number
	String
	Array
	Object
)

var kindNames = [...]string{"nothing", "null", "boolean", "number", "string", "array", "object"}

// String names the kind as JSON Schema does.
func (k Kind) String() string {
	if int(k) >= len(kindNames) {
		return "unknown"
	}
	return kindNames[k]
}

// Member is one name and value of an object, or one element of an array (then Name is empty). Its strings are
// substrings of the scanned text.
type Member struct {
	Name        string // text between the quotes, escapes not decoded
	Value       string // the value's JSON text without blanks around it
	Offset      int    // of Value, in bytes from the start of the scanned text
	Kind        Kind
	Escaped     bool // Value is a String that holds an escape
	NameEscaped bool // Name holds an escape
}

// Text is the decoded text of a String member, and "" for every other kind. It allocates only where there are escapes.
func (m *Member) Text() string {
	if m.Kind != String {
		return ""
	}
	inner := m.Value[1 : len(m.Value)-1]
	if !m.Escaped {
		return inner
	}
	return Unquote(inner)
}

// Key is Name with its escapes decoded.
func (m *Member) Key() string {
	if !m.NameEscaped {
		return m.Name
	}
	return Unquote(m.Name)
}

// SyntaxError says what is wrong with a JSON text and where.
type SyntaxError struct {
	Offset int // in bytes from the start of the text
	Msg    string
	// Short says that the text ends too early: with more of it behind, it might be right.
	Short bool
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("byte %d: %s", e.Offset, e.Msg) }

func syntaxError(offset int, msg string) error { return &SyntaxError{Offset: offset, Msg: msg} }

// short is the error for a text that ends at or after offset where more is due.
func short(offset int, msg string) error { return &SyntaxError{Offset: offset, Msg: msg, Short: true} }

// Members checks that s is exactly one JSON object, blanks around it allowed, and appends its members to dst in the
// order of the text. compact reports that s has no blank outside of strings. On error dst is returned as it was given.
func Members(dst []Member, s string) (members []Member, compact bool, err error) {
	sc := scanner{s: s}
	return sc.read(dst, nil)
}

func (sc *scanner) read(dst []Member, names *Names) (members []Member, compact bool, err error) {
	s := sc.s
	start := sc.blanks(0)
	if start == len(s) {
		return dst, false, syntaxError(start, "no JSON text")
	}
	if s[start] != '{' {
		return dst, false, syntaxError(start, "not a JSON object")
	}
	members, end, err := sc.members(dst, start, names)
	if err == nil {
		err = sc.end(end)
	}
	if err != nil {
		return dst, false, err
	}
	return members, !sc.spaced, nil
}

// Elements is Members for a JSON array.
func Elements(dst []Member, s string) ([]Member, error) {
	sc := scanner{s: s}
	start := sc.blanks(0)
	if start == len(s) {
		return dst, syntaxError(start, "no JSON text")
	}
	if s[start] != '[' {
		return dst, syntaxError(start, "not a JSON array")
	}
	elements, end, err := sc.array(dst, start, 1, true)
	if err == nil {
		err = sc.end(end)
	}
	if err != nil {
		return dst, err
	}
	return elements, nil
}

// Valid checks that s is exactly one JSON value, blanks around it allowed.
func Valid(s string) error {
	sc := scanner{s: s}
	start := sc.blanks(0)
	if start == len(s) {
		return syntaxError(start, "no JSON text")
	}
	end, _, _, err := sc.value(start, 0)
	if err != nil {
		return err
	}
	return sc.end(end)
}

// Prefix checks the JSON value that starts at i of s and returns the index after it, whatever follows. A *SyntaxError
// that is Short asks for more text. A number at the very end of s is Short, since it might go on.
func Prefix(s string, i int) (end int, err error) {
	sc := scanner{s: s}
	end, kind, _, err := sc.value(i, 0)
	if err == nil && kind == Number && end == len(s) {
		err = short(i, "number may go on")
	}
	return end, err
}

// scanner holds the text and whether a blank was seen outside of strings.
type scanner struct {
	s        string
	spaced   bool
	stepwise bool // inside a value for which nested said no: it is not asked again

	only  bool    // only the places of members are wanted: they go to where, and no Member is made
	where []Where // of the members
}

// end checks that nothing but blanks follows.
func (sc *scanner) end(i int) error {
	if i = sc.blanks(i); i != len(sc.s) {
		return syntaxError(i, "text after the JSON value")
	}
	return nil
}

// blanks returns the index of the first byte at or after i that is no JSON blank.
func (sc *scanner) blanks(i int) int {
	s := sc.s
	if i < len(s) && s[i] > ' ' { // the common case: compact text
		return i
	}
	for i < len(s) && (s[i] == ' ' || s[i] == '\n' || s[i] == '\r' || s[i] == '\t') {
		sc.spaced = true
		i++
	}
	return i
}

// value checks one value that starts at i, inside depth arrays and objects, and returns the index after it.
func (sc *scanner) value(i, depth int) (end int, kind Kind, escaped bool, err error) {
	s := sc.s
	if i >= len(s) {
		return i, None, false, short(i, "text ends where a value is due")
	}
	switch c := s[i]; c {
	case '"':
		end, escaped, err = sc.str(i)
		return end, String, escaped, err
	case '{', '[':
		if !sc.stepwise {
			if end, ok := sc.nested(i, depth); ok {
				return end, bracketKind(c), false, nil
			}
		}
		end, err = sc.steps(i, depth)
		return end, bracketKind(c), false, err
	case 't':
		end, err = sc.literal(i, "true")
		return end, Bool, false, err
	case 'f':
		end, err = sc.literal(i, "false")
		return end, Bool, false, err
	case 'n':
		end, err = sc.literal(i, "null")
		return end, Null, false, err
	default:
		if c == '-' || isDigit(c) {
			end, err = sc.number(i)
			return end, Number, false, err
		}
		return i, None, false, syntaxError(i, "unexpected "+printable(c)+" where a value is due")
	}
}

// bracketKind is the kind of the value that begins with a bracket.
func bracketKind(c byte) Kind {
	if c == '[' {
		return Array
	}
	return Object
}

// steps checks the array or object that starts at i in whatever form it has. What is inside is not looked at twice.
func (sc *scanner) steps(i, depth int) (end int, err error) {
	before := sc.stepwise
	sc.stepwise = true
	if sc.s[i] == '{' {
		end, err = sc.object(i, depth+1)
	} else {
		_, end, err = sc.array(nil, i, depth+1, false)
	}
	sc.stepwise = before
	return end, err
}

// members appends the members of the object that starts at i to dst. names may be nil.
func (sc *scanner) members(dst []Member, i int, names *Names) (members []Member, end int, err error) {
	s := sc.s
	i = sc.blanks(i + 1)
	if i < len(s) && s[i] == '}' {
		return dst, i + 1, nil
	}
	for at := 0; ; at++ {
		name, nameEscaped, known := "", false, false
		if names != nil && at < maxPlaces {
			p := &names.places[at]
			if size := int(p.size); size > 0 && size <= len(s)-i && s[i:i+size] == string(p.text[:size]) {
				name, known = s[i+1:i+size-2], true
				i += size
			}
		}
		if !known {
			start, end := i, 0
			if i < len(s) && s[i] == '"' {
				end = plain(s, i+1) + 1
			}
			if end != 0 && end < len(s) && s[end-1] == '"' && s[end] == ':' {
				name = s[i+1 : end-1]
				i = end + 1
			} else {
				if i, nameEscaped, err = sc.name(i); err != nil {
					return dst, i, err
				}
				name = s[start+1 : i-1]
				if i, err = sc.colon(i); err != nil {
					return dst, i, err
				}
			}
			if names != nil {
				text := s[start:i]
				if nameEscaped || len(text) != len(name)+len(`"":`) {
					text = ""
				}
				names.put(at, text)
			}
		}
		i = sc.blanks(i)
		valueEnd, kind, escaped := 0, String, false
		if i < len(s) && s[i] == '"' {
			valueEnd = plain(s, i+1) + 1
		}
		if valueEnd == 0 || valueEnd > len(s) || s[valueEnd-1] != '"' {
			if valueEnd, kind, escaped, err = sc.value(i, 1); err != nil {
				return dst, i, err
			}
		}
		if sc.only {
			sc.where = append(sc.where, Where{uint32(i), uint32(valueEnd), kind, escaped, nameEscaped})
		} else {
			// Field by field: a literal is made on the stack and copied, which costs more than scanning the value.
			n := len(dst)
			if n == cap(dst) {
				dst = slices.Grow(dst, 1)
			}
			dst = dst[:n+1]
			m := &dst[n]
			m.Name, m.Value, m.Offset = name, s[i:valueEnd], i
			m.Kind, m.Escaped, m.NameEscaped = kind, escaped, nameEscaped
		}
		if i = valueEnd; i+1 < len(s) && s[i] == ',' && s[i+1] == '"' {
			i++
			continue
		}
		var more bool
		if i, more, err = sc.afterMember(i); !more {
			return dst, i, err
		}
	}
}

// object checks the object that starts at i.
func (sc *scanner) object(i, depth int) (end int, err error) {
	if depth > MaxDepth {
		return i, syntaxError(i, tooDeep)
	}
	i = sc.blanks(i + 1)
	if i < len(sc.s) && sc.s[i] == '}' {
		return i + 1, nil
	}
	for more := true; more; {
		if i, _, err = sc.name(i); err != nil {
			return i, err
		}
		if i, err = sc.colon(i); err != nil {
			return i, err
		}
		i = sc.blanks(i)
		if i, _, _, err = sc.value(i, depth); err != nil {
			return i, err
		}
		if i, more, err = sc.afterMember(i); err != nil {
			return i, err
		}
	}
	return i, nil
}

// name checks the name of a member that is due at i and returns the index after its closing quote.
func (sc *scanner) name(i int) (end int, escaped bool, err error) {
	s := sc.s
	if i >= len(s) {
		return i, false, short(i, "text ends inside an object")
	}
	if s[i] != '"' {
		return i, false, syntaxError(i, "unexpected "+printable(s[i])+" where a name is due")
	}
	if end = plain(s, i+1) + 1; end <= len(s) && s[end-1] == '"' {
		return end, false, nil
	}
	return sc.str(i) // an escape, text outside ASCII, an error, or the end is near
}

// colon returns the index after the colon that is due at i.
func (sc *scanner) colon(i int) (int, error) {
	s := sc.s
	if i >= len(s) || s[i] != ':' {
		i = sc.blanks(i)
	}
	if i >= len(s) || s[i] != ':' {
		return i, &SyntaxError{Offset: i, Msg: "no colon after a name", Short: i >= len(s)}
	}
	return i + 1, nil
}

// afterMember returns the index of the next member after a value that ends at i, or, when there is no more, the one after
// the object.
func (sc *scanner) afterMember(i int) (next int, more bool, err error) {
	s := sc.s
	i = sc.blanks(i)
	if i >= len(s) {
		return i, false, short(i, "text ends inside an object")
	}
	if s[i] == '}' {
		return i + 1, false, nil
	}
	if s[i] != ',' {
		return i, false, syntaxError(i, "unexpected "+printable(s[i])+" after a value in an object")
	}
	return sc.blanks(i + 1), true, nil
}

// array checks the array that starts at i; with keep it appends its elements to dst.
func (sc *scanner) array(dst []Member, i, depth int, keep bool) (elements []Member, end int, err error) {
	if depth > MaxDepth {
		return dst, i, syntaxError(i, tooDeep)
	}
	s := sc.s
	i = sc.blanks(i + 1)
	if i < len(s) && s[i] == ']' {
		return dst, i + 1, nil
	}
	for {
		valueEnd, kind, escaped, err := sc.value(i, depth)
		if err != nil {
			return dst, i, err
		}
		if keep {
			dst = append(dst, Member{Value: s[i:valueEnd], Offset: i, Kind: kind, Escaped: escaped})
		}
		i = sc.blanks(valueEnd)
		if i >= len(s) {
			return dst, i, short(i, "text ends inside an array")
		}
		if s[i] == ']' {
			return dst, i + 1, nil
		}
		if s[i] != ',' {
			return dst, i, syntaxError(i, "unexpected "+printable(s[i])+" after a value in an array")
		}
		i = sc.blanks(i + 1)
	}
}

const (
	lsb = 0x0101010101010101
	msb = 0x8080808080808080
)

// special has the high bit set in the lowest byte of x that is a quote, a backslash, a control or outside ASCII.
// Bytes above that lowest one may be marked wrongly (borrows run upwards); the lowest is exact.
func special(x uint64) uint64 {
	quote := x ^ lsb*'"'
	slash := x ^ lsb*'\\'
	// A byte below 0x80 that is none of them stays below 0x80 in each difference; one outside ASCII is marked by x itself.
	return ((quote - lsb) | (slash - lsb) | (x - lsb*0x20) | x) & msb
}

const (
	// nearBytes is how far plain looks word by word: most texts end before.
	nearBytes = 32
	// windowBytes is how far it then looks at once. It bounds the work that is done again after each escape.
	windowBytes = 512
)

// plain returns the index of the first byte at or after i that special marks, or of one of the last seven of s.
func plain(s string, i int) int {
	if i > len(s) {
		return i
	}
	rest := s[i:]
	for near := len(rest) - nearBytes; len(rest) >= 8; rest = rest[8:] {
		if m := special(load(rest, 0)); m != 0 {
			return len(s) - len(rest) + bits.TrailingZeros64(m)/8
		}
		if len(rest) <= near {
			return plainFar(s, len(s)-len(rest)+8)
		}
	}
	return len(s) - len(rest)
}

// plainFar goes on from i in steps of windowBytes.
func plainFar(s string, i int) int {
	for i < len(s) {
		end := min(i+windowBytes, len(s))
		if i = plainWindow(s, i, end); i < end {
			break
		}
	}
	return i
}

// plainWindow is plain for the text from i to end: the standard library looks for a byte at 32 bytes a step. It returns end
// when there is nothing special in it.
func plainWindow(s string, i, end int) int {
	window := s[i:end]
	if n := strings.IndexByte(window, '"'); n >= 0 {
		window = window[:n]
	}
	if n := strings.IndexByte(window, '\\'); n >= 0 {
		window = window[:n]
	}
	at := 0
	for ; at+32 <= len(window); at += 32 {
		part := window[at : at+32]
		a, b, c, d := load(part, 0), load(part, 8), load(part, 16), load(part, 24)
		if ((a-lsb*0x20)|(b-lsb*0x20)|(c-lsb*0x20)|(d-lsb*0x20)|a|b|c|d)&msb != 0 {
			break
		}
	}
	for ; at+8 <= len(window); at += 8 {
		x := load(window, at)
		if m := ((x - lsb*0x20) | x) & msb; m != 0 {
			return i + at + bits.TrailingZeros64(m)/8
		}
	}
	for ; at < len(window); at++ {
		if c := window[at]; c < 0x20 || c >= utf8.RuneSelf {
			break
		}
	}
	return i + at
}

// load reads eight bytes at i, little endian. The compiler makes one load of it, and of the slice its one check of bounds.
func load(s string, i int) uint64 {
	s = s[i : i+8]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// str checks the string whose opening quote is at i and returns the index after its closing quote.
func (sc *scanner) str(i int) (end int, escaped bool, err error) {
	s := sc.s
	start := i
	i++
	for {
		i = plain(s, i)
		if i >= len(s) {
			return i, escaped, short(start, "string without end")
		}
		switch c := s[i]; {
		case c == '"':
			return i + 1, escaped, nil
		case c == '\\':
			escaped = true
			if i, err = sc.escape(i); err != nil {
				return i, escaped, err
			}
		case c < 0x20:
			return i, escaped, syntaxError(i, "control character "+printable(c)+" inside a string")
		case c < utf8.RuneSelf:
			i++
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size <= 1 {
				return i, escaped, &SyntaxError{Offset: i, Msg: "not UTF-8", Short: !utf8.FullRuneInString(s[i:])}
			}
			i += size
		}
	}
}

// escape checks the escape whose backslash is at i and returns the index after it.
func (sc *scanner) escape(i int) (int, error) {
	s := sc.s
	if i+1 >= len(s) {
		return i, short(i, "string without end")
	}
	switch s[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2, nil
	case 'u':
		u, ok := hex4(s, i+2)
		if !ok {
			return i, &SyntaxError{Offset: i, Msg: `\u without four hexadecimal digits`, Short: i+6 > len(s)}
		}
		if u < 0xD800 || u > 0xDFFF {
			return i + 6, nil
		}
		if u < 0xDC00 && i+7 < len(s) && s[i+6] == '\\' && s[i+7] == 'u' {
			if low, ok := hex4(s, i+8); ok && low >= 0xDC00 && low <= 0xDFFF {
				return i + 12, nil
			}
		}
		return i, &SyntaxError{Offset: i, Msg: "escaped surrogate without its pair", Short: i+12 > len(s)}
	}
	return i, syntaxError(i, "unknown escape "+printable(s[i+1]))
}

// hex4 reads four hexadecimal digits at i.
func hex4(s string, i int) (rune, bool) {
	if i+4 > len(s) {
		return 0, false
	}
	var r rune
	for _, c := range []byte(s[i : i+4]) {
		switch {
		case isDigit(c):
			r = r<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// number checks the number that starts at i.
func (sc *scanner) number(i int) (int, error) {
	s := sc.s
	start := i
	if s[i] == '-' {
		i++
	}
	digits := func() bool {
		from := i
		for i < len(s) && isDigit(s[i]) {
			i++
		}
		return i > from
	}
	if i < len(s) && s[i] == '0' {
		i++
	} else if !digits() {
		return i, &SyntaxError{Offset: start, Msg: "number without digits", Short: i == len(s)}
	}
	if i < len(s) && s[i] == '.' {
		i++
		if !digits() {
			return i, &SyntaxError{Offset: start, Msg: "number without digits after its point", Short: i == len(s)}
		}
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if !digits() {
			return i, &SyntaxError{Offset: start, Msg: "number without digits in its exponent", Short: i == len(s)}
		}
	}
	return i, nil
}

// literal checks that word stands at i.
func (sc *scanner) literal(i int, word string) (int, error) {
	if len(sc.s)-i < len(word) || sc.s[i:i+len(word)] != word {
		return i, &SyntaxError{Offset: i, Msg: "not a JSON value; " + word + " expected", Short: strings.HasPrefix(word, sc.s[i:])}
	}
	return i + len(word), nil
}

var tooDeep = fmt.Sprintf("nested deeper than %d", MaxDepth)

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// printable names a byte in an error, so that hostile input cannot write into a log.
func printable(c byte) string {
	if c > ' ' && c < 0x7f {
		return "'" + string(rune(c)) + "'"
	}
	return fmt.Sprintf("byte 0x%02x", c)
}
