package rule

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// The watcher's timing when its fields are zero.
const (
	defaultDebounce = 250 * time.Millisecond
	defaultPoll     = 30 * time.Second
)

// maxQuiet bounds how many times Debounce a tree may keep changing before it
// is read all the same, so that a file written without pause cannot hold back
// the changes of its neighbours.
const maxQuiet = 8

// Watcher tells when rule files changed. What the files hold is the truth: the
// kernel's notifications only make it look earlier, so network file systems,
// lost events and machines without inotify cost up to Poll of delay and nothing
// else. Hidden files, editors' droppings and Markdown do not count.
//
// A Watcher is for one Run at a time.
type Watcher struct {
	// Dirs are the folders (or single files) watched, with everything below
	// them. One that does not exist is waited for.
	Dirs []string
	// Debounce is how long a tree must be quiet before it is read; 0 is 250 ms.
	Debounce time.Duration
	// Poll is how often the trees are read without being woken; 0 is 30 s.
	Poll time.Duration
	// Log is told when the kernel cannot watch; nil is silent.
	Log *slog.Logger

	open   func() (kernel, error) // nil is the real one
	kernel kernel
	last   digest
	marked bool
	warned bool
}

// digest stands for the names and contents of all files of all trees.
type digest [sha256.Size]byte

// Mark takes the reading that later ones are compared with. Call it before
// loading the rules, so that a change made between the load and Run is seen.
// Without it Run takes the reading when it starts.
func (w *Watcher) Mark() {
	w.last, _ = readTrees(w.Dirs)
	w.marked = true
}

// Run calls changed, one call at a time, after the files differ from the
// reading before; several changes within Debounce are one call, and a change
// that is taken back is none. It returns nil when ctx ends. Nothing on the disk
// makes it fail.
func (w *Watcher) Run(ctx context.Context, changed func()) error {
	w.listen()
	defer w.kernel.close()

	if !w.marked {
		w.Mark()
	}
	w.marked = false // a second Run takes its own

	poll := time.NewTicker(orDefault(w.Poll, defaultPoll))
	defer poll.Stop()

	// The first look arms the kernel watches and finds what changed since Mark.
	for polled := false; ; {
		now, err := w.settle(ctx, polled)
		if err != nil {
			return nil
		}
		if now != w.last {
			w.last = now
			changed()
		}
		if polled, err = w.wait(ctx, poll.C); err != nil {
			return nil
		}
	}
}

// wait blocks until there is a reason to look and says whether it was the clock.
func (w *Watcher) wait(ctx context.Context, poll <-chan time.Time) (polled bool, err error) {
	for {
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-poll:
			return true, nil
		case ev := <-w.kernel.events:
			if w.concerns(ev.Name) {
				return false, w.quiet(ctx)
			}
		case <-w.kernel.errors: // an overflow above all: events were lost
			return false, w.quiet(ctx)
		}
	}
}

// settle reads the trees until two readings agree. Woken by the kernel one
// reading is enough, for it has been quiet since; the clock may strike in the
// middle of a write that nobody announces.
func (w *Watcher) settle(ctx context.Context, polled bool) (digest, error) {
	now := w.look()
	for range maxQuiet {
		if !polled || now == w.last {
			break
		}
		if err := w.quiet(ctx); err != nil {
			return now, err
		}
		before := now
		if now = w.look(); now == before {
			break
		}
	}
	return now, ctx.Err()
}

// quiet returns when no event came for Debounce, or after maxQuiet times that.
func (w *Watcher) quiet(ctx context.Context) error {
	debounce := orDefault(w.Debounce, defaultDebounce)
	limit := time.NewTimer(maxQuiet * debounce)
	defer limit.Stop()
	still := time.NewTimer(debounce)
	defer still.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limit.C:
			return nil
		case <-still.C:
			return nil
		case ev := <-w.kernel.events:
			if w.concerns(ev.Name) {
				still.Reset(debounce)
			}
		case <-w.kernel.errors:
			still.Reset(debounce)
		}
	}
}

// look reads the trees and puts a kernel watch on every folder in them. It
// reads again after a new watch: what was written into a new folder before the
// watch stood on it was announced to nobody.
func (w *Watcher) look() digest {
	for {
		now, folders := readTrees(w.Dirs)
		if !w.arm(folders) {
			return now
		}
	}
}

// arm watches folders and the parents of the roots, and reports whether one
// of them is new. Known ones are added again, which is how a folder that was
// replaced by another of its name gets its watch back.
func (w *Watcher) arm(folders []string) (fresh bool) {
	if w.kernel.add == nil {
		return false
	}
	next := make(map[string]bool, len(folders)+len(w.Dirs))
	for _, dir := range w.Dirs {
		next[filepath.Dir(filepath.Clean(dir))] = false
	}
	for _, folder := range folders {
		next[folder] = true
	}
	for path := range next {
		if err := w.kernel.add(path); err != nil {
			w.warn("cannot watch for changes, polling instead", "path", path, "error", err)
			delete(next, path)
			continue
		}
		if _, known := w.kernel.watched[path]; !known {
			fresh = true
		}
	}
	w.kernel.watched = next
	return fresh
}

// concerns says whether an event at path can have changed a tree: it happened
// inside one, or to a root itself. A parent is watched for its root only.
func (w *Watcher) concerns(path string) bool {
	path = filepath.Clean(path)
	if w.kernel.watched[path] || w.kernel.watched[filepath.Dir(path)] {
		return true
	}
	for _, dir := range w.Dirs {
		if path == filepath.Clean(dir) {
			return true
		}
	}
	return false
}

// kernel is the part of fsnotify used here. Its zero value never wakes anybody.
type kernel struct {
	events  <-chan fsnotify.Event
	errors  <-chan error
	add     func(path string) error
	close   func() error
	watched map[string]bool // path → it is inside a tree, not a root's parent
}

// listen opens the kernel's notifications, or leaves them closed.
func (w *Watcher) listen() {
	open := w.open
	if open == nil {
		open = openKernel
	}
	k, err := open()
	if err != nil {
		w.warn("cannot watch for changes, polling instead", "error", err)
		k = kernel{close: func() error { return nil }}
	}
	w.kernel = k
}

func openKernel() (kernel, error) {
	n, err := fsnotify.NewWatcher()
	if err != nil {
		return kernel{}, err
	}
	return kernel{events: n.Events, errors: n.Errors, add: n.Add, close: n.Close}, nil
}

// warn logs once per Watcher: the poll would repeat it for ever.
func (w *Watcher) warn(msg string, args ...any) {
	if w.Log != nil && !w.warned {
		w.Log.Warn(msg, args...)
	}
	w.warned = true
}

func orDefault(d, fallback time.Duration) time.Duration {
	if d <= 0 {
		return fallback
	}
	return d
}
