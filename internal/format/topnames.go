package format

import "github.com/siempipe/siempipe/internal/jsonscan"

// topNames is a set of names that an object has at its top; by them the formats tell their records from others'. Each format
// declares the sets that it asks for in its own file, with namesOf.
type topNames struct{ low, high uint64 }

// Names that some format asks for, each with its bit. Names of one bit are spellings, or alternatives, of each other.
var (
	nameBits = map[string]topNames{}
	bitCount int
	// nameLengths says by the first byte of a name which lengths names that begin so have: most names end here.
	nameLengths [256]uint64
)

// longestName bounds the names that can be asked for.
const longestName = 63

// namesOf returns the set of names. One that is written "a|b" is there when either is. It is called when the package's variables
// are set, once for each set.
func namesOf(names ...string) (set topNames) {
	for _, name := range names {
		set = set.with(bitOf(name))
	}
	return set
}

// bitOf is the bit of a name and its alternatives. Who asks for one of several alternatives asks for all of them.
func bitOf(alternatives string) topNames {
	var names []string
	for at, i := 0, 0; i <= len(alternatives); i++ {
		if i == len(alternatives) || alternatives[i] == '|' {
			names, at = append(names, alternatives[at:i]), i+1
		}
	}
	if bit, ok := nameBits[names[0]]; ok {
		for _, name := range names {
			if nameBits[name] != bit {
				panic("format: " + name + " belongs to two sets of alternatives")
			}
		}
		return bit
	}
	var bit topNames
	switch {
	case bitCount < 64:
		bit.low = 1 << bitCount
	case bitCount < 128:
		bit.high = 1 << (bitCount - 64)
	default:
		panic("format: more than 128 names to tell formats by")
	}
	bitCount++
	for _, name := range names {
		if len(name) > longestName || nameBits[name] != (topNames{}) {
			panic("format: " + name + " is too long, or belongs to two sets of alternatives")
		}
		nameBits[name] = bit
		nameLengths[name[0]] |= 1 << len(name)
	}
	return bit
}

func (s topNames) with(other topNames) topNames {
	return topNames{s.low | other.low, s.high | other.high}
}

// nameBit finds the bit of a name, which is mostly none.
func nameBit(name string) topNames {
	if name == "" || len(name) > longestName || nameLengths[name[0]]&(1<<len(name)) == 0 {
		return topNames{}
	}
	return nameBits[name]
}

// has reports whether the input is an object with all of the names.
func (in *Input) has(names topNames) bool {
	if !in.topKnown {
		in.topKnown = true
		if in.shape == 0 || in.shape != in.topShape { // else they are those of the object before
			in.top, in.topShape = topNamesIn(in.Members), in.shape
		}
	}
	return in.top.low&names.low == names.low && in.top.high&names.high == names.high
}

func topNamesIn(members []jsonscan.Member) (set topNames) {
	for i := range members {
		set = set.with(nameBit(members[i].Key()))
	}
	return set
}
