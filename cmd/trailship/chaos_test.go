package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/core/decode"
	"github.com/trailship/trailship/core/event"
	"github.com/trailship/trailship/examples/trails"
)

var rounds = flag.Int("rounds", 12, "how often TestKilledAtAnyMoment kills the daemon; from 100 on over the public lab trail, where it is at hand")

// The daemon is killed with SIGKILL at random moments and started again, until
// it gets through. Then the file output, deduplicated by id, must hold exactly
// one alert for every distinct event, and the next life begins from nothing.
func TestKilledAtAnyMoment(t *testing.T) {
	c := newChaos(t)
	clean := c.life(t, func() time.Duration { return time.Hour })
	t.Logf("%d distinct events, %d alerts of rules that remember; a clean run takes %v", len(c.want), len(c.memory), clean)

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	lives := 0
	for c.kills < *rounds {
		c.life(t, func() time.Duration { return time.Duration(random.Int64N(int64(clean))) })
		lives++
	}
	t.Logf("killed %d times in %d lives; %d deliveries came again, all under the same id", c.kills, lives, c.again)
}

// chaos is a daemon's configuration, what it must find, and what happened.
type chaos struct {
	bin, dir string
	want     map[string]bool // event ids
	memory   map[string]bool // alerts of the rules that remember, of the first life
	kills    int
	again    int
}

func newChaos(t *testing.T) *chaos {
	c := &chaos{bin: builtTrailship(t), dir: t.TempDir(), want: map[string]bool{}}
	corpus := filepath.Join(c.dir, "trails")
	lab := filepath.Join("..", "..", "..", "shared", "corpus", "aws", "s3-lab")
	if _, err := os.Stat(lab); err == nil && *rounds >= 100 {
		if corpus, err = filepath.Abs(lab); err != nil {
			t.Fatal(err)
		}
		c.want = eventIDs(t, corpus)
	} else {
		made, err := trails.Options{Seed: 7, Files: 60, Records: 40, Alibaba: 0.4, Duplicates: 0.1}.Write(corpus)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range made.IDs {
			c.want[id] = true
		}
	}
	c.want["later"] = true
	write(t, filepath.Join(c.dir, "rules", "all.yaml"), catchAll+remembering+settled)
	write(t, filepath.Join(c.dir, "trailship.yaml"), fmt.Sprintf(`
version: 1
data_dir: data
sources: [{name: trails, type: dir, path: %q}, {name: later, type: dir, path: %q}]
rules: {paths: [rules]}
outputs: [{name: archive, plugin: file, config: {path: %q}}]
`, corpus, filepath.Join(c.dir, "later"), filepath.Join(c.dir, "alerts.ndjson")))
	return c
}

const catchAll = `
rules:
  - id: everything
    title: A record was read
    severity: info
    condition: provider in ["aws", "alibaba"]
`

// remembering continues catchAll with rules that have state.
const remembering = `
  - id: busy
    title: A principal was busy
    severity: info
    condition: service != ""
    threshold: {count: 5, within: 10m, group_by: [principal.id]}
  - id: wide
    title: A principal used many services
    severity: info
    condition: service != ""
    threshold: {count: 3, within: 1h, group_by: [principal.id], distinct: service}
  - id: turned
    title: A refusal and then a change
    severity: info
    sequence:
      by: [account]
      within: 1h
      steps: [{name: no, condition: outcome != "success"}, {name: yes, condition: access == "write" and outcome == "success"}]
`

// settled continues remembering with a rule whose answer does not depend on
// the order of arrival: all that is read first is out of order by less than
// settle, and what is read last decides all of it.
const settled = `
  - id: fresh
    title: A principal called a service it had not called before
    severity: info
    condition: service != "" and principal.name != ""
    first_seen: {value: service, per: [account, principal.name], remember: 9d, settle: 4d}
`

