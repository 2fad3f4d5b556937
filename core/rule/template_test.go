package rule

import (
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/trailship/trailship/core/diag"
	"github.com/trailship/trailship/core/event"
)

// message renders a template on an event.
func message(t testing.TB, text string, ev *event.Event) string {
	t.Helper()
	c := newCompiler(event.Event{})
	f, _ := diag.Parse("t.yaml", []byte("m: x"))
	tpl := c.template(diag.String{Value: text, Node: f.Root().Key("m")}, &scope{})
	if tpl == nil {
		t.Fatalf("%s:\n%s", text, c.list)
	}
	m := (&Set{}).NewMatcher()
	return tpl.render(func(e *expression) any {
		v, err := m.run(e, ev)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		return v
	})
}

func TestTemplates(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "",
		"no expression":                     "no expression",
		"${action} by ${principal.name}":    "Decrypt by ci",
		"$${action} $$${action} $ {x} $$":   "${action} $${action} $ {x} $$",
		"[${user.name}]":                    "[-]",
		"${raw.n} ${raw.f} ${raw.flag}":     "7 1.5 true",
		"${time}":                           "2026-08-01T09:30:00Z",
		"${raw.requestParameters.list}":     `["a","b"]`,
		`${ {"a": "}"}["a"] }`:              "}",
		`${"}" + '}' + ` + "`}`" + `}`:      "}}}",
		`${"\"}"}`:                          `"}`,
		"${action /* } */}":                 "Decrypt",
		"${map(resources, {.type})}":        `["AWS::KMS::Key"]`,
		"${time - time}":                    "0s",
		"漢${action}字":                       "漢Decrypt字",
		"${1.0} ${0.5} ${1e3} ${-3}":        "1 0.5 1000 -3",
		"${[]} ${{}}":                       "[] {}",
		`${raw.requestParameters.items[0]}`: `{"k":"v"}`,
	} {
		if got := message(t, text, decrypt()); got != want {
			t.Errorf("%s renders as %q, want %q", text, got, want)
		}
	}
}

func TestMessagesEndAtAKilobyte(t *testing.T) {
	for _, value := range []string{"x", "é", "漢", "𝄞"} {
		for pad := range 5 {
			ev := decrypt()
			ev.UserAgent = strings.Repeat(value, 2000)
			got := message(t, strings.Repeat("a", pad)+"${user_agent}${user_agent} and more", ev)
			if len(got) > 1024 || len(got) < 1017 || !strings.HasSuffix(got, value+"…") || !utf8.ValidString(got) {
				t.Errorf("%s, %d before: %d bytes ending in %q", value, pad, len(got), got[len(got)-8:])
			}
		}
	}
	ev := decrypt()
	ev.UserAgent = strings.Repeat("x", 1024)
	if got := message(t, "${user_agent}", ev); got != ev.UserAgent {
		t.Errorf("1,024 bytes were cut to %d", len(got))
	}
}

// FuzzTemplate: splitting loses nothing, and rendering ends.
func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{"a ${action} b", "$${x} ${ {\"}\": 1} }", "${", "${\"}\"}", "${a /* } */}", "$$${", "${`}`}", "${'\\'}'}"} {
		f.Add(seed)
	}
	c := newCompiler(event.Event{})
	f.Fuzz(func(t *testing.T, text string) {
		pieces, open := splitTemplate(text)
		if open >= 0 {
			if !strings.HasPrefix(string([]rune(text)[open:]), "${") {
				t.Errorf("%q: no ${ at %d", text, open)
			}
			return
		}
		var again strings.Builder
		for _, p := range pieces {
			if !p.expr {
				again.WriteString(strings.ReplaceAll(p.text, "${", "$${"))
				continue
			}
			if got := string([]rune(text)[p.offset : p.offset+len([]rune(p.text))]); got != p.text {
				t.Errorf("%q: offset %d is at %q, not at %q", text, p.offset, got, p.text)
			}
			again.WriteString("${" + p.text + "}")
		}
		if twice, _ := splitTemplate(again.String()); utf8.ValidString(text) && !reflect.DeepEqual(texts(twice), texts(pieces)) {
			t.Errorf("%q splits into %q, and written again into %q", text, texts(pieces), texts(twice))
		}
		m := (&Set{}).NewMatcher()
		for _, p := range pieces {
			if !p.expr {
				continue
			}
			parsed, problems := c.parse(p.text, &scope{})
			if parsed == nil || len(problems) > 0 {
				continue
			}
			if e, _ := c.finish(parsed, "message", wantAny); e != nil {
				v, _ := m.run(e, decrypt())
				if s := display(v); len(s) > maxText+64 {
					t.Errorf("%q renders %d bytes", p.text, len(s))
				}
			}
		}
	})
}

func texts(pieces []piece) (out []string) {
	for _, p := range pieces {
		out = append(out, p.text)
	}
	return out
}
