package bolt

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/store"
)

func TestWhatIsInAStoreCanBeReadAndForgotten(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	seen := time.Date(2026, 8, 1, 9, 0, 0, 0, time.UTC)
	err = s.Commit(t.Context(), func(tx store.Tx) error {
		for i := range 3 {
			if err := tx.PutEntry("trails", fmt.Sprint("object ", i), source.Entry{Version: "v", Done: i < 2, Seen: seen}); err != nil {
				return err
			}
		}
		if err := tx.PutEntry("other", "x", source.Entry{Offset: 7, Seen: seen}); err != nil {
			return err
		}
		return tx.Put("rule", "key", []byte("value"))
	})
	if err != nil {
		t.Fatal(err)
	}
	contents := func() (found []string) {
		names, err := s.Sources()
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range append(names, "unknown") {
			err := s.Entries(name, func(key string, e source.Entry, bytes int) error {
				if bytes < len(key) || !e.Seen.Equal(seen) {
					t.Errorf("%s of %s: %d bytes, %+v", key, name, bytes, e)
				}
				found = append(found, fmt.Sprint(name, ": ", key, " ", e.Done, " ", e.Offset))
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		return found
	}
	if diff := cmp.Diff([]string{"other: x false 7", "trails: object 0 true 0", "trails: object 1 true 0", "trails: object 2 false 0"}, contents()); diff != "" {
		t.Errorf("contents (-want +got):\n%s", diff)
	}
	for _, name := range []string{"trails", "trails", "unknown"} {
		if err := s.ForgetSource(name); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"other: x false 7"}, contents()); diff != "" {
		t.Errorf("after forgetting (-want +got):\n%s", diff)
	}

	err = s.Remember(func(state store.State) error {
		if value, err := state.Get("rule", "key"); err != nil || string(value) != "value" {
			t.Errorf("the state holds %q, %v", value, err)
		}
		if err := state.Put("rule", "key", nil); err == nil {
			t.Error("what is only to be read could be changed")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
