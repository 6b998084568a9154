package format

import "strings"

// IsHeader reports whether a line of text is a header of a format ("" or Auto: of any): it names the fields of the lines
// behind it and is no record itself. Only flow logs have one.
func IsHeader(format, line string) bool {
	switch format {
	case "", Auto, vpcFlowName:
		return isFlowHeader(line)
	}
	return false
}

// minFlowNames is how many known names make a line of text a flow log's header; a record holds numbers and addresses.
const minFlowNames = 5

func isFlowHeader(line string) bool {
	if line == "" || line[0] != '$' && (line[0] < 'a' || line[0] > 'z') { // a record begins with a digit, an address or a dash
		return false
	}
	known := 0
	for name := range strings.FieldsSeq(line) {
		for i := range len(name) {
			switch c := name[i]; {
			case 'a' <= c && c <= 'z' || c == '-' || c == '$' || c == '{' || c == '}':
			case '0' <= c && c <= '9' && i > 0:
			default: // a text that happens to use these words
				return false
			}
		}
		if flowColumnOf(name) != flowUnknown {
			known++
		}
	}
	return known >= minFlowNames
}
