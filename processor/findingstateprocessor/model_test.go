package findingstateprocessor

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/findingstate"
)

// model is what the processor must do, written down with maps and without a thought for speed or crashes.
type model struct {
	cfg      *Config
	now      time.Time
	findings map[string]*mFinding // by tenant and alert id
	snaps    map[mSnap]*mRun
	scans    map[string]*mScan
	closed   []mClosed
	scanNo   int
}

type mFinding struct {
	tenant, id, account string
	seen                bool              // as a finding
	told                map[string]string // its fields as they last went on; nil when it never did
	toldAt, lastSeen    time.Time
	day                 int
	resolved, notSeen   bool
	returning           bool
	dismissed, snoozed  bool
	until               time.Time
	byEvent             bool
	suppressed          bool
}

type mSnap struct {
	tenant, account string
	day             int
}

type mRun struct {
	start, last time.Time
	limit       int
}

type mScan struct {
	no                  int
	status              string
	released, evaluated bool
	created, last       time.Time
	start               time.Time
	scopes              map[mSnap]bool
	waiting             [][]mRecord
}

type mClosed struct {
	tenant, account string
	start           time.Time
	limit           int
}

// mRecord is one thing that comes in.
type mRecord struct {
	tenant, id, account string
	fields              map[string]string // of a finding; nil for a disposition on its own
	resolved            bool
	mark                string // dismissed, snoozed, open or none
	until               time.Time
	scan, status        string
	at                  time.Time // detection_timestamp
	suppressed          bool
}

func newModel(cfg *Config) *model {
	return &model{cfg: cfg, now: start, findings: map[string]*mFinding{}, snaps: map[mSnap]*mRun{}, scans: map[string]*mScan{}}
}

func (f *mFinding) hidden(now time.Time) bool {
	return f.dismissed || f.snoozed && (f.until.IsZero() || now.Before(f.until))
}

func (f *mFinding) hide(r *mRecord) {
	f.dismissed, f.snoozed, f.until = r.mark == "dismissed", r.mark == "snoozed", r.until
}

func (f *mFinding) show() {
	if (f.dismissed || f.snoozed) && f.told != nil {
		f.returning = true
	}
	f.dismissed, f.snoozed, f.until, f.byEvent = false, false, time.Time{}, false
}

// hides reports whether what a record says hides its finding now.
func (r *mRecord) hides(now time.Time) bool {
	return r.mark == "dismissed" || r.mark == "snoozed" && (r.until.IsZero() || now.Before(r.until))
}

// post takes a batch and returns what goes on.
func (m *model) post(batch []mRecord) (out []string) {
	held := map[string][]mRecord{}
	var now []mRecord
	for _, r := range batch {
		if r.scan != "" {
			sc := m.scan(r.scan)
			if r.status != "" && (r.status != sc.status || len(sc.waiting) > 0) {
				sc.status, sc.last = r.status, m.now
			}
			if r.id == "" {
				continue
			}
			if m.cfg.Release == onScanCompleted {
				if sc.status == "failed" {
					continue
				}
				if len(sc.waiting) > 0 || sc.status != "completed" && !sc.released {
					held[r.scan] = append(held[r.scan], r)
					sc.last = m.now
					continue
				}
			}
		}
		now = append(now, r)
	}
	for name, list := range held {
		m.scan(name).waiting = append(m.scan(name).waiting, list)
	}
	for i := range now {
		out = append(out, m.decide(&now[i])...)
	}
	return out
}

func (m *model) scan(name string) *mScan {
	if m.scans[name] == nil {
		m.scanNo++
		m.scans[name] = &mScan{no: m.scanNo, created: m.now, scopes: map[mSnap]bool{}}
	}
	return m.scans[name]
}

