package diag

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// Every style a scalar can have, each with the word "bad" somewhere: the
// position reported for it is where it stands in the file.
func TestErrorAtIsExactInEveryStyle(t *testing.T) {
	for name, text := range map[string]string{
		"plain":                      "k: one == bad",
		"plain over several lines":   "k: one and\n  two and\n\n  x == bad",
		"plain in a list":            "k:\n  - one\n  - two bad",
		"single quoted":              "k: 'it''s bad'",
		"single quoted, folded":      "k: 'it''s\n    so   \n\n    ''bad'' '",
		"double quoted":              `k: "a \"b\" \u00e9\x41\U0001F600\t bad"`,
		"double quoted, folded":      "k: \"one \\\n    \\ two\n\n   bad\"",
		"literal":                    "k: |\n  one\n\n    two == bad\n",
		"literal, digit":             "k: |2\n    one\n   bad\n",
		"literal, digit and chomp":   "k: |-2\n    one\n   bad\n",
		"literal, comment":           "k: | # comment\n   one\n   bad\n",
		"literal in a list":          "k:\n- |\n one\n bad",
		"folded":                     "k: >-\n  one\n  two\n  bad\n",
		"folded, blank lines":        "k: >\n\n  one\n\n\n  two\n    more\n  bad\n",
		"folded, keep":               "k: >+\n  one\n\n   two\n\n  bad\n\n",
		"flow mapping":               `k: {a: x, b: [y, "z" , u bad]}`,
		"CJK":                        "k: 密钥 == \"值\" and bad",
		"CJK, literal":               "k: |\n  密钥 and\n  名 bad",
		"tag":                        "k: !!str one bad",
		"tag and quotes":             "k: !!str 'one ''bad'",
		"anchor":                     "k: &a one bad",
		"anchor and tag":             "k: &a !!str \"one\\tbad\"",
		"tag and anchor":             "k: !!str &a |\n  one\n  bad",
		"anchor in a flow":           "k: [&a-1 x, &b_2 bad]",
		"properties on another line": "k: &a # comment\n\n  !!str\n  |\n    bad",
		"after comments":             "# 密钥\n\n# two\nk: # three\n  one bad",
		"byte order mark":            "\uFEFFk: one bad",
		"quoted, blank first line":   "k: '\n  one\n\n  bad'",
		"key":                        "a bad key: 1",
		"quoted key":                 `"a\tbad key": 1`,
	} {
		for nl, sep := range map[string]string{"": "\n", ", CRLF": "\r\n"} {
			t.Run(name+nl, func(t *testing.T) {
				checkBad(t, strings.ReplaceAll(text, "\n", sep))
			})
		}
	}
}

func checkBad(t *testing.T, text string) {
	t.Helper()
	f, list := Parse("a.yaml", []byte(text))
	if list != nil {
		t.Fatal(list)
	}
	found := false
	eachScalar(f.Root(), func(n Node) {
		i := strings.Index(n.Value(), "bad")
		if i < 0 {
			return
		}
		found = true
		line, col := positionOf(text, "bad")
		if d := n.ErrorAt(utf8.RuneCountInString(n.Value()[:i]), "E012", "here"); d.Line != line || d.Col != col {
			t.Errorf("want %d:%d, got\n%v", line, col, d)
		}
	})
	if !found {
		t.Errorf("no scalar holds the word")
	}
}

func eachScalar(n Node, visit func(Node)) {
	for k, v := range n.Pairs() {
		visit(k)
		eachScalar(v, visit)
	}
	for i := range n.Items() {
		eachScalar(i, visit)
	}
	if n.Kind() == Scalar {
		visit(n)
	}
}

func positionOf(text, word string) (line, col int) {
	text = strings.TrimPrefix(text, "\uFEFF")
	before := strings.ReplaceAll(text[:strings.Index(text, word)], "\r\n", "\n")
	return strings.Count(before, "\n") + 1, utf8.RuneCountInString(before[strings.LastIndex(before, "\n")+1:]) + 1
}

