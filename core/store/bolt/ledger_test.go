package bolt

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/store"
)

// A ledger reads ahead; whatever is asked for in whatever order, the answer is
// what was committed last.
func TestLedgerAnswersWithWhatWasCommittedLast(t *testing.T) {
	dir, n := t.TempDir(), 0
	s := open(t, dir)
	defer s.Close()
	rapid.Check(t, func(t *rapid.T) {
		n++
		name := fmt.Sprint("source ", n)
		ledger, want := s.Ledger(name), map[string]source.Entry{}
		key := rapid.Custom(func(t *rapid.T) string { return fmt.Sprintf("object-%02d", rapid.IntRange(0, 40).Draw(t, "number")) })
		put := func(keys []string) {
			err := s.Commit(t.Context(), func(tx store.Tx) error {
				for _, k := range keys {
					want[k] = source.Entry{Version: fmt.Sprint(k, len(want)), Offset: want[k].Offset + 1, Seen: time.Unix(1_700_000_000, 0).UTC()}
					if err := tx.PutEntry(name, k, want[k]); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		look := func(k string) {
			got, ok, err := ledger.Entry(k)
			e, known := want[k]
			if err != nil || ok != known || got != e {
				t.Fatalf("Entry(%q) is %v, %v, %v; want %v, %v", k, got, ok, err, e, known)
			}
		}
		put(rapid.SliceOfN(key, 0, 30).Draw(t, "first"))
		t.Repeat(map[string]func(*rapid.T){
			"put":  func(t *rapid.T) { put(rapid.SliceOfN(key, 1, 3).Draw(t, "keys")) },
			"look": func(t *rapid.T) { look(key.Draw(t, "key")) },
			"list": func(*rapid.T) {
				for i := range 41 {
					look(fmt.Sprintf("object-%02d", i))
				}
			},
		})
	})
}
