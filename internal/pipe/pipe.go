// Package pipe writes and reads pipe messages: "key:value|key:value", the format in which Perception Point sends scans
// over syslog, and in which siempipe sends scans, findings and log records.
//
// The vendor escapes nothing, and subjects, senders, names and URLs come from attackers. Parse reads the vendor's lines
// and says where they cannot be trusted; Encoder writes lines in which no value can start a pair, message or frame.
//
// Parse does not undo our own escapes: whether a line was escaped cannot be told from the line, since an attacker may write
// backslashes too. A reader of our messages splits them as SplitEscaped does.
//
// Vendor's documentation: https://docs.perception-point.io/WP/Content/PP/SIEM.htm
package pipe

//go:generate go run ./pipedoc -o ../../docs/pipe-messages.md

// Pair is one key and its value.
type Pair struct {
	Key, Value string
}
