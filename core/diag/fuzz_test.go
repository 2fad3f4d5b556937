package diag

import (
	"testing"
)

// Whatever a stranger writes: nothing panics, and every position lies in the
// file.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"rules:\n  - id: &a x\n    title: *a\n    condition: |-\n      a ==\n       \"b\"\n", "a: 'it''s\n\n  so'\nb: \"\\u00e9 \\\n  x\"", "a: >2\n   x\n\n  y\n", "? [a]\n: {b: c}\n",
		"\uFEFFa: [1, {b: !!str c}]", "a: !x y", "<<: {a: 1}", "a: \u2028b\r\n c", "\t", "a: \"\\", "- - - !!binary x", "密: 钥", "a: &a\n  !!str\n  # c\n  'x'",
	} {
		f.Add(seed, "a.b[0]", "1")
	}
	f.Fuzz(func(t *testing.T, text, path, value string) {
		if len(text) > 4096 {
			t.Skip()
		}
		file, list := Parse("f", []byte(text))
		n := len(file.lines)
		check := func(d Diagnostic) {
			if d.Line < 0 || d.Line > n || d.Col < 0 || d.Col > len([]rune(file.raw(d.Line-1)))+1 {
				t.Errorf("%q: %d:%d is no place in it: %s", text, d.Line, d.Col, d.Message)
			}
			_ = d.String()
		}
		for _, d := range list {
			check(d)
		}
		var into struct {
			A Ordered[String] `yaml:"a"`
			B []Duration      `yaml:"b"`
			C map[string]int8 `yaml:"c" required:"true"`
			D any             `yaml:"d"`
			R []struct {
				ID string `yaml:"id" enum:"x"`
				U  uint8  `yaml:"u"`
				T  bool   `yaml:"title"`
			} `yaml:"rules"`
		}
		for _, d := range Decode(file.Root(), &into) {
			check(d)
		}
		visits := 0
		eachScalar(file.Root(), func(n Node) {
			if visits++; visits > 50 || len(n.Value()) > 200 {
				return // aliases may hold it many times
			}
			for i := range len(n.Value()) + 1 {
				check(n.ErrorAt(i, "E012", "here"))
			}
			n.Hide()
			check(n.Errorf("E012", "here"))
		})
		_, _ = file.Root().JSON()
		_ = file.Set("--set", path, value)
		for _, d := range Decode(file.Root(), &into) {
			_ = d.String()
		}
	})
}
