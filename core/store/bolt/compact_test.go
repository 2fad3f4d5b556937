package bolt

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/store"
	"github.com/trailship/trailship/core/store/storetest"
)

// content is what a store holds, as far as one can ask.
type content struct {
	Queues  map[string][]store.Queued
	Letters []store.DeadLetter
	Entries map[string]source.Entry
	State   string
	Fresh   bool
}

// drained fills a store with much that is delivered and a little that stays.
func drained(t *testing.T, dir string) {
	t.Helper()
	s := open(t, dir)
	defer s.Close()
	var done []uint64
	err := s.Commit(t.Context(), func(tx store.Tx) error {
		for n := range 800 {
			a := storetest.Alert(n, "a")
			a.JSON = noise(n, 4000)
			if _, err := tx.Raise(a); err != nil {
				return err
			}
			if err := tx.PutEntry("s", fmt.Sprint(n), source.Entry{Offset: int64(n)}); err != nil {
				return err
			}
		}
		return errors.Join(tx.Bury(store.DeadLetter{ID: "letter", Reason: "json"}), tx.Put("rule", "key", []byte("remembered")))
	})
	list, _, err2 := s.Next("a", 0, 1<<20, 1<<30)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	for _, q := range list[10:] {
		done = append(done, q.Seq)
	}
	if err := s.Settle("a", done, []store.Refusal{{Seq: list[0].Seq, Reason: "no"}}); err != nil {
		t.Fatal(err)
	}
	// Pages are free once another transaction begins.
	if err := s.Settle("a", []uint64{list[1].Seq}, nil); err != nil {
		t.Fatal(err)
	}
}

func contentOf(t *testing.T, s *Store) (c content) {
	t.Helper()
	c.Queues, c.Entries = map[string][]store.Queued{"a": queued(t, s, "a")}, map[string]source.Entry{}
	var err error
	if c.Letters, err = s.DeadLetters(); err != nil {
		t.Fatal(err)
	}
	for n := range 801 {
		e, ok, err := s.Ledger("s").Entry(fmt.Sprint(n))
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			c.Entries[fmt.Sprint(n)] = e
		}
	}
	back := errors.New("back")
	err = s.Commit(t.Context(), func(tx store.Tx) error {
		value, err := tx.Get("rule", "key")
		if err != nil {
			return err
		}
		c.State = string(value)
		if c.Fresh, err = tx.Raise(storetest.Alert(799, "a")); err != nil {
			return err
		}
		return back
	})
	if !errors.Is(err, back) {
		t.Fatal(err)
	}
	return c
}

func sizeOf(t *testing.T, dir string) int64 {
	t.Helper()
	info, err := os.Stat(filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// openedCompact opens the store in dir and returns what is in it.
func openedCompact(t *testing.T, dir string, above int64) content {
	t.Helper()
	s, err := Open(filepath.Join(dir, fileName), Options{CompactAbove: above})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	return contentOf(t, s)
}

const never = 1 << 40

func TestAFileThatIsMostlyFreeIsMadeSmallerAndHoldsTheSame(t *testing.T) {
	dir := t.TempDir()
	drained(t, dir)
	before, want := sizeOf(t, dir), openedCompact(t, dir, never)
	if got := openedCompact(t, dir, 1<<20); !cmp.Equal(want, got) {
		t.Errorf("content (-want +got):\n%s", cmp.Diff(want, got))
	}
	after := sizeOf(t, dir)
	if after > before/4 {
		t.Errorf("%d bytes are %d", before, after)
	}
	openedCompact(t, dir, 1<<10)
	if again := sizeOf(t, dir); again > after*3/2 {
		t.Errorf("%d bytes are %d though nothing was free", after, again)
	}
	if names, _ := filepath.Glob(filepath.Join(dir, "*")); len(names) != 1 {
		t.Errorf("there are %v, want the store alone", names)
	}
}

func TestACopyThatCannotBeMadeChangesNothing(t *testing.T) {
	dir := t.TempDir()
	drained(t, dir)
	before, want := sizeOf(t, dir), openedCompact(t, dir, never)
	in := filepath.Join(dir, fileName+".compact")
	if err := os.MkdirAll(filepath.Join(in, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got := openedCompact(t, dir, 1<<20); !cmp.Equal(want, got) {
		t.Errorf("content (-want +got):\n%s", cmp.Diff(want, got))
	}
	if sizeOf(t, dir) < before {
		t.Error("it was made smaller")
	}
}

// Killed at any moment of it, the store is what it was.
func TestKilledWhileCompacting(t *testing.T) {
	made := t.TempDir()
	drained(t, made)
	want := openedCompact(t, made, never)
	random := rand.New(rand.NewPCG(3, 4))
	interrupted := 0
	for range 10 {
		dir := t.TempDir()
		duplicate(t, made, dir)
		cmd := process(t, "compact", dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Duration(random.IntN(50_000))*time.Microsecond, func() { cmd.Process.Kill() })
		cmd.Wait()
		if _, err := os.Stat(filepath.Join(dir, fileName+".compact")); err == nil {
			interrupted++
		}
		if got := openedCompact(t, dir, never); !cmp.Equal(want, got) {
			t.Fatalf("content (-want +got):\n%s", cmp.Diff(want, got))
		}
		if got := openedCompact(t, dir, 1<<20); !cmp.Equal(want, got) {
			t.Fatalf("content after the next attempt (-want +got):\n%s", cmp.Diff(want, got))
		}
		if sizeOf(t, dir) > sizeOf(t, made)/4 {
			t.Error("the next attempt did not make it smaller")
		}
	}
	t.Logf("%d of 10 left a copy behind", interrupted)
}

func duplicate(t *testing.T, from, to string) {
	t.Helper()
	r, err := os.Open(filepath.Join(from, fileName))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w, err := os.OpenFile(filepath.Join(to, fileName), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(w, r)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
}
