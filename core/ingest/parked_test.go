package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"github.com/trailship/trailship/core/ingest"
	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/store"
)

var errDenied = errors.New("AccessDenied: need s3:GetObject")

// days is a world in a bubble of time, whose daemon lists every minute.
type days struct {
	*world
	reg     *prometheus.Registry
	metrics *ingest.Metrics
	off     time.Duration // in which no daemon ran
}

// inDays runs a test in a bubble of time.
func inDays(t *testing.T, test func(d *days)) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		d := &days{world: newWorld(t, catchAll), reg: reg, metrics: ingest.NewMetrics(reg)}
		d.src.poll = time.Minute
		test(d)
	})
}

func (d *days) loop(once bool) *ingest.Ingest {
	in := d.ingest(once)
	in.Now, in.Metrics = func() time.Time { return time.Now().Add(d.off) }, d.metrics
	return in
}

// pass runs a daemon for so long and returns how its source then is.
func (d *days) pass(long time.Duration) ingest.SourceStatus {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), long)
	defer cancel()
	in := d.loop(false)
	var status []ingest.SourceStatus
	d.src.each = func() { status = in.Status() }
	defer func() { d.src.each = nil }()
	if _, err := in.Run(ctx); err != nil {
		d.t.Fatal(err)
	}
	return status[0]
}

// once runs what a timer would.
func (d *days) once() ingest.Summary {
	d.t.Helper()
	sum, err := d.loop(true).Run(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	return sum
}

// metric is what a metric says, without the help.
func (d *days) metric(name string) string {
	d.t.Helper()
	families, err := d.reg.Gather()
	if err != nil {
		d.t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
			d.t.Fatal(err)
		}
	}
	var values []string
	for line := range strings.Lines(b.String()) {
		if !strings.HasPrefix(line, "#") {
			values = append(values, strings.TrimSpace(line))
		}
	}
	return strings.Join(values, "; ")
}

func TestAnObjectThatCannotBeReadIsParkedWhileOthersGoOnAndGivenUpAfterThreeDays(t *testing.T) {
	inDays(t, func(d *days) {
		d.src.put("a.json", records("e1"))
		d.src.put("locked.json", records("e2"))
		d.src.fail("locked.json", errDenied)

		got := d.pass(24 * time.Hour)
		if got.Failing < 23*time.Hour || got.Failing > 24*time.Hour {
			t.Errorf("it fails for %s after a day", got.Failing)
		}
		got.Failing = 0
		want := ingest.SourceStatus{Name: "mem", Listed: true, Parked: 1, Object: "locked.json", Why: errDenied.Error()}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("status after a day (-want +got):\n%s", diff)
		}
		if got, want := d.queued(), []string{"e1"}; !slices.Equal(got, want) || len(d.dead()) > 0 {
			t.Errorf("alerts of %v, want %v; dead letters %v, want none", got, want, d.dead())
		}
		if got, want := d.metric("trailship_source_objects_parked"), `trailship_source_objects_parked{source="mem"} 1`; got != want {
			t.Errorf("metrics %s, want %s", got, want)
		}
		if n := d.src.opened.Load(); n < 100 || n > 200 {
			t.Errorf("it was tried %d times in a day, want pauses that grow to ten minutes", n)
		}

		if got, want := d.pass(60*time.Hour), (ingest.SourceStatus{Name: "mem", Listed: true}); got != want {
			t.Errorf("status at the end %+v, want %+v", got, want)
		}
		dead := d.dead()
		if len(dead) != 1 {
			t.Fatalf("dead letters %+v, want one", dead)
		}
		if at := dead[0].Time.Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)); at < 72*time.Hour || at > 73*time.Hour {
			t.Errorf("it was given up after %s, want three days", at)
		}
		letter := store.DeadLetter{
			ID: dead[0].ID, Time: dead[0].Time, Source: "mem", Object: "locked.json", Key: "locked.json", Record: -1, Reason: "unreadable",
			Detail: "AccessDenied: need s3:GetObject; given up after 72 hours of trying; 0 records before it were evaluated",
			From:   source.Entry{Version: fmt.Sprint(len(records("e2")))},
		}
		if diff := gocmp.Diff(letter, dead[0]); diff != "" {
			t.Errorf("dead letter (-want +got):\n%s", diff)
		}
		for name, want := range map[string]string{
			"trailship_source_objects_parked":         `trailship_source_objects_parked{source="mem"} 0`,
			"trailship_source_objects_given_up_total": `trailship_source_objects_given_up_total{source="mem"} 1`,
			"trailship_source_objects_total":          `trailship_source_objects_total{source="mem"} 1`,
		} {
			if got := d.metric(name); got != want {
				t.Errorf("metrics %s, want %s", got, want)
			}
		}
		tried := d.src.opened.Load()
		d.pass(time.Hour)
		if d.src.opened.Load() != tried {
			t.Error("it is tried though it was given up")
		}
		if len(d.src.finished) != 1 {
			t.Errorf("put away %v, want only what was read", d.src.finished)
		}
	})
}

