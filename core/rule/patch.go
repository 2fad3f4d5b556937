package rule

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/expr-lang/expr/ast"
)

// patcher makes a typed tree safe to run on any record: members of untyped
// values and comparisons with them cannot fail, text and ranges are bounded,
// lists become sets and network tables.
type patcher struct {
	c        *compiler
	lists    map[ast.Node]*list // which list a constant came from
	inlined  map[ast.Node]bool  // nodes that came from a macro
	problems []problem
	lints    []problem
}

func (p *patcher) fail(n ast.Node, code, format string, args ...any) {
	p.problems = append(p.problems, problem{n.Location().From, code, fmt.Sprintf(format, args...)})
}

func (p *patcher) lint(n ast.Node, code, format string, args ...any) {
	if !p.inlined[n] { // a macro was told where it stands
		p.lints = append(p.lints, problem{n.Location().From, code, fmt.Sprintf(format, args...)})
	}
}

// patch works on a checked tree in place.
func (p *patcher) patch(root *ast.Node) {
	ast.Walk(root, visit(p.node))
	p.boundLoops(root)
}

// node is called from the leaves up: what is below it is patched already, and
// still has the type it had.
func (p *patcher) node(n *ast.Node) {
	switch x := (*n).(type) {
	case *ast.MemberNode:
		p.member(n, x)
	case *ast.UnaryNode:
		if x.Operator == "not" || x.Operator == "!" {
			p.operand(&x.Node, x.Operator)
		}
	case *ast.BinaryNode:
		p.binary(n, x)
	case *ast.ConditionalNode:
		p.operand(&x.Cond, "?")
	case *ast.BuiltinNode:
		p.builtin(n, x)
	case *ast.CallNode:
		p.call(x)
	}
}

// replaceWith puts a call of a hidden function in the place of n; the type n
// had is kept for the patches further up.
func (p *patcher) replaceWith(n *ast.Node, name string, args ...ast.Node) {
	old := *n
	call := &ast.CallNode{Callee: &ast.IdentifierNode{Value: name}, Arguments: args}
	call.Callee.SetLocation(old.Location())
	nature := *old.Nature()
	ast.Patch(n, call)
	call.SetNature(nature)
	p.inlined[call] = p.inlined[old]
}

func untyped(n ast.Node) bool {
	_, isNil := n.(*ast.NilNode)
	return !isNil && (dynamic(n.Type()) || maybeMissing(n))
}

// maybeMissing reports that a value may be nil although its type is known: an
// element of a list, which may be too short.
func maybeMissing(n ast.Node) bool {
	switch x := n.(type) {
	case *ast.CallNode:
		id, ok := x.Callee.(*ast.IdentifierNode)
		return ok && id.Value == "@at"
	case *ast.BuiltinNode:
		return slices.Contains([]string{"find", "findLast", "first", "last"}, x.Name)
	case *ast.ChainNode:
		return maybeMissing(x.Node)
	}
	return false
}

func (p *patcher) member(n *ast.Node, m *ast.MemberNode) {
	if m.Method || !untyped(m.Node) && !isList(m.Node.Type()) {
		return
	}
	if id, ok := m.Node.(*ast.IdentifierNode); ok && p.c.config.Functions[id.Value] != nil {
		return
	}
	p.replaceWith(n, "@at", m.Node, m.Property)
}

// operand makes a value of unknown type that stands where true or false is
// wanted a comparison, and says so.
func (p *patcher) operand(n *ast.Node, operator string) {
	if !untyped(*n) {
		return
	}
	x := sourceOf(*n)
	p.lint(*n, "W201", "%s may be anything, and %q wants true or false: write %s == true", x, operator, x)
	p.truth(n)
}

// truth is n == true for an n of unknown type.
func (p *patcher) truth(n *ast.Node) {
	if !untyped(*n) {
		return
	}
	eq := &ast.BinaryNode{Operator: "==", Left: *n, Right: &ast.BoolNode{Value: true}}
	eq.Right.SetLocation((*n).Location())
	ast.Patch(n, eq)
	eq.SetType(reflect.TypeFor[bool]())
}

func (p *patcher) binary(n *ast.Node, b *ast.BinaryNode) {
	open := untyped(b.Left) || untyped(b.Right)
	switch b.Operator {
	case "and", "&&", "or", "||":
		p.operand(&b.Left, b.Operator)
		p.operand(&b.Right, b.Operator)
	case "<", "<=", ">", ">=":
		if open {
			p.replaceWith(n, "@"+b.Operator, b.Left, b.Right)
		}
	case "+":
		if open || b.Left.Type().Kind() == reflect.String {
			p.replaceWith(n, "@+", b.Left, b.Right)
		}
	case "==", "!=":
		p.words(b)
		p.compare(n, b)
	case "..":
		p.span(n, b)
	case "in":
		p.words(b)
		p.in(n, b)
	case "matches":
		p.matches(b)
	}
}

