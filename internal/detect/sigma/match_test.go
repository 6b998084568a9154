package sigma

import (
	"fmt"
	"strings"
	"testing"
)

// matches reports whether a rule with the given detection lines matches a record.
func matches(t *testing.T, product, service, logType, detection, record string) bool {
	t.Helper()
	text := fmt.Sprintf("title: t\nlogsource: {product: %s, service: %s}\ndetection:\n  %s\n", product, service,
		strings.ReplaceAll(strings.TrimSpace(detection), "\n", "\n  "))
	rules, problems := Parse("test", []byte(text))
	if len(rules) != 1 {
		t.Fatalf("%v\n%s", problems, text)
	}
	e := NewEngine([]Entry{{Rule: rules[0]}}, Builtin())
	m := e.NewMatcher()
	hit := len(m.Match(logType, record)) == 1
	// What the index finds is what the condition says.
	m.fill()
	if all := m.holds(m.plan.rules[0].expr); all != hit {
		t.Fatalf("match %v, the condition alone %v:\n%s\n%s", hit, all, text, record)
	}
	return hit
}

func TestSearches(t *testing.T) {
	tests := []struct {
		search string // a search named s
		yes    []string
		no     []string
	}{
		{`s: {eventName: GetObject}`,
			[]string{`{"eventName":"GetObject"}`, `{"eventname":"getobject"}`, `{"EVENTNAME":"GETOBJECT"}`, `{ "a" : [1, {"eventName":"x"}] , "eventName" : "GetObject" }`,
				`{"eventName":["a","GetObject"]}`, `{"event\u004eame":"Get\u004fbject"}`},
			[]string{`{"eventName":"GetObjects"}`, `{"a":{"eventName":"GetObject"}}`, `{}`, `{"eventName":null}`, `{"eventName":{"a":"GetObject"}}`, `[]`, ``, `{"eventName":"GetObject`}},
		{`s: {a: b}`, []string{`{"A":"x","a":"b"}`, `{"a":"b","A":"x"}`}, []string{`{"a":"x","A":"b"}`, `{"A":"b","a":"x"}`}},
		{`s: {eventName: [A, B]}`, []string{`{"eventName":"a"}`, `{"eventName":"B"}`}, []string{`{"eventName":"c"}`}},
		{`s: {a.b.c: 1}`, []string{`{"a":{"b":{"c":1}}}`, `{"A":{"B":{"C":"1"}}}`, `{"a":[{"b":[{"c":2},{"c":1}]}]}`, `{"a":{"b":{"c":1.0}}}`, `{"a":{"b":{"c":[0,1]}}}`},
			[]string{`{"a":{"b":{"c":2}}}`, `{"a":{"b":1}}`, `{"a.b.c":"1x"}`, `{"a":"b"}`}},
		{`s: {a\.b: 1}`, []string{`{"a.b":1}`}, []string{`{"a":{"b":1}}`}},
		{`s: {a: 'x*'}`, []string{`{"a":"x"}`, `{"a":"XYZ"}`}, []string{`{"a":"yx"}`}},
		{`s: {a: 'x?z'}`, []string{`{"a":"xyz"}`, `{"a":"xéz"}`}, []string{`{"a":"xz"}`, `{"a":"xyyz"}`}},
		{`s: {a: '*b*c*'}`, []string{`{"a":"abbc"}`, `{"a":"bc"}`, `{"a":"xbxxbc!"}`}, []string{`{"a":"cb"}`}},
		{`s: {a: 'v*.Compute.Firewalls.Delete'}`, []string{`{"a":"v1.compute.firewalls.delete"}`, `{"a":"v1.v2.Compute.Firewalls.Delete"}`}, []string{`{"a":"compute.firewalls.delete"}`}},
		{`s: {a: 'x\*'}`, []string{`{"a":"x*"}`}, []string{`{"a":"xy"}`}},
		{`s: {a: 'C:\x\\*'}`, []string{`{"a":"c:\\x\\y"}`, `{"a":"C:\\X\\"}`}, []string{`{"a":"c:\\x"}`}},
		{`s: {a: 'x\y'}`, []string{`{"a":"x\\y"}`}, []string{`{"a":"xy"}`}},
		{`s: {a: ''}`, []string{`{"a":""}`}, []string{`{"a":null}`, `{}`, `{"a":" "}`}},
		{`s: {a: null}`, []string{`{"a":null}`, `{}`}, []string{`{"a":""}`, `{"a":0}`, `{"a":[]}`, `{"a":[null]}`}},
		{`s: {a: [null, x]}`, []string{`{}`, `{"a":"x"}`}, []string{`{"a":"y"}`}},
		{`s: {a: '*'}`, []string{`{"a":""}`, `{"a":0}`, `{"a":{}}`}, []string{`{"a":null}`, `{}`}},
		{`s: {a|contains: '*'}`, []string{`{"a":"x"}`, `{"a":[]}`}, []string{`{}`, `{"a":null}`}},
		{`s: {a: true}`, []string{`{"a":true}`, `{"a":"True"}`}, []string{`{"a":false}`, `{"a":1}`}},
		{`s: {a: 'false'}`, []string{`{"a":false}`}, []string{`{"a":null}`}},
		{`s: {a: '[]'}`, []string{`{"a":[]}`, `{"a":"[]"}`}, []string{`{"a":[1]}`}},
		{`s: {a: 012}`, []string{`{"a":"012"}`}, []string{`{"a":12}`, `{"a":10}`}},
		{`s: {a: 123456789012}`, []string{`{"a":"123456789012"}`, `{"a":123456789012}`, `{"a":1.23456789012e11}`}, []string{`{"a":"0123456789012"}`}},
		{`s: {a|contains: b}`, []string{`{"a":"aBc"}`, `{"a":{"x":"b"}}`, `{"a":["x","abc"]}`}, []string{`{"a":"c"}`}},
		{`s: {a|contains: '"s3:GetObject"'}`, []string{`{"a":{"policy":"{\"Action\":\"s3:GetObject\"}"}}`, `{"a":{"b":"s3:getobject"}}`}, []string{`{"a":{"b":"s3:GetObjects"}}`}},
		{`s: {a|contains|all: [x, y]}`, []string{`{"a":"y x"}`, `{"a":["x","y"]}`}, []string{`{"a":"x"}`}},
		{`s: {a|startswith: [x, y]}`, []string{`{"a":"Xa"}`, `{"a":"y"}`}, []string{`{"a":"ax"}`, `{"a":""}`}},
		{`s: {a|endswith: .exe}`, []string{`{"a":"b.EXE"}`}, []string{`{"a":"b.exe "}`}},
		{`s: {a|cased: Ab}`, []string{`{"a":"Ab"}`, `{"A":"Ab"}`}, []string{`{"a":"ab"}`}},
		{`s: {a|contains|cased: Ab}`, []string{`{"a":"xAbx"}`}, []string{`{"a":"xabx"}`}},
		{`s: {a|neq: b}`, []string{`{"a":"c"}`, `{}`}, []string{`{"a":"B"}`}},
		{`s: {a|exists: true}`, []string{`{"a":null}`, `{"a":""}`}, []string{`{}`, `{"b":1}`}},
		{`s: {a|exists: false}`, []string{`{}`}, []string{`{"a":null}`}},
		{`s: {a|re: '^x.+\d$'}`, []string{`{"a":"xy1"}`, `{"a":"xy\u0031"}`}, []string{`{"a":"Xy1"}`, `{"a":"x1"}`}},
		{`s: {a|re|i: '^x.+y'}`, []string{`{"a":"XaY"}`}, []string{`{"a":"aXY"}`}},
		{`s: {a|re|s: 'x.y'}`, []string{`{"a":"x\ny"}`}, nil},
		{`s: {a|re|m: '^y'}`, []string{`{"a":"x\ny"}`}, nil},
		{`s: {a|re: '.+:assumed-role/aws:.+'}`, []string{`{"a":"arn:aws:sts::1:assumed-role/aws:ec2/i-1"}`}, []string{`{"a":"arn:assumed-role/awx:x"}`}},
		{`s: {a|cidr: 10.0.0.0/8}`, []string{`{"a":"10.1.2.3"}`, `{"a":"::ffff:10.1.2.3"}`, `{"a":["1.1.1.1","10.0.0.1"]}`}, []string{`{"a":"11.0.0.1"}`, `{"a":"x"}`, `{"a":10}`}},
		{`s: {a|cidr: '::ffff:10.0.0.0/104'}`, []string{`{"a":"10.1.2.3"}`, `{"a":"::ffff:10.1.2.3"}`}, []string{`{"a":"11.0.0.1"}`, `{"a":"::1"}`}},
		{`s: {a|cidr: ['2001:db8::/32', 192.0.2.0/24]}`, []string{`{"a":"2001:db8::1"}`, `{"a":"192.0.2.7"}`}, []string{`{"a":"2001:db9::1"}`}},
		{`s: {a|gt: 0}`, []string{`{"a":1}`, `{"a":0.5}`}, []string{`{"a":0}`, `{"a":"1"}`, `{}`, `{"a":null}`}},
		{`s: {a|gte: 2, a|lt: 4}`, []string{`{"a":2}`, `{"a":3.9}`}, []string{`{"a":4}`, `{"a":1}`}},
		{`s: {a|lte: -1}`, []string{`{"a":-1}`}, []string{`{"a":0}`}},
		{`s: {a|fieldref: b}`, []string{`{"a":"x","b":"X"}`, `{"a":1,"b":"1"}`, `{"a":["x","y"],"b":"y"}`}, []string{`{"a":"x","b":"y"}`, `{}`, `{"a":null,"b":null}`}},
		{`s: {a|fieldref|startswith: b.c}`, []string{`{"a":"xyz","b":{"c":"XY"}}`}, []string{`{"a":"xyz","b":{"c":"yz"}}`}},
		{`s: {a|fieldref|neq: b}`, []string{`{"a":"x","b":"y"}`}, []string{`{"a":"x","b":"x"}`}},
		{`s: {a|base64: foo bar}`, []string{`{"a":"Zm9vIGJhcg=="}`}, []string{`{"a":"foo bar"}`}},
		{`s: {a|base64offset|contains: http://}`, []string{`{"a":"xaHR0cDovLx"}`, `{"a":"xodHRwOi8vx"}`, `{"a":"xh0dHA6Ly9x"}`}, []string{`{"a":"http://"}`}},
		{`s: {a|wide|base64: ping}`, []string{`{"a":"cABpAG4AZwA="}`}, nil},
		{`s: {a|utf16be|base64: ping}`, []string{`{"a":"AHAAaQBuAGc="}`}, nil},
		{`s: {a|utf16|base64: a}`, []string{`{"a":"//5hAA=="}`}, nil},
		{`s: {a|windash|contains: ' -f'}`, []string{`{"a":"x -f"}`, `{"a":"x /F"}`, `{"a":"x –f"}`}, []string{`{"a":"x f"}`}},
		{`s: {a|windash: 'x-y -f -g*'}`, []string{`{"a":"x-y -f /gh"}`, `{"a":"x-y /f -g"}`, `{"a":"X-Y ―F –G"}`}, []string{`{"a":"x/y -f -g"}`}},
		{`s: {a|windash: '-?-f'}`, []string{`{"a":"-x/f"}`, `{"a":"-x-f"}`}, []string{`{"a":"/x-f"}`}},
		{`s: {a|hour: 17}`, []string{`{"a":"2024-09-15T17:16:00Z"}`, `{"a":"2024-09-15 17:16:00.123"}`}, []string{`{"a":"2024-09-15T18:16:00Z"}`, `{"a":"x"}`}},
		{`s: {a|hour|gte: 17}`, []string{`{"a":"2024-09-15T18:16:00Z"}`}, []string{`{"a":"2024-09-15T16:16:00Z"}`}},
		{`s: [evil, 'a b']`, []string{`{"x":{"y":"an EVIL thing"}}`, `{"evil":1}`, `{"x":"a\u0020b"}`}, []string{`{"x":"good"}`}},
		{"s: {'|all': [evil, thing]}", []string{`{"x":"evil","y":"thing"}`}, []string{`{"x":"evil"}`}},
		{"s: ['e*l']", []string{`{"x":"e then l"}`}, []string{`{"x":"e"}`}},
		{`s: [{a: 1}, {b: 2, c: 3}]`, []string{`{"a":1}`, `{"b":2,"c":3}`}, []string{`{"b":2}`, `{"c":3}`}},
		{`s: {a: É}`, []string{`{"a":"é"}`, `{"a":"\u00c9"}`}, []string{`{"a":"e"}`}},
		{`s: {Ä: x}`, []string{`{"ä":"x"}`, `{"Ä":"X"}`}, nil},
		{`s: {a: '` + strings.Repeat("k", 600) + `'}`, []string{`{"a":"` + strings.Repeat(`\u212A`, 600) + `"}`}, []string{`{"a":"` + strings.Repeat(`k`, 599) + `"}`}},
		{`s: {a: '` + strings.Repeat("k", 500) + `'}`, []string{`{"a":"` + strings.Repeat(`\u212A`, 500) + `"}`}, nil},
		{`s: {a: "State\":0"}`, []string{`{"a":"state\":0"}`}, nil},
	}
	for _, test := range tests {
		if len(test.yes) == 0 {
			t.Errorf("%s: no record that matches", test.search)
		}
		for _, record := range test.yes {
			if !matches(t, "aws", "cloudtrail", "AWS.CloudTrail", test.search+"\ncondition: s", record) {
				t.Errorf("%s does not match %s", test.search, record)
			}
		}
		for _, record := range test.no {
			if matches(t, "aws", "cloudtrail", "AWS.CloudTrail", test.search+"\ncondition: s", record) {
				t.Errorf("%s matches %s", test.search, record)
			}
		}
	}
}

