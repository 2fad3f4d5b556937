package bolt

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/trailship/trailship/core/store"
)

// Settle implements store.Outlet. What the output does not have queued (it was
// settled before) is passed over.
func (s *Store) Settle(output string, done []uint64, dead []store.Refusal) error {
	if len(done) == 0 && len(dead) == 0 {
		return s.usable()
	}
	all := settlements(done, dead)
	err := s.settle(output, all, true)
	if errors.Is(err, store.ErrFull) {
		// Storing bundles anew takes room before it gives some back.
		err = s.settle(output, all, false)
	}
	return err
}

// settled is an alert an output is through with.
type settled struct {
	seq  uint64
	dead *store.Refusal // nil: it acknowledged it
}

// settlements brings them into the order of the queue.
func settlements(done []uint64, dead []store.Refusal) []settled {
	all := make([]settled, 0, len(done)+len(dead))
	for _, seq := range done {
		all = append(all, settled{seq: seq})
	}
	for n := range dead {
		all = append(all, settled{dead[n].Seq, &dead[n]})
	}
	slices.SortStableFunc(all, func(a, b settled) int { return cmp.Compare(a.seq, b.seq) })
	return all
}

func (s *Store) settle(output string, list []settled, shrink bool) error {
	return s.update(func(t *bbolt.Tx, c changes) error {
		all := rootBucket(t, queueBucket)
		q := queues{output: output, own: all.sub([]byte(output)), bundles: openBundles(t), s: s, t: t, changes: c, shrink: shrink}
		if q.own.Bucket == nil {
			return nil
		}
		err := all.ForEachBucket(func(name []byte) error {
			if string(name) != output {
				q.others = append(q.others, all.sub(slices.Clone(name)))
			}
			return nil
		})
		if err != nil {
			return err
		}
		return q.settleAll(list)
	})
}

// settleAll goes from bundle to bundle.
func (q *queues) settleAll(left []settled) error {
	for len(left) > 0 {
		key, sealed := q.own.Cursor().Seek(seqKeyOf(left[0].seq))
		if key == nil {
			return nil
		}
		n, _ := slices.BinarySearchFunc(left, binary.BigEndian.Uint64(key)+1, func(a settled, seq uint64) int { return cmp.Compare(a.seq, seq) })
		if err := q.settle(bytes.Clone(key), sealed, left[:n]); err != nil {
			return err
		}
		left = left[n:]
	}
	return nil
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
	if err := rootBucket(t, refusedBucket).putSealed([]byte(d.ID), alone(a)); err != nil {
		return err
	}
	return bury(t, d)
}

// queues is one output's queue beside those of the others, in a transaction
// that settles some of it.
type queues struct {
	output  string
	own     bucket
	others  []bucket
	bundles bundles
	s       *Store
	t       *bbolt.Tx
	changes changes
	shrink  bool // bundles of which little is left
}

// divide splits what a queue names of a bundle into what stays and what is
// settled; of that, what was refused and why.
func divide(named []waiting, all []settled) (kept, gone, refused []waiting, why []*store.Refusal) {
	for _, w := range named {
		for len(all) > 0 && all[0].seq < w.seq {
			all = all[1:]
		}
		if len(all) == 0 || all[0].seq != w.seq {
			kept = append(kept, w)
			continue
		}
		gone = append(gone, w)
		if all[0].dead != nil {
			refused, why = append(refused, w), append(why, all[0].dead)
		}
	}
	return kept, gone, refused, why
}

// settle takes alerts of one bundle out of the output's queue.
func (q *queues) settle(key, sealed []byte, all []settled) error {
	named, err := openWaiting(nil, q.own, key, sealed)
	if err != nil {
		return err
	}
	kept, gone, refused, why := divide(named, all)
	if len(gone) == 0 {
		return nil
	}
	if err := q.refuse(key, refused, why); err != nil {
		return err
	}
	size := total(gone)
	q.changes.add(q.output, -size.Alerts, -size.Bytes)
	if err := q.name(key, kept); err != nil {
		return err
	}
	return q.release(key, kept)
}

// refuse makes the alerts dead letters.
func (q *queues) refuse(key []byte, refused []waiting, why []*store.Refusal) error {
	if len(refused) == 0 {
		return nil
	}
	list, err := q.bundles.unpacked(key, refused)
	if err != nil {
		return err
	}
	for n, a := range list {
		if err := q.s.buryAlert(q.t, q.output, a.Alert, "refused", why[n].Reason); err != nil {
			return err
		}
	}
	return nil
}

// name changes what the output's queue names of a bundle.
func (q *queues) name(key []byte, kept []waiting) error {
	if len(kept) == 0 {
		return q.own.Delete(key)
	}
	sealed := make([]byte, sumSize)
	for _, w := range kept {
		sealed = appendWaiting(sealed, w)
	}
	return q.own.putSealed(key, sealed)
}

// release gives up what no queue names of a bundle any more. kept is what the
// output's own does.
func (q *queues) release(key []byte, kept []waiting) (err error) {
	named := kept
	for _, other := range q.others {
		if sealed := other.Get(key); sealed != nil {
			if named, err = openWaiting(named, other, key, sealed); err != nil {
				return err
			}
		}
	}
	if len(named) == 0 {
		return q.bundles.drop(key)
	}
	if !q.shrink {
		return nil
	}
	slices.SortFunc(named, func(a, b waiting) int { return cmp.Compare(a.seq, b.seq) })
	return q.bundles.shrink(key, slices.Compact(named))
}