// An alias is where the user wrote the wrong thing; the value it names is only
// mentioned.
func TestAnAliasIsReportedWhereItStands(t *testing.T) {
	f, list := Parse("a.yaml", []byte("base: &c one\nk: {deep: *c}\nm: &m\n  x: [1, 2]\nn: *m\n"))
	if list != nil {
		t.Fatal(list)
	}
	for _, tt := range []struct{ got, want string }{
		{f.Root().Key("k").Key("deep").ErrorAt(2, "E012", "wrong").String(), "a.yaml:2:11: wrong (defined at line 1)\n    k: {deep: *c}\n              ^"},
		{f.Root().Key("n").Key("x").Index(1).Errorf("E012", "wrong").String(), "a.yaml:5:4: wrong (defined at line 4)\n    n: *m\n       ^"},
		{f.Root().Key("n").Errorf("E012", "wrong").String(), "a.yaml:5:4: wrong (defined at line 3)\n    n: *m\n       ^"},
		{f.Root().Key("base").ErrorAt(99, "E012", "wrong").String(), "a.yaml:1:13: wrong\n    base: &c one\n                ^"},
	} {
		if tt.got != tt.want {
			t.Errorf("got\n%s\nwant\n%s", tt.got, tt.want)
		}
	}
}

// Whatever text is written in whatever style: each of its visible runes is
// reported where it stands.
func TestErrorAtProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := drawDocument(t)
		if rapid.Bool().Draw(t, "CRLF") {
			text = strings.ReplaceAll(text, "\n", "\r\n")
		}
		f, list := Parse("a.yaml", []byte(text))
		if list != nil {
			t.Skip("not YAML: " + list.String())
		}
		lines := splitLines(text)
		eachScalar(f.Root(), func(n Node) {
			var last Diagnostic
			for i, r := range []rune(n.Value()) {
				if r == ' ' || r == '\n' || r == '\t' {
					continue
				}
				d := n.ErrorAt(i, "E012", "here")
				line := []rune(lines[d.Line-1])
				if d.Line < last.Line || d.Line == last.Line && d.Col <= last.Col {
					t.Fatalf("rune %d of %q is said to be at %d:%d, not after the one before it, of\n%s", i, n.Value(), d.Line, d.Col, text)
				}
				last = d
				if d.Col > len(line) || line[d.Col-1] != r && line[d.Col-1] != '\\' {
					t.Fatalf("rune %d (%q) of %q is said to be at %d:%d of\n%s", i, r, n.Value(), d.Line, d.Col, text)
				}
			}
		})
	})
}

// drawDocument is a mapping whose values are written in any of the styles.
func drawDocument(t *rapid.T) string {
	var b strings.Builder
	words := rapid.SliceOfN(rapid.StringMatching(`[a-z=."'\\é密\x{1F600}]{1,4}`), 1, 6)
	gap := rapid.SampledFrom([]string{" ", "  ", "\n", "\n\n", " \n", "\n\n\n"})
	for i := range rapid.IntRange(1, 4).Draw(t, "keys") {
		indent := strings.Repeat(" ", rapid.IntRange(1, 4).Draw(t, "indent"))
		value := ""
		for j, w := range words.Draw(t, "words") {
			if j > 0 {
				value += gap.Draw(t, "gap")
			}
			value += w
		}
		props := rapid.SampledFrom([]string{"", "!!str ", fmt.Sprintf("&a%d ", i), fmt.Sprintf("&a%d !!str ", i)}).Draw(t, "properties")
		if rapid.Bool().Draw(t, "comment") {
			b.WriteString("# 密 comment\n")
		}
		fmt.Fprintf(&b, "k%d: %s%s\n", i, props, styled(t, value, indent))
	}
	return b.String()
}

func styled(t *rapid.T, value, indent string) string {
	folded := strings.ReplaceAll(value, "\n", "\n"+indent)
	switch rapid.SampledFrom([]string{"plain", "single", "double", "|", ">", "flow"}).Draw(t, "style") {
	case "single":
		return "'" + strings.ReplaceAll(folded, "'", "''") + "'"
	case "double":
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(folded) + `"`
	case "|":
		return rapid.SampledFrom([]string{"|", "|-", "|+", "| # c"}).Draw(t, "header") + "\n" + indent + folded
	case ">":
		return rapid.SampledFrom([]string{">", ">-", ">+", fmt.Sprintf(">%d", len(indent))}).Draw(t, "header") + "\n" + indent + folded
	case "flow":
		return `[x, {y: "` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(folded) + `"}]`
	}
	return folded
}