func TestConditions(t *testing.T) {
	tests := []struct {
		condition string
		want      string // the records of a, b, c, ab, ac, bc, abc, none that match
	}{
		{"sel_a", "a ab ac abc"},
		{"not sel_a", "b c bc none"},
		{"sel_a and not sel_b", "a ac"},
		{"sel_a or sel_b and sel_c", "a ab ac bc abc"},
		{"(sel_a or sel_b) and sel_c", "ac bc abc"},
		{"not (sel_a or sel_b)", "c none"},
		{"not not sel_a", "a ab ac abc"},
		{"1 of sel_*", "a b c ab ac bc abc"},
		{"any of them", "a b c ab ac bc abc"},
		{"all of sel_*", "abc"},
		{"2 of them", "ab ac bc abc"},
		{"not 1 of sel_*", "none"},
		{"sel_a and 1 of sel_b*", "ab abc"},
		{"SEL_A", ""},
		{"NOT sel_a AND sel_b", "b bc"},
		{"[sel_a, sel_b]", "a b ab ac bc abc"},
	}
	records := map[string]string{"a": `{"a":1}`, "b": `{"b":1}`, "c": `{"c":1}`, "ab": `{"a":1,"b":1}`, "ac": `{"a":1,"c":1}`, "bc": `{"c":1,"b":1}`, "abc": `{"a":1,"b":1,"c":1}`, "none": `{}`}
	for _, test := range tests {
		if test.want == "" {
			continue
		}
		var got []string
		for _, name := range strings.Fields("a b c ab ac bc abc none") {
			if matches(t, "aws", "cloudtrail", "AWS.CloudTrail", "sel_a: {a: 1}\nsel_b: {b: 1}\nsel_c: {c: 1}\n_x: {x: 1}\ncondition: "+test.condition, records[name]) {
				got = append(got, name)
			}
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s matches %s, want %s", test.condition, strings.Join(got, " "), test.want)
		}
	}
}

