package rule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"

	"github.com/trailship/trailship/core/diag"
)

// scope is what an expression may name beside the event and the functions.
type scope struct {
	lists  map[string]*list
	macros map[string]*macro // macros of the pack, and the lets that stand before
}

// problem is a mistake inside one expression: a rune offset into its text.
type problem struct {
	offset  int
	code    string
	message string
}

// resolver replaces names in a freshly parsed tree: macros and lets by their
// trees, lists.NAME by constants. It collects what it cannot resolve.
type resolver struct {
	c        *compiler
	scope    *scope
	locals   map[string]bool // declared by `let x = …;` in the text
	callees  map[*ast.IdentifierNode]bool
	lists    map[ast.Node]*list // which list a constant came from
	inlined  map[ast.Node]bool  // nodes that came from a macro
	inside   []string           // macros being inlined, the outermost first
	nodes    int
	broken   bool // a broken macro is part of it: its own error is enough
	problems []problem
}

func (r *resolver) fail(n ast.Node, code, format string, args ...any) {
	r.problems = append(r.problems, problem{n.Location().From, code, fmt.Sprintf(format, args...)})
}

// resolve works on a tree in place.
func (r *resolver) resolve(root *ast.Node) {
	ast.Walk(root, visit(r.survey))
	if len(r.problems) > 0 {
		return
	}
	ast.Walk(root, visit(r.replace))
	ast.Walk(root, visit(r.strayLists))
}

// visit makes a function an ast.Visitor.
type visit func(*ast.Node)

func (v visit) Visit(n *ast.Node) { v(n) }

// survey notes what the replacing walk, which goes from the leaves up, cannot
// see: which identifiers are called, which are declared in the text.
func (r *resolver) survey(n *ast.Node) {
	r.nodes++
	if r.nodes == maxNodes+1 {
		r.fail(*n, "E208", "the expression is too large: with its macros written out it has more than %d parts", maxNodes)
	}
	switch n := (*n).(type) {
	case *ast.CallNode:
		if id, ok := n.Callee.(*ast.IdentifierNode); ok {
			r.callees[id] = true
		}
	case *ast.VariableDeclaratorNode:
		r.declare(n)
	}
}

func (r *resolver) declare(n *ast.VariableDeclaratorNode) {
	if what := r.c.reserved(n.Name); what != "" {
		r.fail(n, "E211", "%q is %s: give it another name", n.Name, what)
	} else if m := r.scope.macros[n.Name]; m != nil {
		r.fail(n, "E211", "%q is a macro or a let of the rule: give it another name", n.Name)
	}
	r.locals[n.Name] = true
}

func (r *resolver) replace(n *ast.Node) {
	switch x := (*n).(type) {
	case *ast.IdentifierNode:
		r.identifier(n, x)
	case *ast.MemberNode:
		r.member(n, x)
	case *ast.BuiltinNode:
		if why, off := disabled[x.Name]; off {
			r.fail(x, "E204", "%s() is not available in rules: %s", x.Name, why)
		}
	case *ast.CallNode:
		if m, ok := x.Callee.(*ast.MemberNode); ok && m.Method {
			if name, ok := m.Property.(*ast.StringNode); ok && name.Value == "Local" {
				r.fail(name, "E204", "Local() is not available in rules: it depends on the host; use In(timezone(\"…\"))")
			}
		}
	}
}

func (r *resolver) identifier(n *ast.Node, id *ast.IdentifierNode) {
	switch {
	case id.Value == "lists":
		return // member, or strayLists
	case r.callees[id]:
		r.callee(id)
	case r.locals[id.Value]:
	case r.scope.macros[id.Value] != nil:
		r.inline(n, r.scope.macros[id.Value])
	case id.Value == "$env":
		r.fail(id, "E201", "$env is not available in rules: write the field's name")
	case slices.Contains(r.c.fields, id.Value):
	case remembered[id.Value] != "":
		r.fail(id, "E201", "%s is known in message and fields of rules with %s only", id.Value, remembered[id.Value])
	case slices.Contains(functionNames(), id.Value):
		r.fail(id, "E201", "%s is a function: write %s(…)", id.Value, id.Value)
	default:
		hint := diag.Suggest(id.Value, r.candidates())
		if hint == "" {
			hint = fmt.Sprintf(": if it is text, write it in quotes, %q", id.Value)
		}
		r.fail(id, "E201", "unknown field %q%s", id.Value, hint)
	}
}

