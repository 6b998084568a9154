// Package rules holds the detection rules that are built in, one file each with its tests.
package rules

import "embed"

// FS holds the rule files.
//
//go:embed *.yml
var FS embed.FS
