// Package storetest is the suite every store passes: Run it from the store's
// own tests.
package storetest

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/store"
)

// Open opens the store kept in dir, with a retention of 35 days. It is called
// again on the same dir after the store was closed, and must find everything.
type Open func(t *testing.T, dir string) store.Store

// Run runs the suite.
func Run(t *testing.T, open Open) {
	for _, test := range []struct {
		name string
		run  func(*fixture)
	}{
		{"a failed commit leaves nothing", failedCommit},
		{"a cancelled commit does not run", cancelledCommit},
		{"an alert id is stored once", idOnce},
		{"an alert waits until every output settled it", settledByAll},
		{"settling twice does nothing", settledTwice},
		{"an output named twice gets an alert once", outputTwice},
		{"an alert for no output only keeps its id", noOutput},
		{"next is in order and within limits", nextLimits},
		{"what was stored together comes together where it fits", nextTogether},
		{"an alert keeps every field", alertFields},
		{"a refused alert becomes a dead letter and the others go on", refused},
		{"a replayed alert goes to its output under its id", replayedAlert},
		{"a replayed object stands where its earliest letter points", replayedObject},
		{"what is purged is gone", purged},
		{"a ledger entry keeps every field", entryFields},
		{"ledgers of sources are apart", ledgersApart},
		{"burying replaces by id", buried},
		{"the backlog counts what is queued", backlog},
		{"alerts beyond a bound become dead letters of that output alone", bounded},
		{"sequence numbers grow past what was settled", sequence},
		{"reopening keeps everything", reopened},
		{"commits, next and settle run at the same time", concurrent},
		{"state is kept by rule and key, in order", state},
		{"a failed commit leaves no state", stateFails},
		{"old ids go once their day is idle", idsExpire},
		{"events from the future age nothing", futureEvents},
		{"old ledger entries go unless they are looked up", entriesExpire},
		{"a source that is not read forgets nothing", restingSource},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := &fixture{T: t, open: open, dir: t.TempDir()}
			f.Store = open(t, f.dir)
			t.Cleanup(func() { f.check(f.Store.Close()) })
			test.run(f)
		})
	}
}

// Alert returns a whole alert of its own number for the outputs, of an event n
// hours before 2026-06-01.
func Alert(n int, outputs ...string) store.Alert {
	at := time.Date(2026, 6, 1, 0, 30, 0, 123456789, time.UTC).Add(-time.Duration(n) * time.Hour)
	return store.Alert{
		ID:       ID(n),
		Hour:     uint32(at.Unix() / 3600),
		RuleID:   "kms-key-disabled",
		Severity: "high",
		Time:     at,
		Key:      fmt.Sprintf("key-%d", n),
		JSON:     fmt.Appendf(nil, `{"n":%d}`, n),
		Outputs:  outputs,
	}
}

// ID returns an alert id as rules make them.
func ID(n int) string {
	sum := sha256.Sum256(fmt.Append(nil, n))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:26]
}

var errRefused = errors.New("no")

// fixture is one test's store.
type fixture struct {
	*testing.T
	store.Store
	open Open
	dir  string
}

