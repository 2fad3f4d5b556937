package rule

import (
	"fmt"
	"reflect"

	"github.com/expr-lang/expr/ast"

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
	isTime   bool // value is the time of the event
	known    bool // value answers constant, whatever the event
	constant any
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
