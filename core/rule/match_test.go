package rule

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/trailship/trailship/core/event"
)

const whole = `
lists:
  teams: [payments, platform]
macros:
  denied: outcome == "denied"
defaults:
  owner: security
  tags: [kms]
  severity: low
rules:
  - id: decrypt-denied
    title: Decrypt was refused
    severity: high
    description: Somebody tried.
    tags: [denied]
    references: ["https://example.com/kms"]
    false_positives: [New roles]
    runbook: https://runbooks.example.com/kms
    mitre: [TA0006]
    meta: {cost: 3, teams: [a, b]}
    let:
      key: split(resource.id, "/")[-1]
      short: key[0:4]
    condition: service == "kms" and action startsWith "Decrypt" and denied
    message: ${principal.name} was refused ${action} on ${short}… by ${error.code} for $${money} and ${raw.nothing}
    fields: {key: key, parameters: raw.requestParameters.list, at: time, first: "resources[0]"}
`

func TestMatch(t *testing.T) {
	set := load(t, "pack.yaml", "name: kms\nversion: 1.2.0\n", "r.yaml", whole)
	matches := set.NewMatcher().Match(decrypt())
	if len(matches) != 1 {
		t.Fatalf("%d matches, want 1", len(matches))
	}
	m := matches[0]
	want := event.Finding{
		ID:       alertID("plain", "decrypt-denied", "aws", "111122223333", "5c0a0e2e-0000-0000-0000-000000000001"),
		Message:  "ci was refused Decrypt on 1234… by AccessDenied for ${money} and -",
		Severity: "high", Title: "Decrypt was refused", Description: "Somebody tried.",
		RuleID: "decrypt-denied", RuleVersion: "1.2.0", Owner: "security", Runbook: "https://runbooks.example.com/kms", Pack: "kms",
		Tags: []string{"kms", "denied"}, Mitre: []string{"TA0006"}, References: []string{"https://example.com/kms"}, FalsePositives: []string{"New roles"},
		Meta: map[string]any{"cost": int64(3), "teams": []any{"a", "b"}},
		Fields: []event.Field{
			{Name: "key", Value: "1234abcd"}, {Name: "parameters", Value: []any{"a", "b"}}, {Name: "at", Value: "2026-08-01T09:30:00Z"},
			{Name: "first", Value: map[string]any{
				"id": "arn:aws:kms:eu-west-1:111122223333:key/1234abcd", "uid": "", "name": "", "type": "AWS::KMS::Key",
				"owner": map[string]any{"account": map[string]any{"uid": "", "name": "", "type": "", "type_id": 0}},
			}},
		},
	}
	if diff := cmp.Diff(want, m.Finding()); diff != "" {
		t.Errorf("finding (-want +got):\n%s", diff)
	}
	if m.Hour != 495993 || m.Key != "" {
		t.Errorf("hour %d and key %q, want 495993 and none", m.Hour, m.Key)
	}
}

func TestWithoutMessageTheTitleIsTheMessage(t *testing.T) {
	set := load(t, "r.yaml", `rules: [{id: a, title: Something happened, severity: low, condition: service == "kms"}]`)
	if m := set.NewMatcher().Match(decrypt())[0]; m.Message != "Something happened" {
		t.Errorf("message %q", m.Message)
	}
}

