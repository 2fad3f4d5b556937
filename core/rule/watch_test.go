package rule

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
)

// TestWatcherSeesEveryWayAFileChanges runs each change twice: with the kernel's
// notifications and an endless poll, and with the poll alone.
func TestWatcherSeesEveryWayAFileChanges(t *testing.T) {
	for _, tt := range []struct {
		name          string
		before, after func(t *testing.T, dir string)
	}{
		{
			name:   "a file is written",
			before: func(t *testing.T, dir string) { putFile(t, dir, "a.yaml", "one") },
			after:  func(t *testing.T, dir string) { putFile(t, dir, "a.yaml", "two") },
		},
		{
			name:   "a file appears",
			before: func(t *testing.T, dir string) {},
			after:  func(t *testing.T, dir string) { putFile(t, dir, "a.yml", "one") },
		},
		{
			name:   "a file is deleted",
			before: func(t *testing.T, dir string) { putFile(t, dir, "a.yaml", "one") },
			after:  func(t *testing.T, dir string) { dropFile(t, dir, "a.yaml") },
		},
		{
			name:   "a list changes",
			before: func(t *testing.T, dir string) { putFile(t, dir, "lists/admins.txt", "alice") },
			after:  func(t *testing.T, dir string) { putFile(t, dir, "lists/admins.txt", "mallory") },
		},
		{
			name:   "an editor writes a new file and renames it over the old one",
			before: func(t *testing.T, dir string) { putFile(t, dir, "a.yaml", "one") },
			after: func(t *testing.T, dir string) {
				moveFile(t, dir, "a.yaml", "a.yaml~")
				putFile(t, dir, ".a.yaml.tmp123", "two")
				moveFile(t, dir, ".a.yaml.tmp123", "a.yaml")
				dropFile(t, dir, "a.yaml~")
			},
		},
		{
			name:   "a file is renamed",
			before: func(t *testing.T, dir string) { putFile(t, dir, "a.yaml", "one") },
			after:  func(t *testing.T, dir string) { moveFile(t, dir, "a.yaml", "b.yaml") },
		},
		{
			name:   "a file appears in a new nested folder",
			before: func(t *testing.T, dir string) {},
			after:  func(t *testing.T, dir string) { putFile(t, dir, "new/deep/a.yaml", "one") },
		},
		{
			name:   "a folder is moved in",
			before: func(t *testing.T, dir string) { putFile(t, filepath.Dir(dir), "elsewhere/a.yaml", "one") },
			after: func(t *testing.T, dir string) {
				moveFile(t, filepath.Dir(dir), "elsewhere", filepath.Join(filepath.Base(dir), "team"))
			},
		},
		{
			name:   "a folder is deleted",
			before: func(t *testing.T, dir string) { putFile(t, dir, "team/a.yaml", "one") },
			after:  func(t *testing.T, dir string) { dropFile(t, dir, "team") },
		},
		{
			name: "Kubernetes swaps a ConfigMap",
			before: func(t *testing.T, dir string) {
				putFile(t, dir, "..2026_01/a.yaml", "one")
				linkFile(t, dir, "..2026_01", "..data")
				linkFile(t, dir, "..data/a.yaml", "a.yaml")
			},
			after: func(t *testing.T, dir string) {
				putFile(t, dir, "..2026_02/a.yaml", "two")
				linkFile(t, dir, "..2026_02", "..data_tmp")
				moveFile(t, dir, "..data_tmp", "..data")
				dropFile(t, dir, "..2026_01")
			},
		},
		{
			name: "Kubernetes swaps a ConfigMap with folders",
			before: func(t *testing.T, dir string) {
				putFile(t, dir, "..2026_01/team/a.yaml", "one")
				linkFile(t, dir, "..2026_01", "..data")
				linkFile(t, dir, "..data/team", "team")
			},
			after: func(t *testing.T, dir string) {
				putFile(t, dir, "..2026_02/team/a.yaml", "two")
				linkFile(t, dir, "..2026_02", "..data_tmp")
				moveFile(t, dir, "..data_tmp", "..data")
			},
		},
		{
			name:   "the root itself is replaced",
			before: func(t *testing.T, dir string) { putFile(t, dir, "a.yaml", "one") },
			after: func(t *testing.T, dir string) {
				putFile(t, dir+".new", "a.yaml", "two")
				dropFile(t, dir, "")
				moveFile(t, filepath.Dir(dir), filepath.Base(dir)+".new", filepath.Base(dir))
			},
		},
		{
			name:   "a missing root appears",
			before: func(t *testing.T, dir string) { dropFile(t, dir, "") },
			after:  func(t *testing.T, dir string) { putFile(t, dir, "a.yaml", "one") },
		},
	} {
		for mode, w := range map[string]*Watcher{
			"kernel": {Debounce: time.Millisecond, Poll: time.Hour},
			"poll":   {Debounce: time.Millisecond, Poll: 5 * time.Millisecond, open: noKernel},
		} {
			t.Run(tt.name+"/"+mode, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "rules")
				if err := os.Mkdir(dir, 0o777); err != nil {
					t.Fatal(err)
				}
				tt.before(t, dir)
				w.Dirs = []string{dir}
				seen := watchTrees(t, w)
				tt.after(t, dir)
				awaitChange(t, "the change", func() bool { return *seen.Load() == digestOf(dir) })
			})
		}
	}
}

