package rule

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/core/event"
)

const explained = `
lists: {people: [alice, ci]}
macros: {denied: outcome == "denied"}
rules:
  - id: a
    title: T
    severity: low
    let: {key: raw.requestParameters.keyId}
    condition: service == "kms" and (denied or not (key startsWith "x")) and lower(raw.n) == "7"
    exceptions:
      - {name: ci, reason: builds, match: {principal.role: "ci-*", region: [eu-west-1]}}
      - {name: old, reason: gone, until: 2026-01-01, condition: principal.name in lists.people}
    message: by ${principal.name}
`

func TestExplain(t *testing.T) {
	set := load(t, "r.yaml", explained)
	got, err := set.Explain("a", decrypt())
	if err != nil {
		t.Fatal(err)
	}
	want := Explanation{
		Rule: "a", Stopped: "the condition is not true", Fields: []event.Field{},
		Conditions: []Term{{
			Text: `service == "kms" and (denied or not (key startsWith "x")) and lower(raw.n) == "7"`, Error: "found a number where text is needed",
			Terms: []Term{
				{Text: `service == "kms"`, Value: true, LeftText: "service", Left: "kms"},
				{Text: `denied or not (key startsWith "x")`, Value: true, Terms: []Term{
					{Text: "denied", Value: true, Terms: []Term{{Text: `outcome == "denied"`, Value: true, LeftText: "outcome", Left: "denied"}}},
					{Text: `not (key startsWith "x")`, Value: true, Terms: []Term{{Text: `key startsWith "x"`, Value: false, LeftText: "key", Left: "1234abcd"}}},
				}},
				{Text: `lower(raw.n) == "7"`, Error: "found a number where text is needed", LeftText: "lower(raw.n)"},
			},
		}},
		Exceptions: []ExceptionOutcome{
			{Name: "ci", Reason: "builds", Met: true, Terms: []Term{
				{Text: "principal.role: ci-*", Value: true, LeftText: "principal.role", Left: "ci-deploy"},
				{Text: "region: eu-west-1", Value: true, LeftText: "region", Left: "eu-west-1"},
			}},
			{Name: "old", Reason: "gone", Over: true, Terms: []Term{
				{Text: "principal.name in lists.people", Value: true, LeftText: "principal.name", Left: "ci"},
			}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("explanation (-want +got):\n%s", diff)
	}
	if _, err := json.Marshal(got); err != nil {
		t.Error(err)
	}
	if set.Errors() != 0 {
		t.Error("explaining was counted as evaluation")
	}
}

func TestExplainCallsAndChoices(t *testing.T) {
	set := load(t, "r.yaml", `
rules:
  - id: a
    title: T
    severity: low
    condition: '(glob(principal.arn, "arn:*") ? any(policies, .name == "x") : private_ip("10.0.0.1"))'
`)
	got, err := set.Explain("a", decrypt())
	if err != nil {
		t.Fatal(err)
	}
	want := []Term{{
		Text: `(glob(principal.arn, "arn:*") ? any(policies, .name == "x") : private_ip("10.0.0.1"))`, Value: false,
		Terms: []Term{
			{Text: `glob(principal.arn, "arn:*")`, Value: true, LeftText: "principal.arn", Left: "arn:aws:sts::111122223333:assumed-role/ci-deploy/ci"},
			{Text: `any(policies, .name == "x")`, Value: false, LeftText: "policies", Left: []any{}},
			{Text: `private_ip("10.0.0.1")`, Value: true},
		},
	}}
	if diff := cmp.Diff(want, got.Conditions); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhatStoppedARule(t *testing.T) {
	rule := func(keys string) string {
		return `rules: [{id: a, title: Used, severity: low, condition: 'action == "Decrypt"', ` + keys + `}]`
	}
	for keys, want := range map[string]string{
		`tags: []`:             "",
		`enabled: false`:       "the rule is disabled",
		`sources: [alibaba.*]`: "the rule is not for aws.cloudtrail",
		`exceptions: [{name: ci, reason: x, match: {principal.name: ci}}]`: "exception ci",
	} {
		got, err := load(t, "r.yaml", rule(keys)).Explain("a", decrypt())
		if err != nil || got.Stopped != want || got.Matched != (want == "") {
			t.Errorf("%s: stopped by %q, %v, want %q", keys, got.Stopped, err, want)
		}
		if got.Matched && (got.AlertID == "" || got.Message != "Used") {
			t.Errorf("%s: alert %q with message %q", keys, got.AlertID, got.Message)
		}
	}
}
