package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// daemonTest is a daemon process with its folder.
type daemonTest struct {
	*testing.T
	bin, dir string
	cmd      *exec.Cmd

	mu   sync.Mutex
	said bytes.Buffer
}

// newDaemonTest writes files (name → text) into a fresh folder.
func newDaemonTest(t *testing.T, files map[string]string) *daemonTest {
	t.Helper()
	d := &daemonTest{T: t, bin: builtTrailship(t), dir: t.TempDir()}
	for name, text := range files {
		write(t, d.path(name), text)
	}
	return d
}

func (d *daemonTest) path(name string) string { return filepath.Join(d.dir, name) }

// start starts the daemon and waits until it runs.
func (d *daemonTest) start() {
	d.Helper()
	d.cmd = exec.Command(d.bin, "run", "-c", d.path("trailship.yaml"))
	d.mu.Lock()
	d.said.Reset()
	d.mu.Unlock()
	d.cmd.Stdout, d.cmd.Stderr = d, d
	d.cmd.WaitDelay = 10 * time.Second
	if err := d.cmd.Start(); err != nil {
		d.Fatal(err)
	}
	cmd := d.cmd
	d.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	d.hears("msg=running")
}

// Write takes what the daemon says.
func (d *daemonTest) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.said.Write(p)
}

// stop sends SIGTERM and returns the exit code.
func (d *daemonTest) stop() int {
	d.Helper()
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	_ = d.cmd.Wait()
	return d.cmd.ProcessState.ExitCode()
}

// output is everything the daemon said so far.
func (d *daemonTest) output() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.said.String()
}

// hears waits until the daemon has said a text so often (once without n).
func (d *daemonTest) hears(text string, n ...int) {
	d.Helper()
	want := 1
	if len(n) > 0 {
		want = n[0]
	}
	d.eventually(fmt.Sprintf("the daemon says %q %d times", text, want), func() bool {
		return strings.Count(d.output(), text) >= want
	})
}

// eventually waits for a condition.
func (d *daemonTest) eventually(what string, ok func() bool) {
	d.Helper()
	if !within(time.Minute, ok) {
		d.Fatalf("waited in vain until %s; the daemon said:\n%s", what, d.output())
	}
}

// within looks again and again whether a condition holds, for so long.
func within(long time.Duration, ok func() bool) bool {
	late := time.After(long)
	for !ok() {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-late:
			return false
		}
	}
	return true
}

// rename writes a file the way editors and shippers do: beside, then renamed.
func (d *daemonTest) rename(name, text string) {
	d.Helper()
	tmp := d.path("." + filepath.Base(name) + ".new")
	write(d.T, tmp, text)
	if err := os.MkdirAll(filepath.Dir(d.path(name)), 0o777); err != nil {
		d.Fatal(err)
	}
	if err := os.Rename(tmp, d.path(name)); err != nil {
		d.Fatal(err)
	}
}

// alerts are the alerts in the file output: rule ids by event id.
func (d *daemonTest) alerts() map[string][]string {
	d.Helper()
	byEvent := map[string][]string{}
	text, err := os.ReadFile(d.path("alerts.ndjson"))
	if err != nil && !os.IsNotExist(err) {
		d.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range bytes.Lines(text) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break // being written
		}
		var a struct {
			Info struct {
				UID      string
				Analytic struct{ UID string }
				Related  []struct{ UID string } `json:"related_events"`
			} `json:"finding_info"`
		}
		if err := json.Unmarshal(line, &a); err != nil {
			d.Fatalf("alerts.ndjson: %v: %s", err, line)
		}
		if seen[a.Info.UID] || len(a.Info.Related) == 0 {
			continue
		}
		seen[a.Info.UID] = true
		id := a.Info.Related[0].UID
		byEvent[id] = append(byEvent[id], a.Info.Analytic.UID)
	}
	return byEvent
}

