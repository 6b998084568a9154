// Package pipe writes pipe messages: "key:value|key:value", the form in which Perception Point sends scans over syslog, and in
// which siempipe sends scans, findings and log records.
//
// The vendor escapes nothing, and subjects, senders, names and URLs come from attackers. New returns an encoder of lines in which
// no value can start a pair, message or frame; SplitEscaped shows how a reader splits them. Package perceptionpoint reads the
// vendor's own lines. It does not undo our escapes: whether a line was escaped cannot be told from the line, since an attacker may
// write backslashes too.
package pipe
