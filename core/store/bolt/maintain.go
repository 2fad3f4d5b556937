package bolt

import (
	"bytes"
	"encoding/binary"
	"time"

	"go.etcd.io/bbolt"

	"github.com/trailship/trailship/core/source"
)

// Maintain implements store.Store. Ids go by the day of their event: a day
// goes when it lies further back than retention from the newest event that was
// committed (or from now, if that is earlier) and no id of it was raised for a
// day. Ledger entries go when they were neither written nor looked up for
// retention before the last entry of their source was; for that the ledger is
// gone through once a day. Commits go on between its steps.
func (s *Store) Maintain(now time.Time) error {
	if err := s.dropDays(now); err != nil {
		return err
	}
	if err := s.refresh(now); err != nil {
		return err
	}
	if err := s.trim(); err != nil {
		return err
	}
	return s.sweep(now)
}

// idle is how long a day of ids must rest before it goes; its use is noted to
// the hour.
const idle = 25 * time.Hour

func (s *Store) dropDays(now time.Time) error {
	var old [][]byte
	err := s.view(func(t *bbolt.Tx) (err error) {
		old, err = s.oldDays(rootBucket(t, idsBucket), now)
		return err
	})
	if err != nil || len(old) == 0 {
		return err
	}
	return s.update(func(t *bbolt.Tx, _ changes) error {
		ids := rootBucket(t, idsBucket)
		// Again, because one may have come into use since.
		old, err := s.oldDays(ids, now)
		if err != nil {
			return err
		}
		for _, day := range old {
			if err := ids.DeleteBucket(day); err != nil {
				return err
			}
		}
		return nil
	})
}

// oldDays returns the names of the days of ids that may go.
func (s *Store) oldDays(ids bucket, now time.Time) ([][]byte, error) {
	// Clocks of events may be ahead of ours; they must not age the others.
	newest := hourOf(now)
	cursor := ids.Cursor()
	key, _ := cursor.Seek(dayKey(newest + 24))
	if key == nil {
		key, _ = cursor.Last()
	} else {
		key, _ = cursor.Prev()
	}
	if len(key) != 4 {
		return nil, nil // there is none
	}
	// The day may be young yet; taking its end would drop a day too early.
	newest = min(newest, binary.BigEndian.Uint32(key)*24)

	var old [][]byte
	err := ids.ForEachBucket(func(name []byte) error {
		end := int64(binary.BigEndian.Uint32(name)+1) * 24
		if end > int64(newest)-int64(s.opt.Retention/time.Hour) {
			return nil
		}
		used, err := dayUsed(ids.sub(name))
		if err == nil && now.Sub(used) >= idle {
			old = append(old, bytes.Clone(name))
		}
		return err
	})
	return old, err
}

func hourOf(t time.Time) uint32 {
	return uint32(max(t.Unix(), 0) / 3600)
}

// refresh writes down which ledger entries were looked up.
func (s *Store) refresh(now time.Time) error {
	s.mu.Lock()
	touched := s.touched
	s.touched = map[touch]struct{}{}
	s.mu.Unlock()
	if len(touched) == 0 {
		return nil
	}
	return s.update(func(t *bbolt.Tx, _ changes) error {
		for k := range touched {
			if err := refreshEntry(t, k, now); err != nil {
				return err
			}
		}
		return nil
	})
}

func refreshEntry(t *bbolt.Tx, k touch, now time.Time) error {
	b := rootBucket(t, ledgerBucket).sub([]byte(k.source))
	value, err := b.get([]byte(k.key))
	if err != nil || value == nil {
		return err
	}
	e, err := parseEntry(value)
	if err != nil {
		return damage(b.path, []byte(k.key), err.Error())
	}
	if e.Seen.Before(now) {
		e.Seen = now
	}
	return b.putSealed([]byte(k.key), appendEntry(make([]byte, sumSize), e))
}

// sweepStep is how many ledger entries one transaction looks at.
const sweepStep = 10_000

// sweep drops old ledger entries.
func (s *Store) sweep(now time.Time) error {
	s.mu.Lock()
	due := s.swept.IsZero() || now.Sub(s.swept) >= 24*time.Hour
	s.mu.Unlock()
	if !due {
		return nil
	}
	var sources [][]byte
	err := s.view(func(t *bbolt.Tx) error {
		return rootBucket(t, ledgerBucket).ForEachBucket(func(name []byte) error {
			sources = append(sources, bytes.Clone(name))
			return nil
		})
	})
	for n := 0; n < len(sources) && err == nil; n++ {
		err = s.sweepSource(sources[n], now)
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.swept = now
	s.mu.Unlock()
	return nil
}

// sweepSource drops the old entries of one source. Time stands still for a
// source that commits nothing: it may be switched off, or not be reached.
func (s *Store) sweepSource(name []byte, now time.Time) error {
	var last time.Time
	err := s.eachEntry(name, func(_ []byte, e source.Entry) {
		if e.Seen.After(last) && !e.Seen.After(now) {
			last = e.Seen
		}
	}, func() error { return nil })
	if err != nil {
		return err
	}
	var old [][]byte
	then := last.Add(-s.opt.Retention)
	return s.eachEntry(name, func(key []byte, e source.Entry) {
		if e.Seen.Before(then) {
			old = append(old, bytes.Clone(key))
		}
	}, func() error {
		if len(old) == 0 {
			return nil
		}
		defer func() { old = nil }()
		return s.update(func(t *bbolt.Tx, _ changes) error {
			return dropEntries(rootBucket(t, ledgerBucket).sub(name), old, then)
		})
	})
}

// eachEntry calls fn with every entry of a source, and then after so many of
// them, outside of the transaction.
func (s *Store) eachEntry(name []byte, fn func(key []byte, e source.Entry), then func() error) error {
	for from := bytes.Clone(markKey); from != nil; {
		err := s.view(func(t *bbolt.Tx) (err error) {
			from, err = someEntries(rootBucket(t, ledgerBucket).sub(name), from, fn)
			return err
		})
		if err == nil {
			err = then()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// someEntries goes through the entries behind the key from. It returns where to
// go on, nil at the end.
func someEntries(b bucket, from []byte, fn func(key []byte, e source.Entry)) (next []byte, err error) {
	cursor := b.Cursor()
	key, sealed := cursor.Seek(from)
	if bytes.Equal(key, from) {
		key, sealed = cursor.Next()
	}
	for n := 0; key != nil; key, sealed = cursor.Next() {
		e, err := openEntry(b, key, sealed)
		if err != nil {
			return nil, err
		}
		fn(key, e)
		if n++; n == sweepStep {
			return bytes.Clone(key), nil
		}
	}
	return nil, nil
}

// dropEntries deletes those of the entries that are still old.
func dropEntries(b bucket, old [][]byte, then time.Time) error {
	for _, key := range old {
		sealed := b.Get(key)
		if sealed == nil {
			continue
		}
		e, err := openEntry(b, key, sealed)
		if err != nil {
			return err
		}
		if !e.Seen.Before(then) {
			continue
		}
		if err := b.Delete(key); err != nil {
			return err
		}
	}
	return nil
}

func openEntry(b bucket, key, sealed []byte) (source.Entry, error) {
	value, err := unseal(b.path, key, sealed)
	if err != nil {
		return source.Entry{}, err
	}
	e, err := parseEntry(value)
	if err != nil {
		return e, damage(b.path, key, err.Error())
	}
	return e, nil
}
