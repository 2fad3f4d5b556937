package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/core/source/s3/s3test"
	"github.com/trailship/trailship/examples/trails"
)

// A replay of what the daemon saw raises what the daemon raised: in whatever
// order the daemon met it, whether the rule remembers or not, in both clouds'
// layouts and in lines.
func TestReplayRaisesWhatTheDaemonRaised(t *testing.T) {
	t.Parallel()
	d := newReplayTest(t)
	made := trails.Options{Seed: 11, Files: 60, Records: 40, Alibaba: 0.4, Duplicates: 0.1, Span: 20 * time.Hour}
	if _, err := made.Write(d.path("trails")); err != nil {
		t.Fatal(err)
	}
	made.Seed, made.NDJSON, made.Files = 12, true, 20
	if _, err := made.Write(d.path("trails/lines")); err != nil {
		t.Fatal(err)
	}
	d.runOnce()
	write(t, d.path("trails/z.json"), strings.ReplaceAll(trail("much later"), "2026-08-01", "2026-09-01")) // decides what waits
	d.runOnce()

	daemon := d.alertsByRule()
	replayed := d.replayed("--from", d.path("trails"))
	for _, rule := range []string{"everything", "busy", "wide", "turned", "fresh"} {
		if len(daemon[rule]) < 5 {
			t.Errorf("rule %s raised %d alerts: too few to say anything", rule, len(daemon[rule]))
		}
		if diff := cmp.Diff(daemon[rule], replayed[rule]); diff != "" {
			t.Errorf("alerts of rule %s by the daemon (-) and by the replay (+):\n%s", rule, diff)
		}
	}
	t.Logf("%d alerts of rule everything, %d of fresh, %d of busy", len(daemon["everything"]), len(daemon["fresh"]), len(daemon["busy"]))
}

func TestABucketIsReplayed(t *testing.T) {
	t.Parallel()
	noEnvironment()
	gateway := s3test.Start(t, s3test.Options{Region: "eu-west-1"})
	gateway.MakeBucket(t, bucket)
	proxy := s3test.NewProxy(t, gateway)
	d := newReplayTest(t)
	today := time.Now().UTC().Truncate(24 * time.Hour)
	made := trails.Options{Seed: 5, Files: 50, Records: 30, Alibaba: 0.4, Start: today.AddDate(0, 0, -60), Span: 50 * 24 * time.Hour}
	if _, err := made.Write(d.path("trails")); err != nil {
		t.Fatal(err)
	}
	var last string
	for o := range made.Objects() {
		gateway.PutAt(t, bucket, o.Path, o.Body, filedAt(t, o.Path).AddDate(0, 0, 2))
		last = o.Path
	}
	d.environment = append(d.environment, "AWS_ENDPOINT_URL_S3="+proxy.URL, "AWS_REGION=eu-west-1",
		"AWS_ACCESS_KEY_ID="+s3test.AccessKey, "AWS_SECRET_ACCESS_KEY="+s3test.SecretKey)
	if diff := cmp.Diff(d.replayed("--from", d.path("trails")), d.replayed("--from", "s3://"+bucket)); diff != "" {
		t.Errorf("alerts of the folder (-) and of the bucket (+):\n%s", diff)
	}

	// Objects that were written long before --since are not even read.
	since := today.AddDate(0, 0, -20).Format(time.DateOnly)
	if diff := cmp.Diff(d.replayed("--from", d.path("trails"), "--since", since), d.replayed("--from", "s3://"+bucket+"/", "--since", since)); diff != "" {
		t.Errorf("alerts of the folder (-) and of the bucket (+) since %s:\n%s", since, diff)
	}
	if !strings.Contains(d.said, " of ") || strings.Contains(d.said, "of 50 objects") {
		t.Errorf("objects of long before were read: %s", d.said)
	}

	// One that may not be read is told, and the others are judged.
	proxy.Break(s3test.Fault{Op: s3test.Get, Key: s3test.Key(last), Status: 403, Code: "AccessDenied"})
	code := d.run("replay", "--from", "s3://"+bucket, "-r", d.path("rules"), "-o", "json")
	var report struct {
		Objects, Alerts, Failed int
	}
	if err := json.Unmarshal(d.out, &report); err != nil {
		t.Fatal(err)
	}
	if code != 1 || report.Objects != 50 || report.Failed != 1 || report.Alerts < 49*30 {
		t.Errorf("exit code %d, %+v; want 1, and one of 50 objects failed", code, report)
	}
	if !strings.Contains(d.said, last) || !strings.Contains(d.said, "s3:GetObject") {
		t.Errorf("it does not say which object could not be read, and why:\n%s", d.said)
	}
}

var dayInPath = regexp.MustCompile(`/(20[0-9]{2}/[0-9]{2}/[0-9]{2})/`)

