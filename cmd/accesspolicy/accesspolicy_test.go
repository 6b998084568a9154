package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	bucket = "arn:aws:s3:::acme-siem"
	role   = "arn:aws:iam::111122223333:role/siem/writer"
)

func output(t *testing.T, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, run(args, strings.NewReader(""), &out))
	return out.String()
}

// TestSeed holds the output to the form on Panoptica's page, with the places filled in that it leaves open.
func TestSeed(t *testing.T) {
	seed, err := os.ReadFile("testdata/seed.json")
	require.NoError(t, err)
	for _, partition := range []string{"aws", "aws-us-gov", "aws-cn"} {
		b, r := strings.Replace(bucket, "aws", partition, 1), strings.Replace(role, "aws", partition, 1)
		want := string(seed)
		for place, text := range map[string]string{
			"<S3 bucket ARN>/*": `"` + b + `/*"`, "<S3 bucket ARN>": `"` + b + `"`,
			"<Dedicated Role>": `"` + r + `"`, "<Dedicated Role with permissions>": `"` + r + `"`,
		} {
			if place != "<S3 bucket ARN>" { // the longer place first
				want = strings.ReplaceAll(want, place, text)
			}
		}
		want = strings.ReplaceAll(want, "<S3 bucket ARN>", `"`+b+`"`)
		got := output(t, "-bucket-arn", b, "-role-arn", r)
		assert.JSONEq(t, want, got)
		assert.Equal(t, strings.Fields(want), strings.Fields(strings.NewReplacer("[\n                    \"", "[\"", "\"\n                ]", "\"]").Replace(got)), "in the same order too")
	}
}

func TestSeveral(t *testing.T) {
	const other = "arn:aws:iam::444455556666:role/b"
	got := output(t, "-bucket-arn", bucket+",arn:aws:s3:::two", "-role-arn", role, "-role-arn", other)
	var all map[string]struct {
		Statement []struct {
			Principal struct{ AWS []string }
			Resource  any
		}
	}
	require.NoError(t, json.Unmarshal([]byte(got), &all))
	require.Len(t, all, 2)
	for b, p := range all {
		require.Len(t, p.Statement, 2)
		assert.Equal(t, []any{b, b + "/*"}, p.Statement[0].Resource, "a bucket's policy is about that bucket")
		assert.Equal(t, []string{role, other}, p.Statement[0].Principal.AWS)
	}
}

func TestArguments(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"nothing":             {nil, "-role-arn: required"},
		"a name":              {[]string{"-bucket-arn", "acme", "-role-arn", role}, `"acme" is no ARN of a bucket`},
		"objects":             {[]string{"-bucket-arn", bucket + "/*", "-role-arn", role}, "is no ARN of a bucket"},
		"account of a bucket": {[]string{"-bucket-arn", "arn:aws:s3:eu-west-1:1:acme", "-role-arn", role}, "is no ARN of a bucket"},
		"everybody":           {[]string{"-bucket-arn", bucket, "-role-arn", "*"}, "is no ARN of a role"},
		"JSON in it":          {[]string{"-bucket-arn", bucket, "-role-arn", role + `"]},{"Effect":"Allow"`}, "is no ARN of a role"},
		"another partition":   {[]string{"-bucket-arn", bucket, "-role-arn", strings.Replace(role, "aws", "aws-cn", 1)}, "no policy reaches across"},
		"root":                {[]string{"-strict", "-root", "a/*", "-bucket-arn", bucket, "-role-arn", role}, "-root"},
		"very many roles":     {[]string{"-strict", "-bucket-arn", bucket, "-role-arn", strings.Repeat(role+",", 200)}, "name fewer roles"},
		"rest":                {[]string{"-bucket-arn", bucket, "-role-arn", role, "x"}, "unexpected argument"},
		"check of two":        {[]string{"-check", "-", "-bucket-arn", bucket + ",arn:aws:s3:::two", "-role-arn", role}, "one -bucket-arn"},
		"check of no file":    {[]string{"-check", filepath.Join("testdata", "absent"), "-bucket-arn", bucket, "-role-arn", role}, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			assert.ErrorContains(t, run(c.args, strings.NewReader(""), &out), c.want)
			assert.Empty(t, out.String())
		})
	}
}

