package detect

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/siempipe/siempipe/internal/detect/sigma"
	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
)

// Detector evaluates records against the rules in force and counts their matches. It is safe for concurrent use; each
// goroutine needs a Worker of its own.
type Detector struct {
	rules   atomic.Pointer[RuleSet]
	windows *Windows
}

// NewDetector makes a detector without rules.
func NewDetector(windows *Windows) *Detector {
	d := &Detector{windows: windows}
	d.Use(&RuleSet{engine: sigma.NewEngine(nil, sigma.Builtin())})
	return d
}

// Use puts rules in force. What was counted stays: windows belong to the ids of rules.
func (d *Detector) Use(rules *RuleSet) { d.rules.Store(rules) }

// Rules are the rules in force.
func (d *Detector) Rules() *RuleSet { return d.rules.Load() }

// Windows are the windows in which matches are counted.
func (d *Detector) Windows() *Windows { return d.windows }

// Match is a record that a rule matches. It is valid as long as the record.
type Match struct {
	Rule  *Rule
	Title string
	Dedup string
	Level record.Severity
	// Errors says which templates failed: the rule's name takes their place.
	Errors []string

	rec    record.Record
	fields fieldSet
	key    string // of its window
	value  uint64 // that a correlation counts
	counts bool   // false for a correlation when the record lacks what it groups by or counts
}

// Worker evaluates records against rules. It keeps scratch memory and is for one goroutine at a time.
type Worker struct {
	detector *Detector
	set      *RuleSet
	matcher  *sigma.Matcher
	matches  []Match
	// all has matches of silent rules as well, for their tests.
	all bool
}

// Wants reports whether any rule is about records of an event type.
func (w *Worker) Wants(eventType string) bool {
	w.refresh()
	return w.matcher.Wants(eventType)
}

func (w *Worker) refresh() {
	if set := w.detector.rules.Load(); set != w.set {
		w.set, w.matcher = set, set.engine.NewMatcher()
	}
}

// NewWorker makes a worker.
func (d *Detector) NewWorker() *Worker { return &Worker{detector: d} }

// Match finds the rules that match a record. The result is valid until the next call.
func (w *Worker) Match(rec *record.Record) []Match {
	w.refresh()
	clear(w.matches)
	w.matches = w.matches[:0]
	hits := w.matcher.Match(rec.EventType, rec.Body)
	for _, hit := range hits {
		rule := w.set.byEntry[hit.Entry]
		if !rule.silent || w.all {
			level := rule.level
			extra := 0
			for _, o := range rule.severity {
				if o.condition != nil {
					extra++
					if !w.matcher.Extra(hit, extra-1) {
						continue
					}
				}
				level = o.level
				break
			}
			w.matches = append(w.matches, rule.match(rec, rule.LogSource, level))
		}
		for _, c := range rule.correlations {
			if m := c.correlated(rec, rule); m.counts {
				w.matches = append(w.matches, m)
			}
		}
	}
	return w.matches
}

// Release lets go of the last record.
func (w *Worker) Release() {
	clear(w.matches)
	w.matches = w.matches[:0]
	if w.matcher != nil {
		w.matcher.Release()
	}
}

// match fills the templates of a rule.
func (r *Rule) match(rec *record.Record, l sigma.LogSource, level record.Severity) Match {
	m := Match{Rule: r, Level: level, Title: cut(r.Title), rec: *rec, fields: r.fields[l], counts: true}
	if r.title != nil {
		m.Title = m.render("title", r.title)
	}
	m.Dedup = m.Title
	if r.dedup != nil {
		m.Dedup = m.render("dedup", r.dedup)
		if m.Dedup == "" {
			m.Dedup = "defaultDedupString:" + r.Key()
		}
	}
	m.key = strings.Join([]string{r.Key(), rec.TenantID, m.Dedup}, "\x00")
	return m
}

// render fills a template. On an error, or when nothing comes of a title, the rule's name takes its place.
func (m *Match) render(name string, t *template) string {
	text, err := t.render(m.fields, m.rec.Body)
	if err != nil {
		m.Errors = append(m.Errors, name+": "+err.Error())
		return cut(m.Rule.Key())
	}
	if text == "" && name == "title" {
		return cut(m.Rule.Key())
	}
	return text
}

