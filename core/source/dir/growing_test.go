package dir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/source/sourcetest"
)

// scan lists the tree.
func (t *tree) scan() []source.Object {
	t.Helper()
	var list []source.Object
	t.check(t.Scan(context.Background(), &t.ledger, func(o source.Object) error {
		list = append(list, o)
		return nil
	}))
	return list
}

// read lists the tree, reads what is listed and commits it. It returns
// "name: content" of each object.
func (t *tree) read() []string {
	t.Helper()
	var got []string
	for _, o := range t.scan() {
		content, err := sourcetest.Read(o)
		t.check(err)
		got = append(got, strings.TrimPrefix(o.Name, t.Path+"/")+": "+content)
		t.ledger.Put(o.Key, o.Done)
	}
	return got
}

func (t *tree) want(what string, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

func lines(from, to int) string {
	var b strings.Builder
	for n := from; n <= to; n++ {
		fmt.Fprintf(&b, "{\"n\":%d}\n", n)
	}
	return b.String()
}

func TestRotationByRename(t *testing.T) {
	tree := newTree(t)
	tree.append("app.ndjson", lines(1, 3))
	tree.want("first", tree.read(), "app.ndjson: "+lines(1, 3))

	tree.append("app.ndjson", lines(4, 5))
	tree.rename("app.ndjson", "app.ndjson.1")
	tree.append("app.ndjson", lines(6, 6))
	tree.want("rotated", tree.read(), "app.ndjson: "+lines(6, 6), "app.ndjson.1: "+lines(4, 5))

	tree.rename("app.ndjson.1", "app.ndjson.2")
	tree.rename("app.ndjson", "app.ndjson.1")
	tree.append("app.ndjson.1", lines(7, 7)) // its writer was slow to notice
	tree.append("app.ndjson", lines(8, 8))
	tree.want("again", tree.read(), "app.ndjson: "+lines(8, 8), "app.ndjson.1: "+lines(7, 7))
	tree.want("then", tree.read())
}

func TestCopytruncate(t *testing.T) {
	tree := newTree(t)
	tree.append("app.ndjson", lines(1, 3))
	tree.read()
	tree.append("app.ndjson", lines(4, 4))
	tree.write("app.ndjson-20260102", lines(1, 4))
	tree.check(os.Truncate(tree.path("app.ndjson"), 0))
	tree.want("emptied", tree.read(), "app.ndjson-20260102: "+lines(1, 4))
	tree.append("app.ndjson", lines(5, 9))
	tree.want("new lines", tree.read(), "app.ndjson: "+lines(5, 9))
	tree.want("then", tree.read())
}

func TestTruncatedAndWrittenPastItsOldEnd(t *testing.T) {
	tree := newTree(t)
	start := strings.Repeat(`{"same":"start"}`+"\n", 200)
	tree.append("app.ndjson", start+lines(1, 3))
	tree.read()
	tree.write("app.ndjson", start+lines(4, 9))
	tree.want("read from its start", tree.read(), "app.ndjson: "+start+lines(4, 9))
}

func TestHoleOfATruncatedFileIsSkipped(t *testing.T) {
	tree := newTree(t)
	tree.append("app.ndjson", lines(1, 20))
	tree.read()
	tree.write("app.ndjson", strings.Repeat("\x00", 100_000)+lines(21, 22))
	tree.want("behind the hole", tree.read(), "app.ndjson: "+lines(21, 22))
	tree.append("app.ndjson", lines(23, 23))
	tree.want("then", tree.read(), "app.ndjson: "+lines(23, 23))
}

func TestInodeIsGivenOutAgain(t *testing.T) {
	tree := newTree(t)
	tree.append("app.ndjson", lines(1, 3))
	key := tree.scan()[0].Key
	tree.read()
	e, _, _ := tree.ledger.Entry(key)

	// Whatever inode the file system picks, the ledger knows it.
	tree.remove("app.ndjson")
	tree.append("other.ndjson", lines(5, 9))
	tree.ledger.Put(tree.scan()[0].Key, e)
	tree.want("read from its start", tree.read(), "other.ndjson: "+lines(5, 9))
}

func TestReplacedByRename(t *testing.T) {
	tree := newTree(t)
	tree.append("app.ndjson", lines(1, 3))
	tree.read()
	tree.write("new", lines(4, 5))
	tree.rename("new", "app.ndjson")
	tree.want("read from its start", tree.read(), "app.ndjson: "+lines(4, 5))
}

func TestShortFileKeepsItsIdentityWhileItGrows(t *testing.T) {
	tree := newTree(t)
	for n := 1; n <= 300; n++ { // past the first KiB
		tree.append("app.ndjson", lines(n, n))
		tree.want("line", tree.read(), "app.ndjson: "+lines(n, n))
	}
}

func TestRenamedBetweenScanAndOpen(t *testing.T) {
	tree := newTree(t)
	tree.append("app.ndjson", lines(1, 3))
	listed := tree.scan()[0]
	tree.rename("app.ndjson", "app.ndjson.1")
	if _, err := sourcetest.Read(listed); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("gone: got %v, want fs.ErrNotExist", err)
	}
	tree.append("app.ndjson", lines(4, 9))
	_, err := sourcetest.Read(listed)
	want := tree.path("app.ndjson") + " was rotated or truncated after it was listed; the next scan finds what is there now"
	if !errors.Is(err, fs.ErrNotExist) || err.Error() != want {
		t.Errorf("replaced: got %v, want %s", err, want)
	}
	tree.want("next scan", tree.read(), "app.ndjson: "+lines(4, 9), "app.ndjson.1: "+lines(1, 3))
}

