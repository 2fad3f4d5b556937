package storetest

import (
	"context"
	"fmt"

	"github.com/trailship/trailship/core/store"
)

// remember runs fn, which returns what it saw, in a commit that must succeed.
func (f *fixture) remember(fn func(tx store.Tx) (any, error)) (saw any) {
	f.Helper()
	f.commit(func(tx store.Tx) (err error) {
		saw, err = fn(tx)
		return err
	})
	return saw
}

func put(tx store.Tx, rule string, keysAndValues ...string) error {
	for i := 0; i < len(keysAndValues); i += 2 {
		if err := tx.Put(rule, keysAndValues[i], []byte(keysAndValues[i+1])); err != nil {
			return err
		}
	}
	return nil
}

func state(f *fixture) {
	get := func(rule, key string) any {
		return f.remember(func(tx store.Tx) (any, error) {
			v, err := tx.Get(rule, key)
			return fmt.Sprintf("%q %v", v, v == nil), err
		})
	}
	keys := func(rule, from string, max int) any {
		return f.remember(func(tx store.Tx) (any, error) { return tx.Keys(rule, from, max) })
	}
	rules := func() any { return f.remember(func(tx store.Tx) (any, error) { return tx.Remembered() }) }

	f.same("nothing", get("a", "k"), `"" true`)
	f.same("no keys", keys("a", "", 10), []string(nil))
	f.same("no rules", rules(), []string(nil))
	f.commit(func(tx store.Tx) error { return tx.Forget("a") })

	f.commit(func(tx store.Tx) error {
		if err := put(tx, "b", "w\xff", "9", "w", "1", "w\x00\x01", "2"); err != nil {
			return err
		}
		if err := put(tx, "a", "w", "other", "empty", ""); err != nil {
			return err
		}
		// What a transaction wrote it sees.
		if got, err := tx.Keys("b", "", 10); err != nil || len(got) != 3 {
			return fmt.Errorf("keys inside the transaction: %q, %v", got, err)
		}
		return put(tx, "b", "w", "changed")
	})
	f.reopen()
	f.same("a value", get("b", "w"), `"changed" false`)
	f.same("an empty value", get("a", "empty"), `"" false`)
	f.same("of another rule", get("a", "w"), `"other" false`)
	f.same("the keys", keys("b", "", 10), []string{"w", "w\x00\x01", "w\xff"})
	f.same("from one on", keys("b", "w\x00", 1), []string{"w\x00\x01"})
	f.same("the rules", rules(), []string{"a", "b"})

	f.commit(func(tx store.Tx) error { return tx.Put("b", "w", nil) })
	f.commit(func(tx store.Tx) error { return tx.Put("c", "never", nil) })
	f.same("one taken away", keys("b", "", 10), []string{"w\x00\x01", "w\xff"})
	f.commit(func(tx store.Tx) error {
		if err := tx.Forget("b"); err != nil {
			return err
		}
		if got, err := tx.Get("b", "w\xff"); err != nil || got != nil {
			return fmt.Errorf("after Forget: %q, %v", got, err)
		}
		return put(tx, "b", "new", "1")
	})
	f.same("forgotten", keys("b", "", 10), []string{"new"})
}

func stateFails(f *fixture) {
	f.commit(func(tx store.Tx) error { return put(tx, "a", "k", "before") })
	err := f.Commit(context.Background(), func(tx store.Tx) error {
		if err := put(tx, "a", "k", "after", "l", "new"); err != nil {
			return err
		}
		return errRefused
	})
	if err == nil {
		f.Fatal("the commit succeeded")
	}
	f.same("the state", f.remember(func(tx store.Tx) (any, error) {
		v, err := tx.Get("a", "k")
		return string(v), err
	}), "before")
	f.same("the keys", f.remember(func(tx store.Tx) (any, error) { return tx.Keys("a", "", 9) }), []string{"k"})
}