func (m *model) decide(r *mRecord) []string {
	key := r.tenant + "/" + r.id
	f := m.findings[key]
	if f == nil {
		f = &mFinding{tenant: r.tenant, id: r.id}
	}
	if r.fields == nil {
		return m.event(key, f, r)
	}
	m.findings[key] = f
	elsewhere := m.hiddenElsewhere(f, r)
	if f.snoozed && !f.until.IsZero() && !m.now.Before(f.until) {
		f.snoozed, f.until = false, time.Time{}
		if f.told != nil {
			f.returning = true
		}
	}
	if !(f.byEvent && f.hidden(m.now)) {
		f.byEvent = false
		if r.hides(m.now) {
			f.hide(r)
		} else if r.mark == "open" {
			f.show()
		}
	}
	f.seen, f.lastSeen, f.account, f.day = true, m.now, r.account, day(r.at)
	f.suppressed = r.suppressed
	m.seen(r)
	if f.hidden(m.now) || f.suppressed || elsewhere {
		f.returning = f.returning || f.told != nil
		f.notSeen = false
		return nil
	}
	changed := diff(f.told, r.fields)
	change := "unchanged"
	switch {
	case f.told == nil && r.resolved, f.told != nil && r.resolved && !f.resolved:
		change = "resolved"
	case f.told == nil:
		change = "new"
	case !r.resolved && (f.resolved || f.returning || f.notSeen):
		change = "reopened"
	case len(changed) > 0:
		change = "changed"
	case !r.resolved && m.cfg.Heartbeat > 0 && (m.now.Sub(f.toldAt) >= m.cfg.Heartbeat || m.ahead(f.toldAt)):
		change = "still_open"
	}
	text := r.id + " " + change
	if f.told != nil && len(changed) > 0 {
		text += "(" + strings.Join(changed, ",") + ")"
	}
	f.notSeen, f.returning = false, false
	if change == "unchanged" && m.cfg.Emit != emitAll {
		return nil
	}
	f.told, f.toldAt, f.resolved = r.fields, m.now, r.resolved
	return []string{text}
}

// hiddenElsewhere reports whether an event that named no tenant hides a finding of one.
func (m *model) hiddenElsewhere(f *mFinding, r *mRecord) bool {
	any := m.findings["/"+r.id]
	if r.tenant == "" || m.cfg.DispositionsWithoutTenant != applyToAll || any == nil || !any.byEvent {
		return false
	}
	if any.hidden(m.now) {
		if r.fields != nil && !any.seen && m.now.Sub(any.lastSeen) >= m.cfg.ExpireAfter/16 {
			any.lastSeen = m.now
		}
		return true
	}
	f.returning = f.returning || f.told != nil && f.lastSeen.Before(any.until)
	return false
}

// takeBack ends a disposition by an event. That of one without a tenant must be known to have ended.
func (m *model) takeBack(f *mFinding, r *mRecord) {
	if r.tenant != "" || !f.byEvent {
		f.show()
		return
	}
	if f.hidden(m.now) {
		f.until = m.now
	}
	f.dismissed, f.snoozed = false, true
}

// ahead: noted by a clock that was wrong.
func (m *model) ahead(t time.Time) bool { return t.Sub(m.now) > time.Hour }

// clock takes the clock's time, which counts unless it is a little behind.
func (m *model) clock(now time.Time) {
	if !now.Before(m.now) || m.now.Sub(now) >= time.Hour {
		m.now = now
	}
}

func (m *model) event(key string, f *mFinding, r *mRecord) []string {
	known := m.findings[key] != nil
	elsewhere := m.hiddenElsewhere(f, r)
	change := ""
	switch {
	case r.hides(m.now):
		change = r.mark
		f.hide(r)
		f.byEvent = true
		if !f.seen {
			f.lastSeen, f.account = m.now, r.account
			m.findings[key] = f
		}
	case r.mark == "snoozed":
		change = "snoozed"
		if !f.dismissed {
			m.takeBack(f, r)
		}
	case r.mark == "open":
		change = "reopened"
		m.takeBack(f, r)
	case r.resolved && f.told != nil && !f.resolved && !f.hidden(m.now) && !elsewhere:
		f.resolved, f.toldAt = true, m.now
		return []string{r.id + " resolved"}
	default:
		change = "unchanged"
	}
	if known && !f.seen && !f.dismissed && !f.snoozed {
		delete(m.findings, key) // nothing is left to remember
	}
	if m.cfg.Emit == emitAll {
		return []string{r.id + " " + change}
	}
	return nil
}

func (m *model) seen(r *mRecord) {
	scope := mSnap{r.tenant, r.account, 0}
	if r.scan != "" {
		sc := m.scan(r.scan)
		if sc.start.IsZero() || m.now.Before(sc.start) {
			sc.start = m.now
		}
		sc.last = m.now
		if !sc.evaluated {
			sc.scopes[scope] = true
		}
		return
	}
	if m.cfg.QuietPeriod == 0 {
		return
	}
	scope.day = day(r.at)
	run := m.snaps[scope]
	if run == nil {
		run = &mRun{start: m.now, limit: scope.day}
		m.snaps[scope] = run
	}
	if m.now.Before(run.start) {
		run.start = m.now
	}
	run.last = m.now
}

