package findingstate

import (
	"cmp"
	"encoding/json"
	"slices"
)

// open is what is not over: snapshots, scans, and what is to be looked through for findings that did not come again. It is in
// memory whole, and on disk in one key and in the log.
type open struct {
	Snapshots map[snapshotKey]snapshot `json:"-"`
	Scans     map[string]*scan         `json:"-"` // by scan id
	Closed    []closed                 `json:"closed,omitempty"`
	NextScan  uint32                   `json:"next_scan,omitempty"`
	// AnyTenant says that a disposition without a tenant has been seen.
	AnyTenant bool `json:"any_tenant,omitempty"`

	waitingBytes int64
}

// snapshotKey tells snapshots without scan ids apart.
type snapshotKey struct {
	Scope uint32 `json:"scope"`
	Day   uint16 `json:"day"`
}

// snapshot is a run of records of one scope and day. Times are in milliseconds.
type snapshot struct {
	Start int64 `json:"start"`
	Last  int64 `json:"last"`
	// Limit is the last day of the records that belong to it: it says nothing about findings of later days.
	Limit uint16 `json:"limit"`
}

// closed is a complete snapshot of a scope: findings of it that were last seen before Start did not come again.
type closed struct {
	Scope uint32 `json:"scope"`
	Start int64  `json:"start"`
	Limit uint16 `json:"limit"`
}

type savedSnapshot struct {
	snapshotKey
	snapshot
}

// savedOpen is open as JSON.
type savedOpen struct {
	plainOpen
	Snapshots []savedSnapshot `json:"snapshots,omitempty"`
	Scans     []savedScan     `json:"scans,omitempty"`
}

type savedScan struct {
	scan
	Scopes []uint32 `json:"scopes,omitempty"`
}

type plainOpen open // without the methods

func newOpen() open {
	return open{Snapshots: map[snapshotKey]snapshot{}, Scans: map[string]*scan{}, NextScan: 1}
}

// MarshalJSON writes maps as sorted lists.
func (o *open) MarshalJSON() ([]byte, error) {
	s := savedOpen{plainOpen: plainOpen(*o)}
	for key, sn := range o.Snapshots {
		s.Snapshots = append(s.Snapshots, savedSnapshot{key, sn})
	}
	slices.SortFunc(s.Snapshots, func(a, b savedSnapshot) int {
		return cmp.Or(cmp.Compare(a.Scope, b.Scope), cmp.Compare(a.Day, b.Day))
	})
	for _, sc := range o.Scans {
		one := savedScan{scan: *sc}
		for n := range sc.scopes {
			one.Scopes = append(one.Scopes, n)
		}
		slices.Sort(one.Scopes)
		s.Scans = append(s.Scans, one)
	}
	slices.SortFunc(s.Scans, func(a, b savedScan) int { return cmp.Compare(a.No, b.No) })
	return json.Marshal(s)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (o *open) UnmarshalJSON(data []byte) error {
	var s savedOpen
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	*o = open(s.plainOpen)
	o.Snapshots, o.Scans, o.waitingBytes = map[snapshotKey]snapshot{}, map[string]*scan{}, 0
	o.NextScan = max(o.NextScan, 1)
	for _, one := range s.Snapshots {
		o.Snapshots[one.snapshotKey] = one.snapshot
	}
	for _, one := range s.Scans {
		sc := one.scan
		sc.scopes = make(map[uint32]struct{}, len(one.Scopes))
		for _, n := range one.Scopes {
			sc.scopes[n] = struct{}{}
		}
		o.Scans[sc.ID] = &sc
		o.waitingBytes += sc.Bytes
	}
	return nil
}
