// Package detect makes findings of records that rules match: it reads what a rule's siempipe section says beyond
// matching, counts matches in windows of event time, and builds findings of the Panoptica SIEM schema.
//
// It imports nothing of the Collector or of Fluent Bit.
package detect
