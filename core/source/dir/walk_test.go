package dir

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/source/sourcetest"
)

// names lists the tree and returns the names of the objects.
func (t *tree) names() []string {
	t.Helper()
	var names []string
	for _, o := range t.scan() {
		names = append(names, strings.TrimPrefix(o.Name, t.Path+"/"))
	}
	return names
}

func TestWhichFilesAreRead(t *testing.T) {
	all := []string{
		"a.json", "b/c.json.gz", "b/d.gz", "b/e.ndjson", "b/e.ndjson.1", "b/e.ndjson-2026-01-02.old", "b/x.txt", "c.log", "c.log.1",
		"z.JSON", ".hidden.json", ".git/config.json", "z/y.ndjson.swp",
	}
	for _, test := range []struct {
		name             string
		include, exclude []string
		want             []string
	}{
		{"the defaults", nil, nil,
			[]string{"a.json", "b/c.json.gz", "b/d.gz", "b/e.ndjson", "b/e.ndjson-2026-01-02.old", "b/e.ndjson.1"}},
		{"an excluded directory", nil, []string{"b"}, []string{"a.json"}},
		{"all below it", nil, []string{"b/**"}, []string{"a.json"}},
		{"excluded rotations", nil, []string{"**/*.{1,old}", "**/*.gz"}, []string{"a.json", "b/e.ndjson"}},
		{"logs", []string{"*.log"}, nil, []string{"c.log", "c.log.1"}},
		{"hidden on purpose", []string{".*/**", "**/.*.json"}, nil, []string{".git/config.json", ".hidden.json"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			tree := newTree(t)
			tree.Include, tree.Exclude = test.include, test.exclude
			for _, name := range all {
				tree.write(name, "{}\n")
			}
			tree.want("names", tree.names(), test.want...)
		})
	}
}

func TestAGlobThatSaysHowNamesEndIsAGlobLikeOthers(t *testing.T) {
	for _, glob := range append([]string{"**/*", "**/*z", "**/*-[ab].gz", "**/*.{gz,json}", "**/*/x.gz", `**/*\.gz`, "*.gz", "**/x.gz"}, DefaultInclude...) {
		for _, path := range []string{"x.gz", "a/x.gz", "a/b/x.gz", ".gz", "a/.gz", "a.gz/x", "x-a.gz", "x.json", "x.json.gz", "a/x.JSON", "gz", "x.gz.part"} {
			if got, want := matches(glob, path), doublestar.MatchUnvalidated(glob, path); got != want {
				t.Errorf("%s, %s: %v, want %v", glob, path, got, want)
			}
		}
	}
}

func TestMalformedGlob(t *testing.T) {
	tree := newTree(t)
	tree.Exclude = []string{"a[b"}
	err := tree.Scan(context.Background(), &tree.ledger, nil)
	if want := `listing source test: glob "a[b" is malformed`; err == nil || err.Error() != want {
		t.Fatalf("got %v, want %s", err, want)
	}
}

func TestSymlinks(t *testing.T) {
	outside := t.TempDir()
	for _, test := range []struct {
		name  string
		links [][2]string // name, target
		want  []string
	}{
		{"to a file outside", [][2]string{{"l.json", outside + "/secret.json"}}, nil},
		{"to a directory outside", [][2]string{{"l", outside}}, nil},
		{"to the directory above", [][2]string{{"l", ".."}, {"d/m", "../.."}}, nil},
		{"through another link outside", [][2]string{{"l.json", "m/secret.json"}, {"m", outside}}, nil},
		{"that dangles", [][2]string{{"l.json", "nothing.json"}}, nil},
		{"to a file that is read anyway", [][2]string{{"l.json", "d/a.json"}}, nil},
		{"to a directory that is read anyway", [][2]string{{"l", "d"}}, nil},
		{"to a file of another name", [][2]string{{"l.json", "d/data"}, {"m.json", "d/data"}}, []string{"l.json"}},
		{"absolute, inside", [][2]string{{"l.json", "ROOT/d/data"}}, []string{"l.json"}},
		{"into a hidden directory", [][2]string{{"..data", ".v1"}, {"l.json", "..data/b.json"}}, []string{"l.json"}},
		{"to a hidden directory", [][2]string{{"l", ".v1"}}, []string{"l/b.json"}},
		{"in a circle", [][2]string{{"l", "m"}, {"m", "l"}, {"d/up", "."}, {"d/top", ".."}}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			tree := newTree(t)
			tree.check(os.WriteFile(outside+"/secret.json", []byte("secret"), 0o644))
			tree.write("d/a.json", "{}")
			tree.write("d/data", "{}")
			tree.write(".v1/b.json", "{}")
			for _, l := range test.links {
				tree.check(os.Symlink(strings.Replace(l[1], "ROOT", tree.Path, 1), tree.path(l[0])))
			}
			tree.want("names", tree.names(), append([]string{"d/a.json"}, test.want...)...)
		})
	}
}

