package bolt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/trailship/trailship/core/store"
)

// bury stores a dead letter over one with the same id.
func bury(t *bbolt.Tx, d store.DeadLetter) error {
	if d.ID == "" {
		return errors.New("burying a dead letter: it has no id")
	}
	d.Time = d.Time.UTC()
	value, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("burying %s: %w", d.ID, err)
	}
	return rootBucket(t, deadBucket).put([]byte(d.ID), value)
}

// DeadLetters implements store.Outlet. Those of one instant come in the order
// of their ids.
func (s *Store) DeadLetters() ([]store.DeadLetter, error) {
	var list []store.DeadLetter
	err := s.view(func(t *bbolt.Tx) error {
		dead := rootBucket(t, deadBucket)
		return dead.ForEach(func(key, sealed []byte) error {
			if bytes.Equal(key, markKey) {
				return nil
			}
			value, err := unseal(dead.path, key, sealed)
			if err != nil {
				return err
			}
			var d store.DeadLetter
			if err := json.Unmarshal(value, &d); err != nil {
				return damage(dead.path, key, err.Error())
			}
			list = append(list, d)
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(list, func(a, b store.DeadLetter) int { return a.Time.Compare(b.Time) })
	return list, nil
}

// Refused returns the alert a dead letter of that id stands for; ok is false
// when it stands for none.
func (s *Store) Refused(id string) (a store.Alert, ok bool, err error) {
	err = s.view(func(t *bbolt.Tx) error {
		value, err := rootBucket(t, refusedBucket).get([]byte(id))
		if err != nil || value == nil {
			return err
		}
		ok = true
		if a, err = parseAlert(bytes.Clone(value)); err != nil {
			return damage(refusedBucket, []byte(id), err.Error())
		}
		return nil
	})
	return a, ok, err
}