// checked is what -check prints about a policy.
func checked(t *testing.T, policy string, args ...string) (lines []string, err error) {
	t.Helper()
	var out bytes.Buffer
	err = run(append([]string{"-check", "-", "-bucket-arn", bucket, "-role-arn", role}, args...), strings.NewReader(policy), &out)
	return strings.Split(strings.TrimSpace(out.String()), "\n"), err
}

// TestCheckOwnOutput: what is printed lacks nothing, and the seed's form does not enforce the ACL.
func TestCheckOwnOutput(t *testing.T) {
	seed := output(t, "-bucket-arn", bucket, "-role-arn", role)
	tight := output(t, "-bucket-arn", bucket, "-role-arn", role, "-strict", "-tags")
	for _, c := range []struct {
		policy string
		args   []string
	}{{seed, nil}, {tight, []string{"-strict", "-tags"}}, {tight, []string{"-strict"}}} {
		lines, err := checked(t, c.policy, c.args...)
		require.NoError(t, err, lines)
		assert.Equal(t, []string{"nothing is lacking"}, lines)
	}
	lines, err := checked(t, seed, "-strict")
	require.ErrorIs(t, err, errLacking)
	assert.Equal(t, []string{
		role + ` is not refused s3:PutObject without an ACL: statement "StmtID" allows it`,
		role + ` is not refused s3:PutObjectAcl without an ACL: statement "StmtID" allows it`,
		role + ` is not refused s3:PutObject with the ACL private: statement "StmtID" allows it`,
		role + ` is not refused s3:PutObjectAcl with the ACL private: statement "StmtID" allows it`,
	}, lines)
	wrapped, err := json.Marshal(map[string]string{"Policy": tight})
	require.NoError(t, err)
	lines, err = checked(t, string(wrapped), "-strict")
	require.NoError(t, err, lines)
	// The strict policy does not grant what only Panoptica's own integration asks for.
	lines, err = checked(t, tight)
	require.ErrorIs(t, err, errLacking)
	assert.Len(t, lines, 7, "%q", lines)
}

