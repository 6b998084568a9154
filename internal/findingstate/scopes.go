package findingstate

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// scope is what a snapshot covers: the findings of one account of a tenant, from one format.
type scope struct {
	Tenant  string `json:"t,omitempty"`
	Account string `json:"a,omitempty"`
	Format  string `json:"f,omitempty"`
}

const (
	// maxScopes bounds the memory that scopes cost, about 200 bytes each. Findings of scopes beyond it have number 0 and are
	// never marked not_seen.
	maxScopes = 1 << 18
	// scopesPerKey is how many are stored together.
	scopesPerKey = 256
	// maxScopeBytes is the longest scope that has a number.
	maxScopeBytes = 512
)

// scopes numbers scopes, from 1 on.
type scopes struct {
	list  []scope
	index map[scope]uint32
	last  scope // asked for last, and its number
	num   uint32
	saved int // in the log or on disk
	paged int // on disk
}

func newScopes() *scopes { return &scopes{index: map[scope]uint32{}} }

func (s *scopes) number(sc scope) uint32 {
	if sc == s.last && s.num != 0 {
		return s.num
	}
	n, ok := s.index[sc]
	if !ok {
		if len(s.list) >= maxScopes || len(sc.Tenant)+len(sc.Account)+len(sc.Format) > maxScopeBytes {
			return 0
		}
		sc = scope{strings.Clone(sc.Tenant), strings.Clone(sc.Account), strings.Clone(sc.Format)}
		n = s.add(sc)
	}
	s.last, s.num = s.list[n-1], n
	return n
}

func (s *scopes) add(sc scope) uint32 {
	s.list = append(s.list, sc)
	n := uint32(len(s.list))
	s.index[sc] = n
	return n
}

// get returns a scope by its number; not ok for 0 and for numbers that a damaged state holds.
func (s *scopes) get(n uint32) (scope, bool) {
	if n == 0 || int(n) > len(s.list) {
		return scope{}, false
	}
	return s.list[n-1], true
}

// dirtyKeys are the operations that store what is not on disk yet.
func (s *scopes) dirtyKeys() ([]Op, error) {
	var ops []Op
	list := s.list[:s.saved]
	for from := s.paged / scopesPerKey * scopesPerKey; from < len(list); from += scopesPerKey {
		value, err := json.Marshal(list[from:min(from+scopesPerKey, len(list))])
		if err != nil {
			return nil, err
		}
		ops = append(ops, Op{Kind: Set, Key: scopeKey(uint32(from / scopesPerKey)), Value: value})
	}
	return ops, nil
}

func (t *Tracker) readScopes(ctx context.Context) error {
	for n := uint32(0); ; n++ {
		ops := []Op{{Kind: Get, Key: scopeKey(n)}}
		if err := t.store.Batch(ctx, ops); err != nil {
			return fmt.Errorf("read the state: %w", err)
		}
		if ops[0].Value == nil {
			break
		}
		var list []scope
		if err := json.Unmarshal(ops[0].Value, &list); err != nil {
			return fmt.Errorf("%s: %w", ops[0].Key, err)
		}
		for _, sc := range list {
			t.scopes.add(sc)
		}
		if len(list) < scopesPerKey {
			break
		}
	}
	t.scopes.saved = len(t.scopes.list)
	t.scopes.paged = t.scopes.saved
	return nil
}
