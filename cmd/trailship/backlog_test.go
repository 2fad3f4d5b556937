package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/core/store"
	"github.com/trailship/trailship/core/store/bolt"
)

// One output is down. At its bound its alerts become dead letters, exactly
// those beyond it, and the other output gets every one.
func TestAtTheBoundAlertsOfAnOutputThatIsDownBecomeDeadLetters(t *testing.T) {
	var ids []string
	for n := range 50 {
		ids = append(ids, fmt.Sprintf("e%d", n))
	}
	d := newDaemonTest(t, map[string]string{
		"trailship.yaml": strings.Replace(daemonConfig, "outputs: [", "plugin_dirs: [plugins]\noutputs: [{name: down, plugin: down, backlog: {max_alerts: 10, full: dead_letter}}, ", 1),
		"rules/r.yaml":   ruleFile("any"), "trails/a.json": trail(ids[:25]...),
	})
	writeProgram(t, d.path("plugins/trailship-output-down"), "#!/bin/sh\nexit 1\n")
	d.start()
	d.eventually("the other output has the first half", func() bool { return len(d.alerts()) == 25 })
	d.rename("trails/b.json", trail(ids[25:]...))
	d.eventually("the other output has everything", func() bool { return len(d.alerts()) == 50 })
	d.hears("the backlog is full: alerts became dead letters")
	if code := d.stop(); code != 0 {
		t.Errorf("exit code %d; it said:\n%s", code, d.output())
	}

	s, err := bolt.Open(filepath.Join(d.dir, "data", "trailship.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	letters, err := s.DeadLetters()
	if err != nil {
		t.Fatal(err)
	}
	why := map[string]int{}
	for _, l := range letters {
		why[l.Output+": "+l.Detail]++
	}
	if diff := cmp.Diff(map[string]int{"down: the backlog was full: max_alerts is 10": 40}, why); diff != "" {
		t.Error(diff)
	}
	if b, err := s.Backlog("down"); err != nil || b.Alerts != 10 {
		t.Errorf("%+v wait, want 10 alerts (%v)", b, err)
	}
	if b, err := s.Backlog("archive"); err != nil || b != (store.Backlog{}) {
		t.Errorf("%+v wait for the other (%v)", b, err)
	}
}
