package diag

import (
	"fmt"
	"strings"
	"testing"
)

// The YAML library names no column and often no line; we name both, and what to
// do.
func TestSyntaxErrorsSayWhereAndWhatToDo(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"rules:\n\t- id: x\n", "2:1: a tab cannot indent YAML: use spaces"},
		{"a: 1\nb:\n  c: 1\n\td: 2\n", "4:1: a tab cannot indent YAML: use spaces"},
		{"a: |\n\tb\n", "2:1: a tab cannot indent YAML: use spaces"},
		{"a: \"abc\nb: 1\n", "1:4: this \" is never closed: end the text with another, or quote the text if the \" belongs to it"},
		{"a: 'abc\nb: it's\n", "2:7: text after the closing quote: put the whole value in the other kind of quotes, or on its own line below `|`"},
		{"tags: [a, b\ntitle: x\n", "1:7: this [ is never closed: a ] is missing"},
		{"m: {a: 1\nb: 2", "1:4: this { is never closed: a } is missing"},
		{"a: [1, 2\n", "1:4: this [ is never closed: a ] is missing"},
		{"m: {a: 1 b: 2}\n", "1:11: a comma or } is missing before this: text with quotes, commas or brackets inside needs quotes around the whole"},
		{"tags: [a,\n  \"c\" d]\n", "2:7: a comma or ] is missing before this: text with quotes, commas or brackets inside needs quotes around the whole"},
		{"a: {b: [1, 2}\n", "1:13: a comma or ] is missing before this: text with quotes, commas or brackets inside needs quotes around the whole"},
		{"a: 1\nid:foo\ntitle: bar\n", "2:3: a space is missing after this colon"},
		{"id:foo\ntitle: bar\n", "1:3: a space is missing after this colon"},
		{"a: b: c\n", "1:5: a second colon on this line: text that contains \": \" needs quotes around it, or its own line below `|`"},
		{"condition: x == \"a\" ? b : c\n", "1:25: a second colon on this line: text that contains \": \" needs quotes around it, or its own line below `|`"},
		{"condition: \"kms\" == service\n", "1:18: text after the closing quote: put the whole value in the other kind of quotes, or on its own line below `|`"},
		{"condition: [a] in b\n", "1:16: text after the closing bracket: put the whole value in quotes, or on its own line below `|`"},
		{"a: @foo\n", "1:4: a value cannot begin with @: put it in quotes"},
		{"a: `x`\n", "1:4: a value cannot begin with `: put it in quotes"},
		{"a: %x\n", "1:4: a value cannot begin with %: put it in quotes"},
		{"%x\na: 1\n", "1:1: a line cannot begin with %: put the value in quotes"},
		{"a: *nope\n", "1:4: unknown alias *nope: no &anchor of this name stands before it; a value that begins with * needs quotes"},
		{"a: * b\n", "1:4: a value that begins with * needs quotes"},
		{"x: &a 1\nb: *a == 2\n", "2:7: text after an alias: a value that begins with * needs quotes"},
		{"a: &\n", "1:4: a value that begins with & needs quotes"},
		{"a: 1\n  b: 2\n", "2:3: this key is indented deeper than the one before it, which has a value already: align the two"},
		{"a:\n    b: 1\n  c: 2\n", "3:3: this does not line up with the keys that begin on line 1, column 1"},
		{"rules:\n  - id: x\n   title: y\n", "3:4: this does not line up with the list that begins on line 2, column 3: elements begin with `- `"},
		{"rules\n  - id: x\n", "1:1: a colon is missing on this line: write `key: value`"},
		{"a: 1\nkey value\nother: 1\n", "2:1: a colon is missing after this key: write `key: value`"},
		{"a: >-\nfoo\nb: 1\n", "2:1: the text of a block must be indented deeper than its key"},
		{"a: \"\\d+\"\n", "1:5: \\d is no escape in double quotes: write \\\\ for a backslash, or use single quotes"},
		{"a: \"\\u12\"\n", "1:7: this escape needs hexadecimal digits of a character: \\x41, \\u00e9, \\U0001F600; write \\\\ for a backslash"},
		{"a: - b\n", "1:4: a list cannot begin on the line of its key: put `-` on the next line"},
		{"a: 1\n- b\n", "2:1: a list element cannot stand between keys: align it with the other elements, or remove the `-`"},
		{"a: !<foo\n", "1:4: this is a YAML tag: put a value that begins with ! in quotes, or on its own line below `|`"},
		{"a: !e!x y\n", "1:4: this is a YAML tag: put a value that begins with ! in quotes, or on its own line below `|`"},
		{"a: | text\n  b\n", "1:4: text cannot follow a block indicator on its line: put it on the next line, or in quotes"},
		{"a: |0\n b\n", "1:4: the indentation of a block is 1 to 9"},
		{"a: ]\n", "1:4: a value is missing here"},
		{"a: \x01\n", "1:4: the control character U+0001 is not allowed: remove it, or write it as an escape in double quotes"},
		{"a: \xff\n", "1:4: not UTF-8 text: save the file as UTF-8"},
		{"密: \"钥\" x\n", "1:8: text after the closing quote: put the whole value in the other kind of quotes, or on its own line below `|`"},
		{"a: ? b\n", "1:4: a value cannot begin with \"? \": put it in quotes"},
		{"---\na: 1\n...\nb: 2\n", "4:1: the document has ended before this: check the indentation and the brackets above"},
	} {
		_, list := Parse("f", []byte(tt.text))
		if len(list) != 1 || list[0].Code != "E001" {
			t.Errorf("%q: %v", tt.text, list)
			continue
		}
		if got := fmt.Sprintf("%d:%d: %s", list[0].Line, list[0].Col, list[0].Message); got != tt.want {
			t.Errorf("%q:\n got %s\nwant %s", tt.text, got, tt.want)
		}
	}
}

