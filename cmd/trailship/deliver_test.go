package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
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
	dir := t.TempDir()
	s, err := bolt.Open(filepath.Join(dir, "trailship.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	random := rand.New(rand.NewPCG(3, 4))
	want := map[string][]string{}
	for commit := range 20 {
		routed := commit % 3 // to all, to one of them, to some
		err := s.Commit(t.Context(), func(tx store.Tx) error {
			for n := range 1 + random.IntN(200) {
				var outputs []string
				for _, name := range []string{"all", "some", "few"} {
					if name == "all" || routed == 0 || routed == 2 && random.IntN(len(name)) == 0 {
						outputs = append(outputs, name)
					}
				}
				text := fmt.Sprintf(`{"n":"%d/%d","text":"%s"}`, commit, n, strings.Repeat("x", random.IntN(3000)))
				for _, name := range outputs {
					want[name] = append(want[name], text)
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
	for i, name := range []string{"all", "some", "few"} {
		path := filepath.Join(dir, name+".ndjson")
		config, err := json.Marshal(map[string]string{"path": path})
		if err != nil {
			t.Fatal(err)
		}
		d := &deliver.Deliverer{Store: s, Log: slog.New(slog.DiscardHandler), Output: deliver.Output{
			Name: name, Program: []string{builtTrailship(t), "plugin", "file"}, Config: config, TLS: true, MaxBatch: []int{1000, 70, 7}[i],
		}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- d.Run(ctx) }()
		err = d.Flush(t.Context())
		cancel()
		if err, ended := err, <-done; err != nil || ended != nil {
			t.Fatal(err, ended)
		}
		if got := slices.Collect(strings.Lines(readFile(t, path))); !slices.Equal(got, lined(want[name])) {
			t.Errorf("%s (-want +got):\n%.3000s", name, cmp.Diff(lined(want[name]), got))
		}
	}
}

func lined(texts []string) (lines []string) {
	for _, text := range texts {
		lines = append(lines, text+"\n")
	}
	return lines
}
