package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/store"
)

// wornStore makes a store that has seen some life, and closes it.
func wornStore(t *testing.T) (path string, size int64) {
	t.Helper()
	dir := t.TempDir()
	s := open(t, dir)
	for round := range 6 {
		raise(t, s, round*60, round*60+60, 300)
		raise(t, s, 1000+round, 1001+round, 20_000) // on pages of several
		commit(t, s, func(tx store.Tx) error {
			for n := range 40 {
				if err := tx.PutEntry("s", fmt.Sprintf("round/%d/%d", round, n), source.Entry{Version: "v", Offset: int64(n)}); err != nil {
					return err
				}
			}
			return errors.Join(tx.PutEntry("small", "k", source.Entry{Offset: 1}), tx.Bury(store.DeadLetter{ID: fmt.Sprint(round), Reason: "json"}))
		})
		list, _, err := s.Next("a", 0, 1<<20, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		var done []uint64
		for _, q := range list {
			done = append(done, q.Seq)
		}
		if err := errors.Join(s.Settle("a", done[:35], []store.Refusal{{Seq: done[35]}}), s.Settle("b", done[:20], nil)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(s.Check(), s.Close()); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, fileName)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := readMetas(f)
	if err != nil {
		t.Fatal(err)
	}
	if m.freelist == noFreelist {
		t.Fatal("the list of free pages was not written")
	}
	return path, int64(m.pages) * pageSize
}

// dump is everything a store holds.
func dump(s *Store) (string, error) {
	var b strings.Builder
	var walk func(bucket) error
	walk = func(at bucket) error {
		return at.ForEach(func(key, sealed []byte) error {
			if sealed == nil {
				return walk(at.sub(bytes.Clone(key)))
			}
			value, err := unseal(at.path, key, sealed)
			fmt.Fprintf(&b, "%q %q %q\n", at.path, key, value)
			return err
		})
	}
	err := s.view(func(t *bbolt.Tx) error {
		for _, name := range rootBuckets {
			if err := walk(rootBucket(t, name)); err != nil {
				return err
			}
		}
		return nil
	})
	return b.String(), err
}

// TestBitFlips flips bits all over the file. Each is found at Open, or changes
// nothing.
func TestBitFlips(t *testing.T) {
	path, size := wornStore(t)
	s := open(t, filepath.Dir(path))
	want, err := dump(s)
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()

	random := rand.New(rand.NewPCG(1, 2))
	found := 0
	for n := range 2000 {
		at := random.Int64N(size)
		if n%2 == 0 { // half of them where pages describe themselves
			at = at/pageSize*pageSize + random.Int64N(96)
		}
		bit := byte(1) << random.IntN(8)
		flip(t, f, at, bit)
		s, err := Open(path, Options{})
		switch {
		case errors.Is(err, store.ErrDamaged):
			found++
		case err != nil:
			t.Fatalf("bit %#x at %d: got %v, want ErrDamaged", bit, at, err)
		default:
			got, err := dump(s)
			if err != nil || got != want {
				t.Fatalf("bit %#x at %d was not found and changed what is read (%v)", bit, at, err)
			}
			s.Close()
		}
		flip(t, f, at, bit)
	}
	if found < 500 {
		t.Errorf("only %d of 2000 were found", found)
	}
}

func flip(t *testing.T, f *os.File, at int64, bits byte) {
	t.Helper()
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	b[0] ^= bits
	if _, err := f.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
}

// TestFlipsUnderAnOpenStore damages the file of a store that is in use, where
// no inspection helps.
func TestFlipsUnderAnOpenStore(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 30 {
		path, size := wornStore(t)
		s := open(t, filepath.Dir(path))
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		for range 50 {
			page := 2 + random.Int64N(size/pageSize-2)
			flip(t, f, page*pageSize+random.Int64N(200), byte(1+random.IntN(255)))
		}
		f.Close()
		_, _, nextErr := s.Next("b", 0, 1<<20, 1<<30)
		_, _, entryErr := s.Ledger("s").Entry("round/3/3")
		_, lettersErr := s.DeadLetters()
		for _, err := range []error{nextErr, entryErr, lettersErr} {
			if err != nil && !errors.Is(err, store.ErrDamaged) {
				t.Errorf("got %v, want ErrDamaged or nothing", err)
			}
		}
		s.Close()
	}
}

func TestTruncation(t *testing.T) {
	path, size := wornStore(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(5, 6))
	sizes := []int64{0, 1, pageSize - 1, pageSize, 2 * pageSize, 3 * pageSize, size - pageSize, size - 1}
	for range 50 {
		sizes = append(sizes, random.Int64N(size))
	}
	for _, n := range sizes {
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path, Options{}); !errors.Is(err, store.ErrDamaged) {
			t.Errorf("truncated to %d: got %v, want ErrDamaged", n, err)
		}
	}
}

func TestTruncationUnderAnOpenStore(t *testing.T) {
	path, _ := wornStore(t)
	s := open(t, filepath.Dir(path))
	if err := os.Truncate(path, 2*pageSize); err != nil {
		t.Fatal(err)
	}
	_, _, err := s.Next("b", 0, 1<<20, 1<<30)
	if !errors.Is(err, store.ErrDamaged) {
		t.Fatalf("got %v, want ErrDamaged", err)
	}
	if again := s.Settle("b", []uint64{1}, nil); again != err {
		t.Errorf("then got %v, want the same", again)
	}
	s.Close()
}

func TestDamageNamesTheKeyAndWhatToDo(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	commit(t, s, func(tx store.Tx) error { return tx.PutEntry("local", "a.json", source.Entry{Offset: 7}) })
	if err := s.guard(s.db.Update, func(t *bbolt.Tx) error {
		b := rootBucket(t, ledgerBucket).sub([]byte("local"))
		sealed := bytes.Clone(b.Get([]byte("a.json")))
		sealed[len(sealed)-1] ^= 1
		return b.Put([]byte("a.json"), sealed)
	}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, fileName)
	want := path + `: the store is damaged: bucket "ledger/local", key "a.json": its checksum does not match; restore the file from a backup, or move it away to begin anew: what the sources still hold is then read again and its alerts leave again under the same ids`
	checkErr := s.Check()
	_, _, readErr := s.Ledger("local").Entry("a.json")
	s.Close()
	_, openErr := Open(path, Options{})
	for name, err := range map[string]error{"Check": checkErr, "Entry": readErr} {
		if err == nil || err.Error() != want {
			t.Errorf("%s: got %v\nwant %s", name, err, want)
		}
	}
	if want := "opening the store: " + want; openErr == nil || openErr.Error() != want {
		t.Errorf("Open: got %v\nwant %s", openErr, want)
	}
}

// TestManyFreePages drains a backlog so large that the list of free pages is
// not written any more, and fills the file again.
func TestManyFreePages(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for round := range 4 {
		raise(t, s, round*4000, round*4000+4000, 3000)
		for _, output := range []string{"a", "b"} {
			drain(t, s, output)
		}
		raise(t, s, 100_000+round, 100_001+round, 10)
		if err := errors.Join(s.Check(), s.Close()); err != nil {
			t.Fatal(err)
		}
		s = open(t, dir)
	}
	defer s.Close()
	b, err := s.Backlog("b")
	if want := (store.Backlog{Alerts: 1, Bytes: 10}); err != nil || b != want {
		t.Errorf("got %v %v, want %v", b, err, want)
	}
}

// FuzzInspect gives the inspection files that only begin as a store does.
func FuzzInspect(f *testing.F) {
	dir := f.TempDir()
	s := open(f, dir)
	commit(f, s, func(tx store.Tx) error { return tx.PutEntry("s", "k", source.Entry{Offset: 1}) })
	s.Close()
	file, err := os.ReadFile(filepath.Join(dir, fileName))
	if err != nil {
		f.Fatal(err)
	}
	file = file[:64<<10]
	f.Add(10*pageSize, []byte{1, 2, 3, 4, 5, 6, 7, 8})
	f.Add(3*pageSize+8, []byte{1})
	f.Fuzz(func(t *testing.T, at int, change []byte) {
		if at < 0 || at > len(file) {
			return
		}
		changed := bytes.Clone(file)
		copy(changed[at:], change)
		if err := inspectBytes(bytes.NewReader(changed), int64(len(changed)), 1<<62); err != nil && !errors.Is(err, store.ErrDamaged) && !strings.Contains(err.Error(), "newer") {
			t.Errorf("got %v, want ErrDamaged", err)
		}
	})
}
