package bolt

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/store"
	"github.com/trailship/trailship/core/store/storetest"
)

// TestMain lets the test binary play the process that is killed, or has no
// room (process_test.go).
func TestMain(m *testing.M) {
	if role := os.Getenv("TRAILSHIP_TEST_ROLE"); role != "" {
		play(role, os.Getenv("TRAILSHIP_TEST_DIR"))
		return
	}
	os.Exit(m.Run())
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T, dir string) store.Store { return open(t, dir) })
}

const fileName = "trailship.db"

// open opens the store in dir.
func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(filepath.Join(dir, fileName), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// commit commits what fn does.
func commit(t testing.TB, s *Store, fn func(store.Tx) error) {
	t.Helper()
	if err := s.Commit(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

// noise is a payload that cannot be packed.
func noise(n, size int) []byte {
	text := make([]byte, size)
	rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)}).Read(text)
	return text
}

// raise commits alerts numbered from to to, for outputs a and b.
func raise(t testing.TB, s *Store, from, to, size int) {
	t.Helper()
	commit(t, s, func(tx store.Tx) error {
		for n := from; n < to; n++ {
			a := storetest.Alert(n, "a", "b")
			a.JSON = noise(n, size)
			if _, err := tx.Raise(a); err != nil {
				return err
			}
		}
		return nil
	})
}

// queued is all that an output has queued, unpacked.
func queued(t testing.TB, s *Store, output string) []store.Queued {
	t.Helper()
	list, _, err := s.Next(output, 0, 1<<20, 1<<30)
	if err == nil {
		err = store.Unpack(list)
	}
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// drain settles all that an output has queued.
func drain(t testing.TB, s *Store, output string) {
	t.Helper()
	list := queued(t, s, output)
	var done []uint64
	for _, q := range list {
		done = append(done, q.Seq)
	}
	if err := s.Settle(output, done, nil); err != nil {
		t.Fatal(err)
	}
}

func TestSecondOpenIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	_, err := Open(filepath.Join(dir, fileName), Options{})
	want := "opening the store: data_dir " + dir + " is in use by another trailship; stop that one or give this one its own data_dir"
	if err == nil || err.Error() != want {
		t.Fatalf("got %v, want %s", err, want)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir).Close()
}

func TestAnotherFormatIsRefused(t *testing.T) {
	for format, want := range map[byte]string{
		formatVersion + 1: "opening the store: it was written by a newer trailship (format 4, this program knows 3): use that version or a newer one",
		formatVersion - 1: "opening the store: it was written by an older trailship (format 2, this program knows 3): use that version, or move the file away to begin anew",
	} {
		dir := t.TempDir()
		s := open(t, dir)
		if err := s.update(func(t *bbolt.Tx, _ changes) error {
			return rootBucket(t, aboutBucket).put(formatKey, []byte{format})
		}); err != nil {
			t.Fatal(err)
		}
		s.Close()
		_, err := Open(filepath.Join(dir, fileName), Options{})
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestFileWithPagesOfAnotherSizeIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{PageSize: 4096})
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(path, Options{})
	want := "opening the store: its pages have 4096 bytes instead of 16384: it was written by another version of trailship; use that one, or move the file away to begin anew"
	if err == nil || err.Error() != want {
		t.Errorf("Open says %q, want %q", err, want)
	}
}

func TestNewStoreAfterACrashWhileItWasMade(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, fileName+".new"), []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	defer s.Close()
	raise(t, s, 0, 1, 10)
	if names, _ := filepath.Glob(dir + "/*"); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
}

func TestDirectoryThatCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(filepath.Join(file, fileName), Options{}); err == nil || !strings.Contains(err.Error(), file) {
		t.Fatalf("got %v, want an error that names %s", err, file)
	}
}

func TestFileThatVanishes(t *testing.T) {
	for name, vanish := range map[string]func(path string) error{
		"deleted": os.Remove,
		"moved":   func(path string) error { return os.Rename(path, path+".old") },
		"replaced": func(path string) error {
			return errors.Join(os.Rename(path, path+".old"), os.WriteFile(path, nil, 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir)
			defer s.Close()
			if err := vanish(filepath.Join(dir, fileName)); err != nil {
				t.Fatal(err)
			}
			err := s.Commit(context.Background(), func(store.Tx) error { return nil })
			if err == nil || !strings.Contains(err.Error(), "the store is gone") || errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrDamaged) {
				t.Fatalf("got %v, want that the store is gone", err)
			}
		})
	}
}

func TestUseAfterClose(t *testing.T) {
	s := open(t, t.TempDir())
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	_, _, entryErr := s.Ledger("s").Entry("k")
	_, _, nextErr := s.Next("a", 0, 1, 1)
	_, backlogErr := s.Backlog("a")
	_, lettersErr := s.DeadLetters()
	for name, err := range map[string]error{
		"Commit":      s.Commit(context.Background(), func(store.Tx) error { return nil }),
		"Entry":       entryErr,
		"Next":        nextErr,
		"Settle":      s.Settle("a", []uint64{1}, nil),
		"Backlog":     backlogErr,
		"DeadLetters": lettersErr,
		"Maintain":    s.Maintain(time.Now()),
		"Check":       s.Check(),
	} {
		if !errors.Is(err, errClosed) {
			t.Errorf("%s: got %v, want %v", name, err, errClosed)
		}
	}
}

