package format

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/siempipe/siempipe/internal/perceptionpoint"
	"github.com/siempipe/siempipe/internal/record"
)

// VerdictSeverity is the severity of a verdict, by its code and by the word of the vendor's documentation for it.
type VerdictSeverity struct {
	Code, Word string
	Severity   record.Severity
}

// VerdictSeverities are the severities unless Options.VerdictSeverities say otherwise. Every other verdict has none: a new
// code must not look harmless.
// Source: https://docs.perception-point.io/WP/Content/PP/Verdicts.htm
var VerdictSeverities = [...]VerdictSeverity{
	{perceptionpoint.VerdictMalicious, "Malicious", record.SeverityHigh},
	{perceptionpoint.VerdictRestricted, "Restricted", record.SeverityHigh},
	{perceptionpoint.VerdictSuspicious, "Suspicious", record.SeverityMedium},
	{perceptionpoint.VerdictSpam, "Spam", record.SeverityLow},
	{perceptionpoint.VerdictClean, "Clean", record.SeverityInformation},
}

// noSeverity is what users write for a verdict that shall have none.
const noSeverity = "none"

func verdictRow(verdict string) *VerdictSeverity {
	for i := range VerdictSeverities {
		if row := &VerdictSeverities[i]; row.Code == verdict || row.Word == verdict {
			return row
		}
	}
	return nil
}

// verdictSeverities reads Options.VerdictSeverities: by code, words turned into their codes.
func verdictSeverities(words map[string]string) (map[string]record.Severity, error) {
	if len(words) == 0 {
		return nil, nil
	}
	severities := make(map[string]record.Severity, len(words))
	var errs []error
	for _, verdict := range slices.Sorted(maps.Keys(words)) {
		severity, ok := record.SeverityUnknown, words[verdict] == noSeverity
		for s := record.SeverityInformation; s <= record.SeverityCritical; s++ {
			if words[verdict] == s.String() {
				severity, ok = s, true
			}
		}
		if !ok {
			errs = append(errs, fmt.Errorf("scan_severities: %.64q: is %.64q, want Information, Low, Medium, High, Critical or %s", verdict, words[verdict], noSeverity))
			continue
		}
		code := verdict
		if row := verdictRow(verdict); row != nil {
			code = row.Code
		}
		if _, twice := severities[code]; twice {
			errs = append(errs, fmt.Errorf("scan_severities: %.64q: its code and its word both have a severity", verdict))
		}
		severities[code] = severity
	}
	return severities, errors.Join(errs...)
}

// severity is what the options, or else VerdictSeverities, say of a verdict. One that neither knows has the severity that
// the options give to "unknown".
func (p *Parser) severity(verdict string) record.Severity {
	row := verdictRow(verdict)
	if row != nil {
		verdict = row.Code
	}
	if s, ok := p.severities[verdict]; ok {
		return s
	}
	if row != nil {
		return row.Severity
	}
	return p.severities[perceptionpoint.VerdictUnknown]
}