func TestCheck(t *testing.T) {
	const everything = `{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":["` + bucket + `","` + bucket + `/*"]}`
	for name, c := range map[string]struct {
		statements string
		args       []string
		want       []string // each in one line of the output; nil is nothing lacking
	}{
		"everything to everybody": {everything, nil, nil},
		"one statement, no list":  {everything, nil, nil},
		"case of actions":         {strings.Replace(everything, "s3:*", "S3:*", 1), nil, nil},
		"account":                 {strings.Replace(everything, `"*"`, `{"AWS":"111122223333"}`, 1), nil, []string{"note: statement 1 grants s3:PutObject"}},
		"root of the account":     {strings.Replace(everything, `"*"`, `{"AWS":["arn:aws:iam::111122223333:root"]}`, 1), nil, []string{"a policy of " + role + " must allow it too"}},
		"another account":         {strings.Replace(everything, `"*"`, `{"AWS":"444455556666"}`, 1), nil, []string{"lacks s3:PutObject on " + bucket + "/*"}},
		"a service":               {strings.Replace(everything, `"*"`, `{"Service":"s3.amazonaws.com"}`, 1), nil, []string{"lacks s3:PutObject on"}},
		"only reading":            {strings.Replace(everything, "s3:*", "s3:Get*", 1), nil, []string{"lacks s3:PutObject on " + bucket + "/*", "lacks s3:ListBucket on " + bucket}},
		"only the objects":        {strings.Replace(everything, `"`+bucket+`",`, "", 1), nil, []string{"lacks s3:GetBucketLocation on " + bucket}},
		"only one folder":         {strings.Replace(everything, bucket+"/*", bucket+"/Panoptica/*", 1), nil, []string{"lacks s3:PutObject on " + bucket + "/*"}},
		"one letter is no star":   {strings.Replace(everything, bucket+"/*", bucket+"/?", 1), nil, []string{"lacks s3:PutObject"}},
		"another bucket":          {strings.ReplaceAll(everything, bucket, bucket+"2"), nil, []string{"lacks s3:PutObject"}},
		"denied in part": {everything + `,{"Sid":"NoTest","Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"` + bucket + `/*/test/*"}`, nil,
			[]string{`is refused s3:PutObject on ` + bucket + `/*, or on a part of it: statement "NoTest" denies it`}},
		"denied elsewhere": {everything + `,{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::other/*"}`, nil, nil},
		"denied to others": {everything + `,{"Effect":"Deny","NotPrincipal":{"AWS":"` + role + `"},"Action":"s3:*","Resource":"` + bucket + `/*"}`, nil, nil},
		"all but deleting": {`{"Effect":"Allow","Principal":"*","NotAction":"s3:Delete*","Resource":["` + bucket + `","` + bucket + `/*"]}`, nil, nil},
		"all but secrets": {`{"Effect":"Allow","Principal":"*","Action":"s3:*","NotResource":["` + bucket + `/secret/*"]}`, nil,
			[]string{"lacks s3:PutObject on " + bucket + "/*"}},
		"without TLS": {everything + `,{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"` + bucket + `/*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}`, nil, nil},
		"from one network": {strings.Replace(everything, `"Action"`, `"Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}},"Action"`, 1), nil,
			[]string{`only where statement 1 says so: {"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`}},
		"not from a network": {everything + `,{"Sid":"Net","Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"` + bucket + `/*","Condition":{"NotIpAddress":{"aws:SourceIp":"192.0.2.0/24"}}}`, nil,
			[]string{`may be refused s3:PutObject on ` + bucket + `/*: statement "Net" denies it where`}},
		"another ACL": {strings.Replace(everything, `"Action"`, `"Condition":{"StringEquals":{"s3:x-amz-acl":"private"}},"Action"`, 1), nil,
			[]string{"lacks s3:PutObject on"}},
		"another class of store": {everything + `,{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"` + bucket + `/*","Condition":{"StringNotEquals":{"s3:x-amz-storage-class":"STANDARD"}}}`, nil,
			[]string{"may be refused s3:PutObject"}},
		"strict: only granted, not enforced": {`{"Effect":"Allow","Principal":"*","Action":["s3:PutObject","s3:PutObjectAcl"],"Resource":"` + bucket + `/*","Condition":{"StringEquals":{"s3:x-amz-acl":["bucket-owner-full-control","private"]}}},
			{"Effect":"Allow","Principal":"*","Action":"s3:AbortMultipartUpload","Resource":"` + bucket + `/*"}`, []string{"-strict"},
			[]string{"is not refused s3:PutObject without an ACL: nothing denies it", "is not refused s3:PutObject with the ACL private: statement 1 allows it"}},
		"strict: denied in one folder only": {everything + `,{"Effect":"Deny","Principal":"*","Action":"s3:PutObject*","Resource":"` + bucket + `/Panoptica/test/*","Condition":{"StringNotEquals":{"s3:x-amz-acl":"bucket-owner-full-control"}}}`, []string{"-strict"},
			[]string{"is not refused s3:PutObject without an ACL: statement 1 allows it"}},
		"strict: if it is there": {everything + `,{"Effect":"Deny","Principal":"*","Action":"s3:PutObject*","Resource":"` + bucket + `/*","Condition":{"StringNotEqualsIfExists":{"s3:x-amz-acl":"bucket-owner-full-control"}}}`, []string{"-strict"}, nil},
		"strict: where it is there only": {everything + `,{"Effect":"Deny","Principal":"*","Action":"s3:PutObject*","Resource":"` + bucket + `/*","Condition":{"StringNotEquals":{"s3:x-amz-acl":"bucket-owner-full-control"},"Null":{"s3:x-amz-acl":"false"}}}`, []string{"-strict"},
			[]string{"is not refused s3:PutObject without an ACL: statement 1 allows it"}},
		"strict: enforced": {everything + `,{"Effect":"Deny","Principal":"*","Action":"s3:PutObject*","Resource":"` + bucket + `/*","Condition":{"StringNotEquals":{"S3:X-Amz-Acl":"bucket-owner-full-control"}}}`, []string{"-strict"}, nil},
		"strict: tags": {everything + `,{"Effect":"Deny","Principal":"*","Action":"s3:PutObjectTagging","Resource":"` + bucket + `/*"},` +
			`{"Effect":"Deny","Principal":"*","Action":["s3:PutObject","s3:PutObjectAcl"],"Resource":"` + bucket + `/*","Condition":{"StringNotEquals":{"s3:x-amz-acl":"bucket-owner-full-control"}}}`, []string{"-strict", "-tags"},
			[]string{"is refused s3:PutObjectTagging"}},
	} {
		t.Run(name, func(t *testing.T) {
			statement := "[" + c.statements + "]"
			if name == "one statement, no list" {
				statement = c.statements
			}
			lines, err := checked(t, `{"Version":"2012-10-17","Statement":`+statement+`}`, c.args...)
			for _, want := range c.want {
				assert.Contains(t, strings.Join(lines, "\n"), want)
			}
			lacking := len(c.want) > 0 && !strings.Contains(strings.Join(c.want, ""), "must allow it too") && !strings.HasPrefix(c.want[0], "note:")
			if lacking {
				require.ErrorIs(t, err, errLacking)
			} else {
				require.NoError(t, err, "%q", lines)
				assert.Equal(t, "nothing is lacking", lines[len(lines)-1])
			}
		})
	}
}