func TestDedup(t *testing.T) {
	set := load(t, "r.yaml", `
rules:
  - {id: empty, title: Empty key, severity: low, condition: service == "kms", dedup: {by: [raw.nothing, user.name], every: 1h}}
  - {id: one, title: One key, severity: low, condition: service == "kms", dedup: {by: [principal.name], every: 1h}}
  - {id: two, title: Two keys, severity: low, condition: service == "kms", dedup: {by: [principal.role, len(user_agent)], every: 1d}}
`)
	m := set.NewMatcher()
	type alert struct {
		Rule, ID, Key string
		Hour          uint32
	}
	alerts := func(ev *event.Event) (out []alert) {
		for _, m := range m.Match(ev) {
			out = append(out, alert{m.Rule.ID, m.ID, m.Key, m.Hour})
		}
		return out
	}
	first := alerts(decrypt())
	want := []alert{
		{"empty", alertID("plain", "empty", "aws", "111122223333", decrypt().ID), "", 495993},
		{"one", alertID("dedup", "one", "aws", "111122223333", "ci", "495993"), "ci", 495993},
		{"two", alertID("dedup", "two", "aws", "111122223333", "ci-deploy", "12", "20666"), `["ci-deploy","12"]`, 495984},
	}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Errorf("alerts (-want +got):\n%s", diff)
	}
	if n := set.Rule("empty").EmptyKeys(); n != 1 {
		t.Errorf("%d empty keys were counted, want 1", n)
	}

	later := decrypt()
	later.ID, later.Time = "another", later.Time.Add(29*time.Minute)
	if got := alerts(later); got[1] != first[1] || got[0].ID == first[0].ID {
		t.Errorf("29 minutes later in the same hour: %v, want the same id for %q only", got, "one")
	}
	later.Time = later.Time.Add(time.Minute)
	if got := alerts(later); got[1].ID == first[1].ID || got[1].Hour != 495994 || got[2] != first[2] {
		t.Errorf("in the next hour: %v, want another id for %q and the same for %q", got, "one", "two")
	}
	other := decrypt()
	other.Account = "444455556666"
	if got := alerts(other); got[1].ID == first[1].ID {
		t.Error("another account has the same id")
	}
}

func TestSourcesEnabledShadow(t *testing.T) {
	set := load(t, "r.yaml", `
rules:
  - {id: aws, title: T, severity: low, sources: [aws.*], condition: service == "kms"}
  - {id: alibaba, title: T, severity: low, sources: [alibaba.actiontrail], condition: service == "kms"}
  - {id: both, title: T, severity: low, sources: ["*"], condition: service == "kms"}
  - {id: off, title: T, severity: low, enabled: false, condition: service == "kms"}
  - {id: shadow, title: T, severity: low, shadow: true, condition: service == "kms"}
`)
	if got, want := ids(set, decrypt()), []string{"aws", "both", "shadow"}; !reflect.DeepEqual(got, want) {
		t.Errorf("matched %v, want %v", got, want)
	}
	if !set.Rule("shadow").Shadow || set.Rule("off").Enabled {
		t.Error("shadow and enabled are not as written")
	}
	if set.Rule("nobody") != nil {
		t.Error("a rule nobody wrote was found")
	}
}

// TestAnErrorStopsOnlyItsRule: it is no match, counted and told.
func TestAnErrorStopsOnlyItsRule(t *testing.T) {
	var told []string
	set, list := Load(files("r.yaml", `
rules:
  - {id: a, title: T, severity: low, condition: 'lower(raw.n) == "x"'}
  - {id: b, title: T, severity: low, condition: service == "kms", message: "${lower(raw.n)} and ${action}"}
  - id: c
    title: T
    severity: low
    condition: service == "kms"
    exceptions: [{name: broken, reason: x, condition: lower(raw.n) == "x"}]
`), Options{EvalError: func(r *Rule, err error) { told = append(told, r.ID) }})
	if set == nil {
		t.Fatal(list)
	}
	if got, want := ids(set, decrypt()), []string{"b", "c"}; !reflect.DeepEqual(got, want) {
		t.Errorf("matched %v, want %v: a rule whose message or exception fails still alerts", got, want)
	}
	if want := []string{"a", "b", "c"}; !reflect.DeepEqual(told, want) {
		t.Errorf("told of %v, want %v", told, want)
	}
	if set.Errors() != 3 || set.Rule("a").EvalErrors() != 1 {
		t.Errorf("%d errors in all and %d of a, want 3 and 1", set.Errors(), set.Rule("a").EvalErrors())
	}
}

