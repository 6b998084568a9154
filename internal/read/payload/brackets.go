package payload

// brackets follows a text that is no JSON to where it may end, piece by piece. It starts before the text's first byte.
type brackets struct {
	isElement bool // of an array: without an open bracket it ends before a comma or the array's own bracket

	depth             int
	inString, escaped bool
	newline           bool // the byte before was one
	lost              bool // a string without end at the top: brackets mean nothing any more
}

// end looks through s[from:], the text's next piece, and returns the offset where the text ends. It must be called with
// each piece once, up to the first that holds the end.
func (b *brackets) end(s string, from int) (end int, ok bool) {
	for i := from; i < len(s); i++ {
		c := s[i]
		newline := b.newline
		b.newline = c == '\n'
		switch {
		case newline && b.nextRecord(c): // whatever is open
			return i, true
		case b.lost:
		case b.escaped:
			b.escaped = false
		case b.inString:
			switch c {
			case '\\':
				b.escaped = true
			case '"':
				b.inString = false
			case '\n':
				b.lost = !b.isElement // its neighbours may stand on the same line: more likely somebody did not escape it
			}
		case c == '"':
			b.inString = true
		case c == '{' || c == '[':
			b.depth++
		case b.isElement && b.depth == 0 && (c == ',' || c == ']'):
			return i, true
		case c == '}' || c == ']':
			if b.depth--; b.depth <= 0 {
				return i + 1, true
			}
		}
	}
	return 0, false
}

// nextRecord reports whether a line that begins with c is the next record. In a string that goes on over a line end only an
// object is: a text goes on with letters, an array of records does not.
func (b *brackets) nextRecord(c byte) bool {
	return beginsRecord(c) && (c == '{' || !b.isElement || !b.inString)
}

// beginsRecord reports whether a line that begins with c, right behind broken JSON, is taken for the next record: an object,
// or text that no line of a JSON value begins with. Others may still belong to what is broken.
func beginsRecord(c byte) bool {
	switch {
	case c == '{' || c == '<': // a finding; a syslog header
		return true
	case c == 't' || c == 'f' || c == 'n': // true, false, null
		return false
	}
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
