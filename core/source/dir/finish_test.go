package dir

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/trailship/trailship/core/source"
)

var _ source.Finisher = (*Source)(nil)

// files returns the paths of all files.
func (t *tree) files() []string {
	t.Helper()
	var list []string
	t.check(filepath.WalkDir(t.Path, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, err = filepath.Rel(t.Path, name)
			list = append(list, name)
		}
		return err
	}))
	return list
}

// finish lists the tree, reads it, and finishes what was read, twice.
func (t *tree) finish() {
	t.Helper()
	for _, o := range t.scan() {
		t.ledger.Put(o.Key, o.Done)
		for range 2 {
			t.check(t.Finish(context.Background(), o))
		}
	}
}

func TestFinish(t *testing.T) {
	for _, test := range []struct {
		name   string
		onDone OnDone
		want   []string
	}{
		{"keep", OnDone{}, []string{"a.json", "b/c.json.gz", "b/d.ndjson"}},
		{"delete", OnDone{Delete: true}, []string{"b/d.ndjson"}},
		{"move", OnDone{Move: "done/"}, []string{"b/d.ndjson", "done/a.json", "done/b/c.json.gz"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			tree := newTree(t)
			tree.OnDone = test.onDone
			tree.write("a.json", "{}")
			tree.write("b/c.json.gz", "{}")
			tree.append("b/d.ndjson", "{}\n")
			tree.finish()
			tree.want("files", tree.files(), test.want...)
			tree.want("listed again", tree.names())
		})
	}
}

func TestMoveNeverOverwrites(t *testing.T) {
	tree := newTree(t)
	tree.OnDone.Move = "done"
	for _, content := range []string{"[1]", "[1,2]", "[1,2,3]"} {
		tree.write("a.json", content)
		tree.finish()
	}
	tree.want("files", tree.files(), "done/a.json", "done/a.json.1", "done/a.json.2")
	b, err := os.ReadFile(tree.path("done/a.json.1"))
	tree.check(err)
	tree.want("the second", []string{string(b)}, "[1,2]")
}

func TestFileThatChangedAfterItWasReadStays(t *testing.T) {
	tree := newTree(t)
	tree.OnDone.Delete = true
	tree.write("a.json", "[1]")
	o := tree.scan()[0]
	tree.ledger.Put(o.Key, o.Done)
	tree.write("a.json", "[1,2]")
	tree.check(tree.Finish(context.Background(), o))
	tree.want("listed again", tree.read(), "a.json: [1,2]")
}

func TestMoveLeadsOutside(t *testing.T) {
	for _, to := range []string{"../done", "/done", ".", "a/../.."} {
		tree := newTree(t)
		tree.OnDone.Move = to
		err := tree.Scan(context.Background(), &tree.ledger, nil)
		want := "listing source test: finished files cannot be moved to \"" + to + "\": it must be a directory below " + tree.Path + ", given relative to it"
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestWhatWasReadBeforeACrashIsPutAwayByTheNextScan(t *testing.T) {
	tree := newTree(t)
	tree.OnDone.Delete = true
	tree.write("buried.json", "{}")
	tree.write("done.json", "{}")
	tree.write("new.json", "{}")
	for _, o := range tree.scan() {
		o.Done.Buried = o.Key == "buried.json"
		if o.Key != "new.json" {
			tree.ledger.Put(o.Key, o.Done) // and the program is killed before Finish
		}
	}
	tree.want("listed", tree.names(), "new.json")
	tree.want("files", tree.files(), "buried.json", "new.json")
}
