package bolt

import (
	"cmp"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/trailship/trailship/core/store"
)

// Next implements store.Outlet. It reads one consistent state and blocks
// nobody. An output that was never named has nothing queued.
func (s *Store) Next(output string, after uint64, max, maxBytes int) (list []store.Queued, more bool, err error) {
	err = s.view(func(t *bbolt.Tx) error {
		queue := rootBucket(t, queueBucket).sub([]byte(output))
		if queue.Bucket == nil {
			return nil
		}
		on := page{alerts: max, bytes: int64(maxBytes)}
		stops, named, err := find(queue, after, &on)
		if err != nil || len(named) == 0 {
			return err
		}
		list, more = make([]store.Queued, 0, len(named)), on.full
		bundles := openBundles(t)
		for _, at := range stops {
			if list, err = bundles.read(list, at.key, named[:at.alerts]); err != nil {
				return err
			}
			named = named[at.alerts:]
		}
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	return list, more, nil
}

// stop is a bundle and how many alerts of it are asked for.
type stop struct {
	key    []byte
	alerts int
}

// find returns the alerts of a queue behind after that go on the page, and the
// bundles they are in.
func find(queue bucket, after uint64, on *page) (stops []stop, all []waiting, err error) {
	cursor := queue.Cursor()
	for key, sealed := cursor.Seek(seqKeyOf(after + 1)); key != nil && !on.full; key, sealed = cursor.Next() {
		had := len(all)
		if all, err = openWaiting(all, queue, key, sealed); err != nil {
			return nil, nil, err
		}
		named := on.take(all[had+upTo(all[had:], after):])
		all = append(all[:had], named...)
		if len(named) > 0 {
			stops = append(stops, stop{key, len(named)})
		}
	}
	return stops, all, nil
}

// upTo is how many of the alerts come up to seq.
func upTo(named []waiting, seq uint64) int {
	n, _ := slices.BinarySearchFunc(named, seq+1, func(w waiting, seq uint64) int { return cmp.Compare(w.seq, seq) })
	return n
}

// page is how much a caller of Next wants yet; the first alert comes in any case.
type page struct {
	alerts int
	bytes  int64
	begun  bool
	full   bool
}

// take returns those of a bundle's alerts that go on the page: all or none of
// them, unless they are the first.
func (p *page) take(named []waiting) []waiting {
	first := !p.begun
	for n, w := range named {
		if p.begun && (p.alerts <= 0 || w.size > p.bytes) {
			p.full = true
			if !first {
				n = 0
			}
			return named[:n]
		}
		p.begun = true
		p.alerts--
		p.bytes -= w.size
	}
	return named
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
func count(queue bucket) (b store.Backlog, err error) {
	var named []waiting
	cursor := queue.Cursor()
	for key, sealed := cursor.Seek(seqKeyOf(0)); key != nil; key, sealed = cursor.Next() {
		if named, err = openWaiting(named[:0], queue, key, sealed); err != nil {
			return b, err
		}
		b = sum(b, total(named))
	}
	return b, nil
}
