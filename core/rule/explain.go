package rule

import (
	"errors"
	"fmt"
	"slices"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"

	"github.com/trailship/trailship/core/event"
)

// Explanation says why a rule matches an event, or why not.
type Explanation struct {
	Rule       string             `json:"rule"`
	Matched    bool               `json:"matched"` // an alert would go out
	Stopped    string             `json:"stopped"` // what stopped it, "" when it matched
	Conditions []Term             `json:"conditions"`
	Steps      []Term             `json:"steps,omitempty"` // of a sequence
	Exceptions []ExceptionOutcome `json:"exceptions,omitempty"`
	Memory     *Filling           `json:"memory,omitempty"` // of a rule that remembers
	AlertID    string             `json:"alert_id,omitempty"`
	Message    string             `json:"message,omitempty"`
	Fields     []event.Field      `json:"fields,omitempty"`
}

// Term is one part of a condition and its value on the event.
type Term struct {
	Text     string `json:"text"` // as expr prints it, or what `match` says
	Value    any    `json:"value"`
	LeftText string `json:"left_text,omitempty"` // left side of a comparison, first argument of a call; no constant
	Left     any    `json:"left,omitempty"`
	Error    string `json:"error,omitempty"`
	Terms    []Term `json:"terms,omitempty"` // what it is made of: sides of and, or, not, ?:, the text of a macro
}

// ExceptionOutcome is what an exception said.
type ExceptionOutcome struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
	Over   bool   `json:"over,omitempty"` // its `until` is before the event
	Met    bool   `json:"met"`
	Terms  []Term `json:"terms,omitempty"`
}

// sourceText is a text as it was written, with what it may name.
type sourceText struct {
	text  string
	scope *scope
}

// ErrUnknownRule is the error of Explain for an id no rule has.
var ErrUnknownRule = errors.New("unknown rule")

// Explain evaluates a rule on an event part by part. Nothing is counted, and a
// rule that remembers has seen nothing before. Goroutines may call it at the
// same time, each with an event of its own.
func (s *Set) Explain(id string, ev *event.Event) (Explanation, error) {
	return s.ExplainAfter(&Scratch{}, id, ev)
}

// ExplainAfter is Explain for a rule that remembers what is in the state, which
// takes in the event. A candidate of first_seen is decided at once.
func (s *Set) ExplainAfter(before *Scratch, id string, ev *event.Event) (Explanation, error) {
	r := s.Rule(id)
	if r == nil {
		return Explanation{}, fmt.Errorf("%w %q", ErrUnknownRule, id)
	}
	s.explaining.Lock() // lists compile their forms when first used
	defer s.explaining.Unlock()
	x := explainer{c: newCompiler(event.Event{}), m: s.NewMatcher(), ev: ev}
	x.m.failure = func(*Rule, error) {}
	out := Explanation{Rule: id, Fields: []event.Field{}}
	for _, t := range r.texts {
		out.Conditions = append(out.Conditions, x.text(t, 0))
	}
	for i := range r.Exceptions {
		out.Exceptions = append(out.Exceptions, x.exception(&r.Exceptions[i]))
	}
	out.Stopped = x.stopped(r, out)
	if r.state != nil {
		return x.remember(s, before, r, out)
	}
	if out.Matched = out.Stopped == ""; out.Matched {
		m := x.m.match(r, ev)
		out.AlertID, out.Message, out.Fields = m.ID, m.Message, m.Fields
	}
	return out, nil
}

// stopped is what keeps an alert from going out.
func (x *explainer) stopped(r *Rule, out Explanation) string {
	switch {
	case !r.Enabled:
		return "the rule is disabled"
	case r.formats != nil && !r.formats[x.ev.Format]:
		return "the rule is not for " + x.ev.Format
	case slices.ContainsFunc(out.Conditions, func(t Term) bool { return t.Value != true }):
		return "the condition is not true"
	}
	for _, e := range out.Exceptions {
		if e.Met {
			return "exception " + e.Name
		}
	}
	return ""
}

