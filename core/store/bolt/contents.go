package bolt

import (
	"bytes"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/store"
)

// Sources returns the names of the sources that have a ledger, in order.
func (s *Store) Sources() (names []string, err error) {
	err = s.view(func(t *bbolt.Tx) error {
		return rootBucket(t, ledgerBucket).ForEachBucket(func(name []byte) error {
			names = append(names, string(name))
			return nil
		})
	})
	return names, err
}

// Entries calls fn with every entry of a source's ledger, by key, and how many
// bytes it takes. Commits go on meanwhile; it sees one state. fn's error ends
// it and is returned.
func (s *Store) Entries(sourceName string, fn func(key string, e source.Entry, bytes int) error) error {
	return s.view(func(t *bbolt.Tx) error {
		b := rootBucket(t, ledgerBucket).sub([]byte(sourceName))
		if b.Bucket == nil {
			return nil
		}
		return b.ForEach(func(key, sealed []byte) error {
			if bytes.Equal(key, markKey) {
				return nil
			}
			value, err := unseal(b.path, key, sealed)
			if err != nil {
				return err
			}
			e, err := parseEntry(value)
			if err != nil {
				return damage(b.path, key, err.Error())
			}
			return fn(string(key), e, len(key)+len(sealed))
		})
	})
}

// ForgetSource drops a source's ledger: all it has is read again. One that has
// none is left alone.
func (s *Store) ForgetSource(name string) error {
	return s.update(func(t *bbolt.Tx, _ changes) error {
		ledgers := rootBucket(t, ledgerBucket)
		if ledgers.sub([]byte(name)).Bucket == nil {
			return nil
		}
		if err := ledgers.DeleteBucket([]byte(name)); err != nil {
			return fmt.Errorf("dropping the ledger of %s: %w", name, err)
		}
		return nil
	})
}

// Remember calls fn with what rules remember, as it stands now and to be read
// only. The State is good until fn returns, whose error is returned.
func (s *Store) Remember(fn func(store.State) error) error {
	return s.view(func(t *bbolt.Tx) error {
		tx := &tx{s: s, t: t}
		return tx.run(func(store.Tx) error { return fn(tx) })
	})
}
