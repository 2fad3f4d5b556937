package rule

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestASequenceBeyondItsBoundStillFires(t *testing.T) {
	f := newFeed(t, forms["sequence"])
	f.run(20_000, 500, func(i int) Contribution { // half a minute of failures, then a success
		c := Contribution{Event: fmt.Sprintf("%06d", i), Time: start.Add(time.Duration(i) * time.Millisecond), Group: []string{"ci"}, Steps: 1}
		if i == 19_999 {
			c.Steps = 2
		}
		return c
	})
	if got := f.tally.Evicted["r"]; len(f.ids) != 1 || got < 19_000 || got > 19_200 {
		t.Errorf("%d alerts, %d evicted; want 1 and all but about a thousand", len(f.ids), got)
	}
}

// The pair of the first hour lies in the hour behind the second deletion too.
func TestASequenceShowsTheStepsThatEndWithItsLastEvent(t *testing.T) {
	f := newFeed(t, `sequence: {by: principal.name, within: 1h, steps: [{name: tried, condition: action == "a", count: 2}, {name: gone, condition: action == "b"}]}`)
	var got []string
	for _, c := range []Contribution{
		{Event: "a1", Time: start.Add(50 * time.Minute), Steps: 1},
		{Event: "a2", Time: start.Add(51 * time.Minute), Steps: 1},
		{Event: "a3", Time: start.Add(52 * time.Minute), Steps: 1},
		{Event: "b1", Time: start.Add(53 * time.Minute), Steps: 2},
		{Event: "b2", Time: start.Add(62 * time.Minute), Steps: 2},
	} {
		c.Rule, c.Group = f.set.Rules[0], []string{"ci"}
		r := f.judge.Begin(f.state, f.set)
		if err := errors.Join(r.Add("s", c), r.End()); err != nil {
			t.Fatal(err)
		}
		for _, v := range r.Verdicts {
			got = append(got, fmt.Sprintf("%s to %s: %v", v.Window.First.Format("15:04"), v.Window.Last.Format("15:04"), v.Window.Events))
		}
	}
	want := []string{"09:51 to 09:53: [b1 a3 a2]", "09:51 to 10:02: [b2 a3 a2]"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("alerts (-want +got):\n%s", diff)
	}
}