func TestWhatTheLibraryLetsPassIsFound(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"a: 1\nb: {c: 1, c: 2}\na: 3\n", "f:2:11: key \"c\" is given twice: first at line 2, column 5\n    b: {c: 1, c: 2}\n              ^\n" +
			"f:3:1: key \"a\" is given twice: first at line 1, column 1\n    a: 3\n    ^"},
		{"a: &a {x: 1}\nb:\n  <<: *a\n", "f:3:3: merge keys (<<) are not supported: repeat the keys, or use an alias (*name) for a whole value\n      <<: *a\n      ^"},
		{"a: &a [*a]\n", "f:1:8: alias *a stands inside what it names\n    a: &a [*a]\n           ^"},
		{"a: 1\n---\nb: 1\n", "f:3:1: a second document begins here: a file holds one, so remove the `---` or split the file\n    b: 1\n    ^"},
		{"a: !(x == 1)\n", "f:1:4: \"!(x\" is a YAML tag here: put a value that begins with ! in quotes, or on its own line below `|`\n    a: !(x == 1)\n       ^"},
		{"a: ! x\n", "f:1:4: \"!\" is a YAML tag here: put a value that begins with ! in quotes, or on its own line below `|`\n    a: ! x\n       ^"},
		{"? [a]\n: 1\n~: 2\n? \n: 3\n", "f:1:3: a key must be text, not a list\n    ? [a]\n      ^\nf:4:2: a key is missing before the colon\n    ?\n     ^"},
		{`{"<<": 1, "a": '!x'}`, ""},
		{"", ""},
		{"# nothing\n---\n", ""},
	} {
		if _, list := Parse("f", []byte(tt.text)); list.String() != tt.want {
			t.Errorf("%q:\n got %s\nwant %s", tt.text, list, tt.want)
		}
	}
}

func TestAliasBombsAreRefused(t *testing.T) {
	var b strings.Builder
	b.WriteString("a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n")
	for i := range 40 {
		fmt.Fprintf(&b, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i+1, i+1, i, i, i, i, i, i, i, i, i)
	}
	f, list := Parse("f", []byte(b.String()))
	if len(list) != 1 || list[0].Code != "E004" || f.Root().Kind() != Absent {
		t.Errorf("%v", list)
	}
	f, list = Parse("f", []byte("one: &one [a, b]\nmany: ["+strings.Repeat("*one, ", 1000)+"]\n"))
	if list != nil || f.Root().Key("many").Len() != 1000 {
		t.Errorf("a thousand aliases of a small list: %v", list)
	}
}

// A quarter of a megabyte of mistakes on one line is answered like any other, and soon.
func TestALongLineOfMistakesIsAnswered(t *testing.T) {
	for _, text := range []string{
		"{" + strings.Repeat("a: 1, ", 40_000) + "}",
		"a: [" + strings.Repeat("{b: c}, ", 30_000) + "]",
		"a: [" + strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000) + "]",
		"a: {" + strings.Repeat("&x x: !y , ", 20_000) + "}",
	} {
		f, list := Parse("f", []byte(text))
		var into struct {
			A []Ordered[int] `yaml:"a"`
		}
		list = append(list, Decode(f.Root(), &into)...)
		list.Sort()
		if len(list) == 0 || len(list) > 2*maxDiagnostics || len(list.String()) > 1<<20 {
			t.Errorf("%.20s…: %d diagnostics", text, len(list))
		}
	}
}