func TestTruncatedWhileItIsRead(t *testing.T) {
	tree := newTree(t)
	tree.append("app.ndjson", lines(1, 1000))
	r, err := tree.scan()[0].Open(context.Background())
	tree.check(err)
	defer r.Close()
	tree.check(os.Truncate(tree.path("app.ndjson"), 10))
	b, err := io.ReadAll(r)
	if !errors.Is(err, fs.ErrNotExist) || len(b) != 10 {
		t.Fatalf("got %d bytes and %v, want 10 and an error", len(b), err)
	}
}

func TestLastLineWithoutNewline(t *testing.T) {
	tree := newTree(t)
	tree.append("app.ndjson", lines(1, 1)+`{"n":2`)
	tree.want("half a record", tree.read(), "app.ndjson: "+lines(1, 1))
	tree.append("app.ndjson", `}`)
	tree.want("a whole record", tree.read(), "app.ndjson: {\"n\":2}")
	tree.append("app.ndjson", "\n")
	tree.want("its newline", tree.read())
	tree.append("app.ndjson", lines(3, 3))
	tree.want("the next line", tree.read(), "app.ndjson: "+lines(3, 3))

	tree.append("app.ndjson", `{"n":4`)
	tree.want("half a record", tree.read())
	tree.clock = tree.clock.Add(11 * time.Minute)
	tree.want("abandoned", tree.read(), `app.ndjson: {"n":4`)
	tree.want("then", tree.read())
}

func TestLongFileIsReadInRuns(t *testing.T) {
	tree := newTree(t)
	line := `{"pad":"` + strings.Repeat("x", 1<<20) + `"}` + "\n"
	giant := `{"pad":"` + strings.Repeat("y", maxRun+5) + `"}` + "\n"
	tree.append("app.ndjson", strings.Repeat(line, 20)+giant+lines(1, 1))
	var sizes []int
	for list := tree.read(); len(list) > 0; list = tree.read() {
		sizes = append(sizes, len(list[0])-len("app.ndjson: "))
	}
	want := []int{15 * len(line), 5 * len(line), len(giant), len(lines(1, 1))}
	if diff := cmp.Diff(want, sizes); diff != "" {
		t.Fatalf("runs (-want +got):\n%s", diff)
	}
}

func TestARunSaysWhetherTheFileGoesOn(t *testing.T) {
	tree := newTree(t)
	line := `{"pad":"` + strings.Repeat("x", 1<<20) + `"}` + "\n"
	tree.append("app.ndjson", strings.Repeat(line, 20))
	var more []bool
	for list := tree.scan(); len(list) > 0; list = tree.scan() {
		more = append(more, list[0].More)
		tree.ledger.Put(list[0].Key, list[0].Done)
	}
	if diff := cmp.Diff([]bool{true, false}, more); diff != "" {
		t.Errorf("More (-want +got):\n%s", diff)
	}
}

func TestGrowingFileOfTwoNamesIsListedOnce(t *testing.T) {
	tree := newTree(t)
	tree.append("a.ndjson", lines(1, 2))
	tree.check(os.Link(tree.path("a.ndjson"), tree.path("b.ndjson")))
	tree.want("once", tree.read(), "a.ndjson: "+lines(1, 2))
}
