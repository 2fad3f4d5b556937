package rule

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/trailship/trailship/core/diag"
)

// TestCodes holds the examples of every page of a rule code against Load.
func TestCodes(t *testing.T) {
	for _, c := range diag.Codes() {
		if c.ID[1:] < "200" || c.ID[1:] >= "400" || c.ID == "E220" || c.ID == "E240" { // these are not about a file's text
			continue
		}
		if list := answer(c.Wrong); !has(list, c.ID) {
			t.Errorf("%s: the wrong example is answered with\n%s", c.ID, list)
		}
		if list := answer(c.Right); len(list) > 0 {
			t.Errorf("%s: the right example is answered with\n%s", c.ID, list)
		}
	}
}

// answer is what Load says to a rule file of an installation with one output.
func answer(text string) diag.List {
	_, list := Load(files("r.yaml", text, "lists/key-admins.txt", "alice"), Options{Outputs: []string{"pager"}})
	return list
}

func has(list diag.List, code string) bool {
	for _, d := range list {
		if d.Code == code {
			return true
		}
	}
	return false
}

// TestEveryCodeHasAPage finds the codes in the package's sources.
func TestEveryCodeHasAPage(t *testing.T) {
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sources {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, code := range regexp.MustCompile(`"[EW]\d{3}"`).FindAllString(string(text), -1) {
			if _, ok := diag.Lookup(strings.Trim(code, `"`)); !ok {
				t.Errorf("%s uses %s, which has no page", name, code)
			}
		}
	}
}
