package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheMedianStandsInTheMiddle(t *testing.T) {
	for _, c := range []struct {
		figures []float64
		want    spread
	}{
		{nil, spread{}},
		{[]float64{4}, spread{4, 4, 4, 1}},
		{[]float64{9, 1, 5}, spread{1, 5, 9, 3}},
		{[]float64{8, 2, 4, 100}, spread{2, 6, 100, 4}},
	} {
		if got := spreadOf(c.figures); got != c.want {
			t.Errorf("spread of %v: %+v, want %+v", c.figures, got, c.want)
		}
	}
}

// TestRatiosAreOfPairs: the machine was three times as slow in the second pair,
// which a ratio of medians would mix up.
func TestRatiosAreOfPairs(t *testing.T) {
	d := duel{a: []cost{{CPU: 1}, {CPU: 3}, {CPU: 1}}, b: []cost{{CPU: 2}, {CPU: 6}, {CPU: 4}}}
	if got, want := d.ratios(cpu), (spread{2, 2, 4, 3}); got != want {
		t.Errorf("ratios %+v, want %+v", got, want)
	}
}

func TestJobsRunInTurns(t *testing.T) {
	var order []string
	turn := func(name string) job {
		return job{name: name, run: func(context.Context) (cost, error) {
			order = append(order, name)
			return cost{CPU: float64(len(order))}, nil
		}}
	}
	d, err := inTurns(t.Context(), 2, turn("A"), turn("B"))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(order, " "); got != "A B A B" {
		t.Errorf("ran %s", got)
	}
	if diff := cmp.Diff(duel{[]cost{{CPU: 1}, {CPU: 3}}, []cost{{CPU: 2}, {CPU: 4}}}, d, cmp.AllowUnexported(duel{})); diff != "" {
		t.Errorf("costs (-want +got):\n%s", diff)
	}
}

func TestAComparisonFailsWhenOtherRecordsMatch(t *testing.T) {
	found := func(name string, ids ...string) job {
		return job{name: name,
			run: func(context.Context) (cost, error) { return cost{CPU: 1}, nil },
			ids: func() (map[string]bool, error) { return set(ids), nil }}
	}
	if _, err := inTurns(t.Context(), 1, found("ours", "a", "b"), found("theirs", "b", "a", "a")); err != nil {
		t.Errorf("the same records: %v", err)
	}
	_, err := inTurns(t.Context(), 1, found("ours", "a", "b"), found("theirs", "b", "c", "d", "e", "f"))
	want := "they do not match the same records: ours 2, theirs 5; only ours: a; only theirs: c d e and 1 more"
	if err == nil || err.Error() != want {
		t.Errorf("other records: %v\nwant %s", err, want)
	}
}

func TestAPipelineIsChargedForAllItsProcesses(t *testing.T) {
	busy := command{args: []string{"sh", "-c", "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done; cat"}}
	out := filepath.Join(t.TempDir(), "out")
	one, err := pipeline(t.Context(), out, command{args: []string{"echo", "passed on"}}, busy)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(out); err != nil || string(text) != "passed on\n" {
		t.Errorf("the pipe's end wrote %q (%v)", text, err)
	}
	if one.CPU <= 0 || one.Wall <= 0 || one.RSS <= 0 {
		t.Errorf("cost %+v: something is for nothing", one)
	}
}

func TestAPipelineSaysWhatAProcessComplainedAbout(t *testing.T) {
	_, err := pipeline(t.Context(), "", command{args: []string{"sh", "-c", "echo no such thing >&2; exit 3"}})
	if err == nil || !strings.Contains(err.Error(), "exit status 3\nno such thing") {
		t.Errorf("error %v", err)
	}
}

func TestTheMedianIsJudged(t *testing.T) {
	for _, c := range []struct {
		goal
		want string
	}{
		{goal{Figure: spread{Median: 0.5}, Floor: 0.75, Wanted: 0.5}, "wanted"},
		{goal{Figure: spread{Median: 0.6}, Floor: 0.75, Wanted: 0.5}, "floor"},
		{goal{Figure: spread{Median: 0.8}, Floor: 0.75, Wanted: 0.5}, "missed"},
		{goal{Figure: spread{Median: 16}, AtLeast: true, Floor: 8, Wanted: 15}, "wanted"},
		{goal{Figure: spread{Median: 9}, AtLeast: true, Floor: 8, Wanted: 15}, "floor"},
		{goal{Figure: spread{Median: 2}, AtLeast: true, Floor: 8, Wanted: 15}, "missed"},
	} {
		if got := verdict(c.goal); got != c.want {
			t.Errorf("%+v: %s, want %s", c.goal, got, c.want)
		}
	}
}

func TestMemoryIsThatOfAProcessAndItsChildren(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("there is no /proc to read")
	}
	alone := family(os.Getpid())
	child := exec.Command("cat")
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if of := highest(child.Process.Pid); of <= 0 || family(os.Getpid()) < alone+of {
		t.Errorf("the family has %d bytes, without a child of %d it had %d", family(os.Getpid()), of, alone)
	}
	in.Close()
	if err := child.Wait(); err != nil {
		t.Error(err)
	}
}

func TestOnlyNamesPartsInAnyCase(t *testing.T) {
	parts := []part{{name: "duckdb"}, {name: "jq"}, {name: "gojq"}}
	for only, want := range map[string]int{"": 3, "DuckDB": 1, "jq": 2} {
		if asked, err := (&bench{only: only}).asked(parts); err != nil || len(asked) != want {
			t.Errorf("-only %q: %d parts, %v, want %d", only, len(asked), err, want)
		}
	}
	_, err := (&bench{only: "jk"}).asked(parts)
	if want := `-only is "jk", which is in none of these: duckdb, jq, gojq`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
