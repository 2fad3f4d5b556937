package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trailship/trailship/core/config"
	"github.com/trailship/trailship/core/deliver"
	"github.com/trailship/trailship/core/store/bolt"
)

// A program that vanished between the check of a reload and its start must not
// leave the outputs running that were started before it.
func TestAnOutputThatCannotBeStartedLeavesNoOtherBehind(t *testing.T) {
	s, err := bolt.Open(filepath.Join(t.TempDir(), "trailship.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "trailship.yaml"), "version: 1\nplugin_dirs: [plugins]\noutputs:\n  - {name: good, plugin: good}\n  - {name: gone, plugin: gone}\n")
	writeProgram(t, filepath.Join(dir, "plugins", "trailship-output-good"), "#!/bin/sh\nexit 1\n")
	cfg, list := config.Load(filepath.Join(dir, "trailship.yaml"), nil, config.Env{})
	if cfg == nil {
		t.Fatal(list)
	}

	d := &daemon{log: slog.New(slog.DiscardHandler), began: cfg, store: s, runDir: t.TempDir(), broken: make(chan error, 1)}
	ended := make(chan struct{})
	close(ended)
	old := &running{Deliverer: &deliver.Deliverer{}, stop: func() {}, done: ended}
	now := &live{config: &config.Config{}, loop: &loop{stop: func() {}, done: ended}, outputs: map[string]*running{"old": old}}
	d.live.Store(now)
	d.apply(now, &plan{config: cfg})

	if err := <-d.broken; err == nil {
		t.Error("nothing is said to be broken")
	}
	outputs := d.live.Load().outputs
	if len(outputs) != 1 || outputs["good"] == nil {
		t.Fatalf("what is running: %v, want good", outputs)
	}
	if err := d.drain(); err != nil {
		t.Error(err)
	}
	<-outputs["good"].done
}

// writeProgram writes a script that can be started.
func writeProgram(t *testing.T, path, text string) {
	t.Helper()
	write(t, path, text)
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
}

// A log that the shell writes beside a rule file would otherwise make each
// "reloaded" in it the cause of the next.
func TestWhatIsWrittenBesideTheRulesReloadsNothing(t *testing.T) {
	d := newDaemonTest(t, map[string]string{
		"trailship.yaml": strings.ReplaceAll(daemonConfig, "paths: [rules]", "paths: [r.yaml]"),
		"r.yaml":         ruleFile("old"), "trails/a.json": trail("a"),
	})
	d.start()
	d.eventually("a is judged", func() bool { return len(d.alerts()["a"]) > 0 })
	d.rename("notes", "not a rule\n")
	d.rename("r.yaml", ruleFile("new"))
	d.hears("msg=reloaded")
	d.stop()
	if n := strings.Count(d.output(), "msg=reloaded"); n != 1 {
		t.Errorf("reloaded %d times, want once:\n%s", n, d.output())
	}
}

func TestReloadsWhileAnOutputIsDownLoseNothingOfWhatWaitsForIt(t *testing.T) {
	const down = "http://127.0.0.1:1/"
	cfg := strings.ReplaceAll(daemonConfig, "outputs: [", "outputs: [{name: pager, plugin: webhook, config: {url: '"+down+"'}}, ")
	d := newDaemonTest(t, map[string]string{"trailship.yaml": cfg, "rules/r.yaml": ruleFile("old"), "trails/a.json": trail("a", "b")})
	d.start()
	d.hears("the output is down")
	d.rename("rules/r.yaml", ruleFile("new"))
	d.hears("msg=reloaded")
	d.rename("trails/c.json", trail("c"))
	d.eventually("the new rule judges c", func() bool { return len(d.alerts()["c"]) > 0 })

	service := newRefuser(t)
	d.rename("trailship.yaml", strings.ReplaceAll(cfg, down, service.URL))
	d.eventually("all that waited is taken", func() bool { return len(service.taken()) == 3 })
	if code := d.stop(); code != 0 {
		t.Errorf("exit code %d; it said:\n%s", code, d.output())
	}
}
