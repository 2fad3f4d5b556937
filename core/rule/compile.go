package rule

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/checker/nature"
	exprc "github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/optimizer"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"

	"github.com/trailship/trailship/core/diag"
	"github.com/trailship/trailship/core/event"
)

// expression is one compiled expression: a closure, or where it has a form that
// closures do not know a program of expr's machine. It is shared by goroutines;
// each has its own frame and vm.VM.
type expression struct {
	closure *closure
	program *vm.Program  // nil when there is a closure
	parts   event.Parts  // what it reads
	typ     reflect.Type // what it gives; an interface type when only data can tell

	outlined bool // of a condition: the outline of the event decides it
}

// compiler compiles the expressions of one load. It belongs to one goroutine.
type compiler struct {
	env    reflect.Type // the struct whose expr tags are the fields
	fields []string     // their names
	steps  []string     // what may stand after `steps.`; nil where there is no sequence
	config *conf.Config
	list   diag.List // what is wrong with expressions and the lists they use
}

func newCompiler(env any) *compiler {
	config := conf.New(env)
	config.MaxNodes = maxNodes
	for name := range disabled {
		config.Disabled[name] = true
		delete(config.Builtins, name)
	}
	for _, f := range functions {
		config.Functions[f.Name] = define(f.Name, f.call, f.typed)
	}
	for name, call := range hidden {
		config.Functions[name] = define(name, call)
	}
	t := reflect.TypeOf(env)
	return &compiler{env: t, fields: members(t), config: config}
}

// What an expression must give.
type want int

const (
	wantBool want = iota // true or false; a value of unknown type is compared with true
	wantAny
)

// parsed is an expression on its way: names resolved and types known, before
// the patches.
type parsed struct {
	text     string
	tree     *parser.Tree
	resolver *resolver
	typ      reflect.Type
	parts    event.Parts
	lints    []problem
}

// at compiles the expression text, which begins offset runes into node's
// value, and adds what is wrong with it to c.list. what names it in messages.
// nil when it has errors.
func (c *compiler) at(node diag.Node, offset int, text, what string, sc *scope, w want) *expression {
	p, problems := c.parse(text, sc)
	var e *expression
	if p != nil && len(problems) == 0 {
		e, problems = c.finish(p, what, w)
	}
	c.report(node, offset, problems)
	return e
}

// report adds problems of an expression that stands at an offset of node.
func (c *compiler) report(node diag.Node, offset int, problems []problem) {
	for _, p := range problems {
		d := node.ErrorAt(offset+p.offset, p.code, "%s", p.message)
		if p.message == endsEarly && node.Plain() && strings.Contains(d.Text, " #") {
			d.Message += `: in YAML " #" begins a comment, so put the expression in quotes`
		}
		c.list = append(c.list, d)
	}
}

// parse reads an expression, resolves its names and checks its types. parsed is
// nil without a problem when a broken macro is part of it.
func (c *compiler) parse(text string, sc *scope) (*parsed, []problem) {
	return c.parseInside(text, sc, nil)
}

// parseInside is parse for the text of a macro.
func (c *compiler) parseInside(text string, sc *scope, inside []string) (p *parsed, problems []problem) {
	defer contain(&problems)
	if len(text) > maxCondition {
		return nil, []problem{{0, "E208", fmt.Sprintf("the expression is longer than %d KiB", maxCondition>>10)}}
	}
	if strings.TrimSpace(text) == "" {
		return nil, []problem{{0, "E205", "the expression is empty"}}
	}
	tree, err := parser.ParseWithConfig(text, c.config)
	if err != nil {
		return nil, []problem{syntaxProblem(located(err), text)}
	}
	r := &resolver{c: c, scope: sc, inside: inside, locals: map[string]bool{}, callees: map[*ast.IdentifierNode]bool{}, lists: map[ast.Node]*list{}, inlined: map[ast.Node]bool{}}
	r.resolve(&tree.Node)
	if r.broken && len(r.problems) == 0 {
		return nil, nil
	}
	if len(r.problems) > 0 {
		return nil, append(r.problems, c.furtherProblems(tree)...)
	}
	typ, problems := c.check(tree)
	if len(problems) > 0 {
		return nil, problems
	}
	return &parsed{text: text, tree: tree, resolver: r, typ: typ, parts: partsOf(tree.Node)}, nil
}

// contain makes a panic of the expression library a problem of the expression.
func contain(problems *[]problem) {
	if p := recover(); p != nil {
		*problems = append(*problems, problem{0, "E207", fmt.Sprintf("this cannot be compiled: %v", p)})
	}
}

