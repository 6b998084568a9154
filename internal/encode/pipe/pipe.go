// Package pipe writes pipe messages: "key:value|key:value", the form in which Perception Point sends scans over syslog, and in
// which siempipe sends scans, findings and log records.
//
// The vendor escapes nothing, and subjects, senders, names and URLs come from attackers. Encoder writes lines in which no value can
// start a pair, message or frame; SplitEscaped is how a reader takes them apart. The vendor's own lines are read by package
// perceptionpoint, which does not undo our escapes: whether a line was escaped cannot be told from the line, since an attacker may
// write backslashes too.
package pipe

// Pair is one key of a message and its value.
type Pair struct {
	Key, Value string
}
