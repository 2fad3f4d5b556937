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
