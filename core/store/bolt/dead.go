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

// DeadLetters implements store.Letters. Those of one instant come in the order
// of their ids.
func (s *Store) DeadLetters() ([]store.DeadLetter, error) {
	var list []store.DeadLetter
	err := s.view(func(t *bbolt.Tx) error {
		dead := rootBucket(t, deadBucket)
		return dead.ForEach(func(key, sealed []byte) error {
			if bytes.Equal(key, markKey) {
				return nil
			}
			d, err := openLetter(dead, key, sealed)
			list = append(list, d)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(list, func(a, b store.DeadLetter) int { return a.Time.Compare(b.Time) })
	return list, nil
}

func openLetter(dead bucket, key, sealed []byte) (d store.DeadLetter, err error) {
	value, err := unseal(dead.path, key, sealed)
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal(value, &d); err != nil {
		return d, damage(dead.path, key, err.Error())
	}
	return d, nil
}

// letter returns the dead letter of an id; ok is false when there is none.
func letter(t *bbolt.Tx, id string) (d store.DeadLetter, ok bool, err error) {
	dead := rootBucket(t, deadBucket)
	if id == "" || id == string(markKey) {
		return d, false, nil
	}
	sealed := dead.Get([]byte(id))
	if sealed == nil {
		return d, false, nil
	}
	d, err = openLetter(dead, []byte(id), sealed)
	return d, err == nil, err
}

// Refused implements store.Letters.
func (s *Store) Refused(id string) (a store.Alert, ok bool, err error) {
	if id == string(markKey) {
		return a, false, nil
	}
	err = s.view(func(t *bbolt.Tx) error {
		a, ok, err = refusedAlert(t, id)
		return err
	})
	return a, ok, err
}

func refusedAlert(t *bbolt.Tx, id string) (a store.Alert, ok bool, err error) {
	value, err := rootBucket(t, refusedBucket).get([]byte(id))
	if err != nil || value == nil {
		return a, false, err
	}
	if a, err = readAlone(value); err != nil {
		return a, false, damage(refusedBucket, []byte(id), err.Error())
	}
	return a, true, nil
}
