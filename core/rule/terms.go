package rule

import (
	"math/bits"
	"reflect"
	"slices"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"

	"github.com/trailship/trailship/core/event"
)

// term is one of the terms a condition joins by `and`.
type term struct {
	node     ast.Node
	closure  *closure // nil when it needs expr's machine
	parts    event.Parts
	outlined bool // it reads nothing but the outline, and cannot fail
}

// newTerm compiles a term, unless it is one for expr's machine.
func newTerm(n ast.Node) term {
	t := term{node: n, closure: closureOf(n), parts: partsOf(n)}
	if t.closure != nil && t.closure.test == nil {
		t.closure = nil
	}
	t.outlined = t.closure != nil && !t.closure.fails && t.closure.need == 0 && readsOnlyOutline(n)
	return t
}

// rank orders terms: first what the outline decides, then what cannot fail, by
// how many parts of the event it needs, then what may fail, in the order it was
// written, since an earlier term may guard it; last what reads an open part,
// which most events need not make.
func (t term) rank() int {
	switch {
	case t.parts&event.PartsOpen != 0:
		return 100
	case t.closure == nil || t.closure.fails:
		return 99
	case t.outlined:
		return -1
	}
	return bits.OnesCount(uint(t.parts))
}

// inOrder compiles terms, cheap ones first: one expression of all that the
// outline decides, one of all closures that stand together, one of all programs.
func (c *compiler) inOrder(nodes []ast.Node, source file.Source) (made []*expression, failed *file.Error) {
	all := make([]term, len(nodes))
	for i, n := range nodes {
		all[i] = newTerm(n)
	}
	slices.SortStableFunc(all, func(a, b term) int { return a.rank() - b.rank() })
	for len(all) > 0 {
		n := 1
		for n < len(all) && (all[n].closure == nil) == (all[0].closure == nil) && all[n].outlined == all[0].outlined {
			n++
		}
		e, err := c.together(all[:n], source)
		if err != nil {
			return nil, err
		}
		made, all = append(made, e), all[n:]
	}
	return made, nil
}

// together is one expression of terms that are all closures, or all not.
func (c *compiler) together(all []term, source file.Source) (e *expression, failed *file.Error) {
	var parts event.Parts
	var node ast.Node
	var closures []*closure
	for _, t := range all {
		parts |= t.parts
		node = both(node, t.node)
		closures = append(closures, t.closure)
	}
	if closures[0] != nil {
		return &expression{closure: allOf(closures), parts: parts, outlined: all[0].outlined}, nil
	}
	if e, failed = c.machine(node, source); failed != nil {
		return nil, failed
	}
	e.parts = parts
	return e, nil
}

// allOf is closures joined by `and`; what one alone needs is loaded when it is
// asked.
func allOf(all []*closure) *closure {
	if len(all) == 1 {
		return all[0]
	}
	first, loaded := all[0].test, all[0].need
	rest := make([]func(*frame) bool, len(all)-1)
	for i, c := range all[1:] {
		rest[i] = c.after(loaded)
		loaded |= c.need
	}
	out := tested(nil, all...)
	out.need = all[0].need
	if second := rest[0]; len(rest) == 1 {
		out.test = func(f *frame) bool { return first(f) && second(f) }
		return out
	}
	out.test = func(f *frame) bool {
		if !first(f) {
			return false
		}
		for _, test := range rest {
			if !test(f) {
				return false
			}
		}
		return true
	}
	return out
}

// terms are what a condition joins by `and`.
func terms(n ast.Node) []ast.Node {
	if b, ok := n.(*ast.BinaryNode); ok && (b.Operator == "and" || b.Operator == "&&") {
		return append(terms(b.Left), terms(b.Right)...)
	}
	return []ast.Node{n}
}

func both(a, b ast.Node) ast.Node {
	if a == nil {
		return b
	}
	n := &ast.BinaryNode{Operator: "and", Left: a, Right: b}
	n.SetLocation(b.Location())
	n.SetType(reflect.TypeFor[bool]())
	return n
}
