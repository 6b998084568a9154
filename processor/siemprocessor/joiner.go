package siemprocessor

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
)

// Outcomes of a damaged line; values of the outcome attribute, listed in metadata.yaml.
const (
	outcomeRepaired = "repaired"
	outcomeWaiting  = "waiting"
	outcomeJoined   = "joined"
	outcomeExpired  = "expired"
	outcomePassed   = "passed"
)

// overhead is about what an entry costs in addition to its texts, in bytes.
const overhead = 256

// maxLinesOfScan bounds how many different lines wait for one scan. There is one unless somebody makes them up.
const maxLinesOfScan = 4

// joiner joins damaged syslog lines to API scans of the same Scan ID, whichever comes first, within a window and a bound of
// memory. Safe for concurrent use.
//
// A scan never waits: its values are remembered for the window, to repair lines that come later. A line waits only with storage:
// it is stored before its sender hears that it was taken, so a collector that is killed loses none, and it waits on after the
// start. Without storage a line goes on at once, damaged as it is, and is remembered to mark the scan that comes later.
type joiner struct {
	window time.Duration
	max    int
	store  *lineStore // nil: nothing waits

	mu    sync.Mutex
	bytes int
	scans map[string]rememberedScan
	order []scanAge // one for each of scans, oldest first; a scan that came again since is listed with its first age
	lines map[string][]*line
	ages  []*line // by deadline; gone ones are skipped
}

type rememberedScan struct {
	pairs string // the members that a line has too
	age   time.Time
}

type scanAge struct {
	key string
	age time.Time
}

// line is a damaged line that waits, or went on and is remembered.
type line struct {
	key      string
	damage   []string
	text     string
	deadline time.Time

	waits bool
	slot  int       // in the store
	logs  plog.Logs // the record that waits, as it came
	gone  bool      // finished, or forgotten
	taken int       // 1 while a batch under way carries it
}

func (l *line) size() int { return overhead + len(l.key) + 3*len(l.text) } // text, and the record with it and attributes

func newJoiner(window time.Duration, max int) *joiner {
	return &joiner{window: window, max: max, scans: make(map[string]rememberedScan), lines: make(map[string][]*line)}
}

// addScan remembers an API scan and returns the line that waits for it, the last one if there are several; nil for none. The caller
// must tell finish what became of the line. Other lines wait further, and are repaired with the scan when they are released.
func (j *joiner) addScan(key, pairs string, now time.Time) *line {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.forget(now)
	if old, ok := j.scans[key]; ok {
		j.scans[key] = rememberedScan{pairs: pairs, age: now}
		j.bytes += len(pairs) - len(old.pairs)
		j.makeRoom(0)
	} else if size := overhead + len(key) + len(pairs); j.makeRoom(size) {
		key := strings.Clone(key) // a part of the record
		j.scans[key] = rememberedScan{pairs: pairs, age: now}
		j.order = append(j.order, scanAge{key: key, age: now})
		j.bytes += size
	}
	for _, l := range slices.Backward(j.lines[key]) {
		if l.taken == 0 {
			l.taken++
			return l
		}
	}
	return nil
}

// pairsOf returns those of a scan that came before.
func (j *joiner) pairsOf(key string, now time.Time) (string, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	s, ok := j.scans[key]
	return s.pairs, ok && now.Sub(s.age) <= j.window
}

// addLine remembers a line. It reports whether the line waits; one that does not continues at once.
func (j *joiner) addLine(ctx context.Context, l *line, now time.Time) (bool, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.forget(now)
	for _, other := range j.lines[l.key] {
		if other.text == l.text {
			return other.waits, nil // a batch that was refused comes again, and so do datagrams
		}
	}
	if len(j.lines[l.key]) >= maxLinesOfScan || !j.makeRoom(l.size()) {
		return false, nil
	}
	l.deadline = now.Add(j.window)
	var err error
	if j.store != nil {
		if l.slot, err = j.store.put(ctx, l); err == nil {
			l.waits = true
		}
	}
	if !l.waits {
		l.logs = plog.Logs{}
	}
	j.add(l)
	return l.waits, err
}

func (j *joiner) add(l *line) {
	j.lines[l.key] = append(j.lines[l.key], l)
	j.ages = append(j.ages, l)
	j.bytes += l.size()
}

// makeRoom forgets the oldest scans until an entry fits, and reports whether it does. Lines that wait are never forgotten.
func (j *joiner) makeRoom(size int) bool {
	for j.bytes+size > j.max && len(j.order) > 0 {
		j.dropOldest()
	}
	return j.bytes+size <= j.max
}

// dropOldest forgets the oldest scan; one that came again since is only put back.
func (j *joiner) dropOldest() {
	a := j.order[0]
	j.order = j.order[1:]
	s := j.scans[a.key]
	if !s.age.Equal(a.age) {
		j.order = append(j.order, scanAge{key: a.key, age: s.age})
		return
	}
	j.bytes -= overhead + len(a.key) + len(s.pairs)
	delete(j.scans, a.key)
}

// forget drops the scans, and the lines that went on, whose window has passed.
func (j *joiner) forget(now time.Time) {
	for len(j.order) > 0 && now.Sub(j.order[0].age) > j.window {
		j.dropOldest()
	}
	for len(j.ages) > 0 {
		l := j.ages[0]
		if !l.gone && (l.waits || !now.After(l.deadline)) {
			break
		}
		j.drop(l)
		j.ages = j.ages[1:]
	}
}

// drop forgets a line.
func (j *joiner) drop(l *line) {
	if l.gone {
		return
	}
	l.gone = true
	j.bytes -= l.size()
	if l.waits { // whoever drops it has it alone; ages may hold it for as long as an older one waits
		l.logs, l.text, l.damage = plog.Logs{}, "", nil
	}
	rest := slices.DeleteFunc(j.lines[l.key], func(other *line) bool { return other == l })
	if len(rest) == 0 {
		delete(j.lines, l.key)
	} else {
		j.lines[l.key] = rest
	}
}

// finish ends what addScan or due began for these lines. accepted says that the next component accepted the records that carry them:
// then they are forgotten; otherwise they wait further. It returns how many waiting lines are done.
func (j *joiner) finish(ctx context.Context, lines []*line, accepted bool) (joined int, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var slots []int
	for _, l := range lines {
		l.taken--
		if !accepted || l.gone {
			continue
		}
		if l.waits {
			slots = append(slots, l.slot)
			joined++
		}
		j.drop(l)
	}
	if len(slots) > 0 {
		err = j.store.remove(ctx, slots)
	}
	return joined, err
}

// due are the waiting lines whose window has passed, or with all every one, and that no batch carries; at most max.
func (j *joiner) due(now time.Time, all bool, max int) (due []*line) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, l := range j.ages {
		if len(due) == max || !all && !now.After(l.deadline) {
			break
		}
		if l.waits && !l.gone && l.taken == 0 {
			l.taken++
			due = append(due, l)
		}
	}
	return due
}
