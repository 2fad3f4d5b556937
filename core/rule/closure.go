package rule

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm/runtime"

	"github.com/trailship/trailship/core/event"
)

// closure is a patched expression as a Go function over the event: what expr's
// machine answers, in a tenth of the time and without its memory. Forms it does
// not know stay with the machine. FuzzClosuresAreTheMachine holds the two
// against each other.
//
// Of the functions, test, text and number answer a value of a known type; value
// any. What the machine fails on panics in a closure, with the same message.
type closure struct {
	test   func(*frame) bool
	text   func(*frame) string
	number func(*frame) int64 // an int, an int64 when wide
	value  func(*frame) any

	wide     bool
	isTime   bool                      // value is the time of the event
	known    bool                      // constant is what value answers, always
	constant any                       //
	path     *openPath                 // value is read off an open part
	is       func(*frame, string) bool // that value is a text, told without making it; nil: not known
	lower    func(*frame) string       // text is the lower case of it

	need  event.Parts // to be loaded before
	fails bool        // on some event
}

// run is the value of an expression, or the error a panic stands for.
func (c *closure) run(f *frame) (v any, err error) {
	defer func() {
		if p := recover(); p != nil {
			v, err = nil, failureOf(p)
		}
	}()
	f.load(c.need)
	if c.test != nil {
		return c.test(f), nil
	}
	return c.value(f), nil
}

// failureOf is the error a panic of an expression stands for.
func failureOf(p any) error {
	switch p := p.(type) {
	case unreadable:
		return p.err
	case error:
		return evaluationError(p)
	}
	return evaluationError(fmt.Errorf("%v", p))
}

// any is the value, whatever its type.
func (c *closure) any() func(*frame) any {
	switch {
	case c.value != nil:
		return c.value
	case c.text != nil:
		return func(f *frame) any { return c.text(f) }
	case c.test != nil:
		return func(f *frame) any { return c.test(f) }
	case c.wide:
		return func(f *frame) any { return c.number(f) }
	}
	return func(f *frame) any { return int(c.number(f)) }
}

// asText is the value where only text will do.
func (c *closure) asText() (text func(*frame) string, fails bool) {
	if c.text != nil {
		return c.text, c.fails
	}
	value := c.any()
	return func(f *frame) string { return value(f).(string) }, true
}

// constantText is the text of a constant.
func (c *closure) constantText() (string, bool) {
	s, ok := c.constant.(string)
	return s, ok && c.known
}

// after is test for when some parts are loaded already.
func (c *closure) after(loaded event.Parts) func(*frame) bool {
	more, test := c.need&^loaded, c.test
	if more == 0 {
		return test
	}
	return func(f *frame) bool {
		f.load(more)
		return test(f)
	}
}

// from notes what a closure inherits from those it is made of.
func (c *closure) from(parts ...*closure) *closure {
	for _, p := range parts {
		c.need |= p.need
		c.fails = c.fails || p.fails
	}
	return c
}

func constant(v any) *closure {
	c := &closure{known: true, constant: v, value: func(*frame) any { return v }}
	switch x := v.(type) {
	case string:
		c.text = func(*frame) string { return x }
	case bool:
		c.test = func(*frame) bool { return x }
	case int:
		c.number = func(*frame) int64 { return int64(x) }
	}
	return c
}

func tested(test func(*frame) bool, of ...*closure) *closure {
	return (&closure{test: test}).from(of...)
}

func valued(value func(*frame) any, of ...*closure) *closure {
	return (&closure{value: value}).from(of...)
}

// closures compiles what stands inside one loop, or in none.
type closures struct{ element elementKind }

// closureOf compiles a patched and checked tree; nil when a part of it has a
// form closures do not know.
func closureOf(root ast.Node) *closure { return closures{}.of(root) }

func (cs closures) of(n ast.Node) *closure {
	switch x := n.(type) {
	case *ast.NilNode:
		return constant(nil)
	case *ast.StringNode:
		return constant(x.Value)
	case *ast.BoolNode:
		return constant(x.Value)
	case *ast.IntegerNode:
		if t := x.Type(); t == nil || t.Kind() == reflect.Int {
			return constant(x.Value)
		}
	case *ast.FloatNode:
		if t := x.Type(); t != nil && t.Kind() == reflect.Float64 {
			return constant(x.Value)
		}
	case *ast.ConstantNode:
		return constant(x.Value)
	case *ast.ArrayNode:
		return arrayOf(x)
	case *ast.IdentifierNode:
		return eventField(x.Value)
	case *ast.ChainNode:
		return cs.of(x.Node)
	case *ast.MemberNode:
		return cs.member(x)
	case *ast.PointerNode:
		return cs.pointer(x)
	case *ast.UnaryNode:
		return cs.unary(x)
	case *ast.BinaryNode:
		return cs.binary(x)
	case *ast.ConditionalNode:
		return cs.conditional(x)
	case *ast.BuiltinNode:
		return cs.builtin(x)
	case *ast.CallNode:
		return cs.call(x)
	}
	return nil
}

// all compiles nodes, nil when one of them has no closure.
func (cs closures) all(nodes []ast.Node) []*closure {
	out := make([]*closure, len(nodes))
	for i, n := range nodes {
		if out[i] = cs.of(n); out[i] == nil {
			return nil
		}
	}
	return out
}

