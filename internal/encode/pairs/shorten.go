package pairs

import "github.com/siempipe/siempipe/internal/encode"

// ellipsis marks a value that was shortened.
const ellipsis = "…"

// floor is how many bytes shorten leaves of a value while another class can still be shortened: enough to recognize it by.
const floor = 24

// maxCode is the longest value in bytes that counts as a code or an id. Those of vendors stay below 70 bytes. A longer one was
// forged and must not make its message too long to be sent: it is cut to this length when nothing else helps. With a small
// limit even that leaves no room, and it is cut to minCode, the greatest length of a real one.
const (
	maxCode = 128
	minCode = 72
)

// MaxWhole is the length in bytes up to which every code and id stays whole, at every limit.
const MaxWhole = minCode

// shorten shortens values until the message fits budget: free text first, the longest value first. It reports whether
// the message fits. Values of class Code and Identity up to minCode bytes stay whole.
func (e *Encoder) shorten(budget int) bool {
	for i := range e.items { // a split that failed has cut some
		e.items[i].keep = e.items[i].end - e.items[i].start
	}
	excess := len(e.text) - budget
	for _, step := range []struct {
		class encode.Class
		floor int
	}{
		{encode.Text, floor}, {encode.Detail, floor}, {encode.Text, len(ellipsis)}, {encode.Detail, len(ellipsis)},
		{encode.Identity, maxCode}, {encode.Code, maxCode}, {encode.Code, minCode}, {encode.Identity, minCode},
	} {
		if excess <= 0 {
			break
		}
		excess -= e.level(step.class, step.floor, excess)
	}
	// Only keys are left: leave out whole pairs, the last first.
	for i := len(e.items) - 1; i >= 0 && excess > 0; i-- {
		if it := &e.items[i]; it.column.class < encode.Code {
			it.dropped = true
			excess -= 1 + len(it.column.key) + 1 + it.length()
		}
	}
	if excess > 0 {
		return false
	}
	for i := range e.items {
		if !e.items[i].dropped {
			return true
		}
	}
	return false
}

// level cuts all values of a class to one length, the greatest that saves excess bytes but not below floor, and returns
// how many bytes that saved.
func (e *Encoder) level(class encode.Class, floor, excess int) (saved int) {
	low, high := floor, floor
	for i := range e.items {
		if it := &e.items[i]; it.column.class == class {
			high = max(high, it.length())
		}
	}
	for low < high { // the greatest length that saves enough, or floor
		mid := (low + high + 1) / 2
		if e.saving(class, mid) >= excess {
			low = mid
		} else {
			high = mid - 1
		}
	}
	for i := range e.items {
		it := &e.items[i]
		if it.column.class != class || it.length() <= low {
			continue
		}
		before := it.length()
		it.keep = e.syntax.Values.Cut(e.value(it), low-len(ellipsis))
		saved += before - it.length()
	}
	return saved
}

// saving is what cutting all values of a class to n bytes saves at least.
func (e *Encoder) saving(class encode.Class, n int) (saved int) {
	for i := range e.items {
		if it := &e.items[i]; it.column.class == class {
			saved += max(0, it.length()-n)
		}
	}
	return saved
}

// appendShortened appends the message that shorten made to dst.
func (e *Encoder) appendShortened(dst []byte) []byte {
	dst = append(dst, e.text[:e.head]...)
	first := true
	for i := range e.items {
		it := &e.items[i]
		if it.dropped {
			continue
		}
		if !first {
			dst = append(dst, e.syntax.Between)
		}
		first = false
		dst = append(append(dst, it.column.key...), e.syntax.Assign)
		v := e.value(it)
		dst = append(dst, v[:it.keep]...)
		if it.keep < len(v) {
			dst = append(dst, ellipsis...)
		}
	}
	return dst
}
