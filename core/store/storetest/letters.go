package storetest

import (
	"errors"
	"time"

	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/store"
)

func (f *fixture) letters() []store.DeadLetter {
	f.Helper()
	list, err := f.DeadLetters()
	f.check(err)
	return list
}

func replayedAlert(f *fixture) {
	whole := Alert(1, "a", "b")
	whole.Event, whole.Raw = []byte(`{"e":1}`), []byte("raw")
	f.raise(whole, Alert(2, "a"))
	first := f.queue("a")[0].Seq
	f.check(f.Settle("a", nil, []store.Refusal{{Seq: first, Reason: "401"}}))
	f.reopen()

	id := f.letters()[0].ID
	kept, ok, err := f.Refused(id)
	f.check(err)
	kept.Outputs = whole.Outputs // it need not say
	f.same("kept", ok, true)
	f.same("kept alert", kept, whole)
	_, ok, err = f.Refused("nothing")
	f.check(err)
	f.same("an unknown letter's alert", ok, false)

	n, err := f.Replay([]string{"nothing", id, id})
	f.check(err)
	f.same("replayed", n, 1)
	f.same("letters", len(f.letters()), 0)
	f.same("a", f.queued("a"), []string{ID(2), ID(1)})
	f.same("b", f.queued("b"), []string{ID(1)})
	again := f.queue("a")[1].Alert
	again.Outputs = whole.Outputs
	f.same("queued again", again, whole)
	size := int64(len(whole.JSON) + len(whole.Event) + len(whole.Raw))
	backlog, err := f.Backlog("a")
	f.check(err)
	f.same("backlog", backlog, store.Backlog{Alerts: 2, Bytes: size + int64(len(Alert(2).JSON))})
	f.same("raised once more", f.raise(whole), []bool{false})
}

// letterOf is a dead letter of the object "key" that was read up to a record.
func letterOf(id string, from source.Entry) store.DeadLetter {
	return store.DeadLetter{ID: id, Source: "s", Object: "file", Record: from.Records, Reason: "json", Key: "key", From: from, Time: time.Unix(1, 0).UTC()}
}

func replayedObject(f *fixture) {
	at := func(record int64) source.Entry {
		return source.Entry{Version: "v", Records: record, Buried: record > 3}
	}
	f.commit(func(tx store.Tx) error {
		old := letterOf("old", source.Entry{})
		old.Key = ""
		return errors.Join(tx.Bury(letterOf("third", at(3))), tx.Bury(letterOf("seventh", at(7))), tx.Bury(letterOf("fifth", at(5))), tx.Bury(old),
			tx.PutEntry("s", "key", source.Entry{Version: "v", Done: true, Buried: true}))
	})
	n, err := f.Replay([]string{"fifth", "third", "seventh", "old"})
	f.check(err)
	f.same("replayed", n, 3)
	f.same("letters that say not where", len(f.letters()), 1)
	e, ok, err := f.Ledger("s").Entry("key")
	f.check(err)
	f.same("known", ok, true)
	f.same("seen", time.Since(e.Seen) < time.Hour, true)
	e.Seen = time.Time{}
	f.same("entry", e, at(3))

	// A growing file that went on since goes back.
	f.commit(func(tx store.Tx) error {
		return errors.Join(tx.Bury(letterOf("run", source.Entry{Version: "w", Offset: 100, Before: 4, Records: 2})), tx.PutEntry("s", "key", source.Entry{Version: "x", Offset: 900, Before: 40}))
	})
	_, err = f.Replay([]string{"run"})
	f.check(err)
	e, _, err = f.Ledger("s").Entry("key")
	f.check(err)
	e.Seen = time.Time{}
	f.same("entry of the growing file", e, source.Entry{Version: "w", Offset: 100, Before: 4, Records: 2})
}

func purged(f *fixture) {
	f.raise(Alert(1, "a"))
	f.check(f.Settle("a", nil, []store.Refusal{{Seq: f.queue("a")[0].Seq, Reason: "no"}}))
	f.commit(func(tx store.Tx) error { return tx.Bury(letterOf("object", source.Entry{})) })
	var ids []string
	for _, d := range f.letters() {
		ids = append(ids, d.ID)
	}
	n, err := f.Purge(append(ids, "nothing"))
	f.check(err)
	f.same("purged", n, 2)
	f.same("letters", len(f.letters()), 0)
	for _, id := range ids {
		_, ok, err := f.Refused(id)
		f.check(err)
		f.same("alert of "+id, ok, false)
	}
	f.same("raised once more", f.raise(Alert(1, "a")), []bool{false})
}
