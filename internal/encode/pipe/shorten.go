package pipe

// ellipsis marks a value that was shortened.
const ellipsis = "…"

// floor is what shorten leaves of a value while another class can still give: enough to recognize it by.
const floor = 24

// maxCode is the longest value that counts as a code or an id. Vendors' stay below 70 bytes. A longer one was forged, and
// must not make its message too long to be sent; it is cut to this length when nothing else helps. With a small limit even
// that leaves no room, and it is cut to what a real one is at most.
const (
	maxCode = 128
	minCode = 72
)

// MaxWhole is the length in bytes up to which every code and id stays whole, at every limit.
const MaxWhole = minCode

// shorten takes values down until the message fits budget: free text first, the longest value first. It reports whether
// the message fits. Values of class Code and Identity up to minCode bytes stay whole.
func (e *Encoder) shorten(total, budget int) bool {
	for i := range e.items { // a split that did not work out cut some
		e.items[i].keep = e.items[i].end - e.items[i].start
	}
	excess := total - budget
	for _, step := range []struct {
		class Class
		floor int
	}{{Text, floor}, {Detail, floor}, {Text, len(ellipsis)}, {Detail, len(ellipsis)}, {Identity, maxCode}, {Code, maxCode}, {Code, minCode}, {Identity, minCode}} {
		if excess <= 0 {
			break
		}
		excess -= e.level(step.class, step.floor, excess)
	}
	// What is left are keys: leave out whole pairs, the last first.
	for i := len(e.items) - 1; i >= 0 && excess > 0; i-- {
		if it := &e.items[i]; it.column.class < Code {
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

// length is how many bytes of the item's value are written, ellipsis included.
func (it *item) length() int {
	if it.keep < it.end-it.start {
		return it.keep + len(ellipsis)
	}
	return it.keep
}

// level cuts all values of a class to one length, the greatest that saves excess bytes but not below floor, and returns
// how many bytes that saved.
func (e *Encoder) level(class Class, floor, excess int) (saved int) {
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
		it.keep = cut(e.value(it), low-len(ellipsis), e.mode)
		saved += before - it.length()
	}
	return saved
}

// saving is what cutting all values of a class to n bytes saves at least.
func (e *Encoder) saving(class Class, n int) (saved int) {
	for i := range e.items {
		if it := &e.items[i]; it.column.class == class {
			saved += max(0, it.length()-n)
		}
	}
	return saved
}