// correlated is a match of a correlation by a record of a rule that it refers to.
func (r *Rule) correlated(rec *record.Record, of *Rule) Match {
	m := r.match(rec, of.LogSource, r.level)
	group, _, complete := r.fieldTexts(rec.Body, m.fields, of, r.Correlation.GroupBy)
	m.counts = complete // who cannot be told from others is in no group
	m.Dedup = cut(strings.Join(group, ","))
	m.key = strings.Join([]string{r.Key(), rec.TenantID, "", string(appendTexts(nil, group))}, "\x00") // a comma in a value makes no other group
	if r.Correlation.Values {
		value, present, _ := r.fieldTexts(rec.Body, m.fields, of, r.Correlation.Field)
		m.value, m.counts = hash(string(appendTexts(nil, value))), m.counts && present
	}
	return m
}

// fieldTexts returns the texts of the named fields. present says that one of them at least is not empty, complete that the record has
// all of them.
func (r *Rule) fieldTexts(body string, fields fieldSet, of *Rule, names []string) (texts []string, present, complete bool) {
	texts, complete = make([]string, len(names)), true
	for i, name := range names {
		v, ok := fields[of.Key()+"\x00"+name].First(body)
		if !ok {
			complete = false
			continue
		}
		texts[i] = cut(v.Text())
		present = present || texts[i] != ""
	}
	return texts, present, complete
}

// maxTime is the latest time of a window, in 2116: nothing that is added to it runs over.
const maxTime = 1 << 62

// Transaction counts the matches of one batch of records. Nothing else is counted until it is committed or rolled back, so it
// must not wait for anything that waits for another transaction.
type Transaction struct{ windows *windowTransaction }

// Begin starts a transaction. It waits until the one before it has ended.
func (d *Detector) Begin() *Transaction { return &Transaction{d.windows.begin()} }

// Add counts a match and fills to with the finding that it completes.
func (t *Transaction) Add(m *Match, to *record.Record) (finding bool) {
	r, at := m.Rule, m.rec.EventTime()
	nanos := min(max(at.UnixNano(), 0), maxTime)
	var c counted
	if r.Correlation != nil {
		c = t.windows.correlate(m.key, r.Correlation.Timespan, r.Correlation.Count, nanos, m.rec.ID, m.value)
	} else {
		c = t.windows.match(m.key, r.dedupPeriod, r.threshold, nanos, m.rec.ID, m.draft)
	}
	if !c.fired {
		return false
	}
	x := c.window
	draft, level := x.draft, m.Level
	if r.Correlation != nil || len(draft) <= len("{}") || draft[0] != '{' { // the latter when a store was tampered with
		draft = m.draft()
	}
	var accountID string
	draft, level, accountID = unwrap(draft, level)
	x.alertID = alertID(r.Key(), m.rec.TenantID, m.Dedup, x.start)
	*to = record.Record{
		Body:      string(finish(draft, x.alertID, time.Unix(0, x.start), at, x.count, x.samples)),
		Time:      at,
		Received:  m.rec.Received,
		Severity:  level,
		EventType: record.Other,
		AccountID: accountID,
		TenantID:  m.rec.TenantID,
		Format:    Format,
		ID:        x.alertID,
	}
	return true
}

// draft is the finding's members as the store holds them: a JSON object.
func (m *Match) draft() []byte {
	members := m.Rule.draft(&m.rec, m.fields, m.Title, m.Dedup, m.Level)
	return append(append([]byte{'{'}, members[:len(members)-1]...), '}')
}

// unwrap takes the brackets off a draft and reads severity and account of the first record, so that the attributes of a finding agree
// with its body.
func unwrap(draft []byte, level record.Severity) ([]byte, record.Severity, string) {
	accountID := ""
	for _, v := range sigma.Lookup(nil, string(draft), "account_id") {
		accountID = v.Text()
	}
	for _, v := range sigma.Lookup(nil, string(draft), "severity") {
		if l, ok := levels[strings.ToLower(v.Text())]; ok && v.Kind == jsonscan.String {
			level = l
		}
	}
	inner := append([]byte{}, draft[1:len(draft)-1]...)
	return append(inner, ','), level, accountID
}

// Commit keeps the counts. Before another transaction can begin it calls write, which may be nil, with what the store has to hold.
func (t *Transaction) Commit(write func([]Change)) { t.windows.commit(write) }

// Rollback undoes the counts, since the batch will come again. After Commit it does nothing.
func (t *Transaction) Rollback() { t.windows.rollback() }
