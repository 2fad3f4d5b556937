package rule

import (
	"testing"
	"testing/fstest"
	"time"

	"github.com/trailship/trailship/core/diag"
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

// loadErrors loads one file, rules/r.yaml, and returns what is said about it.
func loadErrors(text string) diag.List {
	_, list := Load(files("r.yaml", text), Options{})
	return list
}

// ids are the rules that match an event.
func ids(set *Set, ev *event.Event) []string {
	var out []string
	for _, m := range set.NewMatcher().Match(ev) {
		out = append(out, m.Rule.ID)
	}
	return out
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

func TestSmoke(t *testing.T) {
	set := load(t, "r.yaml", `
lists:
  key_admins: [alice, ci]
macros:
  denied: outcome == "denied"
rules:
  - id: a
    title: A
    severity: high
    let: {key: raw.requestParameters.keyId}
    condition: service == "kms" and denied and key == "1234abcd" and principal.name in lists.key_admins
    message: ${principal.name} on ${key} from ${ip} ${raw.nope}
    fields: {k: key, list: raw.requestParameters.list}
  - {id: b, title: B, severity: low, condition: raw.n > 5 and raw.missing.x.y > 3}
  - {id: c, title: C, severity: low, condition: 'lower(raw.nope) == "" and raw.requestParameters.list[1] == "b" and cidr(ip, "198.51.100.0/24")'}
`)
	for _, m := range set.NewMatcher().Match(decrypt()) {
		t.Logf("%s %s %q %v", m.Rule.ID, m.ID, m.Message, m.Fields)
	}
	t.Log(ids(set, decrypt()), set.Errors())
}

func TestSmokeErrors(t *testing.T) {
	t.Log("\n" + loadErrors(`
lists:
  key_admins: [alice, ci]
  nets: [10.0.0.0/8, bogus]
macros:
  denied: outcome == "denied" and acton
  loop: loop2 and true
  loop2: loop
rules:
  - id: a
    title: A
    severity: hgih
    treshold: {}
    condition: >-
      service == "kms"
      and acton == "Decrypt" and principal.nme == "x"
      and foo(action)
    exceptions:
      - {name: x, reason: y, condition: principal.name in lists.key_admin}
  - {id: b, title: B, severity: low, condition: 'action = "x"'}
  - {id: c, title: C, severity: low, condition: 'not action in ["x"]'}
  - {id: d, title: D, severity: low, condition: action}
  - {id: e, title: E, severity: low, condition: raw.flag and true}
  - {id: f, title: F, severity: low, condition: 'true'}
  - {id: g, title: G, severity: low, condition: denied}
  - {id: h, title: H, severity: low, condition: 'cidr(ip, lists.nets)', message: "x ${ acton } y ${"}
  - {id: i, title: I, severity: low, condition: 'action == 1', threshold: {count: 3, within: 10m}, dedup: {by: [ip], every: 1h}}
  - {id: j, title: J, severity: low, condition: 'now() > time or reduce(resources, #) == 1'}
`).String())
}
