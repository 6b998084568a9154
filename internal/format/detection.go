package format

import "github.com/siempipe/siempipe/internal/record"

// detection is the format of findings that the detection processor made. It lets such a finding keep its format when another
// collector parses it again. It is not in Formats: no source writes it, and only its attribute tells it from any other finding.
var detection = Format{
	Name:       record.FormatDetection,
	EventTypes: []string{record.SecurityFinding, record.AttackPath, record.Other},
	parse:      parsePanoptica,
}
