package diag

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestADiagnosticShowsTheLineAndACaret(t *testing.T) {
	for _, tt := range []struct {
		name string
		d    Diagnostic
		want string
	}{
		{"a value", Diagnostic{File: "rules/kms.yaml", Line: 7, Col: 15, Message: "severity must be one of info, low, medium, high, critical", Text: "    severity: hgih"}, "" +
			"rules/kms.yaml:7:15: severity must be one of info, low, medium, high, critical\n" +
			"        severity: hgih\n" +
			"                  ^"},
		{"inside a block", Diagnostic{File: "rules/kms.yaml", Line: 11, Col: 11, Message: `unknown field "acton" (did you mean "action"?)`, Text: `      and acton == "Decrypt"`}, "" +
			"rules/kms.yaml:11:11: unknown field \"acton\" (did you mean \"action\"?)\n" +
			"          and acton == \"Decrypt\"\n" +
			"              ^"},
		{"tabs stay tabs", Diagnostic{File: "a.yaml", Line: 1, Col: 2, Message: "m", Text: "\tx"}, "a.yaml:1:2: m\n    \tx\n    \t^"},
		{"wide characters", Diagnostic{File: "a.yaml", Line: 1, Col: 3, Message: "m", Text: "密钥x"}, "a.yaml:1:3: m\n    密钥x\n        ^"},
		{"a warning", Diagnostic{File: "a.yaml", Line: 1, Col: 1, Message: "m", Text: "x", Warning: true}, "a.yaml:1:1: warning: m\n    x\n    ^"},
		{"no position", Diagnostic{File: "a.yaml", Message: "m"}, "a.yaml: m"},
		{"a long line", Diagnostic{File: "a.yaml", Line: 1, Col: 203, Message: "m", Text: strings.Repeat("密", 200) + "  x" + strings.Repeat("y", 200)}, "" +
			"a.yaml:1:203: m\n    …" + strings.Repeat("密", 77) + "  x" + strings.Repeat("y", 78) + "…\n    " + strings.Repeat(" ", 1+2*77+2) + "^"},
		{"terminal escapes", Diagnostic{File: "a.yaml", Line: 1, Col: 1, Message: "m\x1b[2J", Text: "\x1b[2Jx"}, "a.yaml:1:1: m\uFFFD[2J\n    \uFFFD[2Jx\n    ^"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.d.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecodeReportsEveryMistake(t *testing.T) {
	type threshold struct {
		Count  int      `yaml:"count" required:"true"`
		Within Duration `yaml:"within" required:"true"`
	}
	type rule struct {
		ID        string         `yaml:"id" required:"true"`
		Title     String         `yaml:"title" required:"true"`
		Severity  string         `yaml:"severity" enum:"info,low,medium,high,critical"`
		Tags      []string       `yaml:"tags"`
		Enabled   bool           `yaml:"enabled"`
		Threshold *threshold     `yaml:"threshold"`
		Let       Ordered[Node]  `yaml:"let"`
		Meta      map[string]any `yaml:"meta"`
	}
	type file struct {
		Rules []rule `yaml:"rules"`
	}
	const text = `rules:
  - id: one
    titel: mistyped
    severity: hgih
    tags: prod
    enabled: yes
    treshold: {}
    threshold: {count: "x", within: 10 minutes}
  - severity: low
    title:
    tags: [a, [b]]
`
	f, list := Parse("rules/kms.yaml", []byte(text))
	if list != nil {
		t.Fatal(list)
	}
	var into file
	list = Decode(f.Root(), &into)
	list.Sort()
	want := `rules/kms.yaml:3:5: unknown key "titel" (did you mean "title"?)
        titel: mistyped
        ^
rules/kms.yaml:4:15: severity must be one of info, low, medium, high, critical
        severity: hgih
                  ^
rules/kms.yaml:5:11: tags must be a list, got text "prod": write [prod]
        tags: prod
              ^
rules/kms.yaml:6:14: enabled must be true or false, got text "yes"
        enabled: yes
                 ^
rules/kms.yaml:7:5: unknown key "treshold" (did you mean "threshold"?)
        treshold: {}
        ^
rules/kms.yaml:8:24: count must be a number, got text "x"
        threshold: {count: "x", within: 10 minutes}
                           ^
rules/kms.yaml:8:37: within must be a duration such as 90s, 10m, 1h, 7d or 2w, got text "10 minutes"
        threshold: {count: "x", within: 10 minutes}
                                        ^
rules/kms.yaml:9:5: missing key "id"
      - severity: low
        ^
rules/kms.yaml:10:11: title must not be empty
        title:
              ^
rules/kms.yaml:11:15: tags[1] must be text, got a list
        tags: [a, [b]]
                  ^`
	if diff := cmp.Diff(want, list.String()); diff != "" {
		t.Error(diff)
	}
}
