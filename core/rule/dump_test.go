package rule

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMemoriesSaysWhatIsRemembered(t *testing.T) {
	text := "rules:\n"
	for _, form := range []string{"count", "distinct", "simple", "seen"} {
		text += fmt.Sprintf("  - {id: %s, title: T, severity: low, condition: service == \"kms\", %s}\n", form, forms[form])
	}
	set := load(t, "r.yaml", text+"  - {id: changed, title: T, severity: low, condition: service == \"kms\", threshold: {count: 2, within: 1h}}\n")
	var state Scratch
	var judge Judge
	r := judge.Begin(&state, set)
	for i := range 3 {
		for _, one := range set.Rules {
			c := Contribution{Rule: one, Event: fmt.Sprint("e", i), Time: start.Add(time.Duration(i) * time.Minute), Group: []string{"ci"}, Value: fmt.Sprint("v", i/2), Steps: 1}
			if err := r.Add("trails", c); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := r.Saw("trails", start.Add(2*time.Minute)); err != nil {
		t.Fatal(err)
	}
	if err := r.End(); err != nil {
		t.Fatal(err)
	}

	now := load(t, "r.yaml", text+"  - {id: changed, title: T, severity: low, condition: service == \"kms\", threshold: {count: 2, within: 2h}}\n")
	var rules []Memory
	var each []Remembered
	err := now.Memories(&state, func(m Memory) error { rules = append(rules, m); return nil }, func(r Remembered) error { each = append(each, r); return nil })
	if err != nil {
		t.Fatal(err)
	}
	minute := func(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }
	if diff := cmp.Diff([]Memory{
		{Rule: "changed", Groups: 1}, {Rule: "count", Form: "threshold", Groups: 1}, {Rule: "distinct", Form: "threshold", Groups: 1},
		{Rule: "seen", Form: "first_seen", Groups: 2, Oldest: minute(0), Newest: minute(2)}, {Rule: "simple", Form: "sequence", Groups: 1},
	}, rules); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	three := []string{"e0", "e1", "e2"}
	if diff := cmp.Diff([]Remembered{
		{Rule: "count", Key: "ci", From: minute(0), To: minute(10), Have: []Have{{"events in 10m", 3, 21}}, Events: three},
		{Rule: "distinct", Key: "ci", From: minute(0), To: minute(10), Have: []Have{{"values in 10m", 2, 21}}},
		{Rule: "seen", Key: "ci", Value: "v0", Seen: minute(1), Waits: minute(0)},
		{Rule: "seen", Key: "ci", Value: "v1", Seen: minute(2), Waits: minute(2)},
		{Rule: "simple", Key: "ci", From: minute(0), To: minute(10), Have: []Have{{"one", 1, 1}, {"two", 0, 1}}, Events: three},
	}, each); diff != "" {
		t.Errorf("what they are made of (-want +got):\n%s", diff)
	}
	clocks, err := Clocks(&state)
	if diff := cmp.Diff(map[string]time.Time{"trails": minute(2)}, clocks); diff != "" || err != nil {
		t.Errorf("clocks: %v (-want +got):\n%s", err, diff)
	}
}