// life runs the daemon until it gets through, killing it after each pause,
// once over the trail and again when there is a record of much later. It checks
// what was delivered, and wipes everything. It returns how long the last run
// over the trail took.
func (c *chaos) life(t *testing.T, pause func() time.Duration) time.Duration {
	t.Helper()
	later := filepath.Join(c.dir, "later", "z.json")
	write(t, filepath.Join(c.dir, "later", ".keep"), "")
	took := c.through(t, pause)
	write(t, later, strings.ReplaceAll(trail("later"), "2026-08-01", "2026-10-01"))
	c.through(t, pause)
	c.check(t)
	for _, name := range []string{"data", "alerts.ndjson", "later"} {
		if err := os.RemoveAll(filepath.Join(c.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return took
}

// through runs the daemon until it gets through, killing it after each pause.
func (c *chaos) through(t *testing.T, pause func() time.Duration) time.Duration {
	t.Helper()
	for {
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), pause())
		cmd := exec.CommandContext(ctx, c.bin, "run", "--once", "-c", filepath.Join(c.dir, "trailship.yaml"))
		out, err := cmd.CombinedOutput() // the context kills with SIGKILL
		cancel()
		if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signaled() && ws.Signal() == syscall.SIGKILL {
			c.kills++
			continue
		}
		// The pause may end between the exit and the look at it.
		if err != nil && !(cmd.ProcessState.Success() && errors.Is(err, context.DeadlineExceeded)) {
			t.Fatalf("trailship run --once: %v\n%s", err, out)
		}
		return time.Since(start)
	}
}

func (c *chaos) check(t *testing.T) {
	t.Helper()
	events := map[string]string{} // event id → alert id
	memory := map[string]bool{}
	lines := 0
	for _, a := range alertsIn(t, filepath.Join(c.dir, "alerts.ndjson")) {
		if a.rule != "everything" {
			memory[a.rule+" "+a.id] = true
			continue
		}
		lines++
		if other, ok := events[a.event]; ok && other != a.id {
			t.Errorf("event %s was alerted as %s and as %s", a.event, other, a.id)
		}
		events[a.event] = a.id
	}
	if c.memory == nil {
		c.memory = memory
	}
	if d := cmp.Diff(c.memory, memory); d != "" || len(memory) == 0 {
		t.Errorf("%d alerts of rules that remember; of the clean run (-) and of this one (+):\n%s", len(memory), d)
	}
	c.again += lines - len(events)
	for id := range c.want {
		if events[id] == "" {
			t.Errorf("event %s has no alert", id)
		}
	}
	if len(events) != len(c.want) {
		t.Fatalf("%d events were alerted, want %d", len(events), len(c.want))
	}
}

type delivered struct{ id, event, rule string }

// alertsIn reads a file output.
func alertsIn(t *testing.T, path string) []delivered {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []delivered
	s := bufio.NewScanner(f)
	s.Buffer(nil, 8<<20)
	for s.Scan() {
		var a struct {
			Info struct {
				UID     string
				Related []struct{ UID string } `json:"related_events"`
				Rule    struct{ UID string }   `json:"analytic"`
			} `json:"finding_info"`
		}
		if err := json.Unmarshal(s.Bytes(), &a); err != nil {
			t.Fatalf("%s, line %d: %v", path, len(all)+1, err)
		}
		all = append(all, delivered{a.Info.UID, a.Info.Related[0].UID, a.Info.Rule.UID})
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// eventIDs reads the distinct ids of a folder of trail files.
func eventIDs(t *testing.T, dir string) map[string]bool {
	t.Helper()
	ids := map[string]bool{}
	files, err := filepath.Glob(filepath.Join(dir, "*", "*", "*", "*", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no trail files in %s (%v)", dir, err)
	}
	var ev event.Event
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		for r := decode.NewReader(f, decode.Limits{}); ; {
			rec, err := r.Next()
			if err != nil {
				break
			}
			if err := decode.Normalize(&ev, rec); err != nil {
				t.Fatal(err)
			}
			ids[ev.ID] = true
		}
		f.Close()
	}
	return ids
}

// builtTrailship builds the program, once for all tests.
func builtTrailship(t testing.TB) string {
	t.Helper()
	built.once.Do(func() {
		built.bin = filepath.Join(built.dir, "trailship")
		if out, err := exec.Command("go", "build", "-o", built.bin, ".").CombinedOutput(); err != nil {
			built.err = fmt.Errorf("building trailship: %w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.bin
}

// built is the program under test; TestMain gives it a folder.
var built struct {
	once     sync.Once
	dir, bin string
	err      error
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}