func TestProblems(t *testing.T) {
	head := "title: t\nlogsource: {product: aws}\ndetection:\n"
	tests := []struct {
		text    string
		line    int
		feature string
		msg     string
	}{
		{"title: t\n", 1, "", "detection: required"},
		{"title: t\ndetection: {s: {a: 1}, condition: s}\n", 1, "", "logsource: required"},
		{"logsource: {product: aws}\ndetection: {s: {a: 1}, condition: s}\n", 1, "", "title: required"},
		{"title: t\nlevel: worst\n", 1, "", "level"},
		{head + "  s: {a: 1}\n", 4, "", "condition: required"},
		{head + "  s: {a: 1}\n  condition: x\n", 5, "", `no search is named "x"`},
		{head + "  s: {a: 1}\n  condition: s and\n", 5, "", "where a search is due"},
		{head + "  s: {a: 1}\n  condition: (s\n", 5, "", "not closed"},
		{head + "  s: {a: 1}\n  condition: s s\n", 5, "", `unexpected "s"`},
		{head + "  s: {a: 1}\n  condition: 3 of s*\n", 5, "", "3 of 1"},
		{head + "  s: {a: 1}\n  condition: 1 of x*\n", 5, "", "like"},
		{head + "  s: {a: 1}\n  condition: s | count() > 5\n", 5, "aggregation in the condition", ""},
		{head + "  s: {a: 1}\n  timeframe: 5m\n  condition: s\n", 5, "timeframe", ""},
		{head + "  s:\n    a|expand: '%x%'\n  condition: s\n", 5, "modifier expand", ""},
		{head + "  s:\n    a|sounds_like: x\n  condition: s\n", 5, "modifier sounds_like", ""},
		{head + "  s:\n    a|re: '(?<=x)y'\n  condition: s\n", 5, "regular expression", ""},
		{head + "  s:\n    a|re: '(x'\n  condition: s\n", 5, "", "missing closing"},
		{head + "  s:\n    a|cidr: 10.0.0/8\n  condition: s\n", 5, "", "CIDR"},
		{head + "  s:\n    a|gt: x\n  condition: s\n", 5, "", "no number"},
		{head + "  s:\n    a|re|cidr: x\n  condition: s\n", 5, "", "do not go together"},
		{head + "  s:\n    a|contains|endswith: x\n  condition: s\n", 5, "", "do not go together"},
		{head + "  s:\n    a|gt|lt: 1\n  condition: s\n", 5, "", "do not go together"},
		{head + "  s:\n    a|re:\n  condition: s\n", 5, "", "null cannot have a modifier"},
		{head + "  s:\n    a|fieldref: null\n  condition: s\n", 5, "", "null cannot have a modifier"},
		{head + "  s:\n    a|windash: -a -b -c -d -e -f\n  condition: s\n", 5, "", "windash makes more than"},
		{head + "  s:\n    a: {b: c}\n  condition: s\n", 5, "", "single value"},
		{head + "  s:\n    a: []\n  condition: s\n", 5, "", "empty list"},
		{head + "  s:\n    a: 1\n    a: 2\n  condition: s\n", 6, "", "stands twice"},
		{"title: t\ncorrelation:\n  type: temporal\n", 3, "correlation type temporal", ""},
		{"title: t\ncorrelation: {type: event_count, rules: [a], timespan: 5w, condition: {gte: 1}}\n", 2, "", "timespan"},
		{"title: t\ncorrelation: {type: event_count, rules: [a], timespan: 5m, condition: {lt: 1}}\n", 2, "correlation condition", ""},
		{"title: t\ncorrelation: {type: event_count, rules: [a], timespan: 5m, condition: {eq: 0}}\n", 2, "correlation condition", ""},
		{"title: t\ngenerate: always\ncorrelation: {type: event_count, rules: [a], timespan: 5m, condition: {gte: 1}}\n", 2, "", "true or false"},
		{"title: t\ncorrelation: {type: value_count, rules: [a], timespan: 5m, condition: {gte: 1}}\n", 2, "", "field: required"},
		{"- a\n", 1, "", "a rule is a mapping"},
		{"title: [\n", 0, "", "yaml"},
	}
	for _, test := range tests {
		rules, problems := Parse("f.yml", []byte(test.text))
		if len(rules) != 0 || len(problems) == 0 {
			t.Errorf("%q: %d rules, %v", test.text, len(rules), problems)
			continue
		}
		p := problems[0]
		for _, other := range problems {
			if !other.Warning {
				p = other
			}
		}
		if p.Line != test.line || p.Feature != test.feature || !strings.Contains(p.Msg, test.msg) || p.File != "f.yml" {
			t.Errorf("%q: %s (feature %q)", test.text, p.Error(), p.Feature)
		}
	}
	good, problems := Parse("f.yml", []byte("title: broken\n---\n"+head+"  s: {a: 1}\n  condition: s\n---\n---\ntitle: broken too\n"))
	if len(good) != 1 || len(problems) != 2 || problems[1].Line != 10 {
		t.Errorf("%d rules, %v", len(good), problems)
	}
}