// check runs the type checker and puts its answer in our words.
func (c *compiler) check(tree *parser.Tree) (reflect.Type, []problem) {
	ast.Walk(&tree.Node, visit(func(n *ast.Node) { (*n).SetNature(nature.Nature{}) }))
	typ, err := checker.Check(tree, c.config)
	if problems := typeProblems(&tree.Node); len(problems) > 0 {
		return nil, problems
	}
	if err != nil {
		e := located(err)
		return nil, []problem{{e.From, "E207", plainWords(e.Message)}}
	}
	return typ, nil
}

// furtherProblems are the mistakes that can be told although names are unknown.
func (c *compiler) furtherProblems(tree *parser.Tree) []problem {
	if _, err := checker.Check(tree, c.config); err == nil {
		return nil
	}
	return typeProblems(&tree.Node)
}

// located is the position an error of expr has, the start when it has none.
func located(err error) *file.Error {
	if e, ok := errors.AsType[*file.Error](err); ok {
		return e
	}
	return &file.Error{Message: err.Error()}
}

// finish patches a parsed expression and makes its program.
func (c *compiler) finish(p *parsed, what string, w want) (*expression, []problem) {
	problems := c.patchAll(p, what, w)
	if len(problems) > 0 {
		return nil, problems
	}
	e, err := c.program(p.tree.Node, p.tree.Source)
	if err != nil {
		return nil, []problem{{err.From, "E207", err.Message}}
	}
	e.typ, e.parts = p.typ, p.parts
	return e, p.lints
}

// patchAll makes a checked tree safe: wants its type, then puts the null-safe
// and bounded forms in place.
func (c *compiler) patchAll(p *parsed, what string, w want) (problems []problem) {
	defer contain(&problems)
	if w == wantBool && !isBool(p.typ) && !dynamic(p.typ) {
		return []problem{{leading(p.text), "E206", fmt.Sprintf("%s must be true or false, but this is %s: compare it with something", what, article(p.typ))}}
	}
	pt := &patcher{c: c, lists: p.resolver.lists, inlined: p.resolver.inlined}
	pt.patch(&p.tree.Node)
	if w == wantBool {
		pt.truth(&p.tree.Node)
	}
	p.lints = append(p.lints, pt.lints...)
	if len(pt.problems) > 0 {
		return pt.problems
	}
	ast.Walk(&p.tree.Node, visit(func(n *ast.Node) { (*n).SetNature(nature.Nature{}) }))
	if _, err := checker.Check(p.tree, c.config); err != nil {
		e := located(err)
		return []problem{{e.From, "E207", e.Message}}
	}
	return nil
}

// program compiles a patched tree.
func (c *compiler) program(root ast.Node, source file.Source) (*expression, *file.Error) {
	if made := closureOf(root); made != nil {
		if made.test == nil {
			made.value = made.any()
		}
		return &expression{closure: made}, nil
	}
	return c.machine(root, source)
}

// machine compiles a patched tree for expr's machine. The tree is the
// optimizer's afterwards.
func (c *compiler) machine(root ast.Node, source file.Source) (e *expression, failed *file.Error) {
	defer func() {
		if p := recover(); p != nil {
			e, failed = nil, &file.Error{Message: fmt.Sprintf("this cannot be compiled: %v", p)}
		}
	}()
	if err := optimizer.Optimize(&root, c.config); err != nil {
		return nil, located(err)
	}
	program, err := exprc.Compile(&parser.Tree{Node: root, Source: source}, c.config)
	if err != nil {
		return nil, located(err)
	}
	return &expression{program: program}, nil
}

// leading counts the runes of white space a text begins with.
func leading(text string) int {
	return len([]rune(text)) - len([]rune(strings.TrimLeft(text, " \t\r\n")))
}

func isBool(t reflect.Type) bool  { return t != nil && t.Kind() == reflect.Bool }
func dynamic(t reflect.Type) bool { return t == nil || t.Kind() == reflect.Interface }

// article names a type for people.
func article(t reflect.Type) string {
	switch {
	case t == nil:
		return "nothing"
	case t.Kind() == reflect.Interface:
		return "anything"
	case t == reflect.TypeFor[int](), t == reflect.TypeFor[int64](), t == reflect.TypeFor[float64]():
		return "a number"
	case t.Kind() == reflect.String:
		return "text"
	case t.Kind() == reflect.Slice, t.Kind() == reflect.Array:
		return "a list"
	case t.Kind() == reflect.Map:
		return "a map"
	case t.PkgPath() == "time" && t.Name() == "Time":
		return "a time"
	case t.PkgPath() == "time" && t.Name() == "Duration":
		return "a duration"
	case t.Kind() == reflect.Struct:
		return "a group of fields"
	}
	return "a " + t.String()
}
