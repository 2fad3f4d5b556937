package bolt

import (
	"bytes"
	"encoding/binary"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/trailship/trailship/core/store"
)

// Next implements store.Outlet. It reads one consistent state and blocks
// nobody. An output that was never named has nothing queued.
func (s *Store) Next(output string, after uint64, max, maxBytes int) ([]store.Queued, error) {
	var list []store.Queued
	err := s.view(func(t *bbolt.Tx) error {
		queue := rootBucket(t, queueBucket).sub([]byte(output))
		if queue.Bucket == nil {
			return nil
		}
		alerts, total := newAlertCursor(t), int64(0)
		cursor := queue.Cursor()
		for key, sealed := cursor.Seek(seqKeyOf(after + 1)); key != nil; key, sealed = cursor.Next() {
			size, err := queuedSize(queue, key, sealed)
			if err != nil {
				return err
			}
			if total += size; len(list) > 0 && (len(list) >= max || total > int64(maxBytes)) {
				return nil
			}
			a, err := alerts.find(key)
			if err != nil {
				return err
			}
			list = append(list, store.Queued{Seq: binary.BigEndian.Uint64(key), Alert: a})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// alertCursor finds alerts whose keys ascend: mostly each is the one behind the
// last.
type alertCursor struct {
	path   string
	cursor *bbolt.Cursor
	begun  bool
}

func newAlertCursor(t *bbolt.Tx) alertCursor {
	alerts := rootBucket(t, alertsBucket)
	return alertCursor{path: alerts.path, cursor: alerts.Cursor()}
}

func (c *alertCursor) find(key []byte) (store.Alert, error) {
	var at, sealed []byte
	if c.begun {
		at, sealed = c.cursor.Next()
	}
	if !bytes.Equal(at, key) {
		at, sealed = c.cursor.Seek(key)
	}
	c.begun = true
	if !bytes.Equal(at, key) {
		sealed = nil
	}
	return openAlert(c.path, key, sealed)
}

// alertAt returns the alert under a sequence key, in memory of its own.
func alertAt(alerts bucket, key []byte) (store.Alert, error) {
	return openAlert(alerts.path, key, alerts.Get(key))
}

// openAlert reads what is stored for an alert; nil is nothing.
func openAlert(path string, key, sealed []byte) (store.Alert, error) {
	if sealed == nil {
		return store.Alert{}, damage(path, key, "it is missing, but an output waits for it")
	}
	value, err := unseal(path, key, sealed)
	if err != nil {
		return store.Alert{}, err
	}
	a, err := parseAlert(bytes.Clone(value))
	if err != nil {
		return store.Alert{}, damage(path, key, err.Error())
	}
	return a, nil
}

// queuedSize reads what a queue holds under key: the size of the alert.
func queuedSize(queue bucket, key, sealed []byte) (int64, error) {
	value, err := unseal(queue.path, key, sealed)
	if err != nil {
		return 0, err
	}
	size, n := binary.Uvarint(value)
	if n <= 0 || len(key) != 8 {
		return 0, damage(queue.path, key, "it is no queued alert")
	}
	return int64(size), nil
}

// Settle implements store.Outlet. What the output does not have queued (it was
// settled before) is passed over.
func (s *Store) Settle(output string, done []uint64, dead []store.Refusal) error {
	if len(done) == 0 && len(dead) == 0 {
		return s.usable()
	}
	return s.update(func(t *bbolt.Tx, c changes) error {
		q, err := openQueues(t, output)
		if err != nil {
			return err
		}
		for _, seq := range done {
			if _, err := q.remove(seqKeyOf(seq), c); err != nil {
				return err
			}
		}
		for _, refusal := range dead {
			if err := s.refuse(t, q, refusal, c); err != nil {
				return err
			}
		}
		return nil
	})
}

// refuse makes a queued alert a dead letter.
func (s *Store) refuse(t *bbolt.Tx, q queues, refusal store.Refusal, c changes) error {
	key := seqKeyOf(refusal.Seq)
	if q.own.Bucket == nil || q.own.Get(key) == nil {
		return nil
	}
	a, err := alertAt(q.alerts, key)
	if err != nil {
		return err
	}
	if _, err := q.remove(key, c); err != nil {
		return err
	}
	return s.buryAlert(t, q.output, a, "refused", refusal.Reason)
}

// buryAlert stores an alert as an output's dead letter, whole, so that it can
// be sent again once the output is mended.
func (s *Store) buryAlert(t *bbolt.Tx, output string, a store.Alert, reason, detail string) error {
	d := store.DeadLetter{
		ID:     output + ":" + a.ID,
		Record: -1,
		Output: output,
		Alert:  a.ID,
		Reason: reason,
		Detail: detail,
		Time:   s.opt.Now().UTC(),
	}
	refused := rootBucket(t, refusedBucket)
	if err := refused.putSealed([]byte(d.ID), appendAlert(make([]byte, sumSize, sumSize+alertSize(a)), a)); err != nil {
		return err
	}
	return bury(t, d)
}

// queues is one output's queue beside those of the others.
type queues struct {
	output string
	own    bucket
	others []bucket
	alerts bucket
}

func openQueues(t *bbolt.Tx, output string) (queues, error) {
	all := rootBucket(t, queueBucket)
	q := queues{output: output, own: all.sub([]byte(output)), alerts: rootBucket(t, alertsBucket)}
	err := all.ForEachBucket(func(name []byte) error {
		if string(name) != output {
			q.others = append(q.others, all.sub(slices.Clone(name)))
		}
		return nil
	})
	return q, err
}

// remove takes an alert out of the output's queue, and deletes it when it was
// the last one to wait for it. It returns false when it was not queued.
func (q queues) remove(key []byte, c changes) (bool, error) {
	if q.own.Bucket == nil {
		return false, nil
	}
	sealed := q.own.Get(key)
	if sealed == nil {
		return false, nil
	}
	size, err := queuedSize(q.own, key, sealed)
	if err != nil {
		return false, err
	}
	if err := q.own.Delete(key); err != nil {
		return false, err
	}
	c.add(q.output, -1, -size)
	for _, other := range q.others {
		if other.Get(key) != nil {
			return true, nil
		}
	}
	return true, q.alerts.Delete(key)
}

// Backlog implements store.Outlet. It costs nothing.
func (s *Store) Backlog(output string) (store.Backlog, error) {
	if err := s.usable(); err != nil {
		return store.Backlog{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.backlog[output], nil
}

// Queues implements store.Store.
func (s *Store) Queues() (map[string]store.Backlog, error) {
	if err := s.usable(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]store.Backlog{}
	for output, b := range s.backlog {
		if b.Alerts > 0 {
			all[output] = b
		}
	}
	return all, nil
}

// recount counts every queue. Nothing may be written meanwhile.
func (s *Store) recount() error {
	backlog := map[string]store.Backlog{}
	err := s.view(func(t *bbolt.Tx) error {
		all := rootBucket(t, queueBucket)
		return all.ForEachBucket(func(name []byte) error {
			b, err := count(all.sub(name))
			backlog[string(name)] = b
			return err
		})
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for output, b := range s.backlog {
		backlog[output] = sum(backlog[output], store.Backlog{Buried: b.Buried})
	}
	s.backlog = backlog
	return nil
}

// count adds up one queue.
func count(queue bucket) (store.Backlog, error) {
	var b store.Backlog
	cursor := queue.Cursor()
	for key, sealed := cursor.Seek(seqKeyOf(0)); key != nil; key, sealed = cursor.Next() {
		size, err := queuedSize(queue, key, sealed)
		if err != nil {
			return b, err
		}
		b.Alerts++
		b.Bytes += size
	}
	return b, nil
}
