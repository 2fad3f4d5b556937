package rule

import (
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/vm/runtime"
)

// builtin compiles a function of expr.
func (cs closures) builtin(n *ast.BuiltinNode) *closure {
	if loopBody(n) != nil {
		return cs.loop(n)
	}
	id, ok := builtin.Index[n.Name]
	if !ok || builtin.Builtins[id].Predicate || n.Map != nil || n.Threshold != nil {
		return nil
	}
	args := cs.all(n.Arguments)
	if len(args) == 0 || allKnown(args) {
		return nil
	}
	switch {
	case n.Name == "lower" && len(args) == 1:
		return changed(args[0], strings.ToLower, true)
	case n.Name == "upper" && len(args) == 1:
		return changed(args[0], strings.ToUpper, false)
	case n.Name == "trim" && len(args) == 1:
		return changed(args[0], strings.TrimSpace, false)
	case n.Name == "len" && len(args) == 1:
		return lengthOf(args[0])
	}
	switch f := builtin.Builtins[id]; {
	case f.Fast != nil:
		value, fast := args[0].any(), f.Fast
		c := valued(func(f *frame) any { return fast(value(f)) }, args...)
		c.fails = true
		return c
	case f.Safe == nil && f.Func != nil:
		return calling(f.Func, args)
	}
	return nil
}

func allKnown(args []*closure) bool {
	for _, a := range args {
		if !a.known {
			return false
		}
	}
	return true
}

// changed is a text made of another.
func changed(of *closure, change func(string) string, lower bool) *closure {
	text, fails := of.asText()
	c := (&closure{text: func(f *frame) string { return change(text(f)) }}).from(of)
	c.fails = fails
	if lower {
		c.lower = text
	}
	return c
}

func lengthOf(of *closure) *closure {
	c := (&closure{}).from(of)
	if text := of.text; text != nil {
		c.number = func(f *frame) int64 { return int64(utf8.RuneCountInString(text(f))) }
		return c
	}
	value := of.any()
	c.fails = true
	c.number = func(f *frame) int64 { return int64(builtin.Len(value(f)).(int)) }
	return c
}

// calling is a call with its arguments as they are.
func calling(call func(...any) (any, error), args []*closure) *closure {
	values := make([]func(*frame) any, len(args))
	for i, a := range args {
		values[i] = a.any()
	}
	c := valued(func(f *frame) any {
		in := make([]any, len(values))
		for i, v := range values {
			in[i] = v(f)
		}
		return must(call(in...))
	}, args...)
	c.fails = true
	return c
}

// must is the answer of a call; its error is that of the expression.
func must(v any, err error) any {
	if err != nil {
		panic(err)
	}
	return v
}

// call compiles a call of one of our functions, or of one that a patch put in
// the place of an operator.
func (cs closures) call(n *ast.CallNode) *closure {
	id, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		return nil
	}
	args := cs.all(n.Arguments)
	if args == nil {
		return nil
	}
	switch id.Value {
	case "@at":
		return member(n, args)
	case "@text", "@items", "@members":
		return orNone(id.Value, args[0])
	case "@<", "@<=", "@>", "@>=":
		return openOrdered(id.Value[1:], args[0], args[1])
	case "@among":
		return among(args[0], args[1])
	case "@in":
		return inSet(args[0], args[1])
	}
	if c := ours(id.Value, args); c != nil {
		return c
	}
	if call := hidden[id.Value]; call != nil {
		return answering(id.Value, calling(call, args))
	}
	for _, f := range functions {
		if f.Name == id.Value {
			return answering(id.Value, calling(f.call, args))
		}
	}
	return nil
}

// answering knows which functions answer true or false.
func answering(name string, c *closure) *closure {
	switch name {
	case "@==", "glob", "cidr", "ieq", "private_ip", "hours":
		value := c.value
		c.test = func(f *frame) bool { return value(f).(bool) }
	}
	return c
}

// member is a member of a value of unknown type.
func member(n *ast.CallNode, args []*closure) *closure {
	base := args[0].path
	if base == nil {
		if part := openFields[fieldPath(n.Arguments[0])]; part != 0 {
			base = &openPath{part: part}
		}
	}
	if base != nil {
		if p := base.step(n.Arguments[1]); p != nil {
			is := func(f *frame, s string) bool { return foundIs(f, p.find(f), s) }
			return &closure{path: p, value: p.value, is: is, fails: true} // where the part is no JSON
		}
	}
	a, b := args[0].any(), args[1].any()
	c := valued(func(f *frame) any { return at(a(f), b(f)) }, args...)
	c.fails = true
	return c
}

// orNone puts what is empty in the place of what is missing.
func orNone(name string, of *closure) *closure {
	value := of.any()
	empty := map[string]any{"@text": "", "@items": []any{}, "@members": map[string]any{}}[name]
	return valued(func(f *frame) any {
		if v := value(f); v != nil {
			return v
		}
		return empty
	}, of)
}

// openOrdered is < <= > >= with what may be missing, which is false.
func openOrdered(operator string, l, r *closure) *closure {
	compare := comparisons[operator]
	a, b := l.any(), r.any()
	c := tested(func(f *frame) bool {
		x, y := a(f), b(f)
		return x != nil && y != nil && compare(x, y)
	}, l, r)
	c.fails = true
	want, isNumber := r.constant.(int)
	if l.path == nil || !isNumber {
		return c
	}
	open, p, whole := c.test, l.path, comparingTo(operator, int64(want))
	c.test = func(f *frame) bool {
		if n, ok := wholeNumber(p.find(f)); ok {
			return whole(n)
		}
		return open(f)
	}
	return c
}

func comparingTo(operator string, want int64) func(int64) bool {
	switch operator {
	case "<":
		return func(n int64) bool { return n < want }
	case "<=":
		return func(n int64) bool { return n <= want }
	case ">":
		return func(n int64) bool { return n > want }
	}
	return func(n int64) bool { return n >= want }
}

// among is `in` a list of texts for what may be missing.
func among(l, r *closure) *closure {
	value := l.any()
	c := tested(func(f *frame) bool {
		v := value(f)
		return v != nil && runtime.In(v, r.constant)
	}, l, r)
	set, ok := setOf(r.constant)
	if !r.known || !ok {
		return nil
	}
	if p := l.path; p != nil {
		general := c.test
		c.test = func(f *frame) bool {
			found := p.find(f)
			switch {
			case len(found) == 0:
				return false
			case isText(found):
				return set.has(f.unquoted(found))
			}
			return general(f)
		}
	}
	return c
}

// inSet is `in lists.NAME` for what may be missing.
func inSet(l, r *closure) *closure {
	members, ok := r.constant.(map[string]struct{})
	if !ok {
		return nil
	}
	value := l.any()
	general := func(f *frame) bool { return inMembers(value(f), members) }
	c := tested(general, l)
	if p := l.path; p != nil {
		c.test = func(f *frame) bool {
			if found := p.find(f); isText(found) {
				_, ok := members[string(f.unquoted(found))]
				return ok
			}
			return general(f)
		}
	}
	return c
}
