package storetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/trailship/trailship/core/store"
)

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

// ask is a call of Next and what it should return.
type ask struct {
	after         uint64
	max, maxBytes int
	want          []uint64
	more          bool
}

func (a ask) of(f *fixture, output string) {
	f.Helper()
	list, more, err := f.Next(output, a.after, a.max, a.maxBytes)
	f.check(err)
	what := fmt.Sprintf("Next after %d, %d alerts, %d bytes", a.after, a.max, a.maxBytes)
	f.same(what, seqs(list), a.want)
	f.same(what+": more", more, a.more)
}

func seqs(list []store.Queued) (all []uint64) {
	for _, q := range list {
		all = append(all, q.Seq)
	}
	return all
}

func nextLimits(f *fixture) {
	for n := range 10 {
		a := Alert(n, "a")
		a.JSON, a.Event, a.Raw = make([]byte, 50), make([]byte, 30), make([]byte, 20)
		f.raise(a)
	}
	all := seqs(f.queue("a"))
	for n := 1; n < len(all); n++ {
		if all[n] <= all[n-1] {
			f.Fatalf("sequence numbers do not grow: %v", all)
		}
	}
	for _, a := range []ask{
		{0, 3, 1 << 20, all[:3], true},
		{all[2], 3, 1 << 20, all[3:6], true},
		{all[2], 100, 400, all[3:7], true},
		{all[2], 100, 1, all[3:4], true},
		{all[9], 100, 1 << 20, nil, false},
	} {
		a.of(f, "a")
	}
}

func nextTogether(f *fixture) {
	for round := range 3 {
		var alerts []store.Alert
		for n := range 4 {
			a := Alert(4*round+n, "a")
			a.JSON = make([]byte, 100)
			alerts = append(alerts, a)
		}
		f.raise(alerts...)
	}
	all := seqs(f.queue("a"))
	for _, a := range []ask{
		{0, 100, 1 << 20, all, false},
		{0, 12, 1 << 20, all, false},
		{0, 11, 1 << 20, all[:8], true},
		{0, 100, 700, all[:4], true},
		{0, 3, 1 << 20, all[:3], true},
		{0, 100, 1, all[:1], true},
		{all[2], 4, 1 << 20, all[3:4], true},
		{all[2], 100, 900, all[3:], false},
		{all[9], 100, 1 << 20, all[10:], false},
	} {
		a.of(f, "a")
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