// filedAt is the day under which a key is filed.
func filedAt(t *testing.T, key string) time.Time {
	t.Helper()
	m := dayInPath.FindStringSubmatch(key)
	if m == nil {
		t.Fatalf("%s names no day", key)
	}
	at, err := time.Parse("2006/01/02", m[1])
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestAReplayOverItsBudgetIsAFailureThatCIUnderstands(t *testing.T) {
	t.Parallel()
	d := newReplayTest(t)
	write(t, d.path("trails/a.json"), trail("a", "b", "c"))
	code := d.run("replay", "--from", d.path("trails"), "-r", d.path("rules"), "--max-alerts", "2", "-o", "junit")
	var got junitSuite
	if err := xml.Unmarshal(d.out, &got); err != nil {
		t.Fatalf("%v:\n%s", err, d.out)
	}
	got.XMLName = xml.Name{}
	file := d.path("rules/all.yaml")
	want := junitSuite{Name: "trailship replay", Tests: 7, Failures: 1}
	for _, name := range []string{"busy", "everything", "fresh", "turned", "wide"} {
		out := "0 alerts"
		if name == "everything" {
			out = "3 alerts"
		}
		want.Cases = append(want.Cases, junitCase{Class: "replay.rules", Name: name, File: file, Out: out})
	}
	want.Cases = append(want.Cases,
		junitCase{Class: "replay", Name: "at most 2 alerts", Failure: &junitMessage{"3 alerts, and --max-alerts allows 2", "everything: 3\n"}},
		junitCase{Class: "replay", Name: "every object is read"})
	if diff := cmp.Diff(want, got); diff != "" || code != 4 {
		t.Errorf("exit code %d, want 4; JUnit (-want +got):\n%s", code, diff)
	}
}

// An interrupted replay prints nothing and leaves nothing behind.
func TestAnInterruptedReplayLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	d := newReplayTest(t)
	if err := syscall.Mkfifo(d.path("endless"), 0o600); err != nil {
		t.Fatal(err)
	}
	tmp := d.path("tmp")
	write(t, filepath.Join(tmp, "keep"), "")
	cmd := exec.Command(d.bin, "replay", "--from", d.path("endless"), "-r", d.path("rules"))
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pipe, err := os.OpenFile(d.path("endless"), os.O_WRONLY, 0) // returns when it is read
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	// More than is kept in memory, so that a file is in use.
	line := []byte(strings.TrimSuffix(strings.TrimPrefix(trail("x"), `{"Records":[`), "]}") + "\n")
	for i := range 200_000 {
		if _, err := pipe.Write(bytes.Replace(line, []byte(`"x"`), fmt.Appendf(nil, `"event-%d"`, i), 1)); err != nil {
			t.Fatal(err)
		}
	}
	_ = cmd.Process.Signal(os.Interrupt)
	for err == nil { // it looks up between records
		_, err = pipe.Write(line)
	}
	_ = cmd.Wait()
	left, err := os.ReadDir(tmp)
	if err != nil {
		t.Fatal(err)
	}
	if code := cmd.ProcessState.ExitCode(); code != 130 || out.Len() > 0 || len(left) != 1 {
		t.Errorf("exit code %d, want 130; %d files left, want 1; it printed %q and said %q", code, len(left), out.String(), said.String())
	}
}

// replayTest is a folder with rules of every form, and the program.
type replayTest struct {
	*testing.T
	bin, dir    string
	environment []string
	out         []byte
	said        string
}

func newReplayTest(t *testing.T) *replayTest {
	t.Helper()
	d := &replayTest{T: t, bin: builtTrailship(t), dir: t.TempDir()}
	write(t, d.path("rules/all.yaml"), catchAll+remembering+settled)
	write(t, d.path("trailship.yaml"), fmt.Sprintf(`
version: 1
data_dir: %q
sources: [{name: trails, type: dir, path: %q}]
rules: {paths: [%q]}
outputs: [{name: archive, plugin: file, config: {path: %q}}]
`, d.path("data"), d.path("trails"), d.path("rules"), d.path("alerts.ndjson")))
	return d
}

func (d *replayTest) path(name string) string { return filepath.Join(d.dir, name) }

// run runs the program and returns its exit code.
func (d *replayTest) run(args ...string) int {
	d.Helper()
	cmd := exec.Command(d.bin, args...)
	cmd.Env = append(os.Environ(), d.environment...)
	var said bytes.Buffer
	cmd.Stderr = &said
	d.out, _ = cmd.Output()
	d.said = said.String()
	return cmd.ProcessState.ExitCode()
}

func (d *replayTest) runOnce() {
	d.Helper()
	if code := d.run("run", "--once", "-c", d.path("trailship.yaml")); code != 0 {
		d.Fatalf("exit code %d; it said:\n%s", code, d.said)
	}
}

// alertsByRule are the ids in the file output.
func (d *replayTest) alertsByRule() map[string][]string {
	d.Helper()
	found := map[string]map[string]bool{}
	for _, a := range alertsIn(d.T, d.path("alerts.ndjson")) {
		if found[a.rule] == nil {
			found[a.rule] = map[string]bool{}
		}
		found[a.rule][a.id] = true
	}
	return sortedIDs(found)
}

// replayed are the ids that a replay prints.
func (d *replayTest) replayed(args ...string) map[string][]string {
	d.Helper()
	if code := d.run(append([]string{"replay", "-r", d.path("rules"), "-o", "ndjson"}, args...)...); code != 0 {
		d.Fatalf("exit code %d; it said:\n%s", code, d.said)
	}
	found := map[string]map[string]bool{}
	for line := range bytes.Lines(d.out) {
		var a struct{ ID, Rule string }
		if err := json.Unmarshal(line, &a); err != nil {
			d.Fatal(err)
		}
		if found[a.Rule] == nil {
			found[a.Rule] = map[string]bool{}
		}
		if found[a.Rule][a.ID] {
			d.Errorf("alert %s was printed twice", a.ID)
		}
		found[a.Rule][a.ID] = true
	}
	return sortedIDs(found)
}

func sortedIDs(found map[string]map[string]bool) map[string][]string {
	out := map[string][]string{}
	for rule, ids := range found {
		out[rule] = slices.Sorted(maps.Keys(ids))
	}
	return out
}
