package bolt

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"go.etcd.io/bbolt"

	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/store"
)

// Commit implements store.Inlet: fn runs once, in one bbolt transaction that
// is on the disk when Commit returns nil. Commits run one after the other.
func (s *Store) Commit(ctx context.Context, fn func(store.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.update(func(t *bbolt.Tx, c changes) error {
		tx := &tx{s: s, t: t, changes: c, now: s.opt.Now().UTC()}
		if err := tx.run(fn); err != nil {
			return err
		}
		return tx.finish()
	})
}

// tx is one transaction of Commit.
type tx struct {
	s       *Store
	t       *bbolt.Tx
	changes changes
	now     time.Time
	inside  bool // of our own code, where a panic means damage

	seq     uint64 // the last one given out
	numbers bool   // seq was read
	day     bucket // of the last id
	number  uint32 // of that day
	rule    string // whose state was used last
	memory  bucket // of it
}

// run calls fn. A panic of its own passes through; one of bbolt is damage.
func (t *tx) run(fn func(store.Tx) error) error {
	defer func() {
		if !t.inside {
			if r := recover(); r != nil {
				panic(&callerPanic{r})
			}
		}
	}()
	return fn(t)
}

// own runs code of ours.
func (t *tx) own(fn func() error) error {
	t.inside = true
	err := fn()
	t.inside = false
	return err
}

// finish writes what the whole transaction shares.
func (t *tx) finish() error {
	if !t.numbers {
		return nil
	}
	return rootBucket(t.t, aboutBucket).put(seqKey, seqKeyOf(t.seq))
}

// PutEntry implements store.Tx. An entry without a time gets the current one.
func (t *tx) PutEntry(sourceName, key string, e source.Entry) error {
	return t.own(func() error { return t.putEntry(sourceName, key, e) })
}

func (t *tx) putEntry(sourceName, key string, e source.Entry) error {
	if key == "" || key == string(markKey) {
		return errors.New("storing a ledger entry: its key is empty")
	}
	if e.Seen.IsZero() {
		e.Seen = t.now
	}
	b, err := rootBucket(t.t, ledgerBucket).makeSub([]byte(sourceName), nil)
	if err != nil {
		return err
	}
	return b.putSealed([]byte(key), appendEntry(make([]byte, sumSize, sumSize+48+len(e.Version)), e))
}

// Raise implements store.Tx.
func (t *tx) Raise(a store.Alert) (fresh bool, err error) {
	err = t.own(func() error {
		fresh, err = t.raise(a)
		return err
	})
	return fresh, err
}

func (t *tx) raise(a store.Alert) (fresh bool, err error) {
	day, err := t.dayOf(a.Hour)
	if err != nil {
		return false, err
	}
	key := idKey(a.Hour, a.ID)
	if known, err := day.get(key[:]); err != nil || known != nil {
		return false, err
	}
	if err := day.put(key[:], nil); err != nil {
		return false, err
	}
	if len(a.Outputs) == 0 {
		return true, nil
	}
	return true, t.enqueue(a)
}

// dayOf returns the bucket of the hour's day and notes that it is in use, at
// most once an hour.
func (t *tx) dayOf(hour uint32) (bucket, error) {
	if t.day.Bucket != nil && t.number == hour/24 {
		return t.day, nil
	}
	mark := appendTime(nil, t.now)
	day, err := rootBucket(t.t, idsBucket).makeSub(dayKey(hour), mark)
	if err != nil {
		return bucket{}, err
	}
	used, err := dayUsed(day)
	if err != nil {
		return bucket{}, err
	}
	if t.now.Sub(used) > time.Hour {
		if err := day.put(markKey, mark); err != nil {
			return bucket{}, err
		}
	}
	t.day, t.number = day, hour/24
	return day, nil
}

// dayUsed is when a day of ids was last used, to the hour.
func dayUsed(day bucket) (time.Time, error) {
	mark, err := day.get(markKey)
	if err != nil {
		return time.Time{}, err
	}
	d := decoder{b: mark}
	used := d.time()
	if d.err != nil {
		return time.Time{}, damage(day.path, markKey, d.err.Error())
	}
	return used, nil
}

// enqueue stores the alert and names it in the queue of each of its outputs
// that has room.
func (t *tx) enqueue(a store.Alert) error {
	size := payload(a)
	outputs, err := t.admit(a, size)
	if err != nil || len(outputs) == 0 {
		return err
	}
	seq, err := t.next()
	if err != nil {
		return err
	}
	key := seqKeyOf(seq)
	alerts := rootBucket(t.t, alertsBucket)
	alerts.FillPercent = appendOnly
	if err := alerts.putSealed(key, appendAlert(make([]byte, sumSize, sumSize+alertSize(a)), a)); err != nil {
		return err
	}
	queues := rootBucket(t.t, queueBucket)
	for _, output := range outputs {
		q, err := queues.makeSub([]byte(output), nil)
		if err != nil {
			return err
		}
		q.FillPercent = appendOnly
		if err := q.put(key, binary.AppendUvarint(nil, uint64(size))); err != nil {
			return err
		}
	}
	return nil
}

// appendOnly fills pages to the end: nothing is ever inserted before it.
const appendOnly = 0.95

// next returns the next sequence number.
func (t *tx) next() (uint64, error) {
	if !t.numbers {
		b, err := rootBucket(t.t, aboutBucket).get(seqKey)
		if err != nil {
			return 0, err
		}
		if b != nil {
			t.seq = binary.BigEndian.Uint64(b)
		}
		t.numbers = true
	}
	t.seq++
	return t.seq, nil
}

// Bury implements store.Tx.
func (t *tx) Bury(d store.DeadLetter) error {
	return t.own(func() error { return bury(t.t, d) })
}
