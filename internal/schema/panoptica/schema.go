// Package panoptica is the Panoptica SIEM schema: which fields a finding has, what each may hold, and how a record that
// is nearly right is set right.
//
// Source: Panoptica documentation, SIEM Integration, "SIEM JSON Schema", https://docs.panoptica.app/docs/siem-integration.
// The schema there refers to workload and risk_definitions on a developer's desktop; they stay opaque here.
package panoptica

import (
	_ "embed"

	"github.com/siempipe/siempipe/internal/jsonscan"
)

// Schema is the schema as JSON Schema draft-07, for validators and documentation. Check enforces the same rules, with
// date-time asserted; a test holds the two to each other.
//
//go:embed schema.json
var Schema []byte

// Field is a property of the schema.
type Field uint8

// Fields of a finding.
const (
	none Field = iota
	Labels
	AlertID
	AssetID
	Provider
	Resolved
	Severity
	TenantID
	AccountID
	Description
	ResourceType
	RiskParams
	RiskCategory
	DetectionType
	AttackScenario
	RelatedResources
	DetectionTimestamp
	FirstSeenTimestamp
	numFields

	firstTime = DetectionTimestamp // from here on all are date-times
)

// rule says what the value of a field must be.
type rule struct {
	name  string
	kind  jsonscan.Kind
	want  string                          // kind in words
	enum  []string                        // one of these; another case or blanks around it is mended
	alias map[string]string               // lower-case words that mean one member of enum, in Panoptica's own texts
	check func(m *jsonscan.Member) string // what is wrong with a value of that kind, "" when nothing is; nil for no more rules
}

// rules are the schema as data, in the order of the vendor's page.
var rules = [numFields]rule{
	Labels:             {name: "labels", kind: jsonscan.Array, want: "array"},
	AlertID:            {name: "alert_id", kind: jsonscan.String, want: "string"},
	AssetID:            {name: "asset_id", kind: jsonscan.String, want: "string"},
	Provider:           {name: "provider", kind: jsonscan.String, want: "string", enum: []string{"AWS", "KUBE", "AZURE", "GCP"}},
	Resolved:           {name: "resolved", kind: jsonscan.Bool, want: "true or false"},
	Severity:           {name: "severity", kind: jsonscan.String, want: "string", enum: []string{"Information", "Low", "Medium", "High", "Critical"}, alias: map[string]string{"informational": "Information", "info": "Information"}},
	TenantID:           {name: "tenant_id", kind: jsonscan.String, want: "string", check: checkTenant},
	AccountID:          {name: "account_id", kind: jsonscan.String, want: "string", check: checkAccount},
	Description:        {name: "description", kind: jsonscan.String, want: "string"},
	ResourceType:       {name: "resource_type", kind: jsonscan.String, want: "string", enum: []string{"Compute", "Data", "Identity", "Network", "Service", "Storage"}},
	RiskParams:         {name: "risk_params", kind: jsonscan.Object, want: "object", check: checkRiskParams},
	RiskCategory:       {name: "risk_category", kind: jsonscan.String, want: "string", enum: []string{"Administrator Access Compromise", "Cross Account", "Data Exposure", "Neglected Resource", "Privilege Escalation", "Risky Configurations", "Subdomain Takeover", "Vulnerable Public Workload"}},
	DetectionType:      {name: "detection_type", kind: jsonscan.String, want: "string", enum: []string{"security_finding", "attack_path", "other"}},
	AttackScenario:     {name: "attack_scenario", kind: jsonscan.String, want: "string"},
	RelatedResources:   {name: "related_resources", kind: jsonscan.Array, want: "array of arrays of strings", check: checkRelatedResources},
	DetectionTimestamp: {name: "detection_timestamp", kind: jsonscan.String, want: "string"},
	FirstSeenTimestamp: {name: "first_seen_timestamp", kind: jsonscan.String, want: "string"},
}

// Name is the field's name in the schema.
func (f Field) Name() string { return rules[f].name }

// fieldOf finds the field of an exact name without hashing: the switch on length leaves one or two comparisons.
func fieldOf(name string) Field {
	var candidates []Field
	if len(name) < len(byLength) {
		candidates = byLength[len(name)]
	}
	for _, f := range candidates {
		if rules[f].name == name {
			return f
		}
	}
	return none
}

// byLength lists the fields by the length of their names; the longest has 20 bytes.
var byLength = func() (table [21][]Field) {
	for f := Labels; f < numFields; f++ {
		n := len(rules[f].name)
		table[n] = append(table[n], f)
	}
	return table
}()
