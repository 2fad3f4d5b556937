package rule

import (
	"testing"
	"testing/fstest"
	"time"

	"github.com/trailship/trailship/core/event"
)

// files makes a root of files given as name, text, name, text, …
func files(namesAndTexts ...string) []Root {
	m := fstest.MapFS{}
	for i := 0; i < len(namesAndTexts); i += 2 {
		m[namesAndTexts[i]] = &fstest.MapFile{Data: []byte(namesAndTexts[i+1])}
	}
	return []Root{{FS: m, Path: "rules"}}
}

// load loads files that have no mistakes.
func load(t testing.TB, namesAndTexts ...string) *Set {
	t.Helper()
	set, list := Load(files(namesAndTexts...), Options{})
	if set == nil {
		t.Fatalf("loading:\n%s", list)
	}
	return set
}

// ids are the rules that match an event.
func ids(set *Set, ev *event.Event) []string { return idsOfMatches(set.NewMatcher().Match(ev)) }

func idsOfMatches(matches []Match) (out []string) {
	for _, m := range matches {
		out = append(out, m.Rule.ID)
	}
	return out
}

// holds reports that the condition of a rule is true, without any index.
func (m *Matcher) holds(r *Rule, ev *event.Event) bool {
	m.begin(ev)
	return m.possible(r) && m.all(r, r.conditions, ev)
}

// decrypt is an event of a principal that was refused a Decrypt.
func decrypt() *event.Event {
	return &event.Event{
		ID: "5c0a0e2e-0000-0000-0000-000000000001", Time: time.Date(2026, 8, 1, 9, 30, 0, 0, time.UTC),
		Provider: "aws", Service: "kms", Action: "Decrypt", Kind: "api", Access: "read", Outcome: "denied",
		Account: "111122223333", Region: "eu-west-1", IP: "198.51.100.7", UserAgent: "aws-cli/2.15",
		Error:     event.Error{Code: "AccessDenied", Message: "not allowed"},
		Principal: event.Principal{Type: "role", Name: "ci", Role: "ci-deploy", ARN: "arn:aws:sts::111122223333:assumed-role/ci-deploy/ci", Account: "111122223333"},
		Resource:  event.Resource{ID: "arn:aws:kms:eu-west-1:111122223333:key/1234abcd", Type: "AWS::KMS::Key"},
		Resources: []event.Resource{{ID: "arn:aws:kms:eu-west-1:111122223333:key/1234abcd", Type: "AWS::KMS::Key"}},
		Format:    event.CloudTrail,
		RawJSON: []byte(`{"eventName":"Decrypt","n":7,"big":12345678901234567890,"f":1.5,"flag":true,"no":null,"s":"text",
			"requestParameters":{"keyId":"1234abcd","list":["a","b"],"items":[{"k":"v"}]},"accountId":111122223333}`),
		RequestRaw: []byte(`{"keyId":"1234abcd","encryptionContext":{"app":"x"}}`),
	}
}

// evaluate compiles one expression and runs it on an event.
func evaluate(t testing.TB, text string, ev *event.Event) (any, error) {
	t.Helper()
	c := newCompiler(event.Event{})
	p, problems := c.parse(text, &scope{lists: map[string]*list{"admins": listOfTexts("alice", "7"), "nets": listOfTexts("10.0.0.0/8", "2001:db8::/32", "192.0.2.1")}})
	if p == nil || len(problems) > 0 {
		t.Fatalf("%s: %v", text, problems)
	}
	e, problems := c.finish(p, "condition", wantAny)
	if e == nil {
		t.Fatalf("%s: %v", text, problems)
	}
	set := &Set{}
	return set.NewMatcher().run(e, ev)
}

func listOfTexts(values ...string) *list {
	l := &list{}
	for _, v := range values {
		l.add(v, place{})
	}
	return l
}