// trail is a file with one record per event id.
func trail(ids ...string) string {
	var records []string
	for _, id := range ids {
		records = append(records, fmt.Sprintf(`{"eventVersion":"1.11","eventID":%q,"eventTime":"2026-08-01T09:00:00Z","eventSource":"kms.amazonaws.com","eventName":"ListKeys","awsRegion":"eu-west-1","userIdentity":{"type":"IAMUser","userName":"ada","accountId":"111122223333"}}`, id))
	}
	return `{"Records":[` + strings.Join(records, ",") + `]}`
}

func ruleFile(id string) string {
	return fmt.Sprintf("rules:\n  - {id: %s, title: A record, severity: info, condition: 'provider == \"aws\"'}\n", id)
}

const daemonConfig = `
version: 1
data_dir: data
sources: [{name: local, type: dir, path: trails, poll: 200ms}]
rules: {paths: [rules]}
outputs: [{name: archive, plugin: file, config: {path: alerts.ndjson}, batch: {wait: 0s}}]
`

func TestABrokenRuleChangesNothingAndAMendedOneIsLoaded(t *testing.T) {
	d := newDaemonTest(t, map[string]string{"trailship.yaml": daemonConfig, "rules/r.yaml": ruleFile("old"), "trails/a.json": trail("a")})
	d.start()
	d.rename("rules/r.yaml", strings.ReplaceAll(ruleFile("new"), "provider", "provdier"))
	d.hears("reload refused")
	d.hears(`unknown field "provdier" (did you mean "provider"?)`)
	d.rename("trails/b.json", trail("b"))
	d.eventually("the old rule judges b", func() bool { return len(d.alerts()["b"]) > 0 })

	d.rename("rules/r.yaml", ruleFile("new"))
	d.hears("msg=reloaded")
	d.rename("trails/c.json", trail("c"))
	d.eventually("the new rule judges c", func() bool { return len(d.alerts()["c"]) > 0 })
	if code := d.stop(); code != 0 {
		t.Errorf("exit code %d after SIGTERM, want 0; it said:\n%s", code, d.output())
	}

	got := d.alerts()
	for event, rule := range map[string]string{"a": "old", "b": "old", "c": "new"} {
		if len(got[event]) != 1 || got[event][0] != rule {
			t.Errorf("event %s was alerted by %v, want %s", event, got[event], rule)
		}
	}
	if !strings.Contains(readFile(t, d.path("alerts.ndjson")), refusalRule) {
		t.Error("no alert says that the reload was refused")
	}
}

func TestRulesAreFollowedThroughEveryWayOfChangingThem(t *testing.T) {
	// A ConfigMap: rules/r.yaml → ..data/r.yaml, ..data → a dated folder.
	d := newDaemonTest(t, map[string]string{
		"trailship.yaml": daemonConfig, "trails/none.json": "[]",
		"rules/..1/r.yaml": ruleFile("one"), "rules/..2/r.yaml": ruleFile("two"),
	})
	link := func(to, from string) {
		t.Helper()
		if err := os.Symlink(to, d.path(from)); err != nil {
			t.Fatal(err)
		}
	}
	link("..1", "rules/..data")
	link("..data/r.yaml", "rules/r.yaml")
	d.start()

	loaded := 0
	steps := []struct {
		name   string
		change func()
		rules  []string
	}{
		{"nothing changed yet", nil, []string{"one"}},
		{"the ConfigMap's ..data is swapped", func() {
			link("..2", "rules/..data_tmp")
			if err := os.Rename(d.path("rules/..data_tmp"), d.path("rules/..data")); err != nil {
				t.Fatal(err)
			}
		}, []string{"two"}},
		{"a new file comes", func() { write(t, d.path("rules/more/new.yaml"), ruleFile("three")) }, []string{"two", "three"}},
		{"an editor renames", func() { d.rename("rules/more/new.yaml", ruleFile("four")) }, []string{"two", "four"}},
		{"a file is deleted", func() {
			if err := os.Remove(d.path("rules/more/new.yaml")); err != nil {
				t.Fatal(err)
			}
		}, []string{"two"}},
	}
	for i, s := range steps {
		if s.change != nil {
			s.change()
			loaded++
			d.hears("msg=reloaded", loaded)
		}
		event := fmt.Sprintf("event-%d", i)
		d.rename("trails/"+event+".json", trail(event))
		d.eventually(s.name+" and "+event+" is judged", func() bool { return len(d.alerts()[event]) >= len(s.rules) })
		if got := d.alerts()[event]; !sameWords(got, s.rules) {
			t.Errorf("%s: alerted by %v, want %v", s.name, got, s.rules)
		}
	}
	d.stop()
}

