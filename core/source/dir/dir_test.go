package dir

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/trailship/trailship/core/source/sourcetest"
)

func TestSource(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T) sourcetest.Place {
		tree := newTree(t)
		return sourcetest.Place{
			Source: tree.Source,
			Put:    tree.write,
			Append: tree.append,
			Remove: tree.remove,
		}
	})
}

// tree is a directory, a source over it, and what was read of it.
type tree struct {
	testing.TB
	*Source
	ledger sourcetest.Ledger
	clock  time.Time
}

func newTree(t *testing.T) *tree {
	tree := &tree{TB: t, clock: time.Now()}
	tree.Source = &Source{Name: "test", Path: t.TempDir(), Now: func() time.Time { return tree.clock }}
	t.Cleanup(func() { tree.Close() })
	return tree
}

func (t *tree) check(err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (t *tree) path(name string) string { return filepath.Join(t.Path, filepath.FromSlash(name)) }

func (t *tree) mkdirs(name string) {
	t.Helper()
	t.check(os.MkdirAll(filepath.Dir(t.path(name)), 0o755))
}

// write creates a file or replaces its content.
func (t *tree) write(name, content string) {
	t.Helper()
	t.mkdirs(name)
	t.check(os.WriteFile(t.path(name), []byte(content), 0o644))
}

// append adds to a file.
func (t *tree) append(name, content string) {
	t.Helper()
	t.mkdirs(name)
	f, err := os.OpenFile(t.path(name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	t.check(err)
	_, err = f.WriteString(content)
	t.check(err)
	t.check(f.Close())
}

func (t *tree) remove(name string) {
	t.Helper()
	t.check(os.Remove(t.path(name)))
}

func (t *tree) rename(from, to string) {
	t.Helper()
	t.mkdirs(to)
	t.check(os.Rename(t.path(from), t.path(to)))
}