// tick does what happens by itself.
func (m *model) tick() (out []string) {
	m.endSnapshots()
	m.endScans()
	for {
		var first *mScan
		for _, sc := range m.scans {
			if len(sc.waiting) > 0 && (sc.status == "completed" || sc.released && sc.status != "failed") && (first == nil || sc.no < first.no) {
				first = sc
			}
			if sc.status == "failed" {
				sc.waiting = nil
			}
		}
		if first == nil {
			break
		}
		for i := range first.waiting[0] {
			out = append(out, m.decide(&first.waiting[0][i])...)
		}
		first.waiting = first.waiting[1:]
	}
	for key, f := range m.findings {
		if m.cfg.ExpireAfter > 0 && m.now.Sub(f.lastSeen) >= m.cfg.ExpireAfter && (!f.snoozed || f.until.IsZero() || !m.now.Before(f.until)) {
			delete(m.findings, key)
			continue
		}
		if !f.seen || f.told == nil || f.notSeen || f.resolved || f.suppressed || f.hidden(m.now) {
			continue
		}
		any := m.findings["/"+f.id]
		if m.cfg.DispositionsWithoutTenant == applyToAll && any != nil && any.byEvent && any.hidden(m.now) {
			continue
		}
		for _, c := range m.closed {
			if !m.ahead(c.start) && c.tenant == f.tenant && c.account == f.account && f.lastSeen.Before(c.start) && f.day <= c.limit {
				f.notSeen = true
				if m.cfg.EmitNotSeen {
					out = append(out, f.id+" not_seen")
				}
				break
			}
		}
	}
	m.closed = nil
	return out
}

func (m *model) endSnapshots() {
	var due []mSnap
	for key, run := range m.snaps {
		if m.ahead(run.last) {
			run.start, run.last = earlier(run.start, m.now), m.now
		}
		if m.now.Sub(run.last) >= m.cfg.QuietPeriod {
			due = append(due, key)
		}
	}
	sort.Slice(due, func(i, j int) bool {
		return fmt.Sprint(due[i].tenant, due[i].account, due[i].day) < fmt.Sprint(due[j].tenant, due[j].account, due[j].day)
	})
	for _, key := range due {
		run := m.snaps[key]
		delete(m.snaps, key)
		merged := false
		for _, d := range []int{1, -1} {
			other := m.snaps[mSnap{key.tenant, key.account, key.day + d}]
			if other != nil && !other.start.After(run.last.Add(m.cfg.QuietPeriod)) {
				if run.start.Before(other.start) {
					other.start = run.start
				}
				other.limit = max(other.limit, run.limit)
				merged = true
				break
			}
		}
		if !merged {
			m.closed = append(m.closed, mClosed{key.tenant, key.account, run.start, run.limit})
		}
	}
}

