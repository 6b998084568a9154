package pairs

import "github.com/siempipe/siempipe/internal/jsonscan"

// names finds the members of a body that the tables ask for, all in one pass. Tables have some twenty keys with several alternatives
// each: to look through the members once for each of them would cost more than to scan the body.
type names struct {
	ids  map[string]int32 // of every name that a path of a table has
	text []string         // by id
	at   []int32          // index of the last member of that name, plus one; 0 is none
	// order holds what the record before had at the same place, as id plus one: records of one source look alike.
	order [32]int32
}

// id is the number of a name, the same for the same name.
func (n *names) id(name string) int32 {
	id, ok := n.ids[name]
	if !ok {
		if n.ids == nil {
			n.ids = make(map[string]int32)
		}
		id = int32(len(n.text))
		n.ids[name] = id
		n.text = append(n.text, name)
		n.at = append(n.at, 0)
	}
	return id
}

// find takes the members of the next body.
func (n *names) find(members []jsonscan.Member) {
	clear(n.at)
	for i := range members {
		m := &members[i]
		guess := &n.order[i%len(n.order)]
		if *guess == 0 || n.text[*guess-1] != m.Name {
			id, ok := n.ids[m.Key()]
			if !ok {
				continue
			}
			*guess = id + 1
		}
		n.at[*guess-1] = int32(i) + 1
	}
}

// last is the member of a name; of several the last, as encoding/json and most readers have it. nil is none.
func (n *names) last(members []jsonscan.Member, id int32) *jsonscan.Member {
	if i := n.at[id]; i != 0 {
		return &members[i-1]
	}
	return nil
}
