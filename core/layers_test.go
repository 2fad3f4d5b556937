package core_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/trailship/trailship/"

// allowed says, for each part of the program, which of our own packages it may
// import. A part is named by its folder; the longest name that fits counts.
// The rows are those of docs/architecture.md, bottom first.
var allowed = map[string][]string{
	"core/event":             {"core/event/rawjson"},
	"core/event/rawjson":     {},
	"core/diag":              {},
	"core/source":            {},
	"core/store":             {"core/source"},
	"core/inflate":           {},
	"plugins/sdk/outputpb":   {},
	"plugins/sdk/selfsigned": {},
	"plugins/sdk":            {"plugins/sdk/outputpb", "plugins/sdk/selfsigned"},
	"plugins/sdk/sdktest":    {"plugins/sdk", "plugins/sdk/outputpb", "plugins/sdk/selfsigned"},

	"core/decode":            {"core/event", "core/event/rawjson", "core/inflate"},
	"core/rule":              {"core/event", "core/event/rawjson", "core/diag"},
	"core/config":            {"core/diag"},
	"core/source/dir":        {"core/source"},
	"core/source/s3":         {"core/source"},
	"core/source/sourcetest": {"core/source"},
	"core/source/s3/s3test":  {},
	"core/store/bolt":        {"core/source", "core/store"},
	"core/store/storetest":   {"core/source", "core/store"},
	"core/event/ocsftest":    {},
	"plugins":                {"plugins/sdk", "plugins/kafka", "plugins/s3", "plugins/opensearch", "plugins/slack", "plugins/stdout", "plugins/syslog", "plugins/file", "plugins/webhook"},
	"rules":                  {},
	"examples":               {"plugins/sdk"},
	"examples/trails":        {},
	"cmd/trailgen":           {"examples/trails"},
	"cmd/trailbench":         {"core/decode", "core/event", "core/rule"},
	"core/ingest":            {"core/decode", "core/rule", "core/event", "core/source", "core/store"},
	"core/replay":            {"core/decode", "core/rule", "core/event", "core/source"},
	"core/deliver":           {"core/event", "core/store", "plugins/sdk", "plugins/sdk/outputpb", "plugins/sdk/selfsigned"},
}

// only names outside modules that exactly one of our packages may import.
var only = map[string]string{
	"gopkg.in/yaml.v3": "core/diag",
	"go.etcd.io/bbolt": "core/store/bolt",
}

func TestImportsGoOneWay(t *testing.T) {
	seen := map[string]bool{}
	for file, imports := range importsOf(t, "..") {
		dir := filepath.ToSlash(filepath.Dir(file))
		if dir == "cmd/trailship" {
			continue // the wiring may see everything
		}
		part := partOf(dir)
		if part == "" {
			t.Errorf("%s: folder %s has no row in the import order; give it one", file, dir)
			continue
		}
		seen[part] = true
		for _, path := range imports {
			own, ok := strings.CutPrefix(path, module)
			if ok && own != dir && !slices.Contains(allowed[part], own) {
				t.Errorf("%s: %s may not import %s", file, part, own)
			}
			if owner, ok := only[path]; ok && owner != dir {
				t.Errorf("%s: only %s may import %s", file, owner, path)
			}
		}
	}
	for part := range allowed {
		if !seen[part] {
			t.Errorf("the import order has a row for %s, which has no Go code", part)
		}
	}
}

// partOf returns the row of a folder.
func partOf(dir string) string {
	for d := dir; d != "."; d = filepath.ToSlash(filepath.Dir(d)) {
		if _, ok := allowed[d]; ok {
			return d
		}
	}
	return ""
}

// importsOf reads the imports of every Go file of the program, tests left out.
func importsOf(t *testing.T, root string) map[string][]string {
	t.Helper()
	files := map[string][]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && len(d.Name()) > 2):
			return fs.SkipDir
		case d.IsDir() && path != root && exists(filepath.Join(path, "go.mod")):
			return fs.SkipDir // a module of its own
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		for _, im := range f.Imports {
			p, _ := strconv.Unquote(im.Path.Value)
			files[rel] = append(files[rel], p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
