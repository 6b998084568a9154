// Package msgpack writes MessagePack and Fluent Bit's events for tests: it is written from the format's description and
// shares nothing with the reader that it tests.
package msgpack

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/siempipe/siempipe/internal/jsonscan"
)

// AppendString appends s as a str, in its shortest form.
func AppendString(dst []byte, s string) []byte {
	switch n := len(s); {
	case n < 32:
		dst = append(dst, 0xa0|byte(n))
	case n < 1<<8:
		dst = append(dst, 0xd9, byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, 0xda), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint32(append(dst, 0xdb), uint32(n))
	}
	return append(dst, s...)
}

// AppendMap appends the head of a map32 of n pairs, as in_tail writes it.
func AppendMap(dst []byte, n int) []byte {
	return binary.BigEndian.AppendUint32(append(dst, 0xdf), uint32(n))
}

// AppendJSON appends a JSON value, members in their order. It panics where the text is no JSON.
func AppendJSON(dst []byte, text string) []byte {
	text = strings.TrimSpace(text)
	switch text[0] {
	case '{':
		members, _, err := jsonscan.Members(nil, text)
		must(err)
		dst = AppendMap(dst, len(members))
		for i := range members {
			dst = AppendString(dst, members[i].Key())
			dst = AppendJSON(dst, members[i].Value)
		}
	case '[':
		elements, err := jsonscan.Elements(nil, text)
		must(err)
		dst = binary.BigEndian.AppendUint32(append(dst, 0xdd), uint32(len(elements)))
		for i := range elements {
			dst = AppendJSON(dst, elements[i].Value)
		}
	case '"':
		must(jsonscan.Valid(text))
		dst = AppendString(dst, jsonscan.Unquote(text[1:len(text)-1]))
	case 't':
		dst = append(dst, 0xc3)
	case 'f':
		dst = append(dst, 0xc2)
	case 'n':
		dst = append(dst, 0xc0)
	default:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return binary.BigEndian.AppendUint64(append(dst, 0xd3), uint64(n))
		}
		if n, err := strconv.ParseUint(text, 10, 64); err == nil {
			return binary.BigEndian.AppendUint64(append(dst, 0xcf), n)
		}
		f, err := strconv.ParseFloat(text, 64)
		must(err)
		dst = binary.BigEndian.AppendUint64(append(dst, 0xcb), math.Float64bits(f))
	}
	return dst
}

func must(err error) {
	if err != nil {
		panic(fmt.Errorf("msgpacktest: %w", err))
	}
}

// AppendHead appends what stands before the body of an event as Fluent Bit hands it out: [[EventTime, {}], body].
func AppendHead(dst []byte, at time.Time) []byte {
	dst = append(dst, 0x92, 0x92, 0xd7, 0x00)
	dst = binary.BigEndian.AppendUint32(dst, uint32(at.Unix()))
	dst = binary.BigEndian.AppendUint32(dst, uint32(at.Nanosecond()))
	return AppendMap(dst, 0)
}

// AppendRaw appends the event of a line under a key, as in_tail makes it without a parser.
func AppendRaw(dst []byte, at time.Time, key, line string) []byte {
	dst = AppendMap(AppendHead(dst, at), 1)
	return AppendString(AppendString(dst, key), line)
}

// AppendStructured appends the event of a JSON object, as in_tail makes it with the json parser.
func AppendStructured(dst []byte, at time.Time, object string) []byte {
	return AppendJSON(AppendHead(dst, at), object)
}