func TestMapping(t *testing.T) {
	signIn := `{"category":"SignInLogs","operationName":"Sign-in activity","resultType":"50126","properties":{"userPrincipalName":"a@example.com","authenticationRequirement":"singleFactorAuthentication","status":{"errorCode":50126,"failureReason":"Invalid"},"deviceDetail":{"deviceId":"","trustType":""},"authenticationProtocol":"deviceCode","networkLocationDetails":[]}}`
	tests := []struct {
		product, service, logType, search, record string
		want                                      bool
	}{
		{"azure", "signinlogs", "Azure.SignIn", "{ResultType: 50126}", signIn, true},
		{"azure", "signinlogs", "Azure.Audit", "{ResultType: 50126}", signIn, true},
		{"azure", "signinlogs", "Azure.SignIn", "{ResultType: 0}", signIn, false},
		{"azure", "signinlogs", "Azure.SignIn", "{Status: Failure, AuthenticationRequirement: singleFactorAuthentication}", signIn, true},
		{"azure", "signinlogs", "Azure.SignIn", "{Status: Success}", signIn, false},
		{"azure", "signinlogs", "Azure.SignIn", "{Status: Success}", `{"properties":{"status":{"errorCode":0}}}`, true},
		{"azure", "signinlogs", "Azure.SignIn", "{Status|contains: MFA Denied}", `{"properties":{"status":{"errorCode":500121,"additionalDetails":"MFA denied; user declined"}}}`, true},
		{"azure", "signinlogs", "Azure.SignIn", "{DeviceDetail.trusttype: ''}", signIn, true},
		{"azure", "signinlogs", "Azure.SignIn", "{NetworkLocationDetails: '[]', DeviceDetail.deviceId: ''}", signIn, true},
		{"azure", "signinlogs", "Azure.SignIn", "{properties.message: Device Code}", signIn, true},
		{"azure", "signinlogs", "Azure.SignIn", "{actor_user: a@example.com}", signIn, true},
		{"azure", "signinlogs", "Azure.SignIn", "{actor_user: null}", strings.Replace(signIn, "SignInLogs", "ManagedIdentitySignInLogs", 1), true},
		{"azure", "auditlogs", "Azure.Audit", "{properties.message: Add member to role, Category: RoleManagement}", `{"category":"AuditLogs","operationName":"Add member to role","properties":{"category":"RoleManagement"}}`, true},
		{"azure", "auditlogs", "Azure.Audit", "{TargetResources.ModifiedProperties.NewValue|contains: 'x\":0'}", `{"properties":{"targetResources":[{"modifiedProperties":[{"newValue":"[{\"x\":0}]"}]}]}}`, true},
		{"azure", "activitylogs", "Azure.Activity", "{operationName|endswith: /WRITE}", `{"operationName":{"value":"Microsoft.Network/x/write","localizedValue":"x"}}`, true},
		{"azure", "activitylogs", "Azure.Activity", "{operationName|endswith: /WRITE}", `{"operationName":"MICROSOFT.NETWORK/X/WRITE"}`, true},
		{"gcp", "gcp.audit", "GCP.AuditLog", "{gcp.audit.method_name: v*.compute.firewalls.delete}", `{"protoPayload":{"methodName":"v1.compute.firewalls.delete"}}`, true},
		{"gcp", "gcp.audit", "GCP.AuditLog", "{data.protoPayload.logName: 'cloudaudit.googleapis.com%2Factivity', data.protoPayload.resource.type: k8s_cluster}", `{"logName":"projects/p/logs/cloudaudit.googleapis.com%2Factivity","resource":{"type":"k8s_cluster"}}`, true},
		{"gcp", "gcp.audit", "GCP.AuditLog", "{data.protoPayload.authorizationInfo.permission: x.delete, data.protoPayload.authorizationInfo.granted: 'true'}", `{"protoPayload":{"authorizationInfo":[{"permission":"x.delete","granted":true}]}}`, true},
		{"gcp", "google_workspace.admin", "GCP.AuditLog", "{eventService: admin.googleapis.com, new_value: 'false'}", `{"protoPayload":{"serviceName":"admin.googleapis.com","metadata":{"event":[{"eventName":"X","parameter":[{"name":"NEW_VALUE","value":"false"}]}]}}}`, true},
		{"gcp", "gcp.audit", "GCP.AuditLog", "{labels.authorization\\.k8s\\.io/decision: allow}", `{"labels":{"authorization.k8s.io/decision":"allow"}}`, true},
	}
	for _, test := range tests {
		if got := matches(t, test.product, test.service, test.logType, "s: "+test.search+"\ncondition: s", test.record); got != test.want {
			t.Errorf("%s %s: %v on %s", test.service, test.search, got, test.record)
		}
	}

	own, err := ParseMapping([]byte("log_sources:\n  - {product: acme, service: door, log_types: [Acme.Door], fields: [acme]}\nfields:\n  acme: {badge: [card.id]}\n  azure_signin: {ResultType: [code]}\n"), Builtin())
	if err != nil {
		t.Fatal(err)
	}
	rules, _ := Parse("f", []byte("title: t\nlogsource: {product: acme, service: door}\ndetection: {s: {badge: 7}, condition: s}\n---\ntitle: u\nlogsource: {product: azure, service: signinlogs}\ndetection: {s: {ResultType: 7, Status: Success}, condition: s}\n"))
	m := NewEngine([]Entry{{Rule: rules[0]}, {Rule: rules[1]}}, own).NewMatcher()
	if hits := m.Match("Acme.Door", `{"card":{"id":7}}`); len(hits) != 1 || hits[0].Entry != 0 {
		t.Errorf("%v", hits)
	}
	if hits := m.Match("Azure.SignIn", `{"code":7,"properties":{"status":{"errorCode":0}}}`); len(hits) != 1 || hits[0].Entry != 1 {
		t.Errorf("%v", hits)
	}
	for _, text := range []string{"log_sources: [{log_types: [a]}]", "log_sources: [{product: a}]", "fields: {a: {b: [{after: x}]}}", "fields: {a: {b: [{path: x, whn: {}}]}}", "x: 1", "log_sources: [{product: a, log_types: [b], fields: [none]}]"} {
		if _, err := ParseMapping([]byte(text), Builtin()); err == nil {
			t.Errorf("%s: no error", text)
		}
	}
}

