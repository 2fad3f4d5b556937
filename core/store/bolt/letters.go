package bolt

import (
	"bytes"
	"encoding/binary"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/store"
)

// letterStep is how many dead letters one transaction takes back or drops.
const letterStep = 500

// droppedKey, in about, holds how many dead letters had to go.
var droppedKey = []byte("dropped")

// Replay implements store.Letters. It may stop in the middle with an error;
// what was taken back until then is.
func (s *Store) Replay(ids []string) (n int, err error) {
	return s.eachLetter(ids, func(t *tx, d store.DeadLetter) (bool, error) {
		if d.Output != "" {
			return t.requeue(d)
		}
		return d.Key != "", t.reread(d)
	})
}

// Purge implements store.Letters. It may stop in the middle with an error.
func (s *Store) Purge(ids []string) (n int, err error) {
	return s.eachLetter(ids, func(*tx, store.DeadLetter) (bool, error) { return true, nil })
}

// eachLetter drops those of the letters for which fn returns true.
func (s *Store) eachLetter(ids []string, fn func(*tx, store.DeadLetter) (bool, error)) (total int, err error) {
	for some := range slices.Chunk(ids, letterStep) {
		n := 0
		err := s.update(func(t *bbolt.Tx, c changes) error {
			n = 0
			tx := s.begin(t, c)
			for _, id := range some {
				d, ok, err := letter(t, id)
				if err == nil && ok {
					ok, err = fn(tx, d)
				}
				if err == nil && ok {
					n++
					err = dropLetter(t, id)
				}
				if err != nil {
					return err
				}
			}
			return tx.finish()
		})
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}

func dropLetter(t *bbolt.Tx, id string) error {
	if err := rootBucket(t, refusedBucket).Delete([]byte(id)); err != nil {
		return err
	}
	return rootBucket(t, deadBucket).Delete([]byte(id))
}

// requeue puts a refused alert behind its output's queue, if there is room: it
// would become the dead letter it is.
func (t *tx) requeue(d store.DeadLetter) (ok bool, err error) {
	a, ok, err := refusedAlert(t.t, d.ID)
	if err != nil || !ok || t.laneOf(d.Output).overfull(payload(a)) != "" {
		return false, err
	}
	a.Outputs = []string{d.Output}
	return true, t.enqueue(a)
}

// reread sets an object back to where its letter points. The entry counts as
// seen now: what it is about is about to be read.
func (t *tx) reread(d store.DeadLetter) error {
	if d.Key == "" {
		return nil
	}
	b := rootBucket(t.t, ledgerBucket).sub([]byte(d.Source))
	value, err := b.get([]byte(d.Key))
	if err != nil {
		return err
	}
	if value != nil {
		now, err := parseEntry(value)
		if err != nil {
			return damage(b.path, []byte(d.Key), err.Error())
		}
		if !now.Done && before(now, d.From) {
			return nil // another letter of it was taken back
		}
	}
	from := d.From
	from.Done, from.Failing, from.Seen = false, 0, t.now
	return t.putEntry(d.Source, d.Key, from)
}

// before says whether an entry stands before another one, or at it.
func before(a, b source.Entry) bool {
	if a.Offset != b.Offset {
		return a.Offset < b.Offset
	}
	return a.Records <= b.Records
}

// Dropped implements store.Letters.
func (s *Store) Dropped() (n int64, err error) {
	err = s.view(func(t *bbolt.Tx) error {
		n, err = dropped(t)
		return err
	})
	return n, err
}

func dropped(t *bbolt.Tx) (int64, error) {
	value, err := rootBucket(t, aboutBucket).get(droppedKey)
	if err != nil || value == nil {
		return 0, err
	}
	n, size := binary.Varint(value)
	if size <= 0 {
		return 0, damage(aboutBucket, droppedKey, "it is no number")
	}
	return n, nil
}

// trim drops the oldest dead letters above the bound, and a tenth of the bound
// more so that it need not do so again at once.
func (s *Store) trim() error {
	held := 0
	err := s.view(func(t *bbolt.Tx) error {
		return rootBucket(t, deadBucket).ForEach(func(key, _ []byte) error {
			if !bytes.Equal(key, markKey) {
				held++
			}
			return nil
		})
	})
	if err != nil || held <= s.opt.MaxLetters {
		return err
	}
	letters, err := s.DeadLetters()
	if err != nil {
		return err
	}
	for some := range slices.Chunk(letters[:len(letters)-s.opt.MaxLetters*9/10], letterStep) {
		err := s.update(func(t *bbolt.Tx, _ changes) error { return dropOld(t, some) })
		if err != nil {
			return err
		}
	}
	return nil
}

// dropOld drops letters and counts them.
func dropOld(t *bbolt.Tx, letters []store.DeadLetter) error {
	n, err := dropped(t)
	if err != nil {
		return err
	}
	for _, d := range letters {
		if err := dropLetter(t, d.ID); err != nil {
			return err
		}
	}
	return rootBucket(t, aboutBucket).put(droppedKey, binary.AppendVarint(nil, n+int64(len(letters))))
}