func TestFiftyReloadsUnderLoadMissAndDoubleNothing(t *testing.T) {
	d := newDaemonTest(t, map[string]string{"trailship.yaml": daemonConfig, "rules/r.yaml": ruleFile("always"), "trails/none.json": "[]"})
	d.start()

	// Files keep arriving while the rules are rewritten and reloaded.
	want := map[string]bool{}
	for i := range 50 {
		var ids []string
		for j := range 40 {
			id := fmt.Sprintf("e-%d-%d", i, j)
			ids, want[id] = append(ids, id), true
		}
		d.rename(fmt.Sprintf("trails/%d.json", i), trail(ids...))
		d.rename("rules/r.yaml", ruleFile("always")+fmt.Sprintf("# %d\n", i))
		_ = d.cmd.Process.Signal(syscall.SIGHUP)
		d.hears("msg=reloaded", i+1)
	}
	d.eventually("every event is alerted", func() bool { return len(d.alerts()) == len(want) })
	d.stop()
	for id, rules := range d.alerts() {
		if !want[id] || len(rules) != 1 {
			t.Errorf("event %s was alerted by %v, want once", id, rules)
		}
	}
}

func TestAHangUpAppliesAChangedConfigurationByDifference(t *testing.T) {
	d := newDaemonTest(t, map[string]string{
		"trailship.yaml": daemonConfig, "rules/r.yaml": ruleFile("r"), "trails/a.json": trail("a"), "more/m.json": trail("m"),
	})
	d.start()
	d.eventually("a is alerted", func() bool { return len(d.alerts()) == 1 })
	started := strings.Count(d.output(), "the plugin is running")

	// A mistake first: nothing changes.
	d.rename("trailship.yaml", strings.ReplaceAll(daemonConfig, "sources", "sorces"))
	d.hears(`unknown key "sorces" (did you mean "sources"?)`)

	// A second source: it is read, and the output's process was not touched.
	d.rename("trailship.yaml", strings.ReplaceAll(daemonConfig, "poll: 200ms}]", "poll: 200ms}, {name: more, type: dir, path: more, poll: 200ms}]"))
	_ = d.cmd.Process.Signal(syscall.SIGHUP)
	d.eventually("m is alerted", func() bool { return len(d.alerts()["m"]) == 1 })
	if n := strings.Count(d.output(), "the plugin is running"); n != started {
		t.Errorf("the unchanged output's plugin was started %d times, want %d", n, started)
	}
	if code := d.stop(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

func TestASecondDaemonOnTheSameDataIsRefused(t *testing.T) {
	d := newDaemonTest(t, map[string]string{"trailship.yaml": daemonConfig, "rules/r.yaml": ruleFile("r"), "trails/none.json": "[]"})
	d.start()
	out, err := exec.Command(d.bin, "run", "--once", "-c", d.path("trailship.yaml")).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "in use by another trailship") {
		t.Errorf("a second daemon ended with %v and said:\n%s", err, out)
	}
	d.stop()
}

func TestHealthReadinessAndMetrics(t *testing.T) {
	addr := freePort(t)
	d := newDaemonTest(t, map[string]string{
		"trailship.yaml": daemonConfig + "telemetry: {http: " + addr + "}\n",
		"rules/r.yaml":   ruleFile("r"), "trails/a.json": trail("a"),
	})
	d.start()
	d.eventually("a is alerted", func() bool { return len(d.alerts()) == 1 })
	d.eventually("it is ready", func() bool { code, _ := get(t, addr, "/readyz"); return code == 200 })
	if code, body := get(t, addr, "/healthz"); code != 200 || body != "ok\n" {
		t.Errorf("/healthz answered %d %q", code, body)
	}
	var s status
	if _, body := get(t, addr, "/readyz"); json.Unmarshal([]byte(body), &s) != nil || !s.Ready || s.Rules != 1 || s.Reload != "ok" || len(s.Outputs) != 1 {
		t.Errorf("/readyz answered %s", body)
	}
	d.eventually("the metrics say so", func() bool {
		_, body := get(t, addr, "/metrics")
		for _, line := range []string{
			`trailship_source_objects_total{source="local"} 1`,
			`trailship_records_total{format="aws.cloudtrail",source="local"} 1`,
			`trailship_rule_matches_total{rule="r"} 1`,
			`trailship_alerts_total{rule="r",severity="info"} 1`,
			`trailship_rules_loaded 1`,
			`trailship_rules_last_reload_successful 1`,
			`trailship_outbox_alerts{output="archive"} 0`,
			`trailship_output_alerts_total{output="archive",result="delivered"} 1`,
			`trailship_plugin_restarts_total{output="archive"} 0`,
			`trailship_source_lag_seconds{source="local"} `,
			`trailship_rules_file_info{file="`,
		} {
			if !strings.Contains(body, line) {
				return false
			}
		}
		return true
	})
	d.stop()
}

func TestAKilledPluginIsStartedAgainAndNothingIsLost(t *testing.T) {
	d := newDaemonTest(t, map[string]string{"trailship.yaml": daemonConfig, "rules/r.yaml": ruleFile("r"), "trails/a.json": trail("a")})
	d.start()
	d.eventually("a is alerted", func() bool { return len(d.alerts()) == 1 })
	for i := range 3 {
		pid := lastPluginPID(d.output())
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatalf("killing the plugin %d: %v", pid, err)
		}
		event := fmt.Sprintf("after-%d", i)
		d.rename("trails/"+event+".json", trail(event))
		d.eventually(event+" is alerted", func() bool { return len(d.alerts()[event]) == 1 })
	}
	if code := d.stop(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

func TestTerminatingUnderLoadDrainsAndTheNextRunGoesOn(t *testing.T) {
	d := newDaemonTest(t, map[string]string{"trailship.yaml": daemonConfig, "rules/r.yaml": ruleFile("r"), "trails/none.json": "[]"})
	want := 0
	for i := range 60 {
		var ids []string
		for j := range 100 {
			ids = append(ids, fmt.Sprintf("e-%d-%d", i, j))
		}
		want += len(ids)
		write(t, d.path(fmt.Sprintf("trails/%d.json", i)), trail(ids...))
	}
	for runs := 1; ; runs++ {
		d.start()
		d.eventually("something was alerted", func() bool { return len(d.alerts()) >= min(want, runs*10) })
		if code := d.stop(); code != 0 {
			t.Fatalf("exit code %d after SIGTERM under load, want 0; it said:\n%s", code, d.output())
		}
		if len(d.alerts()) == want {
			return
		}
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func sameWords(got, want []string) bool {
	count := map[string]int{}
	for _, w := range got {
		count[w]++
	}
	for _, w := range want {
		count[w]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func get(t *testing.T, addr, path string) (int, string) {
	t.Helper()
	resp, err := http.Get("http://" + addr + path)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, ""
	}
	return resp.StatusCode, string(body)
}

// lastPluginPID reads the process id of the newest plugin from the log.
func lastPluginPID(log string) (pid int) {
	for line := range strings.Lines(log) {
		if _, after, ok := strings.Cut(line, " pid="); ok && strings.Contains(line, "the plugin is running") {
			fmt.Sscan(after, &pid)
		}
	}
	return pid
}
