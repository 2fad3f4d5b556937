package rule

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/core/event"
)

// packed is a pack and what an installation changes about it.
func packed(t *testing.T, overrides string) *Set {
	t.Helper()
	pack := files("pack.yaml", "name: kms\nversion: 1.0.0\n", "a.yaml", `
lists: {admins: [alice]}
defaults: {severity: low, tags: [kms], owner: platform}
rules:
  - id: kms-used
    title: Used
    tags: [used]
    condition: service == "kms" and principal.name not in lists.admins
    message: "${action}"
    fields: {who: principal.name}
  - {id: kms-read, title: Read, condition: service == "kms" and access == "read"}
`)[0]
	pack.Path = "pack:kms"
	set, list := Load([]Root{pack, files("mine.yaml", "lists: {prod: [\"111122223333\"]}\n"+overrides)[0]}, Options{})
	if set == nil {
		t.Fatalf("loading:\n%s", list)
	}
	return set
}

func TestOverrides(t *testing.T) {
	set := packed(t, `
overrides:
  - rule: kms/kms-used
    set: {severity: critical, outputs: [pager], fields: {from: ip}, enabled: true}
    append:
      tags: [prod]
      fields: {account: account}
      exceptions: [{name: nightly, reason: x, condition: account not in lists.prod}]
    and: account in lists.prod
  - {rule: "kms-*", append: {references: ["https://example.com"]}}
  - {list: admins, append: [bob]}
`)
	r := set.Rule("kms-used")
	want := []Key{
		{"id", "kms-used", []string{"pack:kms/a.yaml:5"}},
		{"title", "Used", []string{"pack:kms/a.yaml:6"}},
		{"severity", "critical", []string{"rules/mine.yaml:5"}},
		{"owner", "platform", []string{"pack:kms/a.yaml:3"}},
		{"tags", []any{"kms", "used", "prod"}, []string{"pack:kms/a.yaml:3", "pack:kms/a.yaml:7", "rules/mine.yaml:7"}},
		{"references", []any{"https://example.com"}, []string{"rules/mine.yaml:11"}},
		{"enabled", true, []string{"rules/mine.yaml:5"}},
		{"condition", `service == "kms" and principal.name not in lists.admins`, []string{"pack:kms/a.yaml:8"}},
		{"exceptions", []any{map[string]any{"name": "nightly", "reason": "x", "condition": "account not in lists.prod"}}, []string{"rules/mine.yaml:9"}},
		{"message", "${action}", []string{"pack:kms/a.yaml:9"}},
		{"fields", map[string]any{"from": "ip", "account": "account"}, []string{"rules/mine.yaml:5", "rules/mine.yaml:8"}},
		{"outputs", []any{"pager"}, []string{"rules/mine.yaml:5"}},
		{"and", "account in lists.prod", []string{"rules/mine.yaml:10"}},
	}
	if diff := cmp.Diff(want, r.Effective()); diff != "" {
		t.Errorf("effective (-want +got):\n%s", diff)
	}
	if got := set.Rule("kms-read").References; !reflect.DeepEqual(got, []string{"https://example.com"}) {
		t.Errorf("the glob reached %v", got)
	}

	for _, c := range []struct {
		name, account string
		want          []string
	}{
		{"mallory", "111122223333", []string{"kms-read", "kms-used"}},
		{"mallory", "444455556666", []string{"kms-read"}}, // and: narrows
		{"bob", "111122223333", []string{"kms-read"}},     // the list grew
		{"alice", "111122223333", []string{"kms-read"}},
	} {
		ev := decrypt()
		ev.Principal.Name, ev.Account = c.name, c.account
		if got := ids(set, ev); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s of %s matches %v, want %v", c.name, c.account, got, c.want)
		}
	}
}

