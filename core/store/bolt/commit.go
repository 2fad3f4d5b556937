package bolt

import (
	"bytes"
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
		tx := s.begin(t, c)
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

	seq     uint64        // the last one given out
	numbers bool          // seq was read
	day     bucket        // of the last id
	number  uint32        // of that day
	ids     *bbolt.Cursor // over it
	rule    string        // whose state was used last
	memory  bucket        // of it
	source  string        // whose entry was put last
	entries bucket        // of it
	bundle  *bundle       // of the alerts that are not stored yet
	lanes   []*lane       // as far as they were used

	admitted []*lane // of the last alert
}

// begin begins a transaction of Commit, of which there is one at a time.
func (s *Store) begin(t *bbolt.Tx, c changes) *tx {
	s.bundle.reset()
	return &tx{s: s, t: t, changes: c, now: s.opt.Now().UTC(), bundle: &s.bundle}
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
	if err := t.store(); err != nil {
		return err
	}
	for _, l := range t.lanes {
		t.changes[l.output] = sum(t.changes[l.output], l.grown)
	}
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
	if t.entries.Bucket == nil || t.source != sourceName {
		b, err := rootBucket(t.t, ledgerBucket).makeSub([]byte(sourceName), nil)
		if err != nil {
			return err
		}
		t.source, t.entries = sourceName, b
	}
	return t.entries.putSealed([]byte(key), appendEntry(t.sealed(entrySize(e)), e))
}

// sealed returns room for a value of up to size bytes, behind that for its
// checksum.
func (t *tx) sealed(size int) []byte {
	return t.s.room.take(sumSize + size)[:sumSize]
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
	id := idKey(a.Hour, a.ID)
	key := append(t.s.room.take(len(id)), id[:]...)
	if at, sealed := t.ids.Seek(key); bytes.Equal(at, key) {
		_, err := unseal(day.path, key, sealed)
		return false, err
	}
	if err := day.putSealed(key, t.sealed(0)); err != nil {
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
	t.day, t.number, t.ids = day, hour/24, day.Cursor()
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

// enqueue puts the alert into the bundle and names it in the queue of each of
// its outputs that has room.
func (t *tx) enqueue(a store.Alert) error {
	size := payload(a)
	lanes, err := t.admit(a, size)
	if err != nil || len(lanes) == 0 {
		return err
	}
	if !t.bundle.takes(a) {
		if err := t.store(); err != nil {
			return err
		}
	}
	seq, err := t.next()
	if err != nil {
		return err
	}
	t.bundle.add(seq, a)
	for _, l := range lanes {
		l.named = appendWaiting(l.named, waiting{seq, size})
	}
	return nil
}

// store stores the bundle and what queues say of it.
func (t *tx) store() error {
	if t.bundle.count == 0 {
		return nil
	}
	key := binary.BigEndian.AppendUint64(t.s.room.take(8), t.bundle.last)
	value := t.bundle.pack()
	if err := openBundles(t.t).put(key, append(t.sealed(len(value)), value...)); err != nil {
		return err
	}
	t.bundle.reset()
	for _, l := range t.lanes {
		if len(l.named) == 0 {
			continue
		}
		if err := l.queue.putSealed(key, append(t.sealed(len(l.named)), l.named...)); err != nil {
			return err
		}
		l.named = l.named[:0]
	}
	return nil
}

// lane is what a transaction does to the queue of an output.
type lane struct {
	output string
	queue  bucket        // made with the first alert
	named  []byte        // alerts of the bundle that is not stored yet
	before store.Backlog // the transaction
	grown  store.Backlog
	most   store.Backlog
}

// laneOf returns the lane of an output.
func (t *tx) laneOf(output string) *lane {
	for _, l := range t.lanes {
		if l.output == output {
			return l
		}
	}
	l := &lane{output: output}
	l.before, l.most = t.s.bounded(output)
	t.lanes = append(t.lanes, l)
	return l
}

// open makes the queue when there is none.
func (l *lane) open(t *bbolt.Tx) (err error) {
	if l.queue.Bucket != nil {
		return nil
	}
	if l.queue, err = rootBucket(t, queueBucket).makeSub([]byte(l.output), nil); err == nil {
		l.queue.FillPercent = appendOnly
	}
	return err
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
