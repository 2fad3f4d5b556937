package bolt

import (
	"go.etcd.io/bbolt"

	"github.com/trailship/trailship/core/source"
)

// Ledger implements store.Inlet.
func (s *Store) Ledger(sourceName string) source.Ledger {
	return ledger{s, sourceName}
}

// ledger is the ledger of one source.
type ledger struct {
	s      *Store
	source string
}

// touch names a ledger entry that was looked up.
type touch struct{ source, key string }

// maxTouched bounds the memory of what was looked up; when it is full it is
// written down.
const maxTouched = 1 << 16

// Entry implements source.Ledger. Looking an entry up keeps it from growing
// too old: the object is still there.
func (l ledger) Entry(key string) (e source.Entry, ok bool, err error) {
	err = l.s.view(func(t *bbolt.Tx) error {
		b := rootBucket(t, ledgerBucket).sub([]byte(l.source))
		value, err := b.get([]byte(key))
		if err != nil || value == nil || key == string(markKey) {
			return err
		}
		ok = true
		if e, err = parseEntry(value); err != nil {
			return damage(b.path, []byte(key), err.Error())
		}
		return nil
	})
	now := l.s.opt.Now()
	if err == nil && ok && now.Sub(e.Seen) > l.s.opt.Retention/2 && l.s.touch(touch{l.source, key}) {
		err = l.s.refresh(now)
	}
	return e, ok, err
}

// touch notes that an entry was looked up; full says that there are many.
func (s *Store) touch(k touch) (full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.touched[k] = struct{}{}
	return len(s.touched) >= maxTouched
}
