package diag

import (
	"encoding/json"
	"testing"
)

func TestSetReplacesAndCreates(t *testing.T) {
	const text = "base: &b {x: 1, y: [1, 2]}\nsame: *b\ntext: hello\n"
	for _, tt := range []struct{ path, value, want string }{
		{"base.x", "2", `{"base":{"x":2,"y":[1,2]},"same":{"x":1,"y":[1,2]},"text":"hello"}`},
		{"same.y[1]", "two", `{"base":{"x":1,"y":[1,2]},"same":{"x":1,"y":[1,"two"]},"text":"hello"}`},
		{"base.y.2", "[3, {z: 4}]", `{"base":{"x":1,"y":[1,2,[3,{"z":4}]]},"same":{"x":1,"y":[1,2]},"text":"hello"}`},
		{"new[0].a.b", "@x", `{"base":{"x":1,"y":[1,2]},"new":[{"a":{"b":"@x"}}],"same":{"x":1,"y":[1,2]},"text":"hello"}`},
		{"text", "", `{"base":{"x":1,"y":[1,2]},"same":{"x":1,"y":[1,2]},"text":null}`},
		{"base.y[4]", "1", "--set base.y[4]: base.y[4] is beyond the list, which has 2 elements: the next is 2"},
		{"base.y.first", "1", "--set base.y.first: base.y is a list: write base.y[0] for its first element"},
		{"text.x", "1", "--set text.x: text is text and has nothing inside to set"},
		{"a..b", "1", `--set a..b: "a..b" is no path: write keys and places in lists, as in sources[0].path`},
		{"a[x]", "1", `--set a[x]: "a[x]" is no path: write keys and places in lists, as in sources[0].path`},
		{"", "1", "--set : the path is missing: write key=value"},
	} {
		f, _ := Parse("f", []byte(text))
		got := f.Set("--set "+tt.path, tt.path, tt.value).String()
		if got == "" {
			got = jsonOf(t, f.Root())
		}
		if got != tt.want {
			t.Errorf("%s=%s:\n got %s\nwant %s", tt.path, tt.value, got, tt.want)
		}
	}
}

func jsonOf(t *testing.T, n Node) string {
	t.Helper()
	x, err := n.Data()
	if err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// What was set is blamed on the flag, also inside a value of several keys, and
// what was not on the file.
func TestMistakesInWhatWasSetNameTheFlag(t *testing.T) {
	var into struct {
		Sources []struct {
			Name string         `yaml:"name" required:"true"`
			Poll Duration       `yaml:"poll"`
			More map[string]int `yaml:"more"`
		} `yaml:"sources"`
	}
	f, _ := Parse("f", []byte("sources:\n  - name: a\n"))
	var list List
	for _, kv := range [][2]string{{"sources[0].poll", "soon"}, {"sources[1]", "{nmae: b, more: {x: y}}"}, {"sources[1].poll", "never"}, {"source", "x"}} {
		list = append(list, f.Set("--set "+kv[0], kv[0], kv[1])...)
	}
	list = append(list, Decode(f.Root(), &into)...)
	list.Sort()
	want := `--set source: unknown key "source" (did you mean "sources"?)
--set sources[0].poll: poll must be a duration such as 90s, 10m, 1h, 7d or 2w, got text "soon"
--set sources[1]: unknown key "nmae" (did you mean "name"?)
--set sources[1]: x must be a number, got text "y"
--set sources[1].poll: poll must be a duration such as 90s, 10m, 1h, 7d or 2w, got text "never"`
	if list.String() != want {
		t.Errorf("got\n%s\nwant\n%s", list, want)
	}
}
