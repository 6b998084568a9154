package pipe

// A split message has n parts. Each starts with the ids (class Identity) and Part:i/n; the other pairs follow in their
// order, each in one part where it fits, so that a pair is only divided when it is longer than a part has room for. A
// divided value goes on under the same key in the next part: putting the values of a key together in the order of the
// parts gives the whole value. Codes are never divided.

// part is what one part holds beside the ids: the pairs first to last, the first from byte from of its value, the last up
// to byte to.
type part struct {
	first, last int // indexes of items
	from, to    int // in the values of first and last
}

const (
	// minRoom is the room a part must have for pairs; with less a long value would become thousands of messages.
	minRoom = 64
	// maxDigits bounds the number of parts to 9999, more than a record of MaxRecordBytes needs at the default length.
	maxDigits = 4
)

// split lays out the parts for budget bytes each; false when ids, codes and keys leave no room.
func (e *Encoder) split(budget int) bool {
	ids := 0
	for i := range e.items {
		if it := &e.items[i]; it.column.class == Identity {
			// A forged id is cut in every part, as shorten does, or there would be no room for anything else.
			if len(e.value(it)) > maxCode {
				it.keep = cut(e.value(it), maxCode-len(ellipsis), e.mode)
			}
			ids += len(it.column.key) + 1 + it.length() + 1
		}
	}
	for digits, most := 1, 9; digits <= maxDigits; digits, most = digits+1, most*10+9 {
		room := budget - ids - (len(KeyPart) + len(":/") + 2*digits)
		if room < minRoom || !e.layOut(room, most) {
			return false
		}
		if len(e.parts) <= most {
			return true
		}
	}
	return false
}

// layOut fills parts with pairs of room bytes, the pipe before each included. It stops early behind most parts.
func (e *Encoder) layOut(room, most int) bool {
	e.parts = e.parts[:0]
	left := 0 // room in the open part; 0 opens the first
	for i := range e.items {
		it := &e.items[i]
		if it.column.class == Identity {
			continue
		}
		overhead := 1 + len(it.column.key) + 1
		v := e.value(it)
		if it.column.class == Code && len(v) > maxCode {
			it.keep = cut(v, maxCode-len(ellipsis), e.mode)
		}
		if it.column.class == Code {
			n := overhead + it.length()
			if n > room {
				return false
			}
			if n > left {
				e.parts, left = append(e.parts, part{first: i, last: i}), room
			}
			e.close(i, it.keep)
			left -= n
			continue
		}
		if n := overhead + len(v); n > left && n <= room { // fits a part of its own
			e.parts, left = append(e.parts, part{first: i, last: i}), room
		}
		for from := 0; ; {
			n := cut(v[from:], left-overhead, e.mode)
			if left > overhead && n > 0 || left >= overhead && from == len(v) {
				e.close(i, from+n)
				from += n
				left -= overhead + n
			}
			if from == len(v) && e.holds(i) {
				break
			}
			if len(e.parts) > most {
				return true
			}
			if overhead+tokenRoom > room {
				return false
			}
			e.parts, left = append(e.parts, part{first: i, last: i, from: from, to: from}), room
		}
	}
	return len(e.parts) > 0
}

// tokenRoom is the longest escape or character.
const tokenRoom = 6

// close makes the open part end with byte to of pair i.
func (e *Encoder) close(i, to int) {
	p := &e.parts[len(e.parts)-1]
	p.last, p.to = i, to
}

// holds reports whether the open part ends with pair i.
func (e *Encoder) holds(i int) bool {
	return len(e.parts) > 0 && e.parts[len(e.parts)-1].last == i
}

// writeParts appends the parts to dst and their ends to ends.
func (e *Encoder) writeParts(dst []byte, ends []int) ([]byte, []int) {
	for n := range e.parts {
		p := &e.parts[n]
		for i := range e.items {
			if it := &e.items[i]; it.column.class == Identity {
				dst = e.writePair(dst, it, 0, it.keep)
				dst = append(dst, '|')
			}
		}
		dst = append(dst, KeyPart+":"...)
		dst = appendInt(dst, int64(n+1))
		dst = append(dst, '/')
		dst = appendInt(dst, int64(len(e.parts)))
		for i := p.first; i <= p.last; i++ {
			it := &e.items[i]
			if it.column.class == Identity {
				continue
			}
			from, to := 0, it.keep
			if i == p.first {
				from = p.from
			}
			if i == p.last {
				to = p.to
			}
			dst = append(dst, '|')
			dst = e.writePair(dst, it, from, to)
		}
		ends = append(ends, len(dst))
	}
	return dst, ends
}

// writePair appends key and bytes from to to of the value, with an ellipsis where a code or id was cut.
func (e *Encoder) writePair(dst []byte, it *item, from, to int) []byte {
	dst = append(dst, it.column.key...)
	dst = append(dst, ':')
	dst = append(dst, e.value(it)[from:to]...)
	if it.column.class >= Code && it.keep < it.end-it.start {
		dst = append(dst, ellipsis...)
	}
	return dst
}
