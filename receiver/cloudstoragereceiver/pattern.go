package cloudstoragereceiver

import (
	"strings"

	"github.com/siempipe/siempipe/internal/format"
)

// matches reports whether a pattern is that of the whole key; * stands for any characters.
func matches(pattern, key string) bool {
	first, rest, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == key
	}
	if !strings.HasPrefix(key, first) {
		return false
	}
	key = key[len(first):]
	for {
		part, after, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(key, part)
		}
		at := strings.Index(key, part) // the first place leaves most for the parts behind
		if at < 0 {
			return false
		}
		key, rest = key[at+len(part):], after
	}
}

// coreFormat is the format as the core has it: "" where each record's own is to be found out.
func coreFormat(name string) string {
	if name == format.Auto {
		return ""
	}
	return name
}
