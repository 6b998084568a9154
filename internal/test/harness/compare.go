package harness

import (
	"fmt"
	"time"
)

// maxSegment is the longest segment of a key, in bytes.
const maxSegment = 128

// segment is how a value stands in an object key: each byte that is not safe as an underscore, cut, unknown when empty.
func segment(s string) string {
	if s == "" {
		return "unknown"
	}
	out := []byte(s[:min(len(s), maxSegment)])
	for i, c := range out {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			out[i] = '_'
		}
	}
	return string(out)
}

// Compare holds the tree to what is expected and returns what is wrong: records that are missing, stand under a wrong
// key, or were to be dropped. Objects that hold an expected record are returned as ours. With exact, none may be
// there more often than it is expected, and nothing else: equal records of two batches can be one object, under one key.
func Compare(all []Expected, objects []Object, root string, exact bool) (ours []Object, problems []string) {
	type place struct{ object, line int }
	found := map[string][]place{}
	for i := range objects {
		if n := len(objects[i].Segments()); n != 5 {
			problems = append(problems, fmt.Sprintf("%s: %d segments in its key, want 5", objects[i].Key, n))
			continue
		}
		for j, line := range objects[i].Lines {
			same, err := identity(line)
			if err != nil {
				problems = append(problems, fmt.Sprintf("%s: line %d is no JSON object: %v", objects[i].Key, j+1, err))
				continue
			}
			found[same] = append(found[same], place{i, j})
		}
	}
	today := time.Now().UTC()
	isOurs := make([]bool, len(objects))
	wanted := map[string]int{}
	for i := range all {
		e := &all[i]
		places := found[e.same]
		if e.Dropped != "" {
			if len(places) > 0 && wanted[e.same] == 0 {
				problems = append(problems, fmt.Sprintf("%s: %s, but is in %s", e.Name, e.Dropped, objects[places[0].object].Key))
			}
			continue
		}
		wanted[e.same]++
		if len(places) == 0 {
			problems = append(problems, fmt.Sprintf("%s: %s record is missing", e.Name, e.EventType))
			continue
		}
		ok := false
		for _, p := range places {
			s := objects[p.object].Segments()
			day := s[2] == e.Day
			if e.Day == "" { // the day of arrival, which midnight may have ended
				day = exact && (s[2] == today.Format(time.DateOnly) || s[2] == today.Add(-time.Hour).Format(time.DateOnly)) || !exact
			}
			if s[0] == root && s[1] == segment(e.EventType) && day && s[3] == segment(e.Account) {
				ok, isOurs[p.object] = true, true
			}
		}
		if !ok {
			problems = append(problems, fmt.Sprintf("%s: is in %s, want %s/%s/%s/%s/", e.Name, objects[places[0].object].Key,
				root, segment(e.EventType), e.Day, segment(e.Account)))
		}
	}
	for same, places := range found {
		if n := len(places); exact && n > wanted[same] {
			problems = append(problems, fmt.Sprintf("%s: record stands %d times, want %d at most: %.200s", objects[places[0].object].Key, n, wanted[same], same))
		}
	}
	for i := range objects {
		if isOurs[i] {
			ours = append(ours, objects[i])
		}
	}
	return ours, problems
}