func (f *fixture) check(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// reopen closes the store and opens it again.
func (f *fixture) reopen() {
	f.Helper()
	f.check(f.Close())
	f.Store = f.open(f.T, f.dir)
}

// commit runs fn in a transaction that must succeed.
func (f *fixture) commit(fn func(store.Tx) error) {
	f.Helper()
	f.check(f.Commit(context.Background(), fn))
}

// raise commits the alerts and returns which were fresh.
func (f *fixture) raise(alerts ...store.Alert) []bool {
	f.Helper()
	var fresh []bool
	f.commit(func(tx store.Tx) error {
		for _, a := range alerts {
			ok, err := tx.Raise(a)
			if err != nil {
				return err
			}
			fresh = append(fresh, ok)
		}
		return nil
	})
	return fresh
}

// queue returns everything an output has queued.
func (f *fixture) queue(output string) []store.Queued {
	f.Helper()
	list, _, err := f.Next(output, 0, 1<<20, 1<<30)
	f.check(err)
	f.check(store.Unpack(list))
	return list
}

// queued returns the ids of everything an output has queued.
func (f *fixture) queued(output string) []string {
	f.Helper()
	var ids []string
	for _, q := range f.queue(output) {
		ids = append(ids, q.ID)
	}
	return ids
}

func (f *fixture) same(what string, got, want any) {
	f.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		f.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

func failedCommit(f *fixture) {
	err := f.Commit(context.Background(), func(tx store.Tx) error {
		_, err := tx.Raise(Alert(1, "a"))
		err = errors.Join(err, tx.PutEntry("s", "k", source.Entry{Offset: 1}), tx.Bury(store.DeadLetter{ID: "d"}))
		return errors.Join(err, errRefused)
	})
	if !errors.Is(err, errRefused) {
		f.Fatalf("got %v, want the function's own error", err)
	}
	_, known, err := f.Ledger("s").Entry("k")
	f.check(err)
	letters, err := f.DeadLetters()
	f.check(err)
	f.same("entry", known, false)
	f.same("letters", len(letters), 0)
	f.same("queue", f.queued("a"), []string(nil))
	f.same("fresh", f.raise(Alert(1, "a")), []bool{true})
}

func cancelledCommit(f *fixture) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := f.Commit(ctx, func(store.Tx) error {
		f.Error("the function ran")
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		f.Fatalf("got %v, want context.Canceled", err)
	}
}

func idOnce(f *fixture) {
	f.same("in one commit", f.raise(Alert(1, "a"), Alert(1, "a"), Alert(2, "a")), []bool{true, false, true})
	f.same("in another", f.raise(Alert(1, "a")), []bool{false})
	f.same("for another output", f.raise(Alert(1, "b")), []bool{false})
	f.reopen()
	f.same("after reopening", f.raise(Alert(1, "a"), Alert(3, "a")), []bool{false, true})
	f.same("queue", f.queued("a"), []string{ID(1), ID(2), ID(3)})
	f.same("queue of b", f.queued("b"), []string(nil))
}

func settledByAll(f *fixture) {
	f.raise(Alert(1, "a", "b"))
	seq := f.queue("a")[0].Seq
	f.check(f.Settle("a", []uint64{seq}, nil))
	f.same("a", f.queued("a"), []string(nil))
	f.same("b", f.queued("b"), []string{ID(1)})
	f.check(f.Settle("b", []uint64{seq}, nil))
	f.same("b", f.queued("b"), []string(nil))
	f.same("fresh", f.raise(Alert(1, "a", "b")), []bool{false})
}

func settledTwice(f *fixture) {
	f.raise(Alert(1, "a"), Alert(2, "a"))
	first := f.queue("a")[0].Seq
	for range 2 {
		f.check(f.Settle("a", []uint64{first, first, 4711}, []store.Refusal{{Seq: first, Reason: "late"}}))
	}
	f.check(f.Settle("nobody", []uint64{first}, []store.Refusal{{Seq: first}}))
	f.same("queue", f.queued("a"), []string{ID(2)})
	letters, err := f.DeadLetters()
	f.check(err)
	f.same("letters", len(letters), 0)
	got, err := f.Backlog("a")
	f.check(err)
	f.same("backlog", got, store.Backlog{Alerts: 1, Bytes: int64(len(Alert(2).JSON))})
}

func outputTwice(f *fixture) {
	f.raise(Alert(1, "a", "b", "a"))
	f.same("a", f.queued("a"), []string{ID(1)})
	f.same("b", f.queued("b"), []string{ID(1)})
}

func noOutput(f *fixture) {
	f.same("fresh", f.raise(Alert(1), Alert(1, "a")), []bool{true, false})
	f.same("queue", f.queued("a"), []string(nil))
}

func nextLimits(f *fixture) {
	var want []uint64
	for n := range 10 {
		a := Alert(n, "a")
		a.JSON, a.Event, a.Raw = make([]byte, 50), make([]byte, 30), make([]byte, 20)
		f.raise(a)
	}
	for _, q := range f.queue("a") {
		want = append(want, q.Seq)
	}
	for n := 1; n < len(want); n++ {
		if want[n] <= want[n-1] {
			f.Fatalf("sequence numbers do not grow: %v", want)
		}
	}
	for _, test := range []struct {
		after         uint64
		max, maxBytes int
		want          []uint64
	}{
		{0, 3, 1 << 20, want[:3]},
		{want[2], 3, 1 << 20, want[3:6]},
		{want[2], 100, 400, want[3:7]},
		{want[2], 100, 1, want[3:4]},
		{want[9], 100, 1 << 20, nil},
	} {
		list, _, err := f.Next("a", test.after, test.max, test.maxBytes)
		f.check(err)
		var got []uint64
		for _, q := range list {
			got = append(got, q.Seq)
		}
		f.same(fmt.Sprintf("Next after %d, %d alerts, %d bytes", test.after, test.max, test.maxBytes), got, test.want)
	}
}

func nextTogether(f *fixture) {
	var seqs []uint64
	for round := range 3 {
		var alerts []store.Alert
		for n := range 4 {
			a := Alert(4*round+n, "a")
			a.JSON = make([]byte, 100)
			alerts = append(alerts, a)
		}
		f.raise(alerts...)
	}
	for _, q := range f.queue("a") {
		seqs = append(seqs, q.Seq)
	}
	for _, test := range []struct {
		after         uint64
		max, maxBytes int
		want          []uint64
		more          bool
	}{
		{0, 100, 1 << 20, seqs, false},
		{0, 12, 1 << 20, seqs, false},
		{0, 11, 1 << 20, seqs[:8], true},
		{0, 100, 700, seqs[:4], true},
		{0, 3, 1 << 20, seqs[:3], true},
		{0, 100, 1, seqs[:1], true},
		{seqs[2], 4, 1 << 20, seqs[3:4], true},
		{seqs[2], 100, 900, seqs[3:], false},
		{seqs[9], 100, 1 << 20, seqs[10:], false},
	} {
		list, more, err := f.Next("a", test.after, test.max, test.maxBytes)
		f.check(err)
		var got []uint64
		for _, q := range list {
			got = append(got, q.Seq)
		}
		what := fmt.Sprintf("Next after %d, %d alerts, %d bytes", test.after, test.max, test.maxBytes)
		f.same(what, got, test.want)
		f.same(what+": more", more, test.more)
	}
}

func alertFields(f *fixture) {
	full, bare := Alert(1, "a"), store.Alert{ID: "of another kind", Outputs: []string{"a"}}
	full.Event, full.Raw, full.Key = []byte(`{"e":1}`), []byte("raw\x00\xff"), "schlüssel \x00"
	f.raise(full, bare)
	f.reopen()
	var got []store.Alert
	for _, q := range f.queue("a") {
		q.Outputs = []string{"a"} // Next need not say
		got = append(got, q.Alert)
	}
	f.same("alerts", got, []store.Alert{full, bare})
}

func refused(f *fixture) {
	f.raise(Alert(1, "a", "b"), Alert(2, "a"), Alert(3, "a"))
	list := f.queue("a")
	f.check(f.Settle("a", []uint64{list[1].Seq}, []store.Refusal{{Seq: list[0].Seq, Reason: "400: no such field"}}))
	f.same("a", f.queued("a"), []string{ID(3)})
	f.same("b", f.queued("b"), []string{ID(1)})

	letters, err := f.DeadLetters()
	f.check(err)
	if len(letters) != 1 || letters[0].Time.IsZero() || letters[0].ID == "" {
		f.Fatalf("got %+v, want one dead letter with an id and a time", letters)
	}
	d := letters[0]
	d.ID, d.Time = "", time.Time{}
	f.same("dead letter", d, store.DeadLetter{Record: -1, Output: "a", Alert: ID(1), Reason: "refused", Detail: "400: no such field"})

	f.check(f.Settle("b", nil, []store.Refusal{{Seq: list[0].Seq, Reason: "too large"}}))
	letters, err = f.DeadLetters()
	f.check(err)
	f.same("letters of two outputs", len(letters), 2)
}

func entryFields(f *fixture) {
	want := map[string]source.Entry{
		"a/b.json.gz": {Version: "etag", Offset: 1 << 40, Before: 1 << 33, Records: 77, Done: true, Buried: true, Failing: 36 * time.Hour, Seen: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)},
		"ü \xff":      {Version: "\x00\xff", Seen: time.Date(1999, 1, 2, 3, 4, 5, 0, time.UTC)},
	}
	f.commit(func(tx store.Tx) error {
		for key, e := range want {
			if err := tx.PutEntry("s", key, e); err != nil {
				return err
			}
		}
		return nil
	})
	f.reopen()
	for key, e := range want {
		got, ok, err := f.Ledger("s").Entry(key)
		f.check(err)
		f.same("known", ok, true)
		f.same(key, got, e)
	}

	before := time.Now().Add(-time.Minute)
	f.commit(func(tx store.Tx) error { return tx.PutEntry("s", "untimed", source.Entry{Offset: 5}) })
	if e, _, _ := f.Ledger("s").Entry("untimed"); e.Offset != 5 || e.Seen.Before(before) {
		f.Fatalf("got %+v, want offset 5 and the time of the commit", e)
	}
	if err := f.Commit(context.Background(), func(tx store.Tx) error { return tx.PutEntry("s", "", source.Entry{}) }); err == nil {
		f.Fatal("an entry without a key was stored")
	}
}

func ledgersApart(f *fixture) {
	f.commit(func(tx store.Tx) error {
		return errors.Join(tx.PutEntry("one", "k", source.Entry{Offset: 1}), tx.PutEntry("two", "k", source.Entry{Offset: 2}))
	})
	got := map[string]int64{}
	for _, name := range []string{"one", "two", "three"} {
		if e, ok, err := f.Ledger(name).Entry("k"); err != nil {
			f.Fatal(err)
		} else if ok {
			got[name] = e.Offset
		}
	}
	f.same("offsets", got, map[string]int64{"one": 1, "two": 2})
}

func buried(f *fixture) {
	at := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	letter := func(id, detail string, minute int) store.DeadLetter {
		return store.DeadLetter{ID: id, Source: "s", Object: "o", Record: 3, Offset: 99, Reason: "json", Detail: detail, Time: at.Add(time.Duration(minute) * time.Minute)}
	}
	f.commit(func(tx store.Tx) error {
		return errors.Join(tx.Bury(letter("x", "first", 0)), tx.Bury(letter("y", "other", 2)))
	})
	f.commit(func(tx store.Tx) error { return tx.Bury(letter("x", "again", 5)) })
	f.reopen()
	got, err := f.DeadLetters()
	f.check(err)
	f.same("dead letters", got, []store.DeadLetter{letter("y", "other", 2), letter("x", "again", 5)})
	if err := f.Commit(context.Background(), func(tx store.Tx) error { return tx.Bury(store.DeadLetter{}) }); err == nil {
		f.Fatal("a dead letter without an id was buried")
	}
}

func backlog(f *fixture) {
	size := int64(len(Alert(1).JSON))
	expect := func(when string, a, b store.Backlog) {
		f.Helper()
		gotA, errA := f.Backlog("a")
		gotB, errB := f.Backlog("b")
		f.check(errors.Join(errA, errB))
		f.same(when, []store.Backlog{gotA, gotB}, []store.Backlog{a, b})
	}
	expect("at first", store.Backlog{}, store.Backlog{})
	f.raise(Alert(1, "a", "b"), Alert(2, "a"), Alert(2, "a"))
	expect("raised", store.Backlog{Alerts: 2, Bytes: 2 * size}, store.Backlog{Alerts: 1, Bytes: size})
	f.check(f.Settle("a", []uint64{f.queue("a")[0].Seq}, nil))
	expect("settled", store.Backlog{Alerts: 1, Bytes: size}, store.Backlog{Alerts: 1, Bytes: size})
	f.check(f.Settle("b", nil, []store.Refusal{{Seq: f.queue("b")[0].Seq}}))
	expect("refused", store.Backlog{Alerts: 1, Bytes: size}, store.Backlog{})
	f.Commit(context.Background(), func(tx store.Tx) error {
		tx.Raise(Alert(3, "b"))
		return errRefused
	})
	expect("rolled back", store.Backlog{Alerts: 1, Bytes: size}, store.Backlog{})
	f.reopen()
	expect("reopened", store.Backlog{Alerts: 1, Bytes: size}, store.Backlog{})
}

func bounded(f *fixture) {
	size := int64(len(Alert(1).JSON))
	f.Bound("a", store.Backlog{Alerts: 2})
	f.Bound("c", store.Backlog{Bytes: size})
	fresh := f.raise(Alert(1, "a", "b", "c"), Alert(2, "a", "b", "c"), Alert(3, "a", "b"), Alert(4, "a"), Alert(4, "a"))
	f.same("fresh", fresh, []bool{true, true, true, true, false})
	f.same("a", f.queued("a"), []string{ID(1), ID(2)})
	f.same("b", f.queued("b"), []string{ID(1), ID(2), ID(3)})
	f.same("c", f.queued("c"), []string{ID(1)})
	got, err := f.Backlog("a")
	f.check(err)
	f.same("backlog", got, store.Backlog{Alerts: 2, Bytes: 2 * size, Buried: 2})

	letters, err := f.DeadLetters()
	f.check(err)
	why := map[string]string{}
	for _, d := range letters {
		why[d.Output+" "+d.Alert] = d.Reason + ": " + d.Detail
	}
	f.same("dead letters", why, map[string]string{
		"c " + ID(2): fmt.Sprintf("backlog: the backlog was full: max_bytes is %d", size),
		"a " + ID(3): "backlog: the backlog was full: max_alerts is 2",
		"a " + ID(4): "backlog: the backlog was full: max_alerts is 2",
	})

	n, err := f.Replay([]string{letters[0].ID, letters[1].ID, letters[2].ID})
	f.check(err)
	f.same("taken back without room", n, 0)
	f.same("dead letters that stay", f.letters(), letters)

	// There is room again once something was settled, and no bound at all once
	// it was taken away.
	f.check(f.Settle("a", []uint64{f.queue("a")[0].Seq}, nil))
	f.raise(Alert(5, "a"))
	f.Bound("a", store.Backlog{})
	f.raise(Alert(6, "a"))
	f.same("a, later", f.queued("a"), []string{ID(2), ID(5), ID(6)})
}

func sequence(f *fixture) {
	f.raise(Alert(1, "a"))
	last := f.queue("a")[0].Seq
	f.check(f.Settle("a", []uint64{last}, nil))
	f.reopen()
	f.raise(Alert(2, "a"))
	if got := f.queue("a")[0].Seq; got <= last {
		f.Fatalf("got %d after %d was settled", got, last)
	}
}

func reopened(f *fixture) {
	f.commit(func(tx store.Tx) error {
		for n := range 500 {
			if _, err := tx.Raise(Alert(n, "a", "b")); err != nil {
				return err
			}
			if err := tx.PutEntry("s", fmt.Sprint(n), source.Entry{Offset: int64(n) + 1}); err != nil {
				return err
			}
		}
		return tx.Bury(store.DeadLetter{ID: "d", Reason: "json"})
	})
	before := f.queue("a")
	f.reopen()
	f.same("queue of a", f.queue("a"), before)
	f.same("queue of b", f.queue("b"), before)
	for n := range 500 {
		e, _, err := f.Ledger("s").Entry(fmt.Sprint(n))
		f.check(err)
		f.same("offset", e.Offset, int64(n)+1)
	}
	letters, err := f.DeadLetters()
	f.check(err)
	f.same("letters", len(letters), 1)
}
