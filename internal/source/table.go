// Package source reads raw records of every source format into records: it finds out which format a text is in, checks
// it, sets right what has one right answer and turns everything else into an invalid record that keeps the input whole.
//
// Adding a format is one file here, one folder in testdata and one row in Formats.
package source

import "github.com/siempipe/siempipe/internal/record"

// Format is a source format. Formats are immutable.
type Format struct {
	// Name is what users write as format and what stands in siem.format.
	Name string
	// Doc is the address of the vendor's description.
	Doc string
	// EventTypes are those that its records can have, beside invalid and, for scans, the findings made of them.
	EventTypes []string

	// scans says that its records are scans, which Options.ScansAsFindings turns into findings.
	scans bool
	// claims reports whether the input is in this format, by marks that no other format has.
	claims func(*Input) bool
	// parse fills rec from the input. Its error makes the record invalid; rec may then be half filled.
	parse func(*Parser, *Input, *record.Record) error
}

// Auto is the name that stands for finding out the format of each record.
const Auto = "auto"

// Formats are all source formats. testdata has a folder for each.
var Formats = []Format{
	{
		Name:       "panoptica",
		Doc:        "https://docs.panoptica.app/docs/siem-integration",
		EventTypes: []string{record.SecurityFinding, record.AttackPath, record.Other},
		claims:     claimsPanoptica, parse: parsePanoptica,
	},
	{
		Name:       "perception_point",
		Doc:        "https://docs.perception-point.io/WP/Content/PP/API-Scan-search.htm",
		EventTypes: []string{record.EmailScan, record.FileScan, record.URLScan, record.Other},
		claims:     claimsPerceptionPoint, scans: true, parse: parsePerceptionPoint,
	},
	{
		Name:       "perception_point_audit",
		Doc:        "https://docs.perception-point.io/WP/Content/PP/API-Audit.htm",
		EventTypes: []string{perceptionPointAudit},
		claims:     claimsPerceptionPointAudit, parse: parsePerceptionPointAudit,
	},
	{
		Name:       "perception_point_syslog",
		Doc:        "https://docs.perception-point.io/WP/Content/PP/SIEM.htm",
		EventTypes: []string{record.EmailScan, record.FileScan, record.URLScan, record.Other},
		claims:     claimsPerceptionPointSyslog, scans: true, parse: parsePerceptionPointSyslog,
	},
}

// Names lists the names of all formats, without Auto.
func Names() []string {
	names := make([]string, len(Formats))
	for i := range Formats {
		names[i] = Formats[i].Name
	}
	return names
}

// Lookup finds a format by its name.
func Lookup(name string) (*Format, bool) {
	for i := range Formats {
		if Formats[i].Name == name {
			return &Formats[i], true
		}
	}
	return nil, false
}
