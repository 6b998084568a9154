package main

import (
	"errors"
	"fmt"
	"regexp"
)

// policy is a bucket policy.
// See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
type policy struct {
	Version   string     `json:"Version,omitempty"`
	ID        string     `json:"Id,omitempty"`
	Statement statements `json:"Statement"`
}

type statement struct {
	Sid          string     `json:"Sid,omitempty"`
	Effect       string     `json:"Effect"`
	Principal    *principal `json:"Principal,omitempty"`
	NotPrincipal *principal `json:"NotPrincipal,omitempty"`
	Action       texts      `json:"Action,omitempty"`
	NotAction    texts      `json:"NotAction,omitempty"`
	Resource     texts      `json:"Resource,omitempty"`
	NotResource  texts      `json:"NotResource,omitempty"`
	Condition    conditions `json:"Condition,omitempty"`
}

// conditions are values by operator and key.
type conditions map[string]map[string]texts

const (
	allow         = "Allow"
	deny          = "Deny"
	policyVersion = "2012-10-17"

	aclKey   = "s3:x-amz-acl"
	ownerACL = "bucket-owner-full-control"
)

// Actions of the policy that Panoptica's console makes, by what they are about.
// Source: Panoptica, "AWS S3 Bucket Integration", Generate Access Policy.
var (
	bucketActions = texts{"s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"}
	objectActions = texts{"s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject", "s3:PutObjectAcl"}
	// allActions are both, in the console's order.
	allActions = texts{
		"s3:AbortMultipartUpload", "s3:GetBucketLocation", "s3:GetObject", "s3:ListBucket", "s3:ListBucketMultipartUploads",
		"s3:PutObject", "s3:PutObjectAcl",
	}
	// aclActions carry the ACL.
	aclActions = texts{"s3:PutObject", "s3:PutObjectAcl"}
)

// options are what a policy is made for.
type options struct {
	buckets []arn
	roles   []arn
	strict  bool
	root    string
	tags    bool
}

// arn is an Amazon Resource Name.
type arn struct{ text, partition, account, resource string }

var (
	bucketARN = regexp.MustCompile(`^arn:(aws[a-z-]*):s3:()::([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])$`)
	roleARN   = regexp.MustCompile(`^arn:(aws[a-z-]*):iam::(\d{12}):((?:role|user)/[\w+=,.@/-]+)$`)
	rootText  = regexp.MustCompile(`^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$`)
)

func parseARN(form *regexp.Regexp, text string) (arn, bool) {
	m := form.FindStringSubmatch(text)
	if m == nil {
		return arn{}, false
	}
	return arn{text: text, partition: m[1], account: m[2], resource: m[3]}, true
}

// parse takes the ARNs in; the error names each that is wrong.
func (o *options) parse(buckets, roles []string) error {
	var errs []error
	if len(buckets) == 0 {
		errs = append(errs, errors.New("-bucket-arn: required, as in arn:aws:s3:::acme-siem"))
	}
	if len(roles) == 0 {
		errs = append(errs, errors.New("-role-arn: required, as in arn:aws:iam::111122223333:role/siempipe"))
	}
	for _, text := range buckets {
		a, ok := parseARN(bucketARN, text)
		if !ok {
			errs = append(errs, fmt.Errorf("-bucket-arn: %q is no ARN of a bucket, as arn:aws:s3:::acme-siem is", text))
		}
		o.buckets = append(o.buckets, a)
	}
	for _, text := range roles {
		a, ok := parseARN(roleARN, text)
		if !ok {
			errs = append(errs, fmt.Errorf("-role-arn: %q is no ARN of a role, as arn:aws:iam::111122223333:role/siempipe is", text))
		}
		o.roles = append(o.roles, a)
	}
	if !rootText.MatchString(o.root) {
		errs = append(errs, fmt.Errorf("-root: %q, want names of letters, digits and ._- between slashes", o.root))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, b := range o.buckets {
		for _, r := range o.roles {
			if b.partition != r.partition {
				errs = append(errs, fmt.Errorf("%s is in partition %s and %s in %s: no policy reaches across", b.text, b.partition, r.text, r.partition))
			}
		}
	}
	return errors.Join(errs...)
}

// objects is the resource of the objects that are written.
func (o *options) objects(bucket arn) string {
	if o.strict {
		return bucket.text + "/" + o.root + "/*"
	}
	return bucket.text + "/*"
}

// policy is the one for a bucket.
func (o *options) policy(bucket arn) *policy {
	who := &principal{AWS: make(texts, len(o.roles))}
	for i, r := range o.roles {
		who.AWS[i] = r.text
	}
	withACL := conditions{"StringEquals": {aclKey: {ownerACL}}}
	if !o.strict {
		return &policy{Version: policyVersion, ID: "PolicyID", Statement: statements{
			{Sid: "StmtID", Effect: allow, Principal: who, Action: allActions, Resource: texts{bucket.text, o.objects(bucket)}},
			{Sid: "Stmt1", Effect: allow, Principal: who, Action: texts{"s3:PutObject"}, Resource: texts{o.objects(bucket)}, Condition: withACL},
		}}
	}
	p := &policy{Version: policyVersion, ID: "siempipe", Statement: statements{
		{Sid: "WriteWithACL", Effect: allow, Principal: who, Action: aclActions, Resource: texts{o.objects(bucket)}, Condition: withACL},
		{Sid: "Abort", Effect: allow, Principal: who, Action: o.plainActions(), Resource: texts{o.objects(bucket)}},
		// An Allow under a condition refuses nothing that another policy allows; this does.
		{Sid: "NeverWithoutACL", Effect: deny, Principal: who, Action: aclActions, Resource: texts{bucket.text + "/*"},
			Condition: conditions{"StringNotEquals": {aclKey: {ownerACL}}}},
	}}
	return p
}

// plainActions are those of the strict policy that carry no ACL.
func (o *options) plainActions() texts {
	if o.tags {
		return texts{"s3:AbortMultipartUpload", "s3:PutObjectTagging"}
	}
	return texts{"s3:AbortMultipartUpload"}
}

// name is how messages call a statement.
func (s *statement) name(i int) string {
	if s.Sid != "" {
		return fmt.Sprintf("statement %q", s.Sid)
	}
	return fmt.Sprintf("statement %d", i+1)
}