func TestAnObjectThatWasGivenUpIsReadFromWhereItFailedOnceItIsReplayed(t *testing.T) {
	inDays(t, func(d *days) {
		d.src.put("half.ndjson", lines("e1", "e2", "e3", "e4"))
		d.src.cut("half.ndjson", 2*len(lines("e1"))+10, errors.New("connection reset"))
		d.pass(80 * time.Hour)
		dead := d.dead()
		if len(dead) != 1 || dead[0].From.Records != 2 {
			t.Fatalf("dead letters %+v, want one that points behind the second record", dead)
		}
		d.src.cut("half.ndjson", 0, nil)
		if n, err := d.store.Replay([]string{dead[0].ID}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		if got, want := d.once(), (ingest.Summary{Objects: 1, Records: 2, Alerts: 2}); got != want {
			t.Errorf("after the replay %+v, want %+v", got, want)
		}
		if len(d.dead()) != 0 || !slices.Equal(d.src.finished, []string{"half.ndjson"}) {
			t.Errorf("dead letters %+v, put away %v", d.dead(), d.src.finished)
		}
	})
}

func TestABadRecordThatIsReplayedIsEvaluatedAgain(t *testing.T) {
	inDays(t, func(d *days) {
		good := lines("e2")
		bad := append(slices.Clone(good[:len(good)-5]), "xxxx\n"...)
		d.src.put("a.ndjson", slices.Concat(lines("e1"), bad, lines("e3")))
		d.once()
		dead := d.dead()
		if len(dead) != 1 || dead[0].From.Records != 1 || dead[0].Record != 1 {
			t.Fatalf("dead letters %+v, want one of the second record", dead)
		}
		// A newer program may understand it. Here the bytes are mended.
		d.src.put("a.ndjson", slices.Concat(lines("e1"), good, lines("e3")))
		if _, err := d.store.Replay([]string{dead[0].ID}); err != nil {
			t.Fatal(err)
		}
		if got, want := d.once(), (ingest.Summary{Objects: 1, Records: 2, Alerts: 1, Repeated: 1}); got != want {
			t.Errorf("after the replay %+v, want %+v: the record and those behind it", got, want)
		}
	})
}

func TestTimeInWhichNobodyTriedGivesNothingUp(t *testing.T) {
	inDays(t, func(d *days) {
		d.src.put("locked.json", records("e1"))
		d.src.fail("locked.json", errDenied)
		d.pass(time.Hour)
		d.off += 60 * 24 * time.Hour
		if got := d.pass(time.Hour); got.Parked != 1 || got.Failing > 30*time.Hour || got.Failing < 26*time.Hour {
			t.Errorf("status %+v, want it parked: a day off counts a day", got)
		}
	})
}

func TestRunsOfATimerGiveUpTooAndNeverAtTheFirstTry(t *testing.T) {
	inDays(t, func(d *days) {
		d.src.put("locked.json", records("e1"))
		d.src.fail("locked.json", errDenied)
		for run := 1; run <= 3; run++ {
			if got := d.once(); got.Failed != 1 || got.Buried != 0 {
				t.Errorf("run %d did %+v, want a failure", run, got)
			}
			d.off += 24*time.Hour + time.Minute
		}
		if got := d.once(); got.Failed != 0 || got.Buried != 1 {
			t.Errorf("the fourth daily run did %+v, want it given up", got)
		}
	})
}

func TestAnotherContentDoesNotWait(t *testing.T) {
	inDays(t, func(d *days) {
		d.src.put("a.json", records("e1"))
		d.src.fail("a.json", errDenied)
		d.pass(70 * time.Hour)
		d.src.put("a.json", records("e1", "e2"))
		if got := d.pass(10 * time.Hour); got.Parked != 1 || len(d.dead()) != 0 {
			t.Errorf("status %+v, dead letters %v: a changed object has three days of its own", got, d.dead())
		}
		d.src.fail("a.json", nil)
		d.src.put("a.json", records("e1", "e2", "e3"))
		d.pass(2 * time.Minute)
		if got := d.queued(); len(got) != 3 {
			t.Errorf("alerts of %v, want those of the new content at once", got)
		}
	})
}

func TestWhatComesOnIsNotGivenUp(t *testing.T) {
	inDays(t, func(d *days) {
		var ids []string
		for n := range 10 {
			ids = append(ids, fmt.Sprint("e", n))
		}
		d.src.put("a.ndjson", lines(ids...))
		for n := range 8 {
			d.src.cut("a.ndjson", (n+1)*len(lines("e1"))+10, errors.New("connection reset"))
			d.pass(40 * time.Hour)
		}
		if got := d.queued(); len(got) != 8 || len(d.dead()) != 0 {
			t.Errorf("alerts of %v, dead letters %v", got, d.dead())
		}
	})
}

func TestAnObjectThatIsListedButNeverThereIsGivenUp(t *testing.T) {
	inDays(t, func(d *days) {
		d.src.put("ghost.json", records("e1"))
		d.src.fail("ghost.json", &fs.PathError{Op: "open", Path: "ghost.json", Err: fs.ErrNotExist})
		if d.once(); known(d, "ghost.json") {
			t.Error("what went away once is remembered")
		}
		d.pass(80 * time.Hour)
		if dead := d.dead(); len(dead) != 1 || dead[0].Reason != "unreadable" {
			t.Errorf("dead letters %+v, want the ghost", dead)
		}
	})
}

func known(d *days, key string) bool {
	_, ok, err := d.store.Ledger("mem").Entry(key)
	if err != nil {
		d.t.Fatal(err)
	}
	return ok
}

func TestAPlaceThatCannotBeLookedAtIsParkedForEver(t *testing.T) {
	inDays(t, func(d *days) {
		d.src.put("closed/", []byte("x"))
		d.src.fail("closed/", errDenied)
		d.src.nowhere = true
		if got := d.pass(100 * time.Hour); got.Parked != 1 || got.Why != errDenied.Error() {
			t.Errorf("status %+v, want it parked", got)
		}
		if len(d.dead()) != 0 || known(d, "closed/") {
			t.Errorf("dead letters %v, known %v: there is nothing to give up", d.dead(), known(d, "closed/"))
		}
	})
}

func TestAListingThatFailsIsInTheStatus(t *testing.T) {
	in := &ingest.Ingest{Sources: []ingest.Source{{Name: "a"}, {Name: "b"}, {Name: "a"}}}
	want := []ingest.SourceStatus{{Name: "a"}, {Name: "b"}}
	if diff := gocmp.Diff(want, in.Status()); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

func TestLagIsToldByAccountAndRegionAndHostileNamesAreFolded(t *testing.T) {
	inDays(t, func(d *days) {
		var b strings.Builder
		for n := range 1500 {
			b.WriteString(strings.ReplaceAll(record(fmt.Sprint("e", n)), "111122223333", fmt.Sprintf("%012d", n)) + "\n")
		}
		b.WriteString(strings.ReplaceAll(record("long"), "eu-west-1", strings.Repeat("x", 100)) + "\n")
		b.WriteString(strings.ReplaceAll(record("odd"), "eu-west-1", `eu\n\"west`) + "\n")
		d.src.put("a.ndjson", []byte(b.String()))
		d.once()
		lines := strings.Split(d.metric("trailship_source_account_lag_seconds"), "; ")
		if len(lines) != 1001 {
			t.Errorf("%d series, want 1,000 and the rest as one", len(lines))
		}
		wants := []string{`{account="000000000007",region="eu-west-1",source="mem"}`, `{account="other",region="other",source="mem"}`}
		for _, want := range wants {
			if !slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, want) }) {
				t.Errorf("there is no %s among %s …", want, lines[0])
			}
		}
		if got := d.metric("trailship_source_lag_seconds"); !strings.HasPrefix(got, `trailship_source_lag_seconds{source="mem"} `) {
			t.Errorf("lag of the source: %q", got)
		}
	})
}
