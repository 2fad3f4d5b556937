// Package sourcetest is the suite every source passes: Run it from the
// source's own tests.
package sourcetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/core/source"
)

// Place is a source under test and the place it reads from. Put and Append
// must leave something that the source can tell from what was there before.
type Place struct {
	Source source.Source
	// Put creates the complete object of that name (as in "a/b.json") or
	// replaces it.
	Put func(name, content string)
	// Append adds to the growing object of that name (as in "a/b.ndjson");
	// nil when the source has none.
	Append func(name, content string)
	// Remove deletes an object.
	Remove func(name string)
}

// Run runs the suite. empty returns an empty place of its own each time.
func Run(t *testing.T, empty func(t *testing.T) Place) {
	for _, test := range []struct {
		name string
		run  func(*fixture)
	}{
		{"a listing is complete", complete},
		{"what the ledger covers is not listed", covered},
		{"a changed object is listed again from its start", changed},
		{"an object read in part is listed with its position", partly},
		{"a growing object goes on where it was left", growing},
		{"what was not committed is listed again", uncommitted},
		{"a removed object is not listed", removed},
		{"yield's error stops the listing", refused},
		{"the ledger's error stops the listing", broken},
		{"a cancelled context ends Scan and Wait", cancelled},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.run(&fixture{T: t, Place: empty(t)})
		})
	}
}

// Ledger is a source.Ledger in memory. The zero value is empty.
type Ledger struct {
	mu      sync.Mutex
	entries map[string]source.Entry
	Err     error // what Entry returns when it is not nil
}

// Entry implements source.Ledger.
func (l *Ledger) Entry(key string) (e source.Entry, ok bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok = l.entries[key]
	return e, ok, l.Err
}

// Put commits an entry.
func (l *Ledger) Put(key string, e source.Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.entries == nil {
		l.entries = map[string]source.Entry{}
	}
	l.entries[key] = e
}

// Read opens an object and returns all of it.
func Read(o source.Object) (string, error) {
	r, err := o.Open(context.Background())
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(r)
	return string(b), errors.Join(err, r.Close())
}

// fixture is one test's place and ledger.
type fixture struct {
	*testing.T
	Place
	ledger Ledger
}

// scan lists the objects.
func (f *fixture) scan() []source.Object {
	f.Helper()
	var list []source.Object
	err := f.Source.Scan(context.Background(), &f.ledger, func(o source.Object) error {
		if o.Open == nil { // a note
			f.ledger.Put(o.Key, o.Done)
			return nil
		}
		list = append(list, o)
		return nil
	})
	if err != nil {
		f.Fatal(err)
	}
	return list
}

// read lists the objects, reads them, and commits what commit makes of each.
func (f *fixture) read(commit func(o source.Object)) []string {
	f.Helper()
	var contents []string
	keys := map[string]bool{}
	for _, o := range f.scan() {
		if o.Key == "" || keys[o.Key] {
			f.Fatalf("key %q of %s is not its own", o.Key, o.Name)
		}
		keys[o.Key] = true
		content, err := Read(o)
		if err != nil {
			f.Fatalf("reading %s: %v", o.Name, err)
		}
		contents = append(contents, content)
		commit(o)
	}
	slices.Sort(contents)
	return contents
}

// done commits that an object was read to its end.
func (f *fixture) done(o source.Object) { f.ledger.Put(o.Key, o.Done) }

func (f *fixture) want(what string, got []string, want ...string) {
	f.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		f.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

func nothing(source.Object) {}

func complete(f *fixture) {
	var want []string
	for n := range 300 {
		content := fmt.Sprintf(`{"n":%03d}`, n)
		f.Put(fmt.Sprintf("%d/%d/%d.json", n%2, n%7, n), content)
		want = append(want, content)
	}
	f.want("objects", f.read(nothing), want...)
}

func covered(f *fixture) {
	f.Put("a.json", "{}")
	f.Put("b/c.json", "[]")
	f.want("first", f.read(f.done), "[]", "{}")
	f.want("second", f.read(f.done))
	f.Put("d.json", "{ }")
	f.want("third", f.read(f.done), "{ }")
}

func changed(f *fixture) {
	f.Put("a.json", `{"a":1}`)
	f.Put("b.json", `{"b":1}`)
	f.read(f.done)
	f.Put("a.json", `{"a":1,"more":2}`)
	for _, o := range f.scan() {
		if o.Entry != (source.Entry{}) {
			f.Errorf("begins at %+v, want at its start", o.Entry)
		}
	}
	f.want("again", f.read(f.done), `{"a":1,"more":2}`)
	f.want("then", f.read(f.done))
}

func partly(f *fixture) {
	f.Put("a.json", `[1,2,3]`)
	var want source.Entry
	f.read(func(o source.Object) {
		want = source.Entry{Version: o.Done.Version, Records: 2}
		f.ledger.Put(o.Key, want)
	})
	list := f.scan()
	if len(list) != 1 || list[0].Entry != want {
		f.Fatalf("got %+v, want one object that begins at %+v", list, want)
	}
	f.want("content", f.read(f.done), "[1,2,3]")
	f.want("then", f.read(f.done))
}

func growing(f *fixture) {
	if f.Append == nil {
		f.Skip("this source has no growing objects")
	}
	f.Append("a.ndjson", "{\"n\":1}\n{\"n\":2}\n{\"n\"")
	f.want("whole lines", f.read(f.done), "{\"n\":1}\n{\"n\":2}\n")
	f.want("nothing new", f.read(f.done))
	f.Append("a.ndjson", ":3}\n{\"n\":4}\n")
	f.want("new lines", f.read(nothing), "{\"n\":3}\n{\"n\":4}\n")
	f.Append("a.ndjson", "{\"n\":5}\n")
	f.want("uncommitted lines", f.read(f.done), "{\"n\":3}\n{\"n\":4}\n{\"n\":5}\n")
	f.want("then", f.read(f.done))
}

func uncommitted(f *fixture) {
	f.Put("a.json", "{}")
	f.want("first", f.read(nothing), "{}")
	f.want("second", f.read(nothing), "{}")
}

func removed(f *fixture) {
	f.Put("a.json", "{}")
	f.Put("b.json", "[]")
	f.Remove("a.json")
	f.want("objects", f.read(nothing), "[]")
}

func refused(f *fixture) {
	for n := range 5 {
		f.Put(fmt.Sprintf("%d.json", n), "{}")
	}
	stop, calls := errors.New("enough"), 0
	err := f.Source.Scan(context.Background(), &f.ledger, func(source.Object) error {
		if calls++; calls == 2 {
			return stop
		}
		return nil
	})
	if err != stop || calls != 2 {
		f.Fatalf("got %v after %d objects, want yield's own error after 2", err, calls)
	}
}

func broken(f *fixture) {
	f.Put("a.json", "{}")
	f.ledger.Err = errors.New("the store is damaged")
	err := f.Source.Scan(context.Background(), &f.ledger, func(o source.Object) error {
		f.Errorf("%s was listed", o.Name)
		return nil
	})
	if !errors.Is(err, f.ledger.Err) {
		f.Fatalf("got %v, want the ledger's error", err)
	}
}

func cancelled(f *fixture) {
	f.Put("a.json", "{}")
	f.scan()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := f.Source.Wait(ctx); !errors.Is(err, context.Canceled) {
		f.Errorf("Wait: got %v, want context.Canceled", err)
	}
	err := f.Source.Scan(ctx, &f.ledger, func(o source.Object) error {
		f.Errorf("%s was listed", o.Name)
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		f.Errorf("Scan: got %v, want context.Canceled", err)
	}
}
