package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/core/ingest"
	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/source/dir"
	"github.com/trailship/trailship/core/store"
)

func TestProgressIsALineThatStaysBelowTheLog(t *testing.T) {
	var screen bytes.Buffer
	now := time.Date(2026, 8, 1, 9, 0, 0, 0, time.UTC)
	p := newProgress(&screen, func() time.Time { return now }, func() int { return 120 })
	expect := func(when, want string) {
		t.Helper()
		if diff := gocmp.Diff(want, screen.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%q\n%s", when, screen.String(), diff)
		}
		screen.Reset()
	}
	p.show(ingest.Progress{}, findings{})
	expect("at first", "\r   0% |          |  0 of 0+ objects, 0 B of 0 B+, 0 records \x1b[0K")
	now = now.Add(10 * time.Second)
	p.show(ingest.Progress{Objects: 1200, Bytes: 1_000_000, Records: 612_345}, findings{objects: 2860, bytes: 4_000_000})
	expect("while objects are counted", "\r  25% |██        |  0 of 0+ objects, 0 B of 0 B+, 0 records \x1b[0K"+
		"\r  25% |██        |  1,200 of 2,860+ objects, 61,234 records/s, 1.0 MB of 4.0 MB+, 612,345 records \x1b[0K")
	fmt.Fprintln(p, "level=WARN msg=something")
	expect("a line of the log", "\x1b[2K\rlevel=WARN msg=something\n")
	p.show(ingest.Progress{Objects: 1300, Bytes: 1_000_000, Records: 700_000}, findings{objects: 3000, bytes: 4_000_000, whole: true})
	expect("when all is counted", "\r  25% |██        |  1,300 of 3,000 objects, 30s left, 70,000 records/s, 1.0 MB of 4.0 MB, 700,000 records \x1b[0K")
	p.show(ingest.Progress{Objects: 3001, Bytes: 5_000_000, Records: 700_000}, findings{objects: 3000, bytes: 4_000_000, whole: true})
	expect("when more came than was counted", "\r  99% |█████████ |  1,300 of 3,000 objects, 30s left, 70,000 records/s, 1.0 MB of 4.0 MB, 700,000 records \x1b[0K"+
		"\r  99% |█████████ |  3,001 of 3,001 objects, 70,000 records/s, 5.0 MB of 5.0 MB, 700,000 records \x1b[0K")
	p.end()
	p.end()
	expect("at the end", "\x1b[2K\r")
}

func TestWhatIsShownOfProgress(t *testing.T) {
	some := ingest.Progress{Objects: 1, Bytes: 999_950, Records: 1234567}
	most := findings{objects: 1234567, bytes: 2_999_850_000, whole: true}
	for _, test := range []struct {
		done    ingest.Progress
		found   findings
		elapsed time.Duration
		room    int
		want    string
	}{
		{ingest.Progress{}, findings{}, 0, 100, "0 of 0+ objects, 0 B of 0 B+, 0 records"},
		{ingest.Progress{}, findings{whole: true}, time.Minute, 100, "0 of 0 objects, 0 records/s, 0 B of 0 B, 0 records"},
		{ingest.Progress{Objects: 1, Bytes: 999, Records: 1}, findings{objects: 1000, bytes: 999_949}, time.Second, 100,
			"1 of 1,000+ objects, 1 records/s, 999 B of 999.9 kB+, 1 records"},
		{some, most, time.Second, 100, "1 of 1,234,567 objects, 49m59s left, 1,234,567 records/s, 1.0 MB of 3.0 GB, 1,234,567 records"},
		{some, most, time.Second, 57, "1 of 1,234,567 objects, 49m59s left, 1,234,567 records/s"},
		{some, most, time.Second, 50, "1 of 1,234,567 objects, 49m59s left"},
		{some, most, time.Second, 0, "1 of 1,234,567 objects"},
		{ingest.Progress{Objects: 5, Bytes: 5, Records: 5}, findings{objects: 5, bytes: 5, whole: true}, 10 * time.Second, 100,
			"5 of 5 objects, 0 records/s, 5 B of 5 B, 5 records"},
	} {
		if got := line(test.done, test.found, test.elapsed, test.room); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}

// Of a run that is under way what it has read counts as well, and what was read
// before does not; nothing is put away by counting.
func TestASurveyCountsWhatTheRunHasToRead(t *testing.T) {
	root, begin := t.TempDir(), time.Now()
	src := &dir.Source{Name: "local", Path: root, OnDone: dir.OnDone{Delete: true}}
	inlet := newDryStore(io.Discard)
	seen := map[string]time.Time{"old.json": begin.Add(-time.Hour), "read.json": begin.Add(time.Second)}
	for _, name := range []string{"old.json", "read.json", "new.json"} {
		write(t, filepath.Join(root, name), "[]")
	}
	err := src.Scan(t.Context(), inlet.Ledger("local"), func(o source.Object) error {
		if seen[o.Key].IsZero() {
			return nil
		}
		o.Done.Seen = seen[o.Key]
		return inlet.Commit(t.Context(), func(tx store.Tx) error { return tx.PutEntry("local", o.Key, o.Done) })
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &survey{since: begin}
	s.run(t.Context(), []ingest.Source{{Name: "local", Source: src}}, inlet)
	if got, want := s.found(), (findings{objects: 2, bytes: 4, whole: true}); got != want {
		t.Errorf("found %+v, want %+v", got, want)
	}
	if _, err := os.Stat(filepath.Join(root, "old.json")); err != nil {
		t.Error("counting put a file away:", err)
	}
}
