package rules

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trailship/trailship/core/decode"
	"github.com/trailship/trailship/core/diag"
	"github.com/trailship/trailship/core/event"
	"github.com/trailship/trailship/core/event/ocsftest"
	"github.com/trailship/trailship/core/rule"
)

func TestPacks(t *testing.T) {
	if got, want := strings.Join(Packs(), " "), "kms principals secrets signin"; got != want {
		t.Errorf("packs are %q, want %q", got, want)
	}
	for _, name := range []string{"", ".", "..", "nothing", "kms/pack.yaml", "kms/../kms", "/kms"} {
		if _, ok := Pack(name); ok {
			t.Errorf("there is a pack called %q", name)
		}
	}
}

// TestRules loads every pack and runs the tests of its rules through the real
// decoder, normalizer and engine.
func TestRules(t *testing.T) {
	for _, name := range Packs() {
		set, ok := load(t, name)
		if !ok {
			continue
		}
		tests := 0
		for _, result := range set.Test() {
			tests++
			t.Run(result.Rule+"/"+result.Name, func(t *testing.T) {
				if !result.Passed() {
					t.Errorf("alerts %q\n%s", result.Messages, result.Failures)
				}
			})
		}
		if tests == 0 {
			t.Errorf("pack %s has no tests", name)
		}
		if n := set.Errors(); n != 0 {
			t.Errorf("pack %s: expressions failed %d times in its tests", name, n)
		}
	}
}

// TestEveryRuleIsTestedInEveryCloud asks of each rule one test that fires and
// one that does not for each cloud it is for, and the keys a reader needs.
func TestEveryRuleIsTestedInEveryCloud(t *testing.T) {
	for _, name := range Packs() {
		set, ok := load(t, name)
		if !ok {
			continue
		}
		tested := testedIn(t, name)
		for _, r := range set.Rules {
			formats := r.Sources
			if len(formats) == 0 {
				formats = []string{event.CloudTrail, event.ActionTrail}
			}
			for _, format := range formats {
				for _, expect := range []string{"alert", "none"} {
					if !tested[r.ID+" "+format+" "+expect] {
						t.Errorf("%s: no test on a record of %s expects %s", r.ID, format, expect)
					}
				}
			}
			if r.Description == "" || !strings.HasPrefix(r.ID, name+"-") || r.Pack != name || len(r.Tags) == 0 {
				t.Errorf("%s: a shipped rule has a description and tags, and its id begins with its pack (%q)", r.ID, r.Pack)
			}
			if slices.Contains([]string{"medium", "high", "critical"}, r.Severity) && len(r.FalsePositives) == 0 && r.ID != "kms-key-material-expired" {
				t.Errorf("%s: says nothing about false positives", r.ID)
			}
		}
	}
}

// TestTheReadmeListsEveryRule keeps the table of each pack complete.
func TestTheReadmeListsEveryRule(t *testing.T) {
	for _, name := range Packs() {
		set, ok := load(t, name)
		if !ok {
			continue
		}
		files, _ := Pack(name)
		text, err := fs.ReadFile(files, "README.md")
		if err != nil {
			t.Error(err)
			continue
		}
		for _, r := range set.Rules {
			if row := fmt.Sprintf("| `%s` | %s | %s |", r.ID, r.Severity, r.Title); !strings.Contains(string(text), row) {
				t.Errorf("README.md of %s lacks the row %s", name, row)
			}
		}
	}
}

// TestEveryAlertIsOCSF writes the alerts that the tests of every rule raise.
func TestEveryAlertIsOCSF(t *testing.T) {
	schema := ocsftest.Load(t)
	for _, name := range Packs() {
		var events []*event.Event
		set, ok := loadWith(t, name, func(raw []byte) (*event.Event, error) {
			ev, err := normalize(raw)
			events = append(events, ev)
			return ev, err
		})
		if !ok {
			continue
		}
		set.Test()
		raised := map[string]bool{}
		var memory remembering
		for _, ev := range events {
			for _, match := range memory.matches(t, set, ev) {
				raised[match.Rule.ID] = true
				finding := match.Finding()
				finding.Source, finding.Object, finding.Created = "s", "o", ev.Time
				alert := event.Include(finding.Append(nil, ev), ev.AppendOCSF(nil), ev.RawJSON)
				for _, problem := range schema.Check(alert).Errors {
					t.Errorf("%s on %s: %s", match.Rule.ID, ev.ID, problem)
				}
			}
		}
		if len(raised) != len(set.Rules) {
			t.Errorf("pack %s: %d of %d rules raised an alert", name, len(raised), len(set.Rules))
		}
	}
}

// remembering runs rules that remember beside those that do not. It begins
// anew where time goes back: with the next test.
type remembering struct {
	state rule.Scratch
	last  time.Time
}

func (m *remembering) matches(t *testing.T, set *rule.Set, ev *event.Event) []rule.Match {
	t.Helper()
	matcher := set.NewMatcher()
	all := slices.Clone(matcher.Match(ev))
	if ev.Time.Before(m.last) {
		m.state = rule.Scratch{}
	}
	m.last = ev.Time
	var judge rule.Judge
	round := judge.Begin(&m.state, set)
	for _, c := range matcher.Contributions() {
		if err := round.Add("", c); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(round.Decide(rule.Forever), round.End()); err != nil {
		t.Fatal(err)
	}
	for _, v := range round.Verdicts {
		all = append(all, matcher.Alert(v, ev))
	}
	return all
}

func load(t *testing.T, name string) (*rule.Set, bool) {
	t.Helper()
	return loadWith(t, name, normalize)
}

func loadWith(t *testing.T, name string, normalize func([]byte) (*event.Event, error)) (*rule.Set, bool) {
	t.Helper()
	files, ok := Pack(name)
	if !ok {
		t.Fatalf("pack %s cannot be opened", name)
	}
	set, problems := rule.Load([]rule.Root{{FS: files, Path: "rules/" + name}}, rule.Options{Normalize: normalize})
	if len(problems) > 0 {
		t.Errorf("pack %s:\n%s", name, problems)
	}
	return set, set != nil
}

func normalize(raw []byte) (*event.Event, error) {
	record, err := decode.NewReader(bytes.NewReader(raw), decode.Limits{}).Next()
	if err != nil {
		return nil, err
	}
	ev := new(event.Event)
	return ev, decode.Normalize(ev, record)
}

// testedIn reads the files of a pack and returns what its tests cover, as
// "rule format expectation".
func testedIn(t *testing.T, name string) map[string]bool {
	t.Helper()
	covered := map[string]bool{}
	files, _ := Pack(name)
	err := fs.WalkDir(files, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(file) != ".yaml" {
			return err
		}
		text, err := fs.ReadFile(files, file)
		if err != nil {
			return err
		}
		doc, _ := diag.Parse(file, text)
		for r := range doc.Root().Key("rules").Items() {
			for test := range r.Key("tests").Items() {
				covered[r.Key("id").Value()+" "+formatOf(test)+" "+expectOf(test)] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return covered
}

func formatOf(test diag.Node) string {
	record := test.Key("event")
	if record.Kind() == diag.Absent {
		record = test.Key("events").Index(0)
	}
	if strings.HasSuffix(record.Key("eventSource").Value(), ".amazonaws.com") || strings.HasPrefix(test.Key("file").Value(), "testdata/aws-") {
		return event.CloudTrail
	}
	return event.ActionTrail
}

func expectOf(test diag.Node) string {
	if expect := test.Key("expect"); expect.Value() == "none" || expect.Key("alerts").Value() == "0" {
		return "none"
	}
	return "alert"
}
