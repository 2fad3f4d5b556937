package main

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// fiveCalls is a threshold beside a rule that says what was read.
const fiveCalls = `
rules:
  - id: read
    title: A record was read
    severity: info
    condition: provider == "aws"
  - id: burst
    title: Five calls
    severity: low
    condition: service == "kms"
    threshold: {count: 5, within: 1h, group_by: [principal.name]}
`

// What a rule remembers outlives everything but a change of what it remembers
// by, and that is said.
func TestAThresholdAtFourOfFiveOutlivesReloads(t *testing.T) {
	metrics := freePort(t)
	config := daemonConfig + fmt.Sprintf("telemetry: {http: %q}\n", metrics)
	d := newDaemonTest(t, map[string]string{"trailship.yaml": config, "rules/r.yaml": fiveCalls, "trails/.keep": ""})
	d.start()
	n := 0
	calls := func(user string, count int) {
		var ids []string
		for range count {
			n++
			ids = append(ids, fmt.Sprintf("e-%03d", n))
		}
		d.rename(fmt.Sprintf("trails/%d.json", n), strings.ReplaceAll(trail(ids...), `"ada"`, `"`+user+`"`))
		last := ids[len(ids)-1]
		d.eventually(last+" is read", func() bool { return slices.Contains(d.alerts()[last], "read") })
	}
	fired := func(user string) {
		t.Helper()
		d.eventually("the fifth call of "+user+" fires", func() bool {
			return strings.Contains(readFile(t, d.path("alerts.ndjson")), `"key":"`+user+`","count":5`)
		})
	}

	if out, err := exec.Command(d.bin, "state", "show", "-c", d.path("trailship.yaml")).CombinedOutput(); err == nil || !strings.Contains(string(out), "is in use by another trailship") {
		t.Errorf("state show beside a running daemon: %v: %s", err, out)
	}
	calls("ada", 4)
	calls("bob", 4)
	d.rename("rules/r.yaml", strings.Replace(fiveCalls, "Five calls", "Five calls or more", 1))
	d.hears("msg=reloaded")
	calls("ada", 1)
	fired("ada")

	d.rename("rules/r.yaml", strings.Replace(fiveCalls, "service", "servcie", 1))
	d.hears("reload refused")
	calls("bob", 1)
	fired("bob")

	calls("eve", 4)
	if _, text := get(t, metrics, "/metrics"); !strings.Contains(text, `trailship_state_groups{rule="burst"} 3`) {
		t.Error("trailship_state_groups does not say that there are three groups")
	}
	d.rename("rules/r.yaml", strings.Replace(fiveCalls, "within: 1h", "within: 2h", 1))
	d.hears("msg=reloaded", 2)
	d.hears("the state of a rule was dropped: what it remembers by changed, or it is gone for a week\" rule=burst")
	calls("eve", 1)
	calls("joe", 5)
	fired("joe") // so that eve's was judged too
	if code := d.stop(); code != 0 {
		t.Errorf("exit code %d, want 0; it said:\n%s", code, d.output())
	}
	if strings.Contains(readFile(t, d.path("alerts.ndjson")), `"key":"eve"`) {
		t.Error("the fifth call of eve fired, though the four before were forgotten")
	}
}