func TestFieldValues(t *testing.T) {
	record := `{"userIdentity":{"arn":"a\u0062"},"list":[1,[2,null]],"n":null}`
	m := Builtin()
	l := LogSource{Product: "aws", Service: "cloudtrail"}
	for name, want := range map[string]string{"useridentity.ARN": "ab", "list": "[1,[2,null]]", "n": "<none>", "x": "<none>", "userIdentity": `{"arn":"a\u0062"}`} {
		f := m.Field(l, name)
		got := "<none>"
		if v, ok := f.First(record); ok {
			got = v.Text()
		}
		if got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if all := Lookup(nil, record, "list"); len(all) != 3 {
		t.Errorf("%v", all)
	}
}

// FuzzMatch: neither rules nor records make the engine panic or read without end, and the index finds what the conditions
// say.
func FuzzMatch(f *testing.F) {
	f.Add("title: t\nlogsource: {product: aws, service: cloudtrail}\ndetection: {s: {a: b, c|contains: d}, condition: s}", `{"a":"b","c":["d"]}`)
	f.Add("title: t\nlogsource: {product: aws, service: cloudtrail}\ndetection:\n  s: [evil]\n  t: {a.b|re: x.*y, c|cidr: 10.0.0.0/8}\n  condition: 1 of them", cloudTrailEvent)
	f.Add("title: t\nlogsource: {product: azure, service: signinlogs}\ndetection:\n  s: {Status: Success, x|windash|contains: ' -f'}\n  condition: not s", `{"properties":{"status":{"errorCode":0}}}`)
	f.Fuzz(func(t *testing.T, rule, record string) {
		rules, problems := Parse("f", []byte(rule))
		if len(rules) == 0 {
			if len(problems) == 0 && strings.Contains(rule, "title") && !strings.Contains(rule, "#") && !strings.Contains(rule, "%") {
				t.Skip()
			}
			return
		}
		var entries []Entry
		for _, r := range rules {
			if r.Condition != nil {
				entries = append(entries, Entry{Rule: r})
			}
		}
		e := NewEngine(entries, Builtin())
		m := e.NewMatcher()
		for _, logType := range []string{"AWS.CloudTrail", "Azure.SignIn", "GCP.AuditLog"} {
			hits := len(m.Match(logType, record))
			if m.plan == nil || !strings.HasPrefix(strings.TrimLeft(record, " \n\r\t"), "{") {
				continue
			}
			m.fill()
			want := 0
			for i := range m.plan.rules {
				if m.holds(m.plan.rules[i].expr) {
					want++
				}
			}
			if hits != want {
				t.Fatalf("%s: %d hits, the conditions alone %d", logType, hits, want)
			}
			m.Release()
		}
	})
}
