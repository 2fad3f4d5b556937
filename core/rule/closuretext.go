package rule

import (
	"bytes"
	"reflect"
	"regexp"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm/runtime"
)

// words is a constant set of texts: a few are compared one by one.
type wordSet struct {
	few  []string
	many map[string]struct{}
}

const fewWords = 4

func newWordSet(texts []string) wordSet {
	if len(texts) <= fewWords {
		return wordSet{few: texts}
	}
	many := make(map[string]struct{}, len(texts))
	for _, s := range texts {
		many[s] = struct{}{}
	}
	return wordSet{many: many}
}

func (w wordSet) test(text func(*frame) string) func(*frame) bool {
	if many := w.many; many != nil {
		return func(f *frame) bool {
			_, ok := many[text(f)]
			return ok
		}
	}
	few := w.few
	return func(f *frame) bool {
		s := text(f)
		for _, t := range few {
			if s == t {
				return true
			}
		}
		return false
	}
}

func (w wordSet) has(text []byte) bool {
	if w.many != nil {
		_, ok := w.many[string(text)]
		return ok
	}
	for _, t := range w.few {
		if string(text) == t {
			return true
		}
	}
	return false
}

// setOf is a constant as a set of texts.
func setOf(v any) (w wordSet, ok bool) {
	switch x := v.(type) {
	case map[string]struct{}:
		return wordSet{many: x}, true
	case []any:
		texts := make([]string, len(x))
		for i := range x {
			if texts[i], ok = x[i].(string); !ok {
				return w, false
			}
		}
		return newWordSet(texts), true
	}
	return w, false
}

// memberOf is `in` for what always has a value.
func memberOf(n *ast.BinaryNode, l, r *closure) *closure {
	c := tested(nil, l, r)
	if set, ok := setOf(r.constant); r.known && ok && l.text != nil {
		c.test = set.test(l.text)
		return c
	}
	if values, ok := r.constant.([]any); ok && l.number != nil && !l.wide && len(values) > 0 {
		if numbers := wholeNumbers(values); numbers != nil {
			number := l.number
			c.test = func(f *frame) bool {
				got := number(f)
				for _, want := range numbers {
					if got == want {
						return true
					}
				}
				return false
			}
			return c
		}
	}
	if _, isMap := r.constant.(map[string]struct{}); r.known && isMap {
		return nil
	}
	if t := n.Left.Type(); r.known && t != nil && t.Kind() != reflect.Interface && l.text == nil {
		return nil // the optimizer may make a set of it that panics
	}
	a, b := l.any(), r.any()
	c.fails = true
	c.test = func(f *frame) bool { return runtime.In(a(f), b(f)) }
	return c
}

// inValues is `in` a list some of whose elements come from the event. All of
// them are looked at: one may fail.
func (cs closures) inValues(left ast.Node, list []ast.Node) *closure {
	l, items := cs.of(left), cs.all(list)
	if l == nil || items == nil {
		return nil
	}
	c := tested(nil, append(items, l)...)
	if text := l.text; text != nil {
		same := make([]func(*frame, string) bool, len(items))
		for i, item := range items {
			same[i] = item.same()
		}
		c.test = func(f *frame) (found bool) {
			s := text(f)
			for _, is := range same {
				found = is(f, s) || found
			}
			return found
		}
		return c
	}
	value, values := l.any(), make([]func(*frame) any, len(items))
	for i, item := range items {
		values[i] = item.any()
	}
	c.test = func(f *frame) (found bool) {
		v := value(f)
		for _, item := range values {
			found = runtime.Equal(item(f), v) || found
		}
		return found
	}
	return c
}

func wholeNumbers(values []any) []int64 {
	out := make([]int64, len(values))
	for i, v := range values {
		n, ok := v.(int)
		if !ok {
			return nil
		}
		out[i] = int64(n)
	}
	return out
}

// textTest is startsWith, endsWith and contains.
func textTest(operator string, l, r *closure) *closure {
	want, constant := r.constantText()
	c := tested(nil, l, r)
	switch {
	case l.path != nil && constant:
		wanted := []byte(want)
		test := map[string]func(s, t []byte) bool{"startsWith": bytes.HasPrefix, "endsWith": bytes.HasSuffix, "contains": bytes.Contains}[operator]
		c.fails = true
		c.test = l.path.textual(func(s []byte) bool { return test(s, wanted) })
	case l.text != nil && r.text != nil:
		c.test = searching(operator, l.text, r.text, want, constant)
	default:
		test := searches[operator]
		a, b := l.any(), r.any()
		c.fails = true
		c.test = func(f *frame) bool {
			x, y := a(f), b(f)
			if runtime.IsNil(x) || runtime.IsNil(y) {
				return false
			}
			return test(x.(string), y.(string))
		}
	}
	return c
}

var searches = map[string]func(s, t string) bool{"startsWith": strings.HasPrefix, "endsWith": strings.HasSuffix, "contains": strings.Contains}

func searching(operator string, text, wanted func(*frame) string, want string, constant bool) func(*frame) bool {
	if !constant {
		test := searches[operator]
		return func(f *frame) bool { return test(text(f), wanted(f)) }
	}
	switch operator {
	case "startsWith":
		return func(f *frame) bool { return strings.HasPrefix(text(f), want) }
	case "endsWith":
		return func(f *frame) bool { return strings.HasSuffix(text(f), want) }
	}
	return func(f *frame) bool { return strings.Contains(text(f), want) }
}

// textual tests the text a path leads to: nothing is false, and what is no text
// fails as it does in the machine.
func (p *openPath) textual(test func([]byte) bool) func(*frame) bool {
	return func(f *frame) bool {
		found := p.find(f)
		switch {
		case len(found) == 0:
			return false
		case isText(found):
			return test(f.unquoted(found))
		}
		return test([]byte(parsedValue(found).(string)))
	}
}

// matching is `matches` with a constant pattern.
func matching(l, r *closure) *closure {
	pattern, ok := r.constantText()
	if !ok {
		return nil
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil
	}
	c := tested(nil, l)
	switch {
	case l.path != nil:
		c.fails = true
		c.test = l.path.matches(re)
	case l.text != nil:
		text := l.text
		c.test = func(f *frame) bool { return re.MatchString(text(f)) }
	default:
		value := l.any()
		c.fails = true
		c.test = func(f *frame) bool { return matchesValue(re, value(f)) }
	}
	return c
}

func (p *openPath) matches(re *regexp.Regexp) func(*frame) bool {
	return func(f *frame) bool {
		found := p.find(f)
		if isText(found) {
			return re.Match(f.unquoted(found))
		}
		return matchesValue(re, parsedValue(found))
	}
}

func matchesValue(re *regexp.Regexp, v any) bool {
	if runtime.IsNil(v) {
		return false
	}
	if s, ok := v.(string); ok {
		return re.MatchString(s)
	}
	return re.Match(v.([]byte))
}
