package rule

import (
	"strings"

	"github.com/expr-lang/expr/vm/runtime"
)

// equalTo is ==.
func equalTo(l, r *closure) *closure {
	if l.known {
		l, r = r, l
	}
	c := tested(nil, l, r)
	want, isText := r.constantText()
	switch {
	case l.path != nil && r.known:
		c.test = l.path.equals(r.constant)
	case l.lower != nil && isText:
		text := l.lower
		c.test = func(f *frame) bool { return lowerIs(text(f), want) }
	case l.text != nil && isText:
		text := l.text
		c.test = func(f *frame) bool { return text(f) == want }
	case l.text != nil && r.text != nil:
		a, b := l.text, r.text
		c.test = func(f *frame) bool { return a(f) == b(f) }
	case l.number != nil && r.number != nil:
		a, b := l.number, r.number
		c.test = func(f *frame) bool { return a(f) == b(f) }
	case l.test != nil && r.test != nil:
		a, b := l.test, r.test
		c.test = func(f *frame) bool { return a(f) == b(f) }
	default:
		a, b := l.any(), r.any()
		c.test = func(f *frame) bool { return runtime.Equal(a(f), b(f)) }
	}
	return c
}

// equals compares what a path leads to with a constant.
func (p *openPath) equals(want any) func(*frame) bool {
	s, wantText := want.(string)
	n, wantNumber := want.(int)
	return func(f *frame) bool {
		found := p.find(f)
		switch {
		case want == nil || len(found) == 0:
			return want == nil && len(found) == 0
		case isText(found):
			return wantText && foundIs(f, found, s)
		case found[0] == 't' || found[0] == 'f':
			return want == (found[0] == 't')
		case isNumber(found):
			if got, ok := wholeNumber(found); ok && (wantNumber || wantText) {
				return wantNumber && got == int64(n)
			}
		}
		return runtime.Equal(parsedValue(found), want)
	}
}

// foundIs compares what a path led to with a text.
func foundIs(f *frame, found []byte, s string) bool {
	if isText(found) {
		return string(f.unquoted(found)) == s
	}
	return isNumber(found) && parsedValue(found) == any(s) // too large for a number
}

// lowerIs is strings.ToLower(s) == want.
func lowerIs(s, want string) bool {
	if len(s) != len(want) {
		return !ascii(s) && strings.ToLower(s) == want
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 0x80:
			return strings.ToLower(s) == want
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		if c != want[i] {
			return false
		}
	}
	return true
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// orderedBy is < <= > >= between what always has a value.
func orderedBy(operator string, l, r *closure) *closure {
	c := tested(nil, l, r)
	switch {
	case l.text != nil && r.text != nil:
		c.test = comparing(operator, l.text, r.text)
	case l.number != nil && r.number != nil:
		c.test = comparing(operator, l.number, r.number)
	default:
		compare := comparisons[operator]
		a, b := l.any(), r.any()
		c.fails = true
		c.test = func(f *frame) bool { return compare(a(f), b(f)) }
	}
	return c
}

var comparisons = map[string]func(a, b any) bool{
	"<": runtime.Less, "<=": runtime.LessOrEqual, ">": runtime.More, ">=": runtime.MoreOrEqual,
}

func comparing[T int64 | string](operator string, a, b func(*frame) T) func(*frame) bool {
	switch operator {
	case "<":
		return func(f *frame) bool { return a(f) < b(f) }
	case "<=":
		return func(f *frame) bool { return a(f) <= b(f) }
	case ">":
		return func(f *frame) bool { return a(f) > b(f) }
	}
	return func(f *frame) bool { return a(f) >= b(f) }
}