func TestPanicOfTheCallerPassesThrough(t *testing.T) {
	s := open(t, t.TempDir())
	defer s.Close()
	func() {
		defer func() {
			if got := recover(); got != "mine" {
				t.Errorf("recovered %v, want mine", got)
			}
		}()
		s.Commit(context.Background(), func(store.Tx) error { panic("mine") })
	}()
	raise(t, s, 0, 1, 10)
}

func TestRefusedAlertIsKept(t *testing.T) {
	s := open(t, t.TempDir())
	defer s.Close()
	want := storetest.Alert(1, "a")
	want.Event, want.Raw = []byte("{}"), []byte("[]")
	commit(t, s, func(tx store.Tx) error {
		_, err := tx.Raise(want)
		return errors.Join(err, tx.Bury(store.DeadLetter{ID: "another"}))
	})
	if err := s.Settle("a", nil, []store.Refusal{{Seq: 1, Reason: "400"}}); err != nil {
		t.Fatal(err)
	}
	got, ok, err := s.Refused("a:" + want.ID)
	want.Outputs = nil
	if diff := cmp.Diff(want, got); diff != "" || !ok || err != nil {
		t.Errorf("got %v %v (-want +got):\n%s", ok, err, diff)
	}
	if _, ok, err := s.Refused("another"); ok || err != nil {
		t.Errorf("of no alert: got %v %v", ok, err)
	}
}

func TestIDsAreFiledUnder128Bits(t *testing.T) {
	// The bits of "mzxw6ytboi" are "foobar" in base32.
	got := idKey(0x01020304, "mzxw6ytboimzxw6ytboimzxw6y")
	want := "\x01\x02\x03\x04foobar\x33\x7b\x37\x36\xf6\xf6\xf6\x26\x17\x20"[:10]
	if string(got[:10]) != want {
		t.Errorf("got %q, want it to begin with %q", got, want)
	}
	keys := map[[20]byte]string{}
	for _, id := range []string{storetest.ID(1), storetest.ID(2), "a", "b", strings.ToUpper(storetest.ID(1)), ""} {
		key := idKey(1, id)
		if other, ok := keys[key]; ok {
			t.Errorf("%q and %q share a key", id, other)
		}
		keys[key] = id
	}
}

func TestMaintainGoesThroughALongLedger(t *testing.T) {
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	s, err := Open(filepath.Join(t.TempDir(), fileName), Options{Retention: 10 * 24 * time.Hour, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const entries = 2*sweepStep + 5
	commit(t, s, func(tx store.Tx) error {
		for n := range entries {
			e := source.Entry{Seen: now.Add(-time.Duration(n%2) * 20 * 24 * time.Hour)}
			if err := tx.PutEntry("s", fmt.Sprint(n), e); err != nil {
				return err
			}
		}
		return nil
	})
	if err := s.Maintain(now); err != nil {
		t.Fatal(err)
	}
	left := 0
	for n := range entries {
		if _, ok, err := s.Ledger("s").Entry(fmt.Sprint(n)); err != nil {
			t.Fatal(err)
		} else if ok {
			left++
		}
	}
	if left != (entries+1)/2 {
		t.Errorf("%d of %d entries are left, want %d", left, entries, (entries+1)/2)
	}
}

func TestTheOldestDeadLettersGoAboveTheBoundAndAreCounted(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), fileName), Options{MaxLetters: 20})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	type held struct {
		letters     int
		first, last string
		dropped     int64
	}
	buried := 0
	for _, step := range []struct {
		bury int
		want held
	}{
		{20, held{20, "letter 0", "letter 19", 0}},
		{1, held{18, "letter 3", "letter 20", 3}},
		{1, held{19, "letter 3", "letter 21", 3}},
		{1000, held{18, "letter 1004", "letter 1021", 1004}},
	} {
		err := s.Commit(t.Context(), func(tx store.Tx) (err error) {
			for range step.bury {
				err = errors.Join(err, tx.Bury(store.DeadLetter{ID: fmt.Sprint("letter ", buried), Reason: "json", Time: time.Unix(int64(buried), 0)}))
				buried++
			}
			return err
		})
		err = errors.Join(err, s.Maintain(time.Now()))
		letters, err2 := s.DeadLetters()
		dropped, err3 := s.Dropped()
		if err := errors.Join(err, err2, err3); err != nil {
			t.Fatal(err)
		}
		got := held{len(letters), letters[0].ID, letters[len(letters)-1].ID, dropped}
		if got != step.want {
			t.Errorf("after %d letters: %+v, want %+v", buried, got, step.want)
		}
	}
}
