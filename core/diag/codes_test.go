package diag

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var codePattern = regexp.MustCompile(`^[EW][0-9]{3}$`)

// Every code a diagnostic carries can be explained.
func TestEveryCodeInUseIsInTheTable(t *testing.T) {
	used := map[string]token.Position{}
	err := filepath.WalkDir(filepath.Join("..", ".."), func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() != ".." && strings.HasPrefix(d.Name(), "."):
			return filepath.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasPrefix(d.Name(), "codes"):
			return nil
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if s, err := strconv.Unquote(lit.Value); err == nil && codePattern.MatchString(s) {
					used[s] = set.Position(lit.Pos())
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for code, at := range used {
		if _, ok := Lookup(code); !ok {
			t.Errorf("%s: code %s has no row in the table of codes", at, code)
		}
	}
}

// A page that explains nothing, or a code that is there twice, is of no use.
func TestEveryCodeHasAPage(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Codes() {
		if !codePattern.MatchString(c.ID) || seen[c.ID] {
			t.Errorf("%q is no code of its own", c.ID)
		}
		seen[c.ID] = true
		if c.Title == "" || c.Why == "" || c.Wrong == "" || c.Right == "" {
			t.Errorf("%s: title, why, wrong and right must all be there", c.ID)
		}
	}
	if _, ok := Lookup("e010"); !ok {
		t.Error("a code in lower case is not found")
	}
}

// The examples do what their pages say.
func TestTheExamplesOfTheYAMLCodes(t *testing.T) {
	type document struct {
		Title     string   `yaml:"title" required:"true"`
		Tags      []string `yaml:"tags"`
		Severity  string   `yaml:"severity" enum:"low,high"`
		Within    Duration `yaml:"within"`
		MaxObject Size     `yaml:"max_object"`
		Threshold int      `yaml:"threshold"`
	}
	codes := func(text string, decode bool) string {
		f, list := Parse("f", []byte(text))
		if decode {
			into := document{}
			list = append(list, Decode(f.Root(), &into)...)
		}
		var ids []string
		for _, d := range list {
			ids = append(ids, d.Code)
		}
		return strings.Join(ids, " ")
	}
	for _, c := range yamlCodes {
		if c.ID == "E016" {
			continue // a command line
		}
		decode := c.ID >= "E010"
		title := ""
		if decode && c.ID != "E011" {
			title = "title: x\n"
		}
		if got := codes(title+c.Wrong, decode); got != c.ID {
			t.Errorf("%s: the wrong example is answered with %q", c.ID, got)
		}
		if got := codes(title+c.Right, decode); got != "" {
			t.Errorf("%s: the right example is answered with %q", c.ID, got)
		}
	}
}