// remembered says which rules have the names that only some have.
var remembered = map[string]string{
	"window": "threshold, first_seen or sequence", "first_seen": "first_seen", "steps": "sequence",
}

func (r *resolver) callee(id *ast.IdentifierNode) {
	name := id.Value
	why, off := disabled[name]
	switch {
	case slices.Contains(functionNames(), name):
	case off:
		r.fail(id, "E204", "%s() is not available in rules: %s", name, why)
	case r.scope.macros[name] != nil:
		r.fail(id, "E202", "%q is not a function: write it without ()", name)
	default:
		r.fail(id, "E202", "unknown function %q%s", name, diag.Suggest(name, functionNames()))
	}
}

// candidates are the names a mistyped one may have meant.
func (r *resolver) candidates() []string {
	names := append(slices.Clone(r.c.fields), sortedKeys(r.scope.macros)...)
	return append(names, sortedKeys(r.locals)...)
}

// member replaces lists.NAME.
func (r *resolver) member(n *ast.Node, m *ast.MemberNode) {
	id, ok := m.Node.(*ast.IdentifierNode)
	if ok && id.Value == "steps" && r.c.steps != nil && !r.locals["steps"] {
		r.step(m)
	}
	if !ok || id.Value != "lists" {
		return
	}
	name, ok := m.Property.(*ast.StringNode)
	if !ok {
		r.fail(m, "E203", "a list is written lists.NAME")
		return
	}
	l := r.scope.lists[name.Value]
	if l == nil {
		r.fail(m.Node, "E203", "unknown list %q%s", name.Value, diag.Suggest(name.Value, sortedKeys(r.scope.lists)))
		r.problems[len(r.problems)-1].offset = name.Location().From
		ast.Patch(n, &ast.ConstantNode{Value: []string{}})
		return
	}
	l.used = true
	r.constant(n, l)
}

// step checks the name behind `steps.`.
func (r *resolver) step(m *ast.MemberNode) {
	name, ok := m.Property.(*ast.StringNode)
	switch {
	case !ok:
		r.fail(m, "E201", "a step is written steps.NAME")
	case !slices.Contains(r.c.steps, name.Value):
		hint := diag.Suggest(name.Value, r.c.steps)
		if hint == "" {
			hint = ": there are " + strings.Join(r.c.steps, ", ")
		}
		r.fail(name, "E201", "unknown step %q%s", name.Value, hint)
	}
}

func (r *resolver) constant(n *ast.Node, l *list) {
	c := &ast.ConstantNode{Value: l.values}
	ast.Patch(n, c)
	r.lists[c] = l
}

// strayLists reports `lists` where no name follows.
func (r *resolver) strayLists(n *ast.Node) {
	if id, ok := (*n).(*ast.IdentifierNode); ok && id.Value == "lists" && !r.locals["lists"] {
		r.fail(id, "E203", "a list is written lists.NAME")
	}
}

// inline puts a macro's own tree in the place of its name. Every error in it
// points at the name from now on; its own mistakes were reported where it
// stands.
func (r *resolver) inline(n *ast.Node, m *macro) {
	switch state := r.c.checkMacro(m, r.inside); {
	case state == macroChecking:
		circle := append(r.inside[slices.Index(r.inside, m.name):], m.name)
		r.fail(*n, "E210", "macro %q is part of itself: %s", m.name, strings.Join(circle, " → "))
		return
	case state == macroBroken || r.nodes > maxNodes:
		r.broken = true
		return
	}
	tree, err := parser.ParseWithConfig(m.text, r.c.config)
	if err != nil {
		r.broken = true
		return
	}
	at := (*n).Location()
	sub := &resolver{c: r.c, scope: m.scope, locals: map[string]bool{}, callees: map[*ast.IdentifierNode]bool{},
		lists: r.lists, inlined: r.inlined, inside: append(slices.Clone(r.inside), m.name), nodes: r.nodes}
	sub.resolve(&tree.Node)
	ast.Walk(&tree.Node, visit(func(n *ast.Node) {
		(*n).SetLocation(at)
		r.inlined[*n] = true
	}))
	r.nodes = sub.nodes
	r.broken = r.broken || sub.broken
	for _, p := range sub.problems {
		r.problems = append(r.problems, problem{at.From, p.code, p.message})
	}
	*n = tree.Node
}
