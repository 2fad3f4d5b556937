package rule

import (
	"testing"

	"github.com/trailship/trailship/core/diag"
)

func when(t *testing.T, text string) (*Route, diag.List) {
	t.Helper()
	f, list := diag.Parse("trailship.yaml", []byte("routes:\n  - when: "+text+"\n"))
	if len(list) > 0 {
		t.Fatal(list)
	}
	return CompileRoute(f.Root().Key("routes").Index(0).Key("when"))
}

func TestRoutes(t *testing.T) {
	set := load(t, "pack.yaml", "name: kms\nversion: 1.0.0\n", "r.yaml", `
rules: [{id: kms-used, title: T, severity: high, owner: platform, tags: [prod, kms], condition: service == "kms", fields: {key: '"k1"', nothing: raw.nothing}}]
`)
	ev := decrypt()
	m := set.NewMatcher().Match(ev)[0]
	for text, want := range map[string]bool{
		`severity in ["high", "critical"]`:                             true,
		`severity == "low"`:                                            false,
		`rule.id == "kms-used" and rule.pack == "kms"`:                 true,
		`rule.owner == "platform" and "prod" in rule.tags`:             true,
		`any(rule.tags, {# startsWith "x"})`:                           false,
		`source == "org-trail" and not backfill`:                       true,
		`backfill`:                                                     false,
		`fields.key == "k1"`:                                           true,
		`fields.nothing == nil and fields.other.x == nil`:              true,
		`account == "111122223333" and principal.role startsWith "ci"`: true,
		`raw.requestParameters.keyId == "1234abcd"`:                    true,
		`severity_id == 0`:                                             true,
	} {
		r, list := when(t, "'"+text+"'")
		if r == nil {
			t.Errorf("%s:\n%s", text, list)
		} else if got := r.Match(m, ev, "org-trail", false); got != want || r.Errors() != 0 {
			t.Errorf("%s = %v with %d errors, want %v", text, got, r.Errors(), want)
		}
	}

	r, _ := when(t, "'lower(raw.n) == \"7\"'")
	if r.Match(m, ev, "x", false) || r.Errors() != 1 {
		t.Errorf("a condition that failed: %d errors", r.Errors())
	}
}

func TestRouteMistakes(t *testing.T) {
	for text, want := range map[string]string{
		`severty == "high"`: `trailship.yaml:2:11: unknown field "severty" (did you mean "severity"?)
      - when: severty == "high"
              ^`,
		`rule.idd == "x"`: `trailship.yaml:2:16: unknown field "idd" (did you mean "id"?)
      - when: rule.idd == "x"
                   ^`,
		`severity`: `trailship.yaml:2:11: when must be true or false, but this is text: compare it with something
      - when: severity
              ^`,
	} {
		if r, list := when(t, text); r != nil || list.String() != want {
			t.Errorf("%s:\n%s\nwant\n%s", text, list, want)
		}
	}
}