// arrayOf is a list of constants.
func arrayOf(n *ast.ArrayNode) *closure {
	values := make([]any, len(n.Nodes))
	for i, item := range n.Nodes {
		switch x := item.(type) {
		case *ast.StringNode:
			values[i] = x.Value
		case *ast.IntegerNode:
			values[i] = x.Value
		case *ast.FloatNode:
			values[i] = x.Value
		case *ast.BoolNode:
			values[i] = x.Value
		default:
			return nil
		}
	}
	return constant(values)
}

// eventField is a field by its whole name.
func eventField(name string) *closure {
	c := &closure{need: partsOfField(name)}
	c.fails = c.need&event.PartsOpen != 0 // what is no JSON
	if c.text = textFields[name]; c.text != nil {
		return c
	}
	if c.number = numberFields[name]; c.number != nil {
		c.wide = wideFields[name]
		return c
	}
	if c.test = flagFields[name]; c.test != nil {
		return c
	}
	if c.value = otherFields[name]; c.value == nil {
		return nil
	}
	c.isTime = name == "time"
	return c
}

func (cs closures) member(n *ast.MemberNode) *closure {
	if n.Method {
		return nil
	}
	if name := fieldPath(n); name != "" {
		return eventField(name)
	}
	return cs.elementMember(n)
}

func (cs closures) unary(n *ast.UnaryNode) *closure {
	switch x := n.Node.(type) {
	case *ast.IntegerNode:
		if t := n.Type(); n.Operator == "-" && t != nil && t.Kind() == reflect.Int {
			return constant(-x.Value)
		}
		return nil
	case *ast.BoolNode: // folded by the optimizer
		return nil
	}
	c := cs.of(n.Node)
	if c == nil || c.test == nil || n.Operator != "not" && n.Operator != "!" {
		return nil
	}
	test := c.test
	return tested(func(f *frame) bool { return !test(f) }, c)
}

func (cs closures) conditional(n *ast.ConditionalNode) *closure {
	all := cs.all([]ast.Node{n.Cond, n.Exp1, n.Exp2})
	if all == nil || all[0].test == nil {
		return nil
	}
	cond, yes, no := all[0].test, all[1], all[2]
	if yes.test != nil && no.test != nil {
		a, b := yes.after(all[0].need), no.after(all[0].need)
		c := tested(func(f *frame) bool {
			if cond(f) {
				return a(f)
			}
			return b(f)
		}, all...)
		c.need = all[0].need
		return c
	}
	a, b := yes.any(), no.any()
	return valued(func(f *frame) any {
		if cond(f) {
			return a(f)
		}
		return b(f)
	}, all...)
}

func (cs closures) binary(n *ast.BinaryNode) *closure {
	if list, ok := n.Right.(*ast.ArrayNode); ok && n.Operator == "in" && arrayOf(list) == nil {
		return cs.inValues(n.Left, list.Nodes)
	}
	all := cs.all([]ast.Node{n.Left, n.Right})
	if all == nil || all[0].known && all[1].known { // the optimizer would work it out
		return nil
	}
	l, r := all[0], all[1]
	switch n.Operator {
	case "and", "&&", "or", "||":
		return join2(n, l, r)
	case "==":
		return equalTo(l, r)
	case "!=":
		c := equalTo(l, r)
		equal := c.test
		c.test = func(f *frame) bool { return !equal(f) }
		return c
	case "<", "<=", ">", ">=":
		return orderedBy(n.Operator, l, r)
	case "in":
		return memberOf(n, l, r)
	case "startsWith", "endsWith", "contains":
		return textTest(n.Operator, l, r)
	case "matches":
		return matching(l, r)
	case "??":
		return orElseOf(l, r)
	}
	return nil
}

// join2 is `and` and `or`. What the right side alone needs is loaded when it is
// asked.
func join2(n *ast.BinaryNode, l, r *closure) *closure {
	if l.test == nil || r.test == nil || (l.fails || r.fails) && (l.known || r.known || mergedLoops(n)) {
		return nil // the optimizer may leave out what fails
	}
	a, b := l.test, r.after(l.need)
	c := tested(func(f *frame) bool { return a(f) && b(f) }, l, r)
	if n.Operator == "or" || n.Operator == "||" {
		c.test = func(f *frame) bool { return a(f) || b(f) }
	}
	c.need = l.need
	return c
}

func orElseOf(l, r *closure) *closure {
	a, b := l.any(), r.any()
	c := valued(func(f *frame) any {
		if v := a(f); !runtime.IsNil(v) {
			return v
		}
		return b(f)
	}, l, r)
	if l.test != nil { // never nil
		c.test = l.test
	}
	if p, otherwise := l.path, r.same(); p != nil {
		c.is = func(f *frame, s string) bool {
			if found := p.find(f); len(found) > 0 {
				return foundIs(f, found, s)
			}
			return otherwise(f, s)
		}
	}
	return c
}

// same tells whether the value is a text.
func (c *closure) same() func(*frame, string) bool {
	if c.is != nil {
		return c.is
	}
	if text := c.text; text != nil {
		return func(f *frame, s string) bool { return text(f) == s }
	}
	value := c.any()
	return func(f *frame, s string) bool { return value(f) == any(s) }
}

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
