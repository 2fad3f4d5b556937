package main

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/core/source/s3/s3test"
	"github.com/trailship/trailship/core/store"
	"github.com/trailship/trailship/core/store/bolt"
)

// An object that stays denied is parked while the others are read, told of,
// given up in the end, and read once it is taken back.
func TestADeniedObjectIsParkedGivenUpAndReadOnceItIsReplayed(t *testing.T) {
	b := newBucketTest(t, ", poll: 100ms", s3test.Options{})
	objects := b.fresh(31, 6)
	denied := objects[0]
	mend := b.proxy.Break(s3test.Fault{Op: s3test.Get, Key: s3test.Key(denied.Key), Status: 403, Code: "AccessDenied"})
	b.gateway.PutAll(t, bucket, objects)
	b.start()
	b.eventually("all other objects are read", func() bool { return len(b.alerts()) >= len(b.want)-len(eventsOf(t, denied.Body)) })
	b.eventually("the metric tells of the parked object", func() bool {
		return b.metric("trailship_source_objects_parked", `source="trails"`) == 1
	})
	b.hears("object could not be read to its end and is parked")
	b.eventually("it is ready all the same", func() bool { code, _ := get(t, b.metrics, "/readyz"); return code == 200 })
	got := b.source()
	if got.Oldest == nil || !strings.Contains(got.Oldest.Error, "need s3:GetObject") || got.Oldest.Failing == "" {
		t.Fatalf("status %+v, want what is parked and why", got)
	}
	got.Oldest.Error, got.Oldest.Failing = "", ""
	want := sourceStatus{Name: "trails", Listed: true, Parked: 1, Oldest: &parkedStatus{Object: "s3://" + bucket + "/" + denied.Key}}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("status of the source (-want +got):\n%s", diff)
	}
	b.stop()

	// Nearly three days later.
	b.age(denied.Key, 72*time.Hour-time.Minute)
	b.start()
	b.eventually("it is given up", func() bool { return b.metric("trailship_source_objects_given_up_total") == 1 })
	b.eventually("nothing is parked any more", func() bool { return b.metric("trailship_source_objects_parked") == 0 })
	b.hears("reason=unreadable")
	if code := b.stop(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}

	out, _ := b.trailship(0, "dlq", "list", "-o", "json")
	var rows []letterRow
	if err := json.Unmarshal([]byte(out), &rows); err != nil || len(rows) != 1 {
		t.Fatalf("%v in %s, want one row", err, out)
	}
	if r := rows[0]; r.Kind != "object" || r.What != "s3://"+bucket+"/"+denied.Key || r.Reason != "unreadable" ||
		!strings.Contains(r.Detail, "need s3:GetObject") || !strings.Contains(r.Detail, "given up after 72 hours of trying; 0 records before it were evaluated") {
		t.Errorf("the dead letter is %+v", r)
	}

	// It is not read by itself, though it could be now, but when it is replayed.
	mend()
	b.start()
	b.eventually("the source is listed", func() bool { code, _ := get(t, b.metrics, "/readyz"); return code == 200 })
	if n := b.metric("trailship_source_objects_total"); n > 0 {
		t.Errorf("%v objects were read again", n)
	}
	b.stop()
	_, said := b.trailship(0, "dlq", "replay", rows[0].ID)
	if want := "1 of 1 dead letters were taken back: 1 objects of trails are read at the next run\n"; said != want {
		t.Errorf("replay says %q, want %q", said, want)
	}
	b.start()
	b.complete()
	b.eventually("it was one object", func() bool { return b.metric("trailship_source_objects_total") == 1 })
	b.stop()
	if out, _ := b.trailship(0, "dlq", "list"); out != "" {
		t.Errorf("there still is %s", out)
	}
}

// source is the status of the one source.
func (b *bucketTest) source() sourceStatus {
	b.Helper()
	_, text := get(b.T, b.metrics, "/")
	var s status
	if err := json.Unmarshal([]byte(text), &s); err != nil || len(s.Sources) != 1 {
		b.Fatalf("%v in %s, want one source", err, text)
	}
	return s.Sources[0]
}

// age makes a stopped daemon believe that an object fails for so long.
func (b *bucketTest) age(key string, failing time.Duration) {
	b.Helper()
	s, err := bolt.Open(b.path("data/trailship.db"), bolt.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	e, ok, err := s.Ledger("trails").Entry(key)
	if err != nil || !ok || e.Done || e.Failing == 0 {
		b.Fatalf("the entry is %+v (%v), want one that fails", e, err)
	}
	e.Failing, e.Seen = failing, time.Now().Add(-time.Hour)
	if err := s.Commit(b.Context(), func(tx store.Tx) error { return tx.PutEntry("trails", key, e) }); err != nil {
		b.Fatal(err)
	}
}

func TestAStoreThatVanishesIsToldOnce(t *testing.T) {
	d := newDaemonTest(t, map[string]string{"trailship.yaml": daemonConfig, "rules/r.yaml": ruleFile("everything"), "trails/a.json": trail("a")})
	d.start()
	d.eventually("it works", func() bool { return len(d.alerts()) == 1 })
	if out, err := exec.Command("rm", "-rf", d.path("data")).CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	d.rename("trails/b.json", trail("b"))
	_ = d.cmd.Wait()
	if code := d.cmd.ProcessState.ExitCode(); code != exitFailed {
		t.Errorf("exit code %d, want %d", code, exitFailed)
	}
	if n := strings.Count(d.output(), "trailship: "); n != 1 || strings.Count(d.output(), "the store is gone") != 1 {
		t.Errorf("it is not said once:\n%s", d.output())
	}
}