func TestCheckWhatIsNoPolicy(t *testing.T) {
	for policy, want := range map[string]string{
		``: "EOF", `{}`: "no statement", `[]`: "cannot unmarshal", `{"Statement":[{"Efect":"Allow"}]}`: `unknown field "Efect"`,
		`{"Statement":[{"Sid":"a","Effect":"allow"}]}`: `statement "a": effect "allow"`, `{"Statement":[null]}`: "is null",
		`{"Statement":{"Effect":"Allow","Principal":"me","Action":"*","Resource":"*"}}`:           `principal "me"`,
		`{"Statement":{"Effect":"Allow","Principal":{"Aws":"*"},"Action":"*","Resource":"*"}}`:    `principal of kind "Aws"`,
		`{"Statement":{"Effect":"Allow","Principal":"*","Action":[{}],"Resource":"*"}}`:           "want a text",
		`{"Statement":{"Effect":"Allow","Principal":"*","Resource":"*"}}`:                         "one of Action and NotAction",
		`{"Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}} {"more":1}`: "more than one",
	} {
		_, err := checked(t, policy)
		assert.ErrorContains(t, err, want, policy)
		assert.False(t, errors.Is(err, errLacking), policy)
	}
}

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		a, b             string
		covers, overlaps bool
	}{
		{"a", "a", true, true}, {"a", "b", false, false}, {"*", "", true, true}, {"a*", "abc", true, true}, {"a?c", "abc", true, true},
		{"a/*", "a/b/*", true, true}, {"a/b/*", "a/*", false, true}, {"a?", "a*", false, true}, {"*b", "a*", false, true}, {"b*", "a*", false, false},
		{"*a*b*c*", "xaxbxcx", true, true}, {strings.Repeat("*a", 200), strings.Repeat("a", 500) + "b", false, false},
	} {
		assert.Equal(t, c.covers, covers(c.a, c.b), "%s covers %s", c.a, c.b)
		assert.Equal(t, c.overlaps, overlaps(c.a, c.b), "%s overlaps %s", c.a, c.b)
		assert.Equal(t, c.overlaps, overlaps(c.b, c.a), "%s overlaps %s", c.b, c.a)
	}
}

func FuzzCheck(f *testing.F) {
	var seed bytes.Buffer
	require.NoError(f, run([]string{"-strict", "-bucket-arn", bucket, "-role-arn", role}, strings.NewReader(""), &seed))
	f.Add(seed.Bytes())
	f.Add([]byte(`{"Statement":{"Effect":"Deny","NotPrincipal":"*","NotAction":["*"],"NotResource":"a*?","Condition":{"Null":{"a":true}}}}`))
	o := options{root: "Panoptica"}
	require.NoError(f, o.parse([]string{bucket}, []string{role}))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := parsePolicy(text)
		if err != nil {
			return
		}
		for _, strict := range []bool{false, true} {
			o.strict = strict
			o.check(p, o.buckets[0])
		}
	})
}