// TestWatcherFollowsManyChanges catches a watch that goes silent after one
// rename, swap or replacement.
func TestWatcherFollowsManyChanges(t *testing.T) {
	dir := t.TempDir()
	putFile(t, dir, "team/a.yaml", "0")
	seen := watchTrees(t, &Watcher{Dirs: []string{dir}, Debounce: time.Millisecond, Poll: time.Hour})
	for n := range 20 {
		putFile(t, dir, "team.new/a.yaml", fmt.Sprint(n+1))
		dropFile(t, dir, "team")
		moveFile(t, dir, "team.new", "team")
		awaitChange(t, fmt.Sprintf("change %d", n), func() bool { return *seen.Load() == digestOf(dir) })
	}
}

func TestWatcherWatchesASingleFile(t *testing.T) {
	dir := t.TempDir()
	putFile(t, dir, "a.yaml", "one")
	file := filepath.Join(dir, "a.yaml")
	seen := watchTrees(t, &Watcher{Dirs: []string{file}, Debounce: time.Millisecond, Poll: time.Hour})
	putFile(t, dir, ".new", "two")
	moveFile(t, dir, ".new", "a.yaml")
	awaitChange(t, "the new content", func() bool { return *seen.Load() == digestOf(file) })
}

func TestWatcherSeesAChangeMadeBetweenMarkAndRun(t *testing.T) {
	dir := t.TempDir()
	putFile(t, dir, "a.yaml", "one")
	w := &Watcher{Dirs: []string{dir}, Debounce: time.Millisecond, Poll: time.Hour}
	w.Mark()
	putFile(t, dir, "a.yaml", "two")
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	if err := w.Run(ctx, func() { calls++; cancel() }); err != nil {
		t.Fatal(err)
	}
	if calls != 1 {
		t.Errorf("changed was called %d times, want once", calls)
	}
}

// The following run on a fake clock with a fake kernel, so that "one call" and
// "no call" are facts and not the outcome of a race.

func TestWatcherMakesOneCallOfABurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		k := newFakeKernel()
		w := &Watcher{Dirs: []string{dir}, Poll: time.Hour, open: k.open}
		calls := countCalls(t, w)
		for n := range 20 {
			name := fmt.Sprintf("rule%d.yaml", n)
			putFile(t, dir, name, "x")
			k.events <- fsnotify.Event{Name: filepath.Join(dir, name), Op: fsnotify.Create}
			pass(50 * time.Millisecond)
		}
		pass(time.Second)
		if got := calls(); got != 1 {
			t.Errorf("changed was called %d times, want once", got)
		}
	})
}

func TestWatcherDoesNotWaitForeverForQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		k := newFakeKernel()
		calls := countCalls(t, &Watcher{Dirs: []string{dir}, Poll: time.Hour, open: k.open})
		putFile(t, dir, "a.yaml", "x")
		for range 40 { // ten seconds without 250 ms of quiet
			k.events <- fsnotify.Event{Name: filepath.Join(dir, "busy.log")}
			pass(245 * time.Millisecond)
		}
		if got := calls(); got != 1 {
			t.Errorf("changed was called %d times, want once", got)
		}
	})
}

func TestWatcherMakesNoCallWithoutAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		putFile(t, dir, "a.yaml", "one")
		k := newFakeKernel()
		calls := countCalls(t, &Watcher{Dirs: []string{dir}, open: k.open})

		same := []func(){
			func() { putFile(t, dir, "a.yaml", "one") },
			func() { putFile(t, dir, "a.yaml", "two"); putFile(t, dir, "a.yaml", "one") },
			func() { putFile(t, dir, ".a.yaml.swp", "x") },
			func() { putFile(t, dir, "a.yaml~", "x") },
			func() { putFile(t, dir, "#a.yaml#", "x") },
			func() { putFile(t, dir, "4913", "x") },
			func() { putFile(t, dir, ".git/config.yaml", "x") },
			func() { putFile(t, dir, "README.md", "x") },
			func() { putFile(t, filepath.Dir(dir), "neighbour.yaml", "x") },
		}
		for _, change := range same {
			change()
			k.events <- fsnotify.Event{Name: filepath.Join(dir, "a.yaml"), Op: fsnotify.Write}
			pass(time.Second)
		}
		k.errors <- fsnotify.ErrEventOverflow
		pass(2 * defaultPoll)
		if got := calls(); got != 0 {
			t.Errorf("changed was called %d times, want never", got)
		}
	})
}

func TestWatcherReadsAfterAnOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		k := newFakeKernel()
		calls := countCalls(t, &Watcher{Dirs: []string{dir}, Poll: time.Hour, open: k.open})
		putFile(t, dir, "a.yaml", "one")
		k.errors <- fsnotify.ErrEventOverflow
		pass(time.Second)
		if got := calls(); got != 1 {
			t.Errorf("changed was called %d times, want once", got)
		}
	})
}

// TestWatcherPollsWhatTheKernelCannotWatch covers both ways the kernel refuses:
// no notifications at all, and none for a folder (the watch limit).
func TestWatcherPollsWhatTheKernelCannotWatch(t *testing.T) {
	full := newFakeKernel()
	full.add = func(string) error { return errors.New("no space left on device") }
	for name, open := range map[string]func() (kernel, error){"no kernel": noKernel, "no watches left": full.open} {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			var log bytes.Buffer
			w := &Watcher{Dirs: []string{dir}, Log: slog.New(slog.NewTextHandler(&log, nil)), open: open}
			calls := countCalls(t, w)
			putFile(t, dir, "a.yaml", "one")
			pass(2 * defaultPoll)
			if got := calls(); got != 1 {
				t.Errorf("%s: changed was called %d times, want once", name, got)
			}
			if got := strings.Count(log.String(), "polling instead"); got != 1 {
				t.Errorf("%s: it was logged %d times, want once:\n%s", name, got, &log)
			}
		})
	}
}

func TestWatcherReadsAHalfWrittenFileAgainBeforeItCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		w := &Watcher{Dirs: []string{dir}, open: noKernel}
		var seen []string
		runWatcher(t, w, func() {
			text, _ := os.ReadFile(filepath.Join(dir, "a.yaml"))
			seen = append(seen, string(text))
		})
		// The poll strikes at 30 s, between the halves.
		pass(defaultPoll - 100*time.Millisecond)
		putFile(t, dir, "a.yaml", "half")
		pass(200 * time.Millisecond)
		putFile(t, dir, "a.yaml", "half and half")
		pass(2 * time.Second)
		if got := strings.Join(seen, "|"); got != "half and half" {
			t.Errorf("changed saw %q, want only the whole file", got)
		}
	})
}

func TestReadSurvivesOddTrees(t *testing.T) {
	dir := t.TempDir()
	putFile(t, dir, "a/b/c.yaml", "x")
	linkFile(t, dir, "..", "a/b/up") // a circle
	linkFile(t, dir, "nowhere", "dangling.yaml")
	if _, folders := readTrees([]string{dir}); len(folders) != 3 {
		t.Errorf("folders are %q, want the root, a and a/b once each", folders)
	}
	before := digestOf(dir)
	if err := os.MkdirAll(filepath.Join(dir, "empty"), 0o777); err != nil {
		t.Fatal(err)
	}
	if digestOf(dir) != before {
		t.Error("an empty folder counts as a change")
	}
}

// watchTrees runs w until the test ends and keeps the digest of its trees as they
// were at the newest call.
func watchTrees(t *testing.T, w *Watcher) *atomic.Pointer[digest] {
	t.Helper()
	var seen atomic.Pointer[digest]
	first, _ := readTrees(w.Dirs)
	seen.Store(&first)
	runWatcher(t, w, func() {
		now, _ := readTrees(w.Dirs)
		seen.Store(&now)
	})
	return &seen
}

// pass lets time pass in a bubble, and what is due by then be done.
func pass(d time.Duration) {
	<-time.After(d) // by the clock of the bubble
	synctest.Wait()
}

// countCalls runs w until the test ends, inside a synctest bubble, and returns how
// many calls it made so far.
func countCalls(t *testing.T, w *Watcher) func() int {
	t.Helper()
	var calls atomic.Int64
	runWatcher(t, w, func() { calls.Add(1) })
	synctest.Wait()
	return func() int { synctest.Wait(); return int(calls.Load()) }
}

func runWatcher(t *testing.T, w *Watcher, changed func()) {
	t.Helper()
	w.Mark()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- w.Run(ctx, changed) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func awaitChange(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s was not seen", what)
		}
	}
}

type fakeKernel struct {
	events chan fsnotify.Event
	errors chan error
	add    func(string) error
}

func newFakeKernel() *fakeKernel {
	return &fakeKernel{add: func(string) error { return nil }}
}

// open makes the channels, for they must be made inside the bubble.
func (k *fakeKernel) open() (kernel, error) {
	k.events, k.errors = make(chan fsnotify.Event), make(chan error)
	return kernel{events: k.events, errors: k.errors, add: k.add, close: func() error { return nil }}, nil
}

func noKernel() (kernel, error) { return kernel{}, errors.New("too many open files") }

func digestOf(root string) digest {
	d, _ := readTrees([]string{root})
	return d
}

func putFile(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func moveFile(t *testing.T, dir, from, to string) {
	t.Helper()
	if err := os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)); err != nil {
		t.Fatal(err)
	}
}

func dropFile(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func linkFile(t *testing.T, dir, to, name string) {
	t.Helper()
	if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}
