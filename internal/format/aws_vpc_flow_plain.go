package format

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"unicode/utf8"
)

// Nearly all lines of flow logs are plain: ASCII without quotes or backslashes, as many fields as the header names, numbers
// and times as they should be. Those are read and written in one go, eight bytes at a time. Everything else is left to
// parseVPCFlow, which makes the same of a plain line.

// flowField is what becomes of a field of a header.
type flowField struct {
	column flowColumn
	kind   columnKind // varchar where the table does not have it
	feed   feed
	key    key    // ,"name": and the quote that opens a text or a time
	seen   uint64 // bit of the column
}

// preparePlain fills in plain.
func (h *flowHeader) preparePlain() {
	for i, column := range h.columns {
		f := flowField{column: column, kind: varchar}
		text := h.names[i]
		if column != flowUnknown {
			c := &vpcFlow.table.fields[column]
			text, f.kind, f.feed, f.seen = ","+c.quoted, c.kind, c.feed, 1<<column
		}
		if f.kind != bigint && f.kind != tinyint {
			text += `"`
		}
		var fits bool
		if f.key, fits = keyOf(text); !fits {
			h.plain = nil
			return
		}
		h.plain = append(h.plain, f)
	}
}

// plainLine reads the input and makes the columns of it, as beginLine to endLine do. It reports false, having done nothing
// that matters, where the line is not plain.
func (p *Parser) plainLine(h *flowHeader, s string) bool {
	r := &p.row // empty since the record before was done
	// A field takes its key, a byte for each of its own and some for the quote and what is copied too much; a time takes
	// timeRoom and no more.
	buf := slices.Grow(p.buf[:0], len(s)+len(h.plain)*(keyRoom+timeRoom)+keyRoom)
	buf = buf[:cap(buf)]
	p.buf = buf
	n, i, seen := 0, 0, uint64(0)
	for k := range h.plain {
		f := &h.plain[k]
		for i < len(s) && s[i] == ' ' {
			i++
		}
		*(*[keyRoom]byte)(buf[n:]) = f.key.text
		from, value := i, n+f.key.length
		to := value
		for {
			if i+8 > len(s) {
				for ; i < len(s) && s[i] != ' '; i++ {
					if !isPlain(s[i]) {
						return false
					}
					buf[to] = s[i]
					to++
				}
				break
			}
			word := load(s, i)
			if special(word) != 0 {
				return false
			}
			binary.LittleEndian.PutUint64(buf[to:], word)
			other := word ^ eachByte*' '
			if blank := (other - eachByte) &^ other & (eachByte << 7); blank != 0 { // its lowest bit is at the first blank
				length := bits.TrailingZeros64(blank) / 8
				i, to = i+length, to+length
				break
			}
			i, to = i+8, to+8
		}
		field := s[from:i]
		if len(field) == 0 {
			return false
		}
		if len(field) == 1 && field[0] == '-' {
			continue
		}
		switch f.kind {
		case varchar:
			switch f.feed {
			case feedIP:
				if isIP(field) {
					r.add(anyIP, field)
				} else {
					r.ip(field) // with a zone
				}
			case feedAccount:
				if field == "unknown" {
					continue
				}
				if isAccountID(field) {
					r.add(anyAccount, field)
					r.accounts[0] = field
				} else {
					r.setAccount(1, field)
				}
			case feedInstance:
				r.instance(field)
			}
			buf[to] = '"'
			to++
		case timestamp:
			t, ok := plainSeconds(field)
			if !ok {
				return false
			}
			if f.column == flowStart {
				r.setTime(1, t)
			}
			to = len(r.appendTime(buf[:value], t))
			buf[to] = '"'
			to++
		default:
			if len(field) <= 8 && from+8 <= len(s) {
				if !isShortInteger(load(s, from), len(field)) {
					return false
				}
			} else if !isPlainInteger(field) {
				return false
			}
		}
		seen |= f.seen
		n = to
	}
	if i != len(s) || vpcFlow.needed&^seen != 0 {
		return false
	}
	buf[0] = '{'
	p.buf = buf[:n]
	return true
}

// plainSeconds is a time in seconds since 1970, of ten digits as all are from 2001 to 2286.
func plainSeconds(s string) (t instant, ok bool) {
	if len(s) != 10 {
		return t, false
	}
	high, low := load(s, 0)^eachByte*'0', digits2(s, 8)
	if (high+eachByte*(0x7f-9)|high)&(eachByte<<7) != 0 || low < 0 {
		return t, false
	}
	high = high*10 + high>>8 // pairs of digits in every second byte, then fours, then all
	high = (high&0xff000000ff*(100+1000000<<32) + high>>16&0xff000000ff*(1+10000<<32)) >> 32
	return instant{sec: int64(high)*100 + int64(low)}, true
}

// isShortInteger is isPlainInteger for the first length bytes of a word.
func isShortInteger(word uint64, length int) bool {
	shift := 64 - 8*uint(length)
	digits := word<<shift ^ (eachByte*'0')<<shift // of the bytes that are left: their values
	return (digits+eachByte*(0x7f-9)|digits)&(eachByte<<7) == 0 && (length == 1 || byte(word) != '0')
}

// isPlain reports whether a JSON string holds the byte as it is.
func isPlain(c byte) bool { return ' ' <= c && c < utf8.RuneSelf && c != '"' && c != '\\' }

// special is not 0 where a byte of x is not plain.
func special(x uint64) uint64 {
	quote := x ^ eachByte*'"'
	slash := x ^ eachByte*'\\'
	return ((quote - eachByte) | (slash - eachByte) | (x - eachByte*' ') | x) & (eachByte << 7)
}
