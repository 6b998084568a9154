package digest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// Kind is what is wrong.
type Kind string

// Kinds of problems.
const (
	FileMissing   Kind = "log_file_missing"
	FileChanged   Kind = "log_file_changed"
	DigestMissing Kind = "digest_missing"
	DigestChanged Kind = "digest_changed"
	Gap           Kind = "gap"
	BadSignature  Kind = "bad_signature"
	Moved         Kind = "moved"
	Unreadable    Kind = "unreadable"
	// Unverified asks for a newer file of keys; all the others are Critical.
	Unverified Kind = "unverified"
)

var scenarios = map[Kind]string{
	FileMissing:   "CloudTrail log file deleted",
	FileChanged:   "CloudTrail log file changed after delivery",
	DigestMissing: "CloudTrail digest deleted",
	DigestChanged: "CloudTrail digest changed after delivery",
	Gap:           "Gap in CloudTrail's digests",
	BadSignature:  "CloudTrail digest with a wrong signature",
	Moved:         "CloudTrail digest moved or copied",
	Unreadable:    "CloudTrail digest unreadable",
	Unverified:    "CloudTrail digest not verified: public key missing",
}

// Problem is one thing that is wrong with a digest or with what it lists.
type Problem struct {
	Kind Kind
	// Bucket and Object name what is wrong, DigestBucket and DigestObject the digest that tells.
	Bucket, Object             string
	DigestBucket, DigestObject string
	AccountID                  string // the digest's; empty when it is unreadable
	Detail                     string
	Time                       time.Time // the digest's end; zero when it is unreadable
}

// Severity is the problem's in the words of the SIEM schema.
func (p *Problem) Severity() string {
	if p.Kind == Unverified {
		return "Medium"
	}
	return "Critical"
}

// Finding is the problem as a finding of the Panoptica SIEM schema, in JSON. The same problem has the same alert_id
// whenever it is found.
func (p *Problem) Finding() []byte {
	sum := sha256.Sum256([]byte(string(p.Kind) + "\x00" + p.Bucket + "\x00" + p.Object + "\x00" + p.DigestBucket + "\x00" + p.DigestObject))
	digest := ARN(p.DigestBucket, p.DigestObject)
	f := struct {
		Labels      []string   `json:"labels"`
		AlertID     string     `json:"alert_id"`
		AssetID     string     `json:"asset_id"`
		Provider    string     `json:"provider"`
		Severity    string     `json:"severity"`
		AccountID   string     `json:"account_id,omitempty"`
		Description string     `json:"description"`
		Resource    string     `json:"resource_type"`
		Detection   string     `json:"detection_type"`
		Scenario    string     `json:"attack_scenario"`
		Related     [][]string `json:"related_resources"`
		Time        string     `json:"detection_timestamp,omitempty"`
	}{
		Labels: []string{"CloudTrail", string(p.Kind)}, AlertID: "cloudtrail-digest-" + hex.EncodeToString(sum[:16]), AssetID: ARN(p.Bucket, p.Object),
		Provider: "AWS", Severity: p.Severity(), Description: scenarios[p.Kind] + ": " + ARN(p.Bucket, p.Object) + ": " + p.Detail,
		Resource: "Storage", Detection: "security_finding", Scenario: scenarios[p.Kind], Related: [][]string{{digest}},
	}
	if n := len([]rune(p.AccountID)); n > 0 && n <= 50 { // what the schema takes
		f.AccountID = p.AccountID
	}
	if !p.Time.IsZero() {
		f.Time = p.Time.UTC().Format(time.RFC3339)
	}
	body, err := json.Marshal(f)
	if err != nil { // strings only
		panic(err)
	}
	return body
}
