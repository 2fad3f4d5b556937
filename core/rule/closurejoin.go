package rule

import (
	"reflect"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm/runtime"
)

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
		return joined(n, l, r)
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

// joined is `and` and `or`. What the right side alone needs is loaded when it is
// asked.
func joined(n *ast.BinaryNode, l, r *closure) *closure {
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
