package findingstate

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
)

// Observation is one record of a batch: what the state needs of it, and then what the state says about it. Its strings are
// parts of the record.
type Observation struct {
	// Change is what is new about the finding; Emit says whether the record goes on.
	Change Change
	Emit   bool
	// Fields are the names of the fields that changed since the finding last went on, sorted, for every change of one that
	// went on before.
	Fields []string

	id, anyTenant id
	content       uint64
	day           uint16
	kind          flags // event type, severity and whether it is suppressed
	n             uint8
	fields        [maxFields]field
	event         bool // a disposition on its own, no finding
	said          format.Statement
	alertID       string
	scope         scope
	scanID        string
	slot          *slot // where the entry is cached, once it is loaded
}

// IsEvent reports whether the record is a disposition that came on its own.
func (o *Observation) IsEvent() bool { return o.event }

// Suppress says that a suppression holds for the record: its finding is hidden as long as its records say so.
func (o *Observation) Suppress() { o.kind |= isSuppressed }

// role is what a member is to the state.
type role uint8

const (
	roleContent role = iota // compared
	roleSchema              // compared, and only a finding has it
	roleIdentity
	roleIgnored
	roleHides // dismissed, snoozed, until when: the state keeps them apart
)

// member is what is known of a member's name.
type member struct {
	name   string
	role   role
	states bool
	number uint8
	hash   uint64
}

// Observer makes observations of records. It holds scratch; keep one for each goroutine.
type Observer struct {
	t       *Tracker
	members []jsonscan.Member
	order   []member // of the record before: the next one mostly has the same
	tenant  string
	key     [2]sipKey // of the ids of that tenant
}

// NewObserver returns an observer whose observations this tracker understands.
func (t *Tracker) NewObserver() *Observer {
	o := &Observer{t: t}
	o.key = t.idKeys("")
	return o
}

// idKeys are the keys of a tenant's ids.
func (t *Tracker) idKeys(tenant string) [2]sipKey {
	h := sip13(t.key, tenant)
	return [2]sipKey{{t.key.k0 ^ h, t.key.k1 + 1}, {t.key.k0 ^ h, t.key.k1 + 2}}
}

func makeID(keys [2]sipKey, alertID string) (i id) {
	binary.LittleEndian.PutUint64(i[:], sip13(keys[0], alertID))
	binary.LittleEndian.PutUint32(i[8:], uint32(sip13(keys[1], alertID)))
	return i
}

// Observe reads a record that went through the siem processor, which has checked its JSON. It fails where the body is no object.
func (o *Observer) Observe(rec *record.Record, scanID string, obs *Observation) error {
	var err error
	if o.members, err = members(o.members[:0], rec.Body); err != nil {
		return fmt.Errorf("body: %w", err)
	}
	if rec.TenantID != o.tenant {
		o.tenant = string([]byte(rec.TenantID))
		o.key = o.t.idKeys(o.tenant)
	}
	*obs = Observation{
		id:      makeID(o.key, rec.ID),
		day:     dayOf(rec),
		kind:    flags(eventTypeNumber(rec.EventType)) | flags(rec.Severity&severityMask)<<severityShift,
		alertID: rec.ID,
		scope:   scope{rec.TenantID, rec.AccountID, rec.Format},
		scanID:  scanID,
	}
	if rec.TenantID != "" && o.t.opts.AnyTenant {
		obs.anyTenant = makeID(o.t.anyTenant, rec.ID)
	}
	obs.event = true
	states, plain := false, true
	var other uint64
	for i := range o.members {
		m := &o.members[i]
		known := o.member(i, m)
		if known.states {
			states = true
			if known.role == roleHides || m.Kind != jsonscan.Bool {
				plain = false
			} else if m.Value == "true" { // resolved
				obs.said.Resolved = true
			}
		}
		switch known.role {
		case roleIdentity, roleIgnored, roleHides:
			continue
		case roleSchema:
			obs.event = false
		}
		hash := o.hash(m, known.hash)
		obs.content += hash
		if known.number != otherFields && obs.n < maxFields-1 {
			obs.fields[obs.n] = newField(known.number, hash)
			obs.n++
		} else {
			other += hash | 1
		}
	}
	if other != 0 {
		obs.fields[obs.n] = newField(otherFields, other)
		obs.n++
	}
	obs.event = obs.event && states
	if !plain {
		if obs.said, err = format.Stated(o.members); err != nil {
			return err
		}
	}
	return nil
}

// hash is of a member's value and, through the key, of its name. The sum of all is the hash of the content: the order of the
// members does not count.
func (o *Observer) hash(m *jsonscan.Member, name uint64) uint64 {
	key := sipKey{o.t.key.k0 ^ name, o.t.key.k1}
	if m.Kind == jsonscan.String && m.Escaped { // the spelling of a string does not count
		return sip13(key, `"`+m.Text()+`"`)
	}
	return sip13(key, m.Value)
}

// member looks a member's name up.
func (o *Observer) member(i int, m *jsonscan.Member) *member {
	if i < len(o.order) && !m.NameEscaped && o.order[i].name == m.Name {
		return &o.order[i]
	}
	name := string([]byte(m.Key()))
	known := member{name: name}
	known.number, known.hash = o.t.names.number(name)
	switch {
	case name == "alert_id" || name == "tenant_id":
		known.role = roleIdentity
	case o.t.ignored[name]:
		known.role = roleIgnored
	case name == "account_id" || name == "resolved":
	case known.number != otherFields && int(known.number) <= len(schemaNames):
		known.role = roleSchema
	}
	if states, hides := format.States(name); states {
		known.states = true
		if hides {
			known.role = roleHides
		}
	}
	for len(o.order) <= i {
		o.order = append(o.order, member{})
	}
	o.order[i] = known
	if len(o.order) > maxOrder {
		o.order = o.order[:0]
		return &known
	}
	return &o.order[i]
}

// maxOrder bounds the names that an observer remembers.
const maxOrder = 256

func dayOf(rec *record.Record) uint16 {
	return uint16(min(max(rec.EventTime().Unix()/86400, 0), 1<<16-1))
}

var eventTypes = [...]string{record.Other, record.SecurityFinding, record.AttackPath}

func eventTypeNumber(eventType string) uint8 {
	for i, t := range eventTypes {
		if t == eventType {
			return uint8(i)
		}
	}
	return 0
}

// IsFinding reports whether a record is a finding. Scans of Perception Point have the event type other too.
func IsFinding(eventType, format string) bool {
	switch eventType {
	case record.SecurityFinding, record.AttackPath:
		return true
	case record.Other:
		return !strings.HasPrefix(format, "perception_point")
	}
	return false
}