func TestAPanicIsAnEvaluationError(t *testing.T) {
	set := load(t, "r.yaml", `
rules:
  - {id: a, title: T, severity: low, condition: service == "kms", message: "${action}"}
  - {id: b, title: T, severity: low, condition: service == "kms"}
`)
	*set.Rule("a").message.parts[0].value = expression{} // nothing a rule can write does this
	if got, want := ids(set, decrypt()), []string{"b"}; !reflect.DeepEqual(got, want) {
		t.Errorf("matched %v, want %v", got, want)
	}
	if set.Rule("a").EvalErrors() != 1 {
		t.Error("the panic was not counted")
	}
}

func TestRecordThatIsNotJSON(t *testing.T) {
	set := load(t, "r.yaml", `rules: [{id: a, title: T, severity: low, condition: raw.x == nil}]`)
	ev := decrypt()
	ev.RawJSON = []byte(`{"eventName":`)
	if got := ids(set, ev); got != nil || set.Errors() != 1 {
		t.Errorf("matched %v with %d errors, want nothing with 1", got, set.Errors())
	}
}

// TestConcurrentMatchers is for the race detector: one set, many goroutines.
func TestConcurrentMatchers(t *testing.T) {
	set := load(t, "r.yaml", whole+`
  - {id: more, title: T, severity: low, condition: 'any(resources, .type startsWith "AWS") and raw.n in lists.teams or cidr(ip, "198.51.100.0/24")', dedup: {by: [ip], every: 1h}}
`)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			m := set.NewMatcher()
			for range 50 {
				if got := len(m.Match(decrypt())); got != 2 {
					t.Errorf("%d matches, want 2", got)
				}
			}
			if _, err := set.Explain("more", decrypt()); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
}

// TestIndexFindsWhatEvaluatingEverythingFinds compares candidates with the
// conditions themselves, on rules of all shapes.
func TestIndexFindsWhatEvaluatingEverythingFinds(t *testing.T) {
	term := rapid.SampledFrom([]string{
		`service == "kms"`, `"kms" == service`, `service in ["kms", "s3"]`, `service in lists.services`, `service != "kms"`, `service startsWith "k"`,
		`action == "Decrypt"`, `action in ["Decrypt", "Encrypt"]`, `action in lists.none`, `action in []`, `not (action == "Decrypt")`,
		`outcome == "denied"`, `kms`, `service == region`, `lower(action) == "decrypt"`, `raw.eventName == "Decrypt"`, `true`,
	})
	join := rapid.SampledFrom([]string{" and ", " && ", " or ", " and not ", " ?? false and "})
	rapid.Check(t, func(t *rapid.T) {
		text := "lists: {services: [kms, ecs], none: []}\nmacros: {kms: service == \"kms\" and action != \"\"}\nrules:\n"
		for i := range rapid.IntRange(1, 8).Draw(t, "rules") {
			condition := "(" + term.Draw(t, "term") + ")"
			for range rapid.IntRange(0, 3).Draw(t, "terms") {
				condition += join.Draw(t, "join") + "(" + term.Draw(t, "term") + ")"
			}
			text += fmt.Sprintf("  - {id: r%d, title: T, severity: low, condition: '%s'}\n", i, condition)
		}
		set, list := Load(files("r.yaml", text), Options{})
		if set == nil {
			t.Skip(list.String())
		}
		ev := decrypt()
		ev.Service = rapid.SampledFrom([]string{"kms", "s3", "ecs", ""}).Draw(t, "service")
		ev.Action = rapid.SampledFrom([]string{"Decrypt", "Encrypt", ""}).Draw(t, "action")
		m := set.NewMatcher()
		var want []string
		for _, r := range set.Rules {
			if m.holds(r, ev) {
				want = append(want, r.ID)
			}
		}
		if got := ids(set, ev); !reflect.DeepEqual(got, want) {
			t.Fatalf("matched %v, want %v, of\n%s", got, want, text)
		}
	})
}

func TestExplainUnknownRule(t *testing.T) {
	if _, err := load(t, "r.yaml", whole).Explain("nobody", decrypt()); !errors.Is(err, ErrUnknownRule) {
		t.Errorf("%v, want %v", err, ErrUnknownRule)
	}
}
