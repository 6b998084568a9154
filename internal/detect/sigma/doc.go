// Package sigma reads Sigma rules and finds which of many rules match a record.
//
// Rules are compiled for each log type: fields become slots that are filled from the raw JSON in one walk, the same test
// of the same field is made once for all rules, and a rule is only looked at when one of the values that it cannot match
// without is in the record. Nothing is allocated for a record that no rule matches.
//
// Specification: https://github.com/SigmaHQ/sigma-specification, version 2.1.0. What is not supported is a Problem with
// rule, line and feature, never a silent difference.
//
// Why not sigma-go v0.6.6: it has no line numbers, no correlation rules, fails on null, keywords and fieldref when it
// evaluates, and depends on a YAML library that is archived.
package sigma
