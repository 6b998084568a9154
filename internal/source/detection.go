package source

import "github.com/siempipe/siempipe/internal/record"

// detection is the format of findings that the detection processor made: a record that says so stays what it is when it is
// parsed again behind a queue between two collectors. It is in no table, since no source writes it and nothing but the
// attribute tells it from any other finding.
var detection = Format{
	Name:       record.FormatDetection,
	EventTypes: []string{record.SecurityFinding, record.AttackPath, record.Other},
	parse:      parsePanoptica,
}
