package bolt

import (
	"sort"
	"sync"

	"go.etcd.io/bbolt"

	"github.com/trailship/trailship/core/source"
)

// Ledger implements store.Inlet.
func (s *Store) Ledger(sourceName string) source.Ledger {
	return &ledger{s: s, source: sourceName}
}

// ledger is the ledger of one source. A source asks for its objects in about
// the order of their keys, at every listing: so it reads on behind what was
// asked for, the further the more that helped last time.
type ledger struct {
	s      *Store
	source string

	mu     sync.Mutex
	known  stretch
	served int // lookups that known was good for
}

// stretch is all there is in a ledger from the key from on to the last of its
// entries; with end, to the end.
type stretch struct {
	writes  uint64 // the store's, before it was read
	from    string
	entries []keyed
	end     bool
}

type keyed struct {
	key string
	source.Entry
}

// maxAhead bounds what is read at a time.
const maxAhead = 256

// touch names a ledger entry that was looked up.
type touch struct{ source, key string }

// maxTouched bounds the memory of what was looked up; when it is full it is
// written down.
const maxTouched = 1 << 16

// Entry implements source.Ledger. Looking an entry up keeps it from growing
// too old: the object is still there.
func (l *ledger) Entry(key string) (e source.Entry, ok bool, err error) {
	if key == "" || key == string(markKey) {
		return e, false, l.s.usable()
	}
	if e, ok, err = l.lookUp(key); err != nil || !ok {
		return e, ok, err
	}
	now := l.s.opt.Now()
	if now.Sub(e.Seen) > l.s.opt.Retention/2 && l.s.touch(touch{l.source, key}) {
		err = l.s.refresh(now)
	}
	return e, ok, err
}

func (l *ledger) lookUp(key string) (source.Entry, bool, error) {
	writes, err := l.s.written()
	if err != nil {
		return source.Entry{}, false, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known.writes != writes || !l.known.covers(key) {
		if err := l.read(key, writes); err != nil {
			return source.Entry{}, false, err
		}
	}
	l.served++
	e, ok := l.known.find(key)
	return e, ok, nil
}

// written is how often the store was written to; an error says that it cannot
// be used.
func (s *Store) written() (uint64, error) {
	if err := s.usable(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes, nil
}

// read reads the entries from a key on.
func (l *ledger) read(key string, writes uint64) error {
	ahead := min(2*l.served+1, maxAhead)
	l.served = 0
	l.known = stretch{writes: writes, from: key, entries: l.known.entries[:0]}
	err := l.s.view(func(t *bbolt.Tx) error {
		return l.known.read(rootBucket(t, ledgerBucket).sub([]byte(l.source)), ahead)
	})
	if err != nil {
		l.known = stretch{}
	}
	return err
}

func (k *stretch) read(b bucket, most int) error {
	if b.Bucket == nil {
		k.end = true
		return nil
	}
	cursor := b.Cursor()
	for at, sealed := cursor.Seek([]byte(k.from)); at != nil; at, sealed = cursor.Next() {
		if len(k.entries) == most {
			return nil
		}
		e, err := openEntry(b, at, sealed)
		if err != nil {
			return err
		}
		k.entries = append(k.entries, keyed{string(at), e})
	}
	k.end = true
	return nil
}

// covers says whether the stretch tells what is under the key.
func (k *stretch) covers(key string) bool {
	if key < k.from {
		return false
	}
	return k.end || len(k.entries) > 0 && key <= k.entries[len(k.entries)-1].key
}

func (k *stretch) find(key string) (source.Entry, bool) {
	n := sort.Search(len(k.entries), func(n int) bool { return k.entries[n].key >= key })
	if n == len(k.entries) || k.entries[n].key != key {
		return source.Entry{}, false
	}
	return k.entries[n].Entry, true
}

// touch notes that an entry was looked up; full says that there are many.
func (s *Store) touch(k touch) (full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.touched[k] = struct{}{}
	return len(s.touched) >= maxTouched
}
