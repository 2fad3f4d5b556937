package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/core/deliver"
	"github.com/trailship/trailship/core/store"
	"github.com/trailship/trailship/core/store/bolt"
)

// However alerts that are stored together are routed, each output gets its own,
// in order, and nothing of the others.
func TestEachOutputGetsItsOwnOfWhatIsStoredTogether(t *testing.T) {
	s := emptyStore(t)
	random := rand.New(rand.NewPCG(3, 4))
	want := map[string]string{}
	for commit := range 20 {
		routed := commit % 3 // to all, to one of them, to some
		err := s.Commit(t.Context(), func(tx store.Tx) error {
			for n := range 1 + random.IntN(200) {
				text := fmt.Sprintf(`{"n":"%d/%d","text":"%s"}`, commit, n, strings.Repeat("x", random.IntN(3000)))
				var outputs []string
				for _, name := range []string{"all", "some", "few"} {
					if name == "all" || routed == 0 || routed == 2 && random.IntN(len(name)) == 0 {
						outputs = append(outputs, name)
						want[name] += text + "\n"
					}
				}
				if _, err := tx.Raise(store.Alert{ID: fmt.Sprintf("%d-%d", commit, n), JSON: []byte(text), Time: time.Unix(1, 0), Outputs: outputs}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, batch := range map[string]int{"all": 1000, "some": 70, "few": 7} {
		path := filepath.Join(t.TempDir(), "alerts.ndjson")
		d := fileDeliverer(t, s, name, path, batch)
		end := runDeliverer(t, d)
		flushed(t, d)
		end()
		if got := readFile(t, path); got != want[name] {
			t.Errorf("%s (-want +got):\n%.3000s", name, cmp.Diff(want[name], got))
		}
	}
}

// emptyStore is an empty store.
func emptyStore(t testing.TB) *bolt.Store {
	t.Helper()
	s, err := bolt.Open(filepath.Join(t.TempDir(), "trailship.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// fileDeliverer is the shipped file output as the daemon runs it.
func fileDeliverer(t testing.TB, s store.Store, name, path string, batch int) *deliver.Deliverer {
	t.Helper()
	settings, err := json.Marshal(map[string]string{"path": path})
	if err != nil {
		t.Fatal(err)
	}
	return &deliver.Deliverer{
		Output: deliver.Output{
			Name: name, Program: []string{builtTrailship(t), "plugin", "file"}, Config: settings, TLS: true,
			MaxBatch: batch, Linger: 200 * time.Millisecond,
		},
		Store: s, Log: slog.New(slog.DiscardHandler),
	}
}

// runDeliverer runs it until end.
func runDeliverer(t testing.TB, d *deliver.Deliverer) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func flushed(t testing.TB, d *deliver.Deliverer) {
	t.Helper()
	if err := d.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}
