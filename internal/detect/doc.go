// Package detect turns records that match detection rules into findings: it reads rules, counts matches in windows of event time and
// builds the findings.
//
// A rule's siempipe section says what Sigma cannot: thresholds, windows, titles. Findings follow the Panoptica SIEM schema. The package
// imports nothing of the Collector or of Fluent Bit.
package detect