// compare bounds the comparison of lists and maps.
func (p *patcher) compare(n *ast.Node, b *ast.BinaryNode) {
	if !composite(b.Left) && !composite(b.Right) {
		return
	}
	not := b.Operator == "!="
	p.replaceWith(n, "@==", b.Left, b.Right)
	if not {
		negated := &ast.UnaryNode{Operator: "not", Node: *n}
		negated.SetLocation(b.Location())
		negated.SetNature(*b.Nature())
		*n = negated
	}
}

func isList(t reflect.Type) bool {
	return t != nil && (t.Kind() == reflect.Slice || t.Kind() == reflect.Array)
}

func untypedOrBool(t reflect.Type) bool { return dynamic(t) || isBool(t) }

func composite(n ast.Node) bool {
	if _, isNil := n.(*ast.NilNode); isNil || n.Type() == nil {
		return false
	}
	switch n.Type().Kind() {
	case reflect.Slice, reflect.Array, reflect.Map:
		return true
	}
	return false
}

func (p *patcher) span(n *ast.Node, b *ast.BinaryNode) {
	from, ok1 := b.Left.(*ast.IntegerNode)
	to, ok2 := b.Right.(*ast.IntegerNode)
	switch {
	case !ok1 || !ok2:
		p.replaceWith(n, "@..", b.Left, b.Right)
	case to.Value-from.Value >= maxRange:
		p.fail(b, "E208", "a range may have %d elements at most", maxRange)
	}
}

// in turns `x in lists.NAME` into a look-up.
func (p *patcher) in(n *ast.Node, b *ast.BinaryNode) {
	if composite(b.Left) {
		p.fail(b, "E207", "a list cannot be looked up in a list: use any() or all()")
		return
	}
	if texts := constants(b.Right, nil); texts != nil && untyped(b.Left) {
		// A set of expr's own would fail on a number and contain nil.
		p.replaceWith(n, "@among", b.Left, b.Right)
		return
	}
	c, ok := b.Right.(*ast.ConstantNode)
	if !ok || p.lists[c] == nil {
		return
	}
	set := &ast.ConstantNode{Value: p.lists[c].set()}
	set.SetLocation(c.Location())
	set.SetType(reflect.TypeFor[map[string]struct{}]())
	b.Right = set
	if untyped(b.Left) {
		p.replaceWith(n, "@in", b.Left, set)
	}
}

func (p *patcher) matches(b *ast.BinaryNode) {
	if _, constant := b.Right.(*ast.StringNode); !constant {
		p.lint(b.Right, "W203", "this pattern is compiled again for every event: write it as a constant")
	}
}

// The builtins by what their first argument is, for arguments that are nil.
var (
	textBuiltins = []string{"lower", "upper", "trim", "trimPrefix", "trimSuffix", "split", "splitAfter", "indexOf", "lastIndexOf", "hasPrefix", "hasSuffix", "replace", "len"}
	listBuiltins = []string{"all", "none", "any", "one", "filter", "map", "find", "findIndex", "findLast", "findLastIndex", "count", "sum", "groupBy", "sortBy",
		"first", "last", "take", "join", "sort", "uniq", "reverse", "flatten", "concat", "mean", "median"}
	mapBuiltins = []string{"keys", "values", "toPairs"}
	// predicates want a function that answers true or false.
	predicates = []string{"all", "none", "any", "one", "filter", "find", "findIndex", "findLast", "findLastIndex", "count"}
)

func (p *patcher) builtin(n *ast.Node, b *ast.BuiltinNode) {
	switch {
	case len(b.Arguments) == 0:
		return
	case slices.Contains(textBuiltins, b.Name):
		p.orEmpty(&b.Arguments[0], "@text")
	case slices.Contains(listBuiltins, b.Name):
		p.orEmpty(&b.Arguments[0], "@items")
	case slices.Contains(mapBuiltins, b.Name):
		p.orEmpty(&b.Arguments[0], "@members")
	}
	if slices.Contains(predicates, b.Name) && len(b.Arguments) > 1 {
		if f, ok := b.Arguments[1].(*ast.PredicateNode); ok {
			p.operand(&f.Node, b.Name)
		}
	}
	switch {
	case b.Name == "timezone":
		p.timezone(b.Arguments[0])
	case b.Name == "count" && len(b.Arguments) == 1 && composite(b.Arguments[0]) && !untypedOrBool(b.Arguments[0].Type().Elem()):
		p.fail(b, "E207", "count() counts what meets a condition, as in count(resources, .type == \"…\"): for the length write len()")
	}
	if hidden["@"+b.Name] != nil {
		p.replaceWith(n, "@"+b.Name, b.Arguments...)
	}
}

