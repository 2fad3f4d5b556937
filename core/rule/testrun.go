package rule

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/trailship/trailship/core/diag"
	"github.com/trailship/trailship/core/event"
)

// TestResult is how one test of a rule went.
type TestResult struct {
	Rule     string
	Name     string
	File     string
	Line     int
	Failures diag.List // empty when it passed; at the expectation that was not met
	Messages []string  // of the alerts the rule raised
}

// Passed reports that nothing failed.
func (t TestResult) Passed() bool { return len(t.Failures) == 0 }

// Test runs the tests of the named rules, of all when none is named, with the
// real matching and the Normalize of the options. Rules that are disabled or
// in shadow are tested too. Nothing is counted.
func (s *Set) Test(ids ...string) []TestResult {
	var out []TestResult
	for _, r := range s.Rules {
		if len(ids) > 0 && !slices.Contains(ids, r.ID) {
			continue
		}
		for _, t := range r.tests {
			out = append(out, s.test(r, t))
		}
	}
	return out
}

func (s *Set) test(r *Rule, t test) TestResult {
	res := TestResult{Rule: r.ID, Name: t.name, File: t.at.File(), Line: t.at.Line()}
	fail := func(n diag.Node, format string, args ...any) {
		res.Failures = append(res.Failures, n.Errorf("E240", "%s: test %q: %s", r.ID, t.name, fmt.Sprintf(format, args...)))
	}
	m := s.NewMatcher()
	var failed []error
	m.failure = func(_ *Rule, err error) { failed = append(failed, err) }
	alerts, err := s.alerts(m, r, t.records)
	if err != nil {
		fail(t.at, "%v", err)
		return res
	}
	for _, a := range alerts {
		res.Messages = append(res.Messages, a.Message)
	}
	t.expect.check(r, alerts, fail)
	if len(res.Failures) > 0 && len(failed) > 0 {
		fail(t.expect.at, "an expression failed: %v", failed[0])
	}
	return res
}

// alerts are the matches of the records, each alert id once.
func (s *Set) alerts(m *Matcher, r *Rule, records []map[string]any) ([]Match, error) {
	if s.options.Normalize == nil {
		return nil, errors.New("there is no normalizer to run it with")
	}
	run := trial{set: s, matcher: m, rule: r}
	for i, record := range records {
		raw, err := json.Marshal(record)
		if err != nil {
			return nil, err
		}
		ev, err := s.options.Normalize(raw)
		if err != nil {
			return nil, fmt.Errorf("record %d: %w", i+1, err)
		}
		if err := run.event(ev); err != nil {
			return nil, err
		}
	}
	err := run.end()
	return run.alerts, err
}

// trial is one test on its way through the engine.
type trial struct {
	set     *Set
	matcher *Matcher
	rule    *Rule
	state   Scratch
	events  []*event.Event
	alerts  []Match // each id once
}

func (t *trial) event(ev *event.Event) error {
	t.matcher.begin(ev)
	if t.matcher.possible(t.rule) {
		t.matcher.try(t.rule, ev)
	}
	for _, a := range t.matcher.matches {
		t.raise(a)
	}
	if t.rule.state == nil {
		return nil
	}
	t.events = append(t.events, ev)
	return t.round(func(r *Round) error {
		for _, c := range t.matcher.contributions {
			c.Record = &Record{Index: int64(len(t.events) - 1)}
			if err := r.Add("", c); err != nil {
				return err
			}
		}
		return nil
	})
}

// end decides what waits for later events: there are none.
func (t *trial) end() error {
	if t.rule.state == nil {
		return nil
	}
	return t.round(func(r *Round) error { return r.decideRule(t.rule, Forever) })
}

func (t *trial) round(fn func(*Round) error) error {
	var judge Judge
	r := judge.Begin(&t.state, t.set)
	if err := fn(r); err != nil {
		return err
	}
	if err := r.End(); err != nil {
		return err
	}
	for _, v := range r.Verdicts {
		t.raise(t.matcher.Alert(v, t.events[v.Record.Index]))
	}
	return nil
}

func (t *trial) raise(a Match) {
	if !slices.ContainsFunc(t.alerts, func(b Match) bool { return a.ID == b.ID }) {
		t.alerts = append(t.alerts, a)
	}
}

// check compares the alerts with what was expected.
func (e expectation) check(r *Rule, alerts []Match, fail func(diag.Node, string, ...any)) {
	switch {
	case e.alerts < 0 && len(alerts) == 0:
		fail(e.at, "expected an alert, got none")
	case e.alerts >= 0 && e.alerts != len(alerts):
		fail(e.at, "expected %s, got %s", plural(e.alerts), plural(len(alerts)))
	}
	if e.severity.Value != "" && e.severity.Value != r.Severity {
		fail(e.severity.Node, "expected severity %s, got %s", e.severity.Value, r.Severity)
	}
	if len(alerts) == 0 {
		return
	}
	if m := e.message; m.Node.Kind() != diag.Absent && m.Value != alerts[0].Message {
		fail(m.Node, "expected message %q, got %q", m.Value, alerts[0].Message)
	}
	for _, f := range e.fields {
		want, _ := f.Value.JSON()
		got, ok := fieldOf(alerts[0], f.Name)
		if !ok || !sameJSON(want, got) {
			fail(f.Value, "expected field %s = %s, got %s", f.Name, jsonText(want), jsonText(got))
		}
	}
}

func plural(n int) string {
	switch n {
	case 0:
		return "no alert"
	case 1:
		return "1 alert"
	}
	return fmt.Sprintf("%d alerts", n)
}

func fieldOf(m Match, name string) (any, bool) {
	for _, f := range m.Fields {
		if f.Name == name {
			return f.Value, true
		}
	}
	return nil, false
}

// sameJSON compares a value of YAML with one of an event: by text when both
// are scalars, for YAML's types are a guess.
func sameJSON(want, got any) bool {
	if scalar(want) && scalar(got) {
		return display(want) == display(got)
	}
	return reflect.DeepEqual(jsonText(want), jsonText(got))
}

func scalar(v any) bool {
	switch v.(type) {
	case string, bool, int, int64, float64:
		return true
	}
	return false
}

func jsonText(v any) string {
	b, err := appendJSON(nil, v, maxText)
	if err != nil {
		return display(v)
	}
	return string(b)
}