func (m *model) endScans() {
	for name, sc := range m.scans {
		if m.ahead(later(sc.created, sc.last)) {
			sc.created, sc.start, sc.last = earlier(sc.created, m.now), earlier(sc.start, m.now), earlier(sc.last, m.now)
		}
		last := later(sc.created, sc.last)
		switch {
		case len(sc.waiting) > 0:
			if sc.status != "completed" && sc.status != "failed" && m.now.Sub(last) >= m.cfg.MaxWaitingTime {
				sc.released = true
			}
		case !sc.evaluated && !sc.start.IsZero() && m.now.Sub(sc.last) >= m.cfg.QuietPeriod && (sc.status == "completed" || sc.status == ""):
			sc.evaluated = true
			for scope := range sc.scopes {
				m.closed = append(m.closed, mClosed{scope.tenant, scope.account, sc.start, 1 << 20})
			}
		default:
			if m.now.Sub(last) >= m.cfg.MaxWaitingTime {
				delete(m.scans, name)
			}
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func day(t time.Time) int { return int(t.Unix() / 86400) }

func diff(a, b map[string]string) (names []string) {
	for name, value := range b {
		if old, ok := a[name]; !ok || old != value {
			names = append(names, name)
		}
	}
	for name := range a {
		if _, ok := b[name]; !ok {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// body is the record as the siem processor takes it.
func (r *mRecord) body() post {
	p := post{scan: r.scan, status: r.status, tenant: r.tenant, suppressed: r.suppressed}
	if r.id == "" {
		return p
	}
	var b strings.Builder
	fmt.Fprintf(&b, `{"alert_id":%q`, r.id)
	if r.tenant != "" {
		fmt.Fprintf(&b, `,"tenant_id":%q`, r.tenant)
	}
	if r.fields != nil {
		fmt.Fprintf(&b, `,"detection_timestamp":%q`, r.at.Format(time.RFC3339))
		names := make([]string, 0, len(r.fields))
		for name := range r.fields {
			names = append(names, name)
		}
		rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] }) // the order does not count
		for _, name := range names {
			fmt.Fprintf(&b, `,%q:%s`, name, r.fields[name])
		}
	} else {
		if r.account != "" {
			fmt.Fprintf(&b, `,"account_id":%q`, r.account)
		}
		if r.resolved {
			b.WriteString(`,"resolved":true`)
		}
	}
	switch {
	case r.mark == "open" && rand.IntN(2) == 0:
		b.WriteString(`,"snoozed":false`)
	case r.mark == "open":
		b.WriteString(`,"dismissed":false`)
	case r.mark == "dismissed":
		b.WriteString(`,"dismissed":true`)
	case r.mark == "snoozed" && r.until.IsZero():
		b.WriteString(`,"snoozed":true`)
	case r.mark == "snoozed":
		fmt.Fprintf(&b, `,"snoozed_until":%q`, r.until.Format(time.RFC3339))
	}
	p.body = b.String() + "}"
	return p
}

// random makes records over few findings, so that each meets all that can happen to it.
type random struct {
	*rand.Rand
	now time.Time
}

func (g *random) chance(percent int) bool { return g.IntN(100) < percent }

func (g *random) pick(list ...string) string { return list[g.IntN(len(list))] }

func (g *random) record() mRecord {
	r := mRecord{tenant: g.pick("id-1", "id-1", "id-1", "id-2", "id-2", ""), id: fmt.Sprintf("f-%d", g.IntN(10)), account: g.pick("1", "1", "1", "2"), at: g.now}
	if g.chance(5) {
		r.at = r.at.Add(-time.Duration(g.IntN(3)) * 24 * time.Hour)
	}
	if g.chance(25) {
		r.scan = fmt.Sprintf("s-%d", day(g.now)*2+g.IntN(2))
		if g.chance(30) {
			r.status = g.pick("running", "running", "completed", "failed")
		}
		if g.chance(20) {
			r.id = ""
			return r
		}
	}
	r.resolved = g.chance(15)
	if g.chance(20) {
		r.mark = g.pick("dismissed", "snoozed", "snoozed", "open", "open")
		if r.mark == "snoozed" && g.chance(70) {
			r.until = g.now.Add(time.Duration(g.IntN(72)-12) * time.Hour).Truncate(time.Second)
		}
	}
	if r.mark != "" && g.chance(50) || g.chance(3) {
		if r.mark != "" {
			r.resolved = false
		} else {
			r.resolved = true
		}
		if g.chance(25) {
			r.tenant = ""
		}
		return r // a disposition on its own
	}
	r.suppressed = g.chance(8)
	r.fields = map[string]string{"severity": `"High"`, "account_id": strconv.Quote(r.account), "resolved": strconv.FormatBool(r.resolved)}
	if g.chance(50) { // often as before
		return r
	}
	for _, name := range []string{"description", "labels", "x_team", "attack_scenario"} {
		switch g.IntN(6) {
		case 0:
			r.fields[name] = `["a"]`
		case 1, 2, 3:
			r.fields[name] = `["b"]`
		}
		if value, ok := r.fields[name]; ok && name != "labels" && name != "x_team" {
			r.fields[name] = strconv.Quote(value)
		}
	}
	return r
}

var errRefused = errors.New("refused")

// TestModel runs random events with refusals, broken writes and restarts through the processor and the model. Each seed is a
// run of its own; SIEMPIPE_SEEDS sets how many.
func TestModel(t *testing.T) {
	seeds := 24
	if s := os.Getenv("SIEMPIPE_SEEDS"); s != "" {
		var err error
		seeds, err = strconv.Atoi(s)
		require.NoError(t, err)
	}
	for seed := range seeds {
		t.Run(strconv.Itoa(seed), func(t *testing.T) { runModel(t, uint64(seed)) })
	}
}

func runModel(t *testing.T, seed uint64) {
	g := &random{Rand: rand.New(rand.NewPCG(seed, 9)), now: start}
	cfg := defaults()
	cfg.Emit = g.pick("all", "changes", "changes")
	cfg.Release = g.pick("immediately", onScanCompleted)
	cfg.EmitNotSeen = g.chance(70)
	cfg.Heartbeat = time.Duration(g.IntN(3)) * 12 * time.Hour
	cfg.ExpireAfter = 0
	if g.chance(50) {
		cfg.ExpireAfter = 20 * 24 * time.Hour
	}
	cfg.QuietPeriod = 10 * time.Minute
	if g.chance(10) {
		cfg.QuietPeriod = 0
	}
	cfg.DispositionsWithoutTenant = g.pick("apply", "apply", "apply", "ignore")
	cfg.MaxWaitingTime = time.Duration(6+g.IntN(30)) * time.Hour
	r := newRig(t, cfg, func(o *findingstate.Options) {
		o.SweepGather, o.SweepInterval = 0, 0 // at every tick, as the model
		o.MaxLogBatches = 1 + seed%40         // pages are written all the time
	})
	m := newModel(cfg)
	counts := map[string]int{}
	latest := g.now

	for step := range 400 {
		switch what := g.IntN(100); {
		case what < 55:
			batch := make([]mRecord, 1+g.IntN(6))
			posts := make([]post, len(batch))
			for i := range batch {
				batch[i] = g.record()
				posts[i] = batch[i].body()
			}
			logs := r.logs(posts...)
			for ; g.chance(15); counts["refused"]++ { // refused, and sent again as it is
				r.sink.refuse = errRefused
				before := len(r.sink.logs)
				if err := r.ConsumeLogs(t.Context(), logs); err == nil {
					r.sink.refuse = nil
					require.Len(t, r.sink.logs, before)
					logs = r.logs() // nothing was to go on: it is done
					require.Empty(t, m.post(batch), "step %d", step)
					batch = nil
				}
				r.sink.refuse = nil
				if g.chance(30) && !g.now.Before(latest) {
					r.crash(cfg)
				}
			}
			want := m.post(batch)
			if g.chance(10) { // what was delivered and not written is delivered again
				r.breakWrite(g.IntN(3))
				err := r.ConsumeLogs(t.Context(), logs)
				r.breakWrite(-1)
				if got := r.sink.take(); err == nil || len(got) > 0 {
					compare(t, step, want, got, counts, describePosts(posts))
				}
				if err == nil {
					continue
				}
				counts["broken"]++
				if g.chance(30) && !g.now.Before(latest) {
					r.crash(cfg)
				}
			}
			require.NoError(t, r.ConsumeLogs(t.Context(), logs))
			compare(t, step, want, r.sink.take(), counts, describePosts(posts))
			if g.chance(5) { // a sender that was not told sends it again
				require.NoError(t, r.ConsumeLogs(t.Context(), logs))
				compare(t, step, m.post(batch), r.sink.take(), counts, describePosts(posts))
			}
		case what < 90:
			g.now = g.now.Add([]time.Duration{time.Second, time.Minute, 5 * time.Minute, 11 * time.Minute, time.Hour, 7 * time.Hour}[g.IntN(6)])
			if g.chance(4) {
				require.NoError(t, r.tick(t.Context())) // a state that was just opened learns the time from it
				compare(t, step, m.tick(), r.sink.take(), counts, "tick")
				g.now = g.now.Add(-[]time.Duration{time.Minute, 59 * time.Minute, 2 * time.Hour, 30 * time.Hour}[g.IntN(4)])
				counts["clock"]++
			}
			r.clock, latest = g.now, later(latest, g.now)
			m.clock(g.now)
			require.NoError(t, r.tick(t.Context()))
			compare(t, step, m.tick(), r.sink.take(), counts, "tick")
		case g.now.Before(latest): // a new start knows of the clock only what it wrote last
		case what < 95:
			r.crash(cfg)
			counts["crashes"]++
		default:
			r.stop()
			r.start(cfg)
			counts["restarts"]++
		}
	}
	t.Log(counts)
}

func compare(t *testing.T, step int, want, got []string, counts map[string]int, what string) {
	t.Helper()
	slices.Sort(want)
	slices.Sort(got)
	require.Equal(t, want, got, "step %d: %s", step, what)
	for _, s := range got {
		_, change, _ := strings.Cut(s, " ")
		change, _, _ = strings.Cut(change, "(")
		counts[change]++
	}
}

func describePosts(posts []post) string {
	var lines []string
	for _, p := range posts {
		lines = append(lines, fmt.Sprintf("%+v", p))
	}
	return strings.Join(lines, "\n")
}