func (p *patcher) orEmpty(n *ast.Node, name string) {
	if untyped(*n) {
		p.replaceWith(n, name, *n)
	}
}

// call readies the constant arguments of our own functions.
func (p *patcher) call(c *ast.CallNode) {
	id, ok := c.Callee.(*ast.IdentifierNode)
	if !ok {
		return
	}
	switch id.Value {
	case "cidr":
		p.textsAfterFirst(c, "cidr", "network")
		for i := range c.Arguments {
			if i > 0 {
				p.network(&c.Arguments[i])
			}
		}
	case "glob":
		p.textsAfterFirst(c, "glob", "pattern")
		for _, a := range c.Arguments[1:] {
			p.pattern(a)
		}
	case "hours", "weekday":
		p.timezone(c.Arguments[1])
		for _, a := range c.Arguments[2:] {
			if i, ok := a.(*ast.IntegerNode); ok && (i.Value < 0 || i.Value > 24) {
				p.fail(i, "E209", "an hour is 0 to 24, not %d", i.Value)
			}
		}
	}
}

// textsAfterFirst checks what the type of cidr() and glob() leaves open: after
// the first argument come texts or lists of texts, one at least.
func (p *patcher) textsAfterFirst(c *ast.CallNode, name, what string) {
	if len(c.Arguments) < 2 {
		p.fail(c, "E207", "%s() wants a %s to look for", name, what)
	}
	for _, a := range c.Arguments[1:] {
		t := a.Type()
		if isList(t) {
			t = t.Elem()
		}
		if _, isNil := a.(*ast.NilNode); isNil || !dynamic(t) && t.Kind() != reflect.String {
			p.fail(a, "E207", "%s() wants a %s or a list of them here, not %s", name, what, sourceOf(a))
		}
	}
}

// pattern checks the patterns of glob() that are written out.
func (p *patcher) pattern(n ast.Node) {
	switch x := n.(type) {
	case *ast.StringNode:
		if len(x.Value) > maxPattern {
			p.fail(x, "E209", "a glob pattern may have %d bytes at most", maxPattern)
		}
	case *ast.ArrayNode:
		for _, item := range x.Nodes {
			p.pattern(item)
		}
	case *ast.ConstantNode:
		if l := p.lists[x]; l != nil && slices.ContainsFunc(l.values, func(v string) bool { return len(v) > maxPattern }) {
			p.fail(x, "E209", "a glob pattern may have %d bytes at most, and lists.%s has a longer one", maxPattern, l.name)
		}
	}
}

// timezone checks a zone that is written out.
func (p *patcher) timezone(n ast.Node) {
	s, ok := n.(*ast.StringNode)
	if !ok {
		return
	}
	if _, err := location(s.Value); err != nil {
		p.fail(s, "E209", "%v", err)
	}
}

// network turns a list, an array of text or a text into a table.
func (p *patcher) network(n *ast.Node) {
	var texts []ast.Node
	switch x := (*n).(type) {
	case *ast.ConstantNode:
		if l := p.lists[x]; l != nil {
			*n = tableNode(x, l.table(p.c))
		}
		return
	case *ast.StringNode:
		texts = []ast.Node{x}
	case *ast.ArrayNode:
		texts = x.Nodes
	}
	table := &networks{}
	for _, t := range texts {
		s, ok := t.(*ast.StringNode)
		if !ok {
			return // known only with the event
		}
		prefix, err := parseNetwork(s.Value)
		if err != nil {
			p.fail(s, "E209", "%q is not a network such as 10.0.0.0/8, nor an address", s.Value)
			continue
		}
		table.table.Insert(prefix)
	}
	if len(texts) > 0 {
		*n = tableNode(*n, table)
	}
}

func tableNode(old ast.Node, table *networks) ast.Node {
	c := &ast.ConstantNode{Value: table}
	c.SetLocation(old.Location())
	c.SetType(reflect.TypeFor[*networks]())
	return c
}

// sourceOf prints a node for a message, hidden calls as they were written.
func sourceOf(n ast.Node) string {
	switch x := n.(type) {
	case *ast.CallNode:
		if id, ok := x.Callee.(*ast.IdentifierNode); ok && id.Value == "@at" {
			base := sourceOf(x.Arguments[0])
			if s, ok := x.Arguments[1].(*ast.StringNode); ok && identifier.MatchString(s.Value) {
				return base + "." + s.Value
			}
			return base + "[" + x.Arguments[1].String() + "]"
		}
	case *ast.ChainNode:
		return sourceOf(x.Node)
	}
	return n.String()
}
