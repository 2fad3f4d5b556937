package bolt

import (
	"errors"
	"fmt"

	berrors "go.etcd.io/bbolt/errors"
)

// stateBucket holds a bucket per rule. It is not one of rootBuckets: a file
// gets it with the first rule that remembers.
const stateBucket = "state"

// stateOf returns the bucket of a rule, the zero one when there is none.
func (t *tx) stateOf(rule string) bucket {
	if t.rule == rule && t.memory.Bucket != nil {
		return t.memory
	}
	root := rootBucket(t.t, stateBucket)
	if root.Bucket == nil {
		return bucket{}
	}
	t.rule, t.memory = rule, root.sub([]byte(rule))
	return t.memory
}

// makeState is stateOf, with everything made that is not there.
func (t *tx) makeState(rule string) (bucket, error) {
	if b := t.stateOf(rule); b.Bucket != nil {
		return b, nil
	}
	root := rootBucket(t.t, stateBucket)
	if root.Bucket == nil {
		made, err := t.t.CreateBucket([]byte(stateBucket))
		if err != nil {
			return bucket{}, fmt.Errorf("creating %s: %w", stateBucket, err)
		}
		root = bucket{made, stateBucket}
		if err := root.put(markKey, nil); err != nil {
			return bucket{}, err
		}
	}
	b, err := root.makeSub([]byte(rule), nil)
	t.rule, t.memory = rule, b
	return b, err
}

// Get implements store.State.
func (t *tx) Get(rule, key string) (value []byte, err error) {
	err = t.own(func() error {
		value, err = t.stateOf(rule).get([]byte(key))
		return err
	})
	return value, err
}

// Put implements store.State.
func (t *tx) Put(rule, key string, value []byte) error {
	if rule == "" || key == "" || key == string(markKey) || len(key) > 1000 {
		return fmt.Errorf("storing the state of rule %q: the key %q cannot be one", rule, key)
	}
	return t.own(func() error {
		if value == nil {
			if b := t.stateOf(rule); b.Bucket != nil {
				return b.Delete([]byte(key))
			}
			return nil
		}
		b, err := t.makeState(rule)
		if err != nil {
			return err
		}
		return b.put([]byte(key), value)
	})
}

// Keys implements store.State.
func (t *tx) Keys(rule, from string, max int) (keys []string, err error) {
	err = t.own(func() error {
		b := t.stateOf(rule)
		if b.Bucket == nil {
			return nil
		}
		cursor := b.Cursor()
		for key, _ := cursor.Seek([]byte(from)); key != nil && len(keys) < max; key, _ = cursor.Next() {
			if string(key) != string(markKey) {
				keys = append(keys, string(key))
			}
		}
		return nil
	})
	return keys, err
}

// Remembered implements store.State.
func (t *tx) Remembered() (rules []string, err error) {
	err = t.own(func() error {
		root := rootBucket(t.t, stateBucket)
		if root.Bucket == nil {
			return nil
		}
		return root.ForEachBucket(func(name []byte) error {
			rules = append(rules, string(name))
			return nil
		})
	})
	return rules, err
}

// Forget implements store.State.
func (t *tx) Forget(rule string) error {
	return t.own(func() error {
		t.rule, t.memory = "", bucket{}
		root := rootBucket(t.t, stateBucket)
		if root.Bucket == nil {
			return nil
		}
		if err := root.DeleteBucket([]byte(rule)); err != nil && !errors.Is(err, berrors.ErrBucketNotFound) {
			return fmt.Errorf("dropping the state of rule %s: %w", rule, err)
		}
		return nil
	})
}
