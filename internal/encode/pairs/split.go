package pairs

import (
	"strconv"

	"github.com/siempipe/siempipe/internal/encode"
)

// A split message has n parts. Each starts with the head, the ids (class Identity) and Part:i/n. The other pairs follow in
// their order, each in one part where it fits: a pair is only divided when it is longer than a part has room for. A divided
// value continues under the same key in the next part: joining the values of a key in the order of the parts gives the whole
// value. Codes are never divided.

// part is the content of one part without the ids: the pairs first to last, the first from byte from of its value, the last
// up to byte to.
type part struct {
	first, last int // indexes of items
	from, to    int // in the values of first and last
}

const (
	// minRoom is how many bytes a part must have for pairs; with less a long value would become thousands of messages.
	minRoom = 64
	// maxDigits bounds the number of parts to 9999, more than a record of MaxRecordBytes needs at the default length.
	maxDigits = 4
)

// split lays out the parts for budget bytes each. It reports false when head, ids, codes and keys leave no room.
func (e *Encoder) split(budget int) bool {
	fixed := e.head // bytes that every part repeats
	for i := range e.items {
		if it := &e.items[i]; it.column.class == encode.Identity {
			// A forged id is cut in every part, as shorten does, or there would be no room for anything else.
			if len(e.value(it)) > maxCode {
				it.keep = e.syntax.Values.Cut(e.value(it), maxCode-len(ellipsis))
			}
			fixed += len(it.column.key) + 1 + it.length() + 1
		}
	}
	for digits, most := 1, 9; digits <= maxDigits; digits, most = digits+1, most*10+9 {
		room := budget - fixed - (len(e.syntax.PartKey) + len(":/") + 2*digits)
		if room < minRoom || !e.layOut(room, most) {
			return false
		}
		if len(e.parts) <= most {
			return true
		}
	}
	return false
}

// layOut fills parts with pairs of room bytes, the separator before each included. It stops early after most parts.
func (e *Encoder) layOut(room, most int) bool {
	e.parts = e.parts[:0]
	left := 0 // room in the open part; 0 opens the first
	for i := range e.items {
		it := &e.items[i]
		if it.column.class == encode.Identity {
			continue
		}
		overhead := 1 + len(it.column.key) + 1
		v := e.value(it)
		if it.column.class == encode.Code && len(v) > maxCode {
			it.keep = e.syntax.Values.Cut(v, maxCode-len(ellipsis))
		}
		if it.column.class == encode.Code {
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
			n := e.syntax.Values.Cut(v[from:], max(0, left-overhead))
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
			if overhead+e.syntax.MaxToken > room {
				return false
			}
			e.parts, left = append(e.parts, part{first: i, last: i, from: from, to: from}), room
		}
	}
	return len(e.parts) > 0
}

// close makes the open part end with byte to of pair i.
func (e *Encoder) close(i, to int) {
	p := &e.parts[len(e.parts)-1]
	p.last, p.to = i, to
}

// holds reports whether the open part ends with pair i.
func (e *Encoder) holds(i int) bool {
	return len(e.parts) > 0 && e.parts[len(e.parts)-1].last == i
}

// appendParts appends the parts to dst and their ends to ends.
func (e *Encoder) appendParts(dst []byte, ends []int) ([]byte, []int) {
	for n := range e.parts {
		p := &e.parts[n]
		dst = append(dst, e.text[:e.head]...)
		for i := range e.items {
			if it := &e.items[i]; it.column.class == encode.Identity {
				dst = e.appendPair(dst, it, 0, it.keep)
				dst = append(dst, e.syntax.Between)
			}
		}
		dst = append(append(dst, e.syntax.PartKey...), e.syntax.Assign)
		dst = strconv.AppendInt(dst, int64(n+1), 10)
		dst = append(dst, '/')
		dst = strconv.AppendInt(dst, int64(len(e.parts)), 10)
		for i := p.first; i <= p.last; i++ {
			it := &e.items[i]
			if it.column.class == encode.Identity {
				continue
			}
			from, to := 0, it.keep
			if i == p.first {
				from = p.from
			}
			if i == p.last {
				to = p.to
			}
			dst = append(dst, e.syntax.Between)
			dst = e.appendPair(dst, it, from, to)
		}
		ends = append(ends, len(dst))
	}
	return dst, ends
}

// appendPair appends key and bytes from to to of the value, with an ellipsis where a code or id was cut.
func (e *Encoder) appendPair(dst []byte, it *item, from, to int) []byte {
	dst = append(append(dst, it.column.key...), e.syntax.Assign)
	dst = append(dst, e.value(it)[from:to]...)
	if it.column.class >= encode.Code && it.keep < it.end-it.start {
		dst = append(dst, ellipsis...)
	}
	return dst
}
