package bolt

import (
	"path/filepath"
	"testing"

	"github.com/trailship/trailship/core/store"
	"github.com/trailship/trailship/core/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T, dir string) store.Store { return open(t, dir) })
}

// open opens the store in dir.
func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(filepath.Join(dir, "trailship.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
