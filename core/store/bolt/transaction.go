package bolt

import (
	"errors"
	"fmt"
	"runtime/debug"

	"go.etcd.io/bbolt"

	"github.com/trailship/trailship/core/store"
)

// changes are what a transaction adds to the backlogs, by output.
type changes map[string]store.Backlog

func (c changes) add(output string, alerts, bytes int64) {
	c[output] = sum(c[output], store.Backlog{Alerts: alerts, Bytes: bytes})
}

func sum(a, b store.Backlog) store.Backlog {
	return store.Backlog{Alerts: a.Alerts + b.Alerts, Bytes: a.Bytes + b.Bytes, Buried: a.Buried + b.Buried}
}

// update runs fn in one durable transaction.
func (s *Store) update(fn func(*bbolt.Tx, changes) error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.usable(); err != nil {
		return err
	}
	if err := s.present(); err != nil {
		return err
	}
	c, ran := changes{}, false
	defer s.wrote()
	defer s.room.reset()
	err := s.guard(s.db.Update, func(t *bbolt.Tx) error {
		s.unmap(t)
		s.db.NoFreelistSync = s.db.Stats().FreePageN > maxSyncedFree
		err := fn(t, c)
		ran = err == nil
		return err
	})
	if err == nil {
		s.apply(c)
		s.moves(c)
		return nil
	}
	// The disk refused. It may have taken the transaction nevertheless (a
	// failed sync of the last page), so what is queued is counted again.
	if ran && !errors.Is(err, store.ErrDamaged) {
		err = errors.Join(err, s.recount())
	}
	return err
}

// wrote says that what was read before may have changed.
func (s *Store) wrote() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
}

// maxSyncedFree is up to how many free pages their list is written with each
// commit. With it every single page is accounted for, and inspect finds a
// pointer that went astray; without it a drained backlog of gigabytes would
// cost megabytes per commit.
const maxSyncedFree = 8192

// view runs fn over one consistent state.
func (s *Store) view(fn func(*bbolt.Tx) error) error {
	if err := s.usable(); err != nil {
		return err
	}
	return s.guard(s.db.View, fn)
}

// guard runs fn in a transaction of run and turns what a damaged page does to
// bbolt (failed assertions, reads beyond the map) into errors.
func (s *Store) guard(run func(func(*bbolt.Tx) error) error, fn func(*bbolt.Tx) error) (err error) {
	defer func() { err = s.explain(err) }()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer recovered(&err)
	return run(fn)
}

// callerPanic carries a panic of the function given to Commit through guard.
type callerPanic struct{ value any }

// recovered makes a panic inside bbolt an error.
func recovered(err *error) {
	switch r := recover().(type) {
	case nil:
	case *callerPanic:
		panic(r.value)
	default:
		*err = fmt.Errorf("%w: a page cannot be read: %v", store.ErrDamaged, r)
	}
}

// apply adds c to the backlogs.
func (s *Store) apply(c changes) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for output, d := range c {
		s.backlog[output] = sum(s.backlog[output], d)
	}
}
