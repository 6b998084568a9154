package main

// covers reports whether a pattern with * and ? matches everything that wanted, a text or a pattern with *, stands for.
func covers(pattern, wanted string) bool {
	// Whether what is left of wanted is covered by what is left of the pattern: a row for each letter of the pattern, last first.
	next := make([]bool, len(wanted)+1)
	next[len(wanted)] = true
	for i := len(pattern) - 1; i >= 0; i-- {
		row := make([]bool, len(wanted)+1)
		for j := len(wanted); j >= 0; j-- {
			switch {
			case pattern[i] == '*':
				row[j] = next[j] || j < len(wanted) && row[j+1]
			case j == len(wanted) || wanted[j] == '*': // a ? or a letter stands for less than a *
			default:
				row[j] = (pattern[i] == '?' || pattern[i] == wanted[j]) && next[j+1]
			}
		}
		next = row
	}
	return next[0]
}

// overlaps reports whether there is a text that two patterns with * and ? both match.
func overlaps(a, b string) bool {
	next := make([]bool, len(b)+1) // as in covers
	for i := len(a); i >= 0; i-- {
		row := make([]bool, len(b)+1)
		for j := len(b); j >= 0; j-- {
			inA, inB := i < len(a), j < len(b)
			switch {
			case !inA && !inB:
				row[j] = true
			case inA && a[i] == '*':
				row[j] = next[j] || inB && row[j+1]
			case inB && b[j] == '*':
				row[j] = row[j+1] || inA && next[j]
			case inA && inB:
				row[j] = (a[i] == '?' || b[j] == '?' || a[i] == b[j]) && next[j+1]
			}
		}
		next = row
	}
	return next[0]
}
