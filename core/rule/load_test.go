package rule

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

const one = "rules: [{id: NAME, title: T, severity: low, condition: service == \"kms\"}]"

func ruleFile(id string) string { return strings.ReplaceAll(one, "NAME", id) }

func TestWhichFilesAreRead(t *testing.T) {
	bad := "not: [yaml"
	set := load(t,
		"a.yaml", ruleFile("a"), "b.yml", ruleFile("b"), "deep/er/c.yaml", ruleFile("c"), "D.YAML", ruleFile("d"),
		".hidden.yaml", bad, ".git/x.yaml", bad, "..data/x.yaml", bad, "testdata/x.yaml", bad, "deep/testdata/x.yaml", bad,
		"e.yaml~", bad, ".e.yaml.swp", bad, "#e.yaml#", bad, "readme.md", bad, "x.json", bad, "lists/x.txt", bad, "empty.yaml", "", "comment.yaml", "# nothing\n",
	)
	var got []string
	for _, r := range set.Rules {
		got = append(got, r.ID+" "+r.File)
	}
	want := []string{"a rules/a.yaml", "b rules/b.yml", "c rules/deep/er/c.yaml", "d rules/D.YAML"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("rules %q, want %q", got, want)
	}
	i := slices.IndexFunc(set.Files, func(f File) bool { return f.Name == "rules/a.yaml" })
	if i < 0 || set.Files[i].Sha256 != sha256.Sum256([]byte(ruleFile("a"))) {
		t.Errorf("files %v", set.Files)
	}
}

// TestConfigMap reads a folder the way Kubernetes lays it out: links to files
// in a hidden folder that is itself a link.
func TestConfigMap(t *testing.T) {
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(filepath.Join(dir, "..2026_08_01"), 0o755))
	must(os.WriteFile(filepath.Join(dir, "..2026_08_01", "a.yaml"), []byte("lists: {x: {file: x.txt}}\n"+ruleFile("a")), 0o644))
	must(os.WriteFile(filepath.Join(dir, "..2026_08_01", "x.txt"), []byte("alice\n"), 0o644))
	must(os.Symlink("..2026_08_01", filepath.Join(dir, "..data")))
	must(os.Symlink("..data/a.yaml", filepath.Join(dir, "a.yaml")))
	must(os.Symlink("..data/x.txt", filepath.Join(dir, "x.txt")))
	must(os.Symlink(".", filepath.Join(dir, "circle")))
	must(os.Mkdir(filepath.Join(dir, "other"), 0o755))
	must(os.Symlink("../other", filepath.Join(dir, "other", "circle")))

	root, err := os.OpenRoot(dir)
	must(err)
	defer root.Close()
	set, list := Load([]Root{{FS: root.FS(), Path: "/etc/rules"}}, Options{})
	if set == nil || len(set.Rules) != 1 || set.Rules[0].File != "/etc/rules/a.yaml" {
		t.Errorf("%v\n%s", set, list)
	}

	must(os.Symlink("gone.yaml", filepath.Join(dir, "dangling.yaml")))
	_, list = Load([]Root{{FS: root.FS(), Path: "/etc/rules"}}, Options{})
	if want := "/etc/rules/dangling.yaml: cannot read: no such file or directory"; list.String() != want {
		t.Errorf("%s, want %s", list, want)
	}
}

func TestRootThatIsNotThere(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(root.Name()); err != nil {
		t.Fatal(err)
	}
	set, list := Load([]Root{{FS: root.FS(), Path: "/etc/rules"}}, Options{})
	if set != nil || !strings.HasPrefix(list.String(), "/etc/rules: cannot read: ") {
		t.Errorf("%v, %s", set, list)
	}
}

func TestNothingIsASet(t *testing.T) {
	set, list := Load(nil, Options{})
	if set == nil || len(list) > 0 || len(set.NewMatcher().Match(decrypt())) != 0 {
		t.Errorf("%v, %s", set, list)
	}
}

func TestListFiles(t *testing.T) {
	set := load(t, "deep/r.yaml", `
lists:
  beside: {file: people.txt}
  above: {file: ../top.txt}
  rooted: {file: lists/nets.txt}
rules:
  - {id: a, title: T, severity: low, condition: 'principal.name in lists.beside'}
  - {id: b, title: T, severity: low, condition: 'principal.name in lists.above'}
  - {id: c, title: T, severity: low, condition: 'cidr(ip, lists.rooted)'}
`, "deep/people.txt", "\ufeff# people\n\nalice # the first\n  ci  \r\n", "top.txt", "bob", "lists/nets.txt", "198.51.100.0/24\n")
	if got, want := ids(set, decrypt()), []string{"a", "c"}; !reflect.DeepEqual(got, want) {
		t.Errorf("matched %v, want %v", got, want)
	}

	_, list := Load(files("r.yaml", `
lists: {nets: {file: nets.txt}}
rules: [{id: a, title: T, severity: low, condition: 'cidr(ip, lists.nets) or cidr(ip, lists.nets, "::1")'}]
`, "nets.txt", "10.0.0.0/8\n  # none\nexample.com # no\n"), Options{})
	want := `rules/nets.txt:3:1: "example.com" is not a network such as 10.0.0.0/8, nor an address, and lists.nets is used in cidr()
    example.com # no
    ^`
	if diff := cmp.Diff(want, list.String()); diff != "" {
		t.Errorf("diagnostics (-want +got):\n%s", diff)
	}
}

// TestOneSetOrNone: a mistake in one file keeps every rule out; a warning none.
func TestOneSetOrNone(t *testing.T) {
	set, list := Load(files("a.yaml", ruleFile("a"), "b.yaml", "rules: [{id: b, title: T, severity: low, condition: acton}]"), Options{})
	if set != nil || len(list) != 1 {
		t.Errorf("%v, %s", set, list)
	}
	set, list = Load(files("a.yaml", "rules: [{id: a, title: T, severity: low, mitre: [T1562.008], condition: service == \"kms\"}]"), Options{})
	if set == nil || len(list) != 1 || !list[0].Warning {
		t.Errorf("%v, %s", set, list)
	}
}

func TestRulesThroughTwoRoots(t *testing.T) {
	_, list := Load([]Root{
		{FS: fstest.MapFS{"a.yaml": {Data: []byte(ruleFile("a"))}}, Path: "one"},
		{FS: fstest.MapFS{"a.yaml": {Data: []byte(ruleFile("a"))}}, Path: "two"},
	}, Options{})
	want := `two/a.yaml:1:14: rule "a" is defined twice: first at one/a.yaml:1
    ` + ruleFile("a") + `
                 ^`
	if diff := cmp.Diff(want, list.String()); diff != "" {
		t.Errorf("diagnostics (-want +got):\n%s", diff)
	}
}

// FuzzLoad: no file makes Load panic or take for ever, and what loads matches
// without a panic.
func FuzzLoad(f *testing.F) {
	names, err := filepath.Glob("testdata/broken/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add(whole)
	f.Fuzz(func(t *testing.T, text string) {
		set, list := Load(files("r.yaml", text), Options{Outputs: []string{"pager"}})
		if (set == nil) != list.HasErrors() {
			t.Fatalf("a set: %v, and\n%s", set != nil, list)
		}
		_ = list.String()
		if set == nil {
			return
		}
		for _, m := range set.NewMatcher().Match(decrypt()) {
			m.Finding()
		}
		for _, r := range set.Rules {
			if _, err := set.Explain(r.ID, decrypt()); err != nil {
				t.Error(err)
			}
		}
	})
}
