package jsonscan

// nested checks the array or object that starts at i, inside depth others, in one fast loop. ok is false when the text is not
// compact, or not right: then the caller looks at it again, step by step, and finds out what is wrong, if anything is.
func (sc *scanner) nested(i, depth int) (end int, ok bool) {
	s := sc.s
	var objects uint64 // a bit for each bracket that is open, the innermost lowest: set for an object's
	for open := 0; i < len(s); {
		if c := s[i]; c|0x20 == '{' {
			if open++; depth+open > MaxDepth {
				return i, false
			}
			objects <<= 1
			if i++; i >= len(s) {
				return i, false
			}
			if c == '{' {
				objects |= 1
				if s[i] != '}' {
					if i, ok = nameColon(s, i); !ok {
						return i, false
					}
					continue
				}
			} else if s[i] != ']' {
				continue
			}
		} else if i, ok = sc.scalar(i, c); !ok {
			return i, false
		}
		for { // behind a value, or at the bracket of what is empty
			if i >= len(s) {
				return i, false
			}
			c := s[i]
			i++
			if c == ',' {
				if objects&1 != 0 {
					if i, ok = nameColon(s, i); !ok {
						return i, false
					}
				}
				break
			}
			if c != ']'+byte(objects&1)<<5 {
				return i, false
			}
			objects >>= 1
			if open--; open == 0 {
				return i, true
			}
		}
	}
	return i, false
}

// nameColon returns the index after the name at i and its colon, for a name without escapes and anything outside ASCII.
func nameColon(s string, i int) (end int, ok bool) {
	if i >= len(s) || s[i] != '"' {
		return i, false
	}
	i = plain(s, i+1)
	if len(s)-i < 2 || s[i] != '"' || s[i+1] != ':' {
		return i, false
	}
	return i + 2, true
}

// scalar checks the string, number or literal that starts at i with c.
func (sc *scanner) scalar(i int, c byte) (end int, ok bool) {
	s := sc.s
	if c == '"' {
		if end = plain(s, i+1); end < len(s) && s[end] == '"' {
			return end + 1, true
		}
		end, _, err := sc.str(i)
		return end, err == nil
	}
	end, _, _, err := sc.value(i, MaxDepth)
	return end, err == nil
}