func TestSymlinksThatLeadOutsideAreLoggedOnce(t *testing.T) {
	tree := newTree(t)
	var log bytes.Buffer
	tree.Source.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	tree.check(os.Symlink("/etc/passwd", tree.path("a.json")))
	tree.check(os.Symlink("/etc", tree.path("b")))
	for range 3 {
		tree.scan()
	}
	want := fmt.Sprintf("level=WARN msg=\"symlinks that lead outside of the directory are not followed\" source=test links=2 one=%s\n", tree.path("b"))
	if diff := cmp.Diff(want, log.String()); diff != "" {
		t.Fatalf("log (-want +got):\n%s", diff)
	}
}

func TestFileBecomesASymlinkBeforeItIsOpened(t *testing.T) {
	tree := newTree(t)
	tree.write("a.json", "{}")
	listed := tree.scan()[0]
	tree.remove("a.json")
	tree.check(os.Symlink("/etc/passwd", tree.path("a.json")))
	if content, err := sourcetest.Read(listed); err == nil {
		t.Fatalf("read %q from outside", content)
	}
}

func TestSpecialFilesAreSkipped(t *testing.T) {
	tree := newTree(t)
	tree.write("b.json", "{}")
	listed := tree.scan()[0]
	tree.check(syscall.Mkfifo(tree.path("a.json"), 0o644))
	tree.want("names", tree.names(), "b.json")

	tree.remove("b.json")
	tree.check(syscall.Mkfifo(tree.path("b.json"), 0o644))
	want := "opening " + tree.path("b.json") + ": it is no regular file any more"
	if _, err := sourcetest.Read(listed); err == nil || err.Error() != want {
		t.Fatalf("got %v, want %s", err, want)
	}
}

// outcomes lists the tree and returns each object's content or error.
func (t *tree) outcomes() []string {
	t.Helper()
	var got []string
	for _, o := range t.scan() {
		content, err := sourcetest.Read(o)
		if err != nil {
			content = err.Error()
		}
		got = append(got, content)
	}
	return got
}

func TestRootIsMissing(t *testing.T) {
	tree := newTree(t)
	tree.Path = tree.path("gone")
	err := tree.Scan(context.Background(), &tree.ledger, nil)
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "listing source test: ") || !strings.Contains(err.Error(), tree.Path) {
		t.Fatalf("got %v, want fs.ErrNotExist with the source's name and %s", err, tree.Path)
	}
	tree.mkdirs("a.json")
	tree.write("a.json", "{}")
	tree.want("names", tree.names(), "a.json")
}

func TestOrderIsByName(t *testing.T) {
	tree := newTree(t)
	for _, name := range []string{"2026/02/b.json", "2026/01/z.json", "2025/12/c.json", "2026/02/a.json", "2026-x.json"} {
		tree.write(name, "{}")
	}
	tree.want("names", tree.names(), "2025/12/c.json", "2026/01/z.json", "2026/02/a.json", "2026/02/b.json", "2026-x.json")
}

func TestCompleteFileMayStillGrow(t *testing.T) {
	tree := newTree(t)
	growing := func() []bool {
		var got []bool
		for _, o := range tree.scan() {
			got = append(got, o.Growing)
		}
		return got
	}
	expect := func(when string, want ...bool) {
		t.Helper()
		if diff := cmp.Diff(want, growing()); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", when, diff)
		}
	}
	tree.write("a.json.gz", "half")
	expect("just written", true)
	tree.clock = tree.clock.Add(11 * time.Minute)
	expect("at rest", false)

	// It was read as far as it went, and changed after all.
	o := tree.scan()[0]
	tree.ledger.Put(o.Key, source.Entry{Version: o.Done.Version, Records: 3})
	tree.append("a.json.gz", "more")
	expect("changed", true)
	o = tree.scan()[0]
	tree.ledger.Put(o.Key, source.Entry{Version: o.Done.Version, Records: 3})
	expect("at rest again", false)
	tree.ledger.Put(o.Key, o.Done)
	expect("read")
}

func TestManyFilesInOneDirectory(t *testing.T) {
	tree := newTree(t)
	const files = 3000
	for n := range files {
		tree.write(fmt.Sprintf("%04d.json", n), "{}")
	}
	if got := len(tree.read()); got != files {
		t.Fatalf("got %d objects, want %d", got, files)
	}
	tree.want("then", tree.names())
}
