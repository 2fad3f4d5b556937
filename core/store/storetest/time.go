package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/store"
)

// concurrent lets commits, deliveries and lookups meet. Every alert reaches
// every output exactly once.
func concurrent(f *fixture) {
	const workers, each = 4, 25
	outputs := []string{"a", "b"}
	var group, raising errgroup.Group
	for w := range workers {
		raising.Go(func() error {
			for n := range each {
				err := f.Commit(context.Background(), func(tx store.Tx) error {
					// Half of them are raised by a neighbour too.
					for _, id := range []int{w*each + n, (w*each + n + each/2) % (workers * each)} {
						if _, err := tx.Raise(Alert(id, outputs...)); err != nil {
							return err
						}
					}
					return tx.PutEntry("s", fmt.Sprint(w), source.Entry{Offset: int64(n)})
				})
				if err != nil {
					return err
				}
				if e, ok, err := f.Ledger("s").Entry(fmt.Sprint(w)); err != nil || !ok || e.Offset != int64(n) {
					return fmt.Errorf("entry of worker %d: got %+v %v %v, want offset %d", w, e, ok, err, n)
				}
			}
			return nil
		})
	}
	var mu sync.Mutex
	got := map[string]int{}
	for _, output := range outputs {
		group.Go(func() error {
			for left := workers * each; left > 0; {
				list, _, err := f.Next(output, 0, 7, 1<<20)
				if err != nil {
					return err
				}
				var done []uint64
				mu.Lock()
				for _, q := range list {
					done = append(done, q.Seq)
					got[output+" "+q.ID]++
				}
				mu.Unlock()
				if err := f.Settle(output, done, nil); err != nil {
					return err
				}
				left -= len(done)
			}
			return nil
		})
	}
	f.check(raising.Wait())
	f.check(group.Wait())
	want := map[string]int{}
	for n := range workers * each {
		for _, output := range outputs {
			want[output+" "+ID(n)] = 1
		}
	}
	f.same("deliveries", got, want)
	for _, output := range outputs {
		b, err := f.Backlog(output)
		f.check(err)
		f.same("backlog of "+output, b, store.Backlog{})
	}
}

// raisedAt returns an alert whose event is that far before now.
func raisedAt(n int, ago time.Duration) store.Alert {
	a := Alert(n, "a")
	a.Time = time.Now().Add(-ago)
	a.Hour = uint32(a.Time.Unix() / 3600)
	return a
}

const day = 24 * time.Hour

func idsExpire(f *fixture) {
	now := time.Now()
	recent, kept, old := raisedAt(1, 0), raisedAt(2, 33*day), raisedAt(3, 40*day)
	f.raise(recent, kept, old)

	f.check(f.Maintain(now.Add(time.Hour)))
	f.same("at once", f.raise(recent, kept, old), []bool{false, false, false})

	f.check(f.Maintain(now.Add(2 * day)))
	f.same("two days later", f.raise(recent, kept, old), []bool{false, false, true})

	// Queued alerts are no matter of retention.
	f.same("queue", f.queued("a"), []string{recent.ID, kept.ID, old.ID, old.ID})
}

func futureEvents(f *fixture) {
	recent, odd := raisedAt(1, 0), raisedAt(2, -4000*day)
	f.raise(recent, odd)
	f.check(f.Maintain(time.Now().Add(2 * day)))
	f.same("fresh", f.raise(recent, odd), []bool{false, false})
}

func entriesExpire(f *fixture) {
	now := time.Now()
	seen := func(ago time.Duration) source.Entry { return source.Entry{Offset: 1, Seen: now.Add(-ago)} }
	f.commit(func(tx store.Tx) error {
		for key, e := range map[string]source.Entry{"new": seen(0), "old": seen(40 * day), "looked up": seen(40 * day)} {
			if err := tx.PutEntry("s", key, e); err != nil {
				return err
			}
		}
		return nil
	})
	if _, _, err := f.Ledger("s").Entry("looked up"); err != nil {
		f.Fatal(err)
	}
	f.check(f.Maintain(now))
	left := map[string]bool{}
	for _, key := range []string{"new", "old", "looked up"} {
		_, ok, err := f.Ledger("s").Entry(key)
		f.check(err)
		left[key] = ok
	}
	f.same("entries", left, map[string]bool{"new": true, "old": false, "looked up": true})
}

// restingSource is about a source that was switched off, or could not be
// reached, for longer than retention: what it read last is not old, for nothing
// came after it.
func restingSource(f *fixture) {
	now := time.Now()
	seen := func(ago time.Duration) source.Entry { return source.Entry{Offset: 1, Seen: now.Add(-ago)} }
	f.commit(func(tx store.Tx) error {
		return errors.Join(
			tx.PutEntry("resting", "last", seen(80*day)), tx.PutEntry("resting", "before", seen(110*day)),
			tx.PutEntry("resting", "long before", seen(120*day)), tx.PutEntry("busy", "last", seen(0)), tx.PutEntry("busy", "before", seen(80*day)))
	})
	f.reopen()
	f.check(f.Maintain(now))
	left := map[string]bool{}
	for _, k := range [][2]string{{"resting", "last"}, {"resting", "before"}, {"resting", "long before"}, {"busy", "last"}, {"busy", "before"}} {
		_, ok, err := f.Ledger(k[0]).Entry(k[1])
		f.check(err)
		left[k[0]+" "+k[1]] = ok
	}
	f.same("entries", left, map[string]bool{
		"resting last": true, "resting before": true, "resting long before": false, "busy last": true, "busy before": false,
	})
}