// TestPacksDoNotSeeEachOther: lists and macros belong to a pack, rule ids to
// all.
func TestPacksDoNotSeeEachOther(t *testing.T) {
	_, list := Load(files(
		"one/pack.yaml", "name: one\nversion: 1.0.0\nrequires: [two, three]\n",
		"one/deep/a.yaml", "lists: {x: [a]}\nmacros: {m: action == \"a\"}\nrules:\n  - {id: same, title: T, severity: low, condition: m}",
		"two/pack.yaml", "name: two\nversion: 1.0.0\n",
		"two/a.yaml", "lists: {x: [b]}\nrules:\n  - {id: other, title: T, severity: low, condition: action in lists.x}\n  - {id: same, title: T, severity: low, condition: m}",
		"two/b.yaml", "lists: {x: [c]}",
		"copy/pack.yaml", "name: two\nversion: 1.0.0\n",
	), Options{})
	want := `rules/one/pack.yaml:1:7: pack one requires the pack "three", which is not loaded
    name: one
          ^
rules/two/a.yaml:4:10: rule "same" is defined twice: first at rules/one/deep/a.yaml:4
      - {id: same, title: T, severity: low, condition: m}
             ^
rules/two/a.yaml:4:52: unknown field "m": if it is text, write it in quotes, "m"
      - {id: same, title: T, severity: low, condition: m}
                                                       ^
rules/two/b.yaml:1:9: list "x" is defined twice: first at rules/two/a.yaml:1
    lists: {x: [c]}
            ^
rules/two/pack.yaml:1:7: pack "two" is defined twice: first in rules/copy/pack.yaml
    name: two
          ^`
	if diff := cmp.Diff(want, list.String()); diff != "" {
		t.Errorf("diagnostics (-want +got):\n%s", diff)
	}
}

func TestDefaults(t *testing.T) {
	set := load(t, "r.yaml", `
defaults:
  severity: high
  tags: [a]
  meta: {team: x, cost: 1}
  fields: {who: principal.name, where: region}
  sources: [aws.cloudtrail]
rules:
  - {id: plain, title: T, condition: service == "kms"}
  - id: own
    title: T
    severity: low
    tags: [b]
    meta: {cost: 2}
    fields: {where: ip, what: action}
    condition: service == "kms"
`)
	plain, own := set.Rule("plain"), set.Rule("own")
	if plain.Severity != "high" || own.Severity != "low" {
		t.Errorf("severities %s and %s", plain.Severity, own.Severity)
	}
	if diff := cmp.Diff([]string{"a", "b"}, own.Tags); diff != "" {
		t.Errorf("tags: %s", diff)
	}
	if diff := cmp.Diff(map[string]any{"team": "x", "cost": int64(2)}, own.Meta); diff != "" {
		t.Errorf("meta: %s", diff)
	}
	if diff := cmp.Diff([]string{"a"}, plain.Tags); diff != "" {
		t.Errorf("one rule's tags reached another: %s", diff)
	}
	m := set.NewMatcher().Match(decrypt())
	if diff := cmp.Diff([]event.Field{{Name: "who", Value: "ci"}, {Name: "where", Value: "198.51.100.7"}, {Name: "what", Value: "Decrypt"}}, m[0].Fields); diff != "" {
		t.Errorf("fields: %s", diff)
	}
}

// TestAnOverrideTakesAKeyAway: null under set is the key's absence.
func TestAnOverrideTakesAKeyAway(t *testing.T) {
	set := packed(t, `
overrides:
  - {rule: kms-used, set: {message: null, fields: ~, owner: null}}
`)
	m := set.NewMatcher().Match(decrypt())
	if len(m) != 2 || m[1].Message != "Used" || m[1].Fields != nil {
		t.Errorf("got %+v", m)
	}
	for _, k := range set.Rule("kms-used").Effective() {
		if k.Name == "message" || k.Name == "fields" || k.Name == "owner" {
			t.Errorf("%s is still there: %v", k.Name, k)
		}
	}
	_, list := Load(files("r.yaml", `
rules: [{id: a, title: A, severity: low, condition: service == "kms"}]
overrides: [{rule: a, set: {severity: null, condition: null}}]
`), Options{})
	want := `rules/r.yaml:2:9: missing key "condition"
    rules: [{id: a, title: A, severity: low, condition: service == "kms"}]
            ^
rules/r.yaml:2:9: missing key "severity"
    rules: [{id: a, title: A, severity: low, condition: service == "kms"}]
            ^`
	if diff := cmp.Diff(want, list.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
