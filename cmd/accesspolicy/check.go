package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// truth is what is known of a condition: whether it holds can depend on things that a policy file does not show.
type truth int

const (
	no truth = iota
	maybe
	yes
)

// request is one that a policy is asked about. Its context are the condition keys that are known of it, in lower case;
// a key with no value is known to be absent, one that is not here is not known.
type request struct {
	who              arn
	action, resource string
	context          map[string][]string
	whole            bool // only a denial of all of the resource counts, not of a part
}

// decision is what a policy says to a request, and which statement says so.
type decision struct {
	effect  string // allow, deny, or "" when no statement is about it
	unsure  bool   // it hangs on a condition that cannot be told
	by      string
	on      conditions
	account bool // granted to the account, which has to pass it on
}

// check says what the policy of a bucket lacks, and what else is to be known.
func (o *options) check(p *policy, bucket arn) (problems, notes []string) {
	for _, who := range o.roles {
		ask := func(action, resource string, whole bool, acl ...string) decision {
			return p.decide(request{who: who, action: action, resource: resource, whole: whole, context: map[string][]string{
				strings.ToLower(aclKey): acl, "aws:securetransport": {"true"}, "aws:principalarn": {who.text}, "aws:principalaccount": {who.account},
			}})
		}
		want := func(action, resource string) {
			var acl []string
			if slices.Contains(aclActions, action) {
				acl = []string{ownerACL}
			}
			d := ask(action, resource, false, acl...)
			switch {
			case d.effect == deny && d.unsure:
				problems = append(problems, fmt.Sprintf("%s may be refused %s on %s: %s denies it where %s", who.text, action, resource, d.by, d.on))
			case d.effect == deny:
				problems = append(problems, fmt.Sprintf("%s is refused %s on %s, or on a part of it: %s denies it", who.text, action, resource, d.by))
			case d.effect == "":
				problems = append(problems, fmt.Sprintf("%s lacks %s on %s", who.text, action, resource))
			case d.unsure:
				problems = append(problems, fmt.Sprintf("%s has %s on %s only where %s says so: %s", who.text, action, resource, d.by, d.on))
			case d.account:
				notes = append(notes, fmt.Sprintf("note: %s grants %s on %s to the account: a policy of %s must allow it too", d.by, action, resource, who.text))
			}
		}
		objects := o.objects(bucket)
		if !o.strict {
			for _, action := range bucketActions {
				want(action, bucket.text)
			}
			for _, action := range objectActions {
				want(action, objects)
			}
			continue
		}
		for _, action := range slices.Concat(aclActions, o.plainActions()) {
			want(action, objects)
		}
		for _, acl := range [][]string{nil, {"private"}} {
			how := "without an ACL"
			if acl != nil {
				how = "with the ACL " + acl[0]
			}
			for _, action := range aclActions {
				switch d := ask(action, objects, true, acl...); {
				case d.effect == deny && !d.unsure:
				case d.effect == allow:
					problems = append(problems, fmt.Sprintf("%s is not refused %s %s: %s allows it", who.text, action, how, d.by))
				default:
					problems = append(problems, fmt.Sprintf("%s is not refused %s %s: nothing denies it, so that another policy may allow it", who.text, action, how))
				}
			}
		}
	}
	return problems, notes
}

// decide weighs every statement: a denial beats all grants, one that is only possible beats them too.
func (p *policy) decide(r request) (best decision) {
	rank := -1
	for i, s := range p.Statement {
		matches, account := s.matches(r)
		if matches == no {
			continue
		}
		d := decision{effect: s.Effect, unsure: matches == maybe, by: s.name(i), on: s.Condition, account: account}
		var n int
		switch {
		case s.Effect == deny && matches == yes:
			n = 5
		case s.Effect == deny:
			n = 4
		case matches == yes && !account:
			n = 3
		case matches == yes:
			n = 2
		default:
			n = 1
		}
		if n > rank {
			best, rank = d, n
		}
	}
	return best
}

// matches reports whether a statement is about a request. A grant must be about all of the resource, a denial is about it
// when it takes any part away.
func (s *statement) matches(r request) (matches truth, account bool) {
	touches, excludes := covers, overlaps
	if s.Effect == deny && !r.whole {
		touches, excludes = overlaps, covers
	}
	about, account := s.isAbout(r.who)
	if !about {
		return no, false
	}
	action := strings.ToLower(r.action)
	hasAction := func(list texts) bool {
		return slices.ContainsFunc(list, func(p string) bool { return covers(strings.ToLower(p), action) })
	}
	if s.Action != nil && !hasAction(s.Action) || s.NotAction != nil && hasAction(s.NotAction) {
		return no, false
	}
	if s.Resource != nil && !slices.ContainsFunc(s.Resource, func(p string) bool { return touches(p, r.resource) }) {
		return no, false
	}
	if s.NotResource != nil && slices.ContainsFunc(s.NotResource, func(p string) bool { return excludes(p, r.resource) }) {
		return no, false
	}
	return s.Condition.hold(r.context), account
}

// isAbout reports whether the statement names somebody: by ARN, by account, or as everybody.
func (s *statement) isAbout(who arn) (about, account bool) {
	named := func(p *principal) (named, account bool) {
		for _, name := range p.AWS {
			switch name {
			case "*", who.text:
				return true, false
			case who.account, "arn:" + who.partition + ":iam::" + who.account + ":root":
				account = true
			}
		}
		return account, account
	}
	if s.NotPrincipal != nil {
		excepted, _ := named(s.NotPrincipal)
		return !excepted, false
	}
	return named(s.Principal)
}

// hold tells whether all conditions hold.
func (c conditions) hold(context map[string][]string) truth {
	result := yes
	for operator, keys := range c {
		for key, values := range keys {
			actual, known := context[strings.ToLower(key)]
			result = min(result, compare(operator, values, actual, known))
		}
	}
	return result
}

// compare applies one operator.
// See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
func compare(operator string, values texts, actual []string, known bool) truth {
	if !known {
		return maybe
	}
	name, ifExists := strings.CutSuffix(operator, "IfExists")
	if name == "Null" {
		return truthOf(slices.Contains(values, fmt.Sprint(len(actual) == 0)))
	}
	if len(actual) == 0 && ifExists {
		return yes
	}
	var same func(value string) bool
	not := strings.Contains(name, "Not")
	switch strings.Replace(name, "Not", "", 1) {
	case "StringEquals":
		same = func(value string) bool { return value == actual[0] }
	case "StringEqualsIgnoreCase":
		same = func(value string) bool { return strings.EqualFold(value, actual[0]) }
	case "StringLike", "ArnLike", "ArnEquals":
		same = func(value string) bool { return covers(value, actual[0]) }
	case "Bool":
		same = func(value string) bool { return strings.EqualFold(value, actual[0]) }
	default:
		return maybe
	}
	if len(actual) == 0 { // a key that is absent equals nothing, and so differs from everything
		return truthOf(not)
	}
	return truthOf(slices.ContainsFunc(values, same) != not)
}

func truthOf(holds bool) truth {
	if holds {
		return yes
	}
	return no
}

// String is the conditions as the policy has them.
func (c conditions) String() string {
	text, err := json.Marshal(map[string]map[string]texts(c))
	if err != nil {
		return err.Error()
	}
	return string(text)
}
