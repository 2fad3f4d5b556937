package dir

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/source/sourcetest"
)

// TestNoLineIsEverSkipped lets writers and rotations do what they like between
// scans. Every whole line that a scan could see was delivered after it.
func TestNoLineIsEverSkipped(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		path, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			r.Fatal(err)
		}
		w := &world{T: r, files: map[string]*strings.Builder{}, delivered: map[string]bool{}}
		began := time.Unix(epoch, 0) // no file ever rests
		w.source = &Source{Name: "test", Path: path, Now: func() time.Time { return began }}
		w.source.unwatch = true // watches are slow to be given up
		names := rapid.SampledFrom([]string{"a.ndjson", "b.ndjson", "sub/a.ndjson"})
		r.Repeat(map[string]func(*rapid.T){
			"append":       func(r *rapid.T) { w.append(names.Draw(r, "name"), w.lines(r)) },
			"appendHalf":   func(r *rapid.T) { w.append(names.Draw(r, "name"), w.lines(r)+`{"half":`) },
			"rename":       func(r *rapid.T) { w.rename(names.Draw(r, "from"), names.Draw(r, "to")) },
			"rotate":       func(r *rapid.T) { w.rotate(r, names.Draw(r, "name")) },
			"copytruncate": func(r *rapid.T) { w.copytruncate(r, names.Draw(r, "name")) },
			"truncate":     func(r *rapid.T) { w.set(names.Draw(r, "name"), "") },
			"rewrite":      func(r *rapid.T) { w.set(names.Draw(r, "name"), w.lines(r)) },
			"delete":       func(r *rapid.T) { w.delete(names.Draw(r, "name")) },
			"crash":        func(r *rapid.T) { w.crash(r) },
			"scan":         func(r *rapid.T) { w.scan() },
		})
		w.scan()
	})
}

const epoch = 1_700_000_000

// world is a directory, what it holds, and what was delivered of it.
type world struct {
	*rapid.T
	source    *Source
	ledger    sourcetest.Ledger
	files     map[string]*strings.Builder
	delivered map[string]bool
	next      int // line, rotation, modification time
}

func (w *world) check(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) number() int {
	w.next++
	return w.next
}

// lines returns some lines that were never written before, between some that
// are always the same, as headers and heartbeats are.
func (w *world) lines(r *rapid.T) string {
	var b strings.Builder
	b.WriteString(strings.Repeat("{\"same\":true}\n", rapid.SampledFrom([]int{0, 1, 200}).Draw(r, "same")))
	for range rapid.IntRange(0, 5).Draw(r, "new") {
		fmt.Fprintf(&b, "{\"n\":%06d}\n", w.number())
	}
	return b.String()
}

func (w *world) path(name string) string { return w.source.Path + "/" + name }

// put writes the file as the model has it; append and truncation happen in
// place, as writers do it.
func (w *world) put(name, content string, flag int) {
	w.check(os.MkdirAll(w.path("sub"), 0o755))
	f, err := os.OpenFile(w.path(name), flag|os.O_CREATE|os.O_WRONLY, 0o644)
	w.check(err)
	_, err = f.WriteString(content)
	w.check(err)
	w.check(f.Close())
	// Clocks of file systems are coarse, and tests are quick.
	at := time.Unix(epoch+int64(w.number()), 0)
	w.check(os.Chtimes(w.path(name), at, at))
}

func (w *world) append(name, content string) {
	if w.files[name] == nil {
		w.files[name] = &strings.Builder{}
	}
	w.files[name].WriteString(content)
	w.put(name, content, os.O_APPEND)
}

func (w *world) set(name, content string) {
	w.files[name] = &strings.Builder{}
	w.files[name].WriteString(content)
	w.put(name, content, os.O_TRUNC)
}

func (w *world) rename(from, to string) {
	if w.files[from] == nil || from == to {
		return
	}
	w.check(os.MkdirAll(w.path("sub"), 0o755))
	w.check(os.Rename(w.path(from), w.path(to)))
	w.files[to] = w.files[from]
	delete(w.files, from)
}

func (w *world) rotate(r *rapid.T, name string) {
	if w.files[name] == nil {
		return
	}
	w.rename(name, fmt.Sprintf("%s.%d", name, w.number()))
	w.append(name, w.lines(r))
}

func (w *world) copytruncate(r *rapid.T, name string) {
	if w.files[name] == nil {
		return
	}
	w.set(fmt.Sprintf("%s-%d", name, w.number()), w.files[name].String())
	w.set(name, w.lines(r))
}

func (w *world) delete(name string) {
	if w.files[name] == nil {
		return
	}
	w.check(os.Remove(w.path(name)))
	delete(w.files, name)
}

// crash reads as scan does, but stops before an object is committed, or in its
// middle.
func (w *world) crash(r *rapid.T) {
	w.list(func(o source.Object, content string) {
		switch rapid.IntRange(0, 2).Draw(r, "crash") {
		case 0: // not committed at all
		case 1: // committed in part
			records := rapid.IntRange(0, strings.Count(content, "\n")).Draw(r, "records")
			if o.Entry.Records > int64(records) {
				return
			}
			w.deliver(strings.Join(strings.SplitAfter(content, "\n")[:records], ""), o.Entry.Records)
			w.ledger.Put(o.Key, source.Entry{Version: o.Done.Version, Offset: o.Entry.Offset, Records: int64(records)})
		default:
			w.deliver(content, o.Entry.Records)
			w.ledger.Put(o.Key, o.Done)
		}
	})
}

func (w *world) list(each func(o source.Object, content string)) {
	w.Helper()
	w.check(w.source.Scan(context.Background(), &w.ledger, func(o source.Object) error {
		content, err := sourcetest.Read(o)
		w.check(err)
		each(o, content)
		return nil
	}))
}

// deliver notes the lines of an object but the first ones, which were
// committed before.
func (w *world) deliver(content string, committed int64) {
	for n, line := range strings.SplitAfter(content, "\n") {
		if int64(n) >= committed {
			w.delivered[line] = true
		}
	}
}

// scan reads and commits everything there is.
func (w *world) scan() {
	w.Helper()
	for n := 0; ; n++ {
		objects := 0
		w.list(func(o source.Object, content string) {
			objects++
			w.deliver(content, o.Entry.Records)
			w.ledger.Put(o.Key, o.Done)
		})
		if objects == 0 {
			break
		}
		if n == 10 {
			w.Fatal("the listing never ends")
		}
	}
	for name, content := range w.files {
		for _, line := range strings.SplitAfter(content.String(), "\n") {
			if strings.HasSuffix(line, "\n") && !w.delivered[line] {
				w.Fatalf("%s: line %q was never delivered", name, line)
			}
		}
	}
}
