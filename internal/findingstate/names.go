package findingstate

import (
	"sync"
	"sync/atomic"
)

// Limits of field names, so that hostile records cannot grow the table.
const (
	// maxNames is how many names are told apart; a number fits one byte. Records of one vendor have about twenty.
	maxNames = 256
	// maxNameBytes is the longest name that is told apart; the schema's longest has 20.
	maxNameBytes = 64
	// otherFields is the number of all fields beyond the limits, together.
	otherFields = 0
	// OtherFields is their common name in a list of changed fields.
	OtherFields = "*"
)

// schemaNames are in the table from the start, so that no flood of other names can keep them out.
var schemaNames = []string{
	"labels", "alert_id", "asset_id", "provider", "resolved", "severity", "tenant_id", "account_id", "description", "resource_type",
	"risk_params", "risk_category", "detection_type", "attack_scenario", "related_resources", "detection_timestamp", "first_seen_timestamp",
}

// names numbers field names. Reading is free of locks and safe for concurrent use.
type names struct {
	key   sipKey
	mu    sync.Mutex // of adding
	table atomic.Pointer[nameTable]
}

type nameTable struct {
	list  []string // by number; the first stands for all others
	keys  []uint64 // hash of each name: a field's hash depends on its name
	index map[string]uint8
}

func newNames(key sipKey, list []string) *names {
	n := &names{key: key}
	n.table.Store(&nameTable{list: []string{OtherFields}, keys: []uint64{0}, index: map[string]uint8{}})
	for _, name := range schemaNames {
		n.add(name)
	}
	for _, name := range list {
		n.add(name)
	}
	return n
}

// number returns a name's number, otherFields beyond the limits, and the hash of the name.
func (n *names) number(name string) (uint8, uint64) {
	t := n.table.Load()
	if i, ok := t.index[name]; ok {
		return i, t.keys[i]
	}
	if i := n.add(name); i != otherFields {
		return i, n.table.Load().keys[i]
	}
	return otherFields, sip13(n.key, name)
}

func (n *names) add(name string) uint8 {
	if len(name) > maxNameBytes {
		return otherFields
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	old := n.table.Load()
	if i, ok := old.index[name]; ok {
		return i
	}
	if len(old.list) >= maxNames {
		return otherFields
	}
	i := uint8(len(old.list))
	t := &nameTable{
		list:  append(old.list[:i:i], string([]byte(name))), // of its own: the record must not stay alive
		keys:  append(old.keys[:i:i], sip13(n.key, name)),
		index: make(map[string]uint8, len(old.index)+1),
	}
	for name, number := range old.index {
		t.index[name] = number
	}
	t.index[t.list[i]] = i
	n.table.Store(t)
	return i
}

// list returns the names by number, less one: the one that stands for all others is left out.
func (n *names) list() []string { return n.table.Load().list[1:] }

func (n *names) name(number uint8) string {
	if list := n.table.Load().list; int(number) < len(list) {
		return list[number]
	}
	return OtherFields // of a state that lost its names
}