// explainer evaluates one rule on one event.
type explainer struct {
	c  *compiler
	m  *Matcher
	ev *event.Event
}

// maxExplained bounds how deep the parts of an expression are shown.
const maxExplained = 40

// text explains an expression and what it is made of.
func (x *explainer) text(t sourceText, depth int) Term {
	term := Term{Text: t.text}
	term.Value, term.Error = x.evaluate(t)
	tree, err := parser.ParseWithConfig(t.text, x.c.config)
	if err != nil || depth > maxExplained {
		return term
	}
	parts := func(nodes ...ast.Node) {
		for _, n := range nodes {
			term.Terms = append(term.Terms, x.text(sourceText{n.String(), t.scope}, depth+1))
		}
	}
	switch n := tree.Node.(type) {
	case *ast.BinaryNode:
		switch n.Operator {
		case "and", "&&", "or", "||":
			parts(flattened(n, n.Operator)...)
		default:
			x.left(&term, n.Left, t.scope)
		}
	case *ast.UnaryNode:
		parts(n.Node)
	case *ast.ConditionalNode:
		parts(n.Cond, n.Exp1, n.Exp2)
	case *ast.CallNode: // glob(principal.arn, …): what it was asked about
		if len(n.Arguments) > 0 {
			x.left(&term, n.Arguments[0], t.scope)
		}
	case *ast.BuiltinNode:
		if len(n.Arguments) > 0 {
			x.left(&term, n.Arguments[0], t.scope)
		}
	case *ast.IdentifierNode:
		if m := t.scope.macros[n.Value]; m != nil {
			term.Terms = append(term.Terms, x.text(sourceText{m.text, m.scope}, depth+1))
		}
	}
	return term
}

// flattened are the operands of a chain of one operator.
func flattened(n ast.Node, operator string) []ast.Node {
	if b, ok := n.(*ast.BinaryNode); ok && b.Operator == operator {
		return append(flattened(b.Left, operator), flattened(b.Right, operator)...)
	}
	return []ast.Node{n}
}

// left notes the left side of a comparison unless it is a constant.
func (x *explainer) left(term *Term, n ast.Node, sc *scope) {
	switch n.(type) {
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NilNode:
		return
	}
	term.LeftText = n.String()
	v, _ := x.evaluate(sourceText{term.LeftText, sc})
	term.Left = fieldValue(v)
}

// evaluate gives the value of an expression, or why it has none.
func (x *explainer) evaluate(t sourceText) (any, string) {
	p, problems := x.c.parse(t.text, t.scope)
	if p == nil || len(problems) > 0 {
		return nil, "cannot be evaluated alone"
	}
	e, problems := x.c.finish(p, "condition", wantAny)
	if e == nil {
		return nil, problems[0].message
	}
	v, err := x.m.run(e, x.ev)
	if err != nil {
		return nil, err.Error()
	}
	return fieldValue(v), ""
}

// exception explains one exception.
func (x *explainer) exception(e *Exception) ExceptionOutcome {
	out := ExceptionOutcome{Name: e.Name, Reason: e.Reason, Met: true}
	if !e.Until.IsZero() && !x.ev.Time.Before(e.Until) {
		out.Over, out.Met = true, false
	}
	for _, t := range e.tests {
		term := x.exceptionTerm(t)
		out.Met = out.Met && term.Value == true
		out.Terms = append(out.Terms, term)
	}
	return out
}

func (x *explainer) exceptionTerm(t exceptionTest) Term {
	if t.accept == nil {
		return x.text(sourceText{t.text, t.scope}, 0)
	}
	term := Term{Text: t.text, LeftText: t.left}
	v, err := x.m.run(t.value, x.ev)
	if err != nil {
		term.Error = err.Error()
	}
	term.Left, term.Value = fieldValue(v), t.accept.accepts(v)
	return term
}
