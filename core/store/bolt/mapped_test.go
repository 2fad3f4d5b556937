package bolt

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/trailship/trailship/core/store"
)

func TestADrainedBacklogIsNotMappedAnyMore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trailship.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()

	const commits, each = 8, 100 // of 40 KB: four times unmapAfter
	for n := range commits {
		err := s.Commit(context.Background(), func(tx store.Tx) error {
			for k := range each {
				a := store.Alert{ID: fmt.Sprintf("%032x", n*each+k), Outputs: []string{"out"}, JSON: noise(n*each+k, 40<<10)}
				if _, err := tx.Raise(a); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for {
		list, _, err := s.Next("out", 0, 100, 4<<20)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			break
		}
		done := make([]uint64, len(list))
		for n, q := range list {
			done[n] = q.Seq
		}
		if err := s.Settle("out", done, nil); err != nil {
			t.Fatal(err)
		}
	}
	if kib := mapped(t, path); kib > 2*unmapAfter>>10 {
		t.Errorf("%d KiB of the file are mapped after %d KiB came and went", kib, commits*each*40)
	}
}

// mapped is how much of a file's map is in memory, in KiB.
func mapped(t *testing.T, path string) (kib int) {
	t.Helper()
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Skip("only Linux tells what of a map is in memory: ", err)
	}
	_, of, found := bytes.Cut(smaps, []byte(path+"\n"))
	_, rss, told := bytes.Cut(of, []byte("\nRss:"))
	if !found || !told {
		t.Fatalf("%s is not mapped:\n%s", path, smaps)
	}
	if _, err := fmt.Sscan(string(rss), &kib); err != nil {
		t.Fatal(err)
	}
	return kib
}
