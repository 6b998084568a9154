package jsonscan

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// FuzzNames: what stood before changes nothing about what is read, and two objects of one shape have the same names.
func FuzzNames(f *testing.F) {
	f.Add(`{"a":1,"b":"x"}`, `{"a":"\n","b":[1,{"c":"é"}]}`)
	f.Add(`{"a":1,"b":2}`, `{"a":1}`)
	f.Add(`{"a":1,"\u0062":2}`, `{"a" :1,"\u0062":[ 2]}`)
	f.Add(`{"a":1,"a":2}`, `{"a":1,"b":x}`)
	f.Add(`{}`, `0`)
	f.Add(`{"`+strings.Repeat("a", maxName)+`":1}`, `{"é":1`)
	f.Fuzz(func(t *testing.T, a, b string) {
		var n Names
		var before []string
		var shape Shape
		for _, s := range []string{a, b, b, a, a} {
			want, wantCompact, wantErr := Members(nil, s)
			got, compact, now, err := n.Members(nil, s)
			if compact != wantCompact || !reflect.DeepEqual(err, wantErr) || !slices.Equal(got, want) {
				t.Fatalf("%q: %+v, %v, %v, want %+v, %v, %v", s, got, compact, err, want, wantCompact, wantErr)
			}
			if err != nil {
				continue
			}
			var names []string
			for i := range got {
				names = append(names, got[i].Name)
			}
			if now == 0 || now == shape && !slices.Equal(names, before) {
				t.Fatalf("%q: shape %d of %q and %q", s, now, before, names)
			}
			before, shape = names, now
		}
	})
}

func TestShape(t *testing.T) {
	var n, other Names
	shapeOf := func(n *Names, s string) Shape {
		_, _, shape, _ := n.Members(nil, s)
		return shape
	}
	first := shapeOf(&n, `{"a":1,"b":[2],"c":{}}`)
	for s, same := range map[string]bool{
		`{"a":"x","b":null,"c":[]}`: true, ` { "a":1 ,"b": "é","c":"\n" } `: true,
		`{"a":1,"c":{},"b":[2]}`: false, `{"a":1,"b":[2]}`: false, `{}`: false, `{"a":1,"b":[2],"c":{},"d":0}`: false, `{"a":1,"b":[2],"c":{}`: false,
		`{"a":1,"b":[2],"\u0063":{}}`: false,
	} {
		now := shapeOf(&n, s)
		if (now == first) != same {
			t.Errorf("%s: shape %d after %d", s, now, first)
		}
		first = shapeOf(&n, `{"a":1,"b":[2],"c":{}}`)
	}
	if shapeOf(&other, `{"a":1,"b":[2],"c":{}}`) == first {
		t.Error("two Names, one number")
	}
	many := "{" + strings.Repeat(`"a":1,`, maxPlaces) + `"a":1}`
	if first = shapeOf(&n, many); shapeOf(&n, many) == first {
		t.Error("more names than are remembered")
	}
	if shape := shapeOf(nil, `{"a":1}`); shape != 0 {
		t.Error("nil Names: ", shape)
	}
}

// TestNestedAsStepByStep: the one loop and the steps take the same texts, and agree about blanks.
func TestNestedAsStepByStep(t *testing.T) {
	for _, s := range []string{
		`[]`, `{}`, `[{}]`, `[[],[]]`, `{"a":[]}`, `{"a":{},"b":[1,-2.5e3,"x",true,false,null]}`, `["\n","é","\ud83d\ude00"]`, `{"é":1}`, `{"\u0061":1}`,
		`[1 ]`, `[ 1]`, `{ "a":1}`, `{"a": 1}`, `{"a":1 }`, `[1, 2]`, `{"a":1, "b":2}`, `[[1],{"a":[1 ]}]`,
		`[`, `{`, `[1`, `{"a"`, `{"a":`, `{"a":1`, `[1,`, `[1,]`, `{"a":1,}`, `{"a":1,"b"}`, `[}`, `{]`, `[1}`, `{"a":1]`, `[[1},2]`, `{1:2}`, `{"a",1}`, `["a":1]`, `[01]`, `["a]`, "[\"\x01\"]", "[\"\xff\"]", `[tru]`, `[1 2]`,
		strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth), strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1),
		strings.Repeat(`{"a":`, MaxDepth) + "1" + strings.Repeat("}", MaxDepth), strings.Repeat(`{"a":`, MaxDepth+1) + "1" + strings.Repeat("}", MaxDepth+1),
	} {
		asStepByStep(t, s)
	}
}

func asStepByStep(t *testing.T, s string) {
	for _, text := range []string{s, s + "x", s + `,"y"`} {
		fast, slow := scanner{s: text}, scanner{s: text, stepwise: true}
		end, kind, escaped, err := fast.value(0, 0)
		wantEnd, wantKind, wantEscaped, wantErr := slow.value(0, 0)
		if end != wantEnd || kind != wantKind || escaped != wantEscaped || !reflect.DeepEqual(err, wantErr) || err == nil && fast.spaced != slow.spaced {
			t.Fatalf("%q: %d %v %v %v, want %d %v %v %v", text, end, kind, fast.spaced, err, wantEnd, wantKind, slow.spaced, wantErr)
		}
	}
}

// TestShapesNeverRunOut: who has given all its numbers does not go on with those of another.
func TestShapesNeverRunOut(t *testing.T) {
	first := Shape(0).Next()
	other := Shape(0).Next()
	last := first&^(1<<32-1) | (1<<32 - 1)
	if next := last.Next(); next>>32 == first>>32 || next>>32 == other>>32 || next == 0 {
		t.Errorf("%x after %x, another has %x", next, last, other)
	}
}
