package rule

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
)

// relation is how a field and a constant text must go together.
type relation uint8

const (
	isEqual relation = iota
	beginsWith
	endsWith
	contains
	differs // from mostOften, which few events do
)

// atom is a relation of a text field of the event with a constant.
type atom struct {
	field string
	how   relation
	text  string
}

// clause is atoms one of which must hold; with none nothing can.
type clause []atom

// anchors are clauses without any of which a condition cannot hold; none is
// any event. Every one alone is a true necessity.
type anchors []clause

// The bounds of what is remembered of a condition: the best clauses, and those
// of a size.
const (
	maxClauses = 8
	maxAtoms   = 100_000
)

// and is what both sides of an `and` ask for.
func (a anchors) and(b anchors) anchors { return best(slices.Concat(a, b)) }

// or is what either of two asks for: a clause of one side joined with any of
// the other.
func (a anchors) or(b anchors) anchors {
	var out anchors
	for _, x := range a {
		for _, y := range b {
			if len(x)+len(y) <= maxAtoms {
				out = append(out, union(x, y))
			}
		}
	}
	return best(out)
}

func union(x, y clause) clause {
	seen := make(map[atom]bool, len(x)+len(y))
	out := make(clause, 0, len(x)+len(y))
	for _, c := range []clause{x, y} {
		for _, a := range c {
			if !seen[a] {
				seen[a] = true
				out = append(out, a)
			}
		}
	}
	return out
}

// best keeps the clauses that fewest events meet.
func best(a anchors) anchors {
	if len(a) <= maxClauses {
		return a
	}
	slices.SortStableFunc(a, func(x, y clause) int {
		switch p, q := x.chance(), y.chance(); {
		case p < q:
			return -1
		case p > q:
			return 1
		}
		return 0
	})
	return a[:maxClauses]
}

// anchoring reads anchors off a checked tree; lists are its constants.
type anchoring struct{ lists map[ast.Node]*list }

// anchorsOf are the anchors of a condition, before the patches.
func anchorsOf(root ast.Node, lists map[ast.Node]*list) anchors {
	return anchoring{lists}.of(root, true)
}

// of is what must be so for a node to be want.
func (x anchoring) of(n ast.Node, want bool) anchors {
	switch n := n.(type) {
	case *ast.BoolNode:
		if n.Value != want {
			return anchors{{}}
		}
	case *ast.UnaryNode:
		if n.Operator == "not" || n.Operator == "!" {
			return x.of(n.Node, !want)
		}
	case *ast.ConditionalNode:
		yes := x.of(n.Cond, true).and(x.of(n.Exp1, want))
		return yes.or(x.of(n.Cond, false).and(x.of(n.Exp2, want)))
	case *ast.VariableDeclaratorNode:
		return x.of(n.Expr, want)
	case *ast.BinaryNode:
		return x.binary(n, want)
	case *ast.CallNode:
		if id, ok := n.Callee.(*ast.IdentifierNode); ok && id.Value == "glob" && want {
			return x.glob(n.Arguments)
		}
	}
	return nil
}

func (x anchoring) binary(n *ast.BinaryNode, want bool) anchors {
	switch n.Operator {
	case "and", "&&", "or", "||":
		l, r := x.of(n.Left, want), x.of(n.Right, want)
		if (n.Operator == "and" || n.Operator == "&&") == want {
			return l.and(r)
		}
		return l.or(r)
	case "==", "!=":
		how, left, right := isEqual, n.Left, n.Right
		if (n.Operator == "==") != want {
			how = differs
		}
		if _, constant := left.(*ast.StringNode); constant {
			left, right = right, left
		}
		return x.relate(left, how, constants(right, x.lists))
	case "in":
		if want {
			return x.relate(n.Left, isEqual, constants(n.Right, x.lists))
		}
	case "startsWith", "endsWith", "contains":
		if s, ok := n.Right.(*ast.StringNode); ok && want && s.Value != "" {
			how := map[string]relation{"startsWith": beginsWith, "endsWith": endsWith, "contains": contains}[n.Operator]
			return x.relate(n.Left, how, []string{s.Value})
		}
	case "matches":
		if s, ok := n.Right.(*ast.StringNode); ok && want {
			return x.pattern(n.Left, s.Value)
		}
	}
	return nil
}

// relate is one clause: the field has a relation with one of the texts.
func (x anchoring) relate(n ast.Node, how relation, texts []string) anchors {
	if chain, ok := n.(*ast.ChainNode); ok {
		n = chain.Node
	}
	field := fieldPath(n)
	if textFields[field] == nil || texts == nil || how == differs && !usually(field, texts) {
		return nil
	}
	c := make(clause, 0, len(texts))
	for _, s := range texts {
		c = append(c, atom{field, how, s})
	}
	if len(c) > 1 {
		c = union(c, nil)
	}
	return anchors{c}
}

// glob is what glob(field, pattern…) asks for: how the text begins.
func (x anchoring) glob(args []ast.Node) anchors {
	var c clause
	for _, arg := range args[1:] {
		for _, pattern := range constants(arg, x.lists) {
			at := strings.IndexAny(pattern, "*?")
			how := beginsWith
			if at < 0 {
				how, at = isEqual, len(pattern)
			}
			head := pattern[:at]
			if how == beginsWith && head == "" || strings.ContainsRune(head, utf8.RuneError) {
				return nil
			}
			c = append(c, atom{fieldPath(args[0]), how, head})
		}
		if constants(arg, x.lists) == nil {
			return nil
		}
	}
	if textFields[fieldPath(args[0])] == nil {
		return nil
	}
	return anchors{union(c, nil)}
}

// pattern is what a regular expression asks for: the texts it begins with, or a
// text it holds.
func (x anchoring) pattern(n ast.Node, pattern string) anchors {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil
	}
	parts := []*syntax.Regexp{re}
	if re.Op == syntax.OpConcat {
		parts = re.Sub
	}
	if parts[0].Op == syntax.OpBeginText && len(parts) > 1 {
		if texts := literals(parts[1]); texts != nil {
			return x.relate(n, beginsWith, texts)
		}
	}
	for _, p := range parts {
		if texts := literals(p); texts != nil {
			return x.relate(n, contains, texts)
		}
	}
	return nil
}

// literals are the texts a part of a pattern stands for, nil when it is not a
// choice of plain ones.
func literals(re *syntax.Regexp) (texts []string) {
	switch re.Op {
	case syntax.OpLiteral:
		s := string(re.Rune)
		if re.Flags&syntax.FoldCase == 0 && !strings.ContainsRune(s, utf8.RuneError) {
			return []string{s}
		}
	case syntax.OpCapture:
		return literals(re.Sub[0])
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			one := literals(sub)
			if one == nil {
				return nil
			}
			texts = append(texts, one...)
		}
	}
	return texts
}

// constants are the texts a node stands for, nil when the event decides.
func constants(n ast.Node, lists map[ast.Node]*list) []string {
	switch x := n.(type) {
	case *ast.StringNode:
		return []string{x.Value}
	case *ast.ConstantNode:
		if l := lists[x]; l != nil {
			return append([]string{}, l.values...)
		}
	case *ast.ArrayNode:
		texts := []string{}
		for _, item := range x.Nodes {
			s, ok := item.(*ast.StringNode)
			if !ok {
				return nil
			}
			texts = append(texts, s.Value)
		}
		return texts
	}
	return nil
}
