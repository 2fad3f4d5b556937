package rule

import (
	"fmt"
	"strings"
	"testing"
)

// TestHostileRulesAreRefused: what could hurt the program when it is parsed or
// compiled is an error at load, before that.
func TestHostileRulesAreRefused(t *testing.T) {
	rule := func(condition string) string {
		return "rules:\n  - id: a\n    title: T\n    severity: low\n    condition: >-\n      " + condition + "\n"
	}
	doubling := "macros:\n  m0: action == \"x\" or region == \"y\"\n"
	for i := range 60 {
		doubling += fmt.Sprintf("  m%d: m%d and m%d\n", i+1, i, i)
	}
	lets := "rules:\n  - id: a\n    title: T\n    severity: low\n    condition: l59\n    let:\n      l0: action == \"x\"\n"
	for i := range 59 {
		lets += fmt.Sprintf("      l%d: l%d and l%d\n", i+1, i, i)
	}
	for name, c := range map[string]struct{ text, code string }{
		"a million parentheses":      {rule(strings.Repeat("(", 500_000) + "1" + strings.Repeat(")", 500_000)), "E208"},
		"a file too large":           {rule(strings.Repeat("(", 1_100_000) + "1"), "E220"},
		"8,000 parentheses":          {rule(strings.Repeat("(", 8_000) + "1" + strings.Repeat(")", 8_000)), "E206"},
		"thousands of negations":     {rule(strings.Repeat("not ", 4_000) + "true"), "E208"},
		"thousands of members":       {rule("raw" + strings.Repeat(".a", 5_000)), "E208"},
		"thousands of terms":         {rule("action in [" + strings.Repeat(`"x",`, 3_000) + `"y"]`), "E208"},
		"macros that double":         {doubling + rule("m60"), "E208"},
		"lets that double":           {lets, "E208"},
		"a huge range":               {rule("any(1..1000000, {# == 1})"), "E208"},
		"deep YAML":                  {"rules: " + strings.Repeat("[", 200_000), "E001"},
		"deep YAML in blocks":        {"rules:\n  - meta: " + strings.Repeat("{a: ", 20_000) + strings.Repeat("}", 20_000), "E001"},
		"aliases that double":        {"a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n", "E004"},
		"a long glob in a list":      {"lists:\n  l: [\"" + strings.Repeat("?", 1_025) + "\"]\n" + rule("glob(action, lists.l)"), "E209"},
		"a long glob in a match":     {rule(`action == "x"`) + "    exceptions: [{name: n, reason: r, match: {action: \"" + strings.Repeat("?", 1_025) + "\"}}]\n", "E209"},
		"a glob of a thousand stars": {rule(`glob(action, "` + strings.Repeat("*a", 1_000) + `")`), "E209"},
	} {
		set, list := Load(files("r.yaml", c.text), Options{})
		if set != nil || !has(list, c.code) {
			s := list.String()
			t.Errorf("%s: want %s, got\n%.600s", name, c.code, s)
		}
	}
}

// TestHostileRulesEnd: what is allowed to load costs little to run, and gives
// up with an error.
func TestHostileRulesEnd(t *testing.T) {
	double := `let a0 = user_agent + "xxxxxxxx"; `
	nested := `let l0 = [action, action]; `
	for i := range 40 {
		double += fmt.Sprintf("let a%d = a%d + a%d; ", i+1, i, i)
		nested += fmt.Sprintf("let l%d = [l%d, l%d]; ", i+1, i, i)
	}
	for expr, want := range map[string]string{
		double + "len(a40) > 0": errTooLong.Error(),
		`join(map(1..1000, user_agent + lower("` + strings.Repeat("x", 200) + `")), "")`:                                                       errTooLong.Error(),
		`replace(replace(replace("aaaaaaaaaa", "a", "` + strings.Repeat("a", 100) + `"), "a", "` + strings.Repeat("a", 100) + `"), "a", "bb")`: errTooLong.Error(),
		`let n = len(action) * 1000000; any(1..n, # == 3)`:                                                                                     "1..7000000 has more than 1000 elements",
		nested + "toJSON(l40) == action":                                 errTooLong.Error(),
		nested + "string(l40) == action":                                 errTooLong.Error(),
		nested + "len(flatten(l40)) == 1":                                errTooMany.Error(),
		nested + "max(l40) == 1":                                         errTooMany.Error(),
		nested + "let k = [l40]; k == [l40]":                             errTooMany.Error(),
		`let r = 1..1000; any(r, any(r, any(r, # == len(action) * -1)))`: "memory budget exceeded",
		`let r = 1..1000; any(r, any(r, # == len(action) * -1))`:         "memory budget exceeded",
		`let r = map(1..1000, #); len(concat(r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r, r)) > 1`: "memory budget exceeded",
	} {
		_, err := evaluate(t, expr, decrypt())
		if err == nil || err.Error() != want {
			t.Errorf("%.80s…: %v, want %s", expr, err, want)
		}
	}
}

// TestHostileEvents: what a record holds is data, in messages too.
func TestHostileEvents(t *testing.T) {
	set := load(t, "r.yaml", `
rules:
  - id: a
    title: T
    severity: low
    condition: service == "kms"
    message: "${user_agent}|${principal.name}|${raw}"
    fields: {agent: user_agent}
`)
	for _, value := range []string{
		"${action}", "$${action}", "{{.}}", "a\r\nb\x00\x1b[2J", "<!channel>", "../../etc/x", "\xff\xfe", strings.Repeat("漢", 2000), strings.Repeat("[", 100_000),
	} {
		ev := decrypt()
		ev.UserAgent = value
		m := set.NewMatcher().Match(ev)
		if len(m) != 1 {
			t.Fatalf("%q: %d matches", value, len(m))
		}
		if len(value) < 100 && !strings.HasPrefix(m[0].Message, value+"|ci|{") {
			t.Errorf("%q became %q", value, m[0].Message)
		}
		if len(m[0].Message) > maxMessage {
			t.Errorf("%.10q: a message of %d bytes", value, len(m[0].Message))
		}
		if len(value) < 100 && m[0].Fields[0].Value != value {
			t.Errorf("%q became the field %q", value, m[0].Fields[0].Value)
		}
	}
	deep := decrypt()
	deep.RawJSON = []byte(strings.Repeat(`{"a":`, 5_000) + "1" + strings.Repeat("}", 5_000))
	_ = set.NewMatcher().Match(deep)
}
