package jsonscan

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// FuzzWhere: members that are made of where they stand are those that Members finds, also of what was read before.
func FuzzWhere(f *testing.F) {
	f.Add(`{"a":1,"b":"x"}`, `{"a":"\n","b":[1,{"c":"é"}]}`)
	f.Add(`{"a":null,"\u0062":true}`, `{"a" :1,"\u0062":[ 2]}`)
	f.Add(`{"a":1,"a":2}`, `{"a":1,"b":x}`)
	f.Add(`{}`, `0`)
	f.Add("{"+strings.Repeat(`"a":1,`, maxPlaces)+`"a":1}`, `{"é":-1.5e3}`)
	f.Fuzz(func(t *testing.T, a, b string) {
		var names, other Names
		var where []Where
		var members []Member
		var shape Shape
		for _, s := range []string{a, b, b, a, a} {
			want, wantCompact, wantShape, wantErr := other.Members(nil, s)
			from := len(where)
			got, compact, now, err := names.Where(where, s)
			if compact != wantCompact || !reflect.DeepEqual(err, wantErr) || err == nil && len(got)-from != len(want) || err != nil && len(got) != from {
				t.Fatalf("%q: %d, %v, %v, want %d, %v, %v", s, len(got)-from, compact, err, len(want), wantCompact, wantErr)
			}
			if (now == 0) != (wantShape == 0) || now != 0 && now == wantShape {
				t.Fatalf("%q: shape %d, of others %d", s, now, wantShape)
			}
			where = got
			if !compact {
				continue
			}
			if now == shape {
				SetValues(members, s, where[from:])
			} else {
				members, shape = AppendMembers(members[:0], s, where[from:]), now
			}
			if !slices.Equal(members, want) {
				t.Fatalf("%q: %+v, want %+v", s, members, want)
			}
		}
	})
}
