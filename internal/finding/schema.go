// Package finding is the Panoptica SIEM schema: which fields a finding has, what each may hold, and how a record that
// is nearly right is set right.
//
// Source: Panoptica documentation, SIEM Integration, "SIEM JSON Schema", https://docs.panoptica.app/docs/siem-integration.
// The schema there refers to workload and risk_definitions on a developer's desktop; they stay opaque here.
package finding

import _ "embed"

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

// rule says what the value of a field must be. Exactly one of its members beside name is set.
type rule struct {
	name  string
	enum  []string              // one of these; another case or blanks around it is mended
	alias map[string]string     // lower-case words that mean one member of enum, in Panoptica's own texts
	check func(v *value) string // what is wrong, "" when nothing is
}

// rules are the schema as data, in the order of the vendor's page.
var rules = [numFields]rule{
	Labels:             {name: "labels", check: isArray},
	AlertID:            {name: "alert_id", check: isString},
	AssetID:            {name: "asset_id", check: isString},
	Provider:           {name: "provider", enum: []string{"AWS", "KUBE", "AZURE", "GCP"}},
	Resolved:           {name: "resolved", check: isBool},
	Severity:           {name: "severity", enum: []string{"Information", "Low", "Medium", "High", "Critical"}, alias: map[string]string{"informational": "Information", "info": "Information"}},
	TenantID:           {name: "tenant_id", check: isTenant},
	AccountID:          {name: "account_id", check: isAccount},
	Description:        {name: "description", check: isString},
	ResourceType:       {name: "resource_type", enum: []string{"Compute", "Data", "Identity", "Network", "Service", "Storage"}},
	RiskParams:         {name: "risk_params", check: isRiskParams},
	RiskCategory:       {name: "risk_category", enum: []string{"Administrator Access Compromise", "Cross Account", "Data Exposure", "Neglected Resource", "Privilege Escalation", "Risky Configurations", "Subdomain Takeover", "Vulnerable Public Workload"}},
	DetectionType:      {name: "detection_type", enum: []string{"security_finding", "attack_path", "other"}},
	AttackScenario:     {name: "attack_scenario", check: isString},
	RelatedResources:   {name: "related_resources", check: isRelatedResources},
	DetectionTimestamp: {name: "detection_timestamp", check: isDateTime},
	FirstSeenTimestamp: {name: "first_seen_timestamp", check: isDateTime},
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
