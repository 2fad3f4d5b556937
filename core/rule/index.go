package rule

import (
	"slices"

	"github.com/expr-lang/expr/ast"

	"github.com/trailship/trailship/core/event"
)

// anchors are the values of service and action without which a condition
// cannot hold; nil is any value.
type anchors struct{ service, action []string }

// and is what both sides of an `and` ask for. A value both must be is not
// worked out: either side alone is a true necessity.
func (a anchors) and(b anchors) anchors {
	if a.service == nil {
		a.service = b.service
	}
	if a.action == nil {
		a.action = b.action
	}
	return a
}

// or is what either of two asks for.
func (a anchors) or(b anchors) anchors {
	either := func(a, b []string) []string {
		if a == nil || b == nil {
			return nil
		}
		return append(slices.Clone(a), b...)
	}
	return anchors{either(a.service, b.service), either(a.action, b.action)}
}

// anchorsOf reads `service == "…"`, `service in […]` and the same of action
// off the terms a condition joins by `and`. lists are its constants.
func anchorsOf(root ast.Node, lists map[ast.Node]*list) (a anchors) {
	for _, term := range terms(root) {
		b, ok := term.(*ast.BinaryNode)
		if !ok || b.Operator != "==" && b.Operator != "in" {
			continue
		}
		field, values := b.Left, b.Right
		if _, constant := field.(*ast.StringNode); constant && b.Operator == "==" {
			field, values = values, field
		}
		id, ok := field.(*ast.IdentifierNode)
		if !ok {
			continue
		}
		switch texts := constants(values, lists); id.Value {
		case "service":
			a = a.and(anchors{service: texts})
		case "action":
			a = a.and(anchors{action: texts})
		}
	}
	return a
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

// index finds the rules an event may match. A rule stands in one place only:
// under its actions, else under its services, else among the rest.
type index struct {
	action, service map[string][]int
	rest            []int
}

func newIndex(rules []*Rule) index {
	x := index{action: map[string][]int{}, service: map[string][]int{}}
	for i, r := range rules {
		switch {
		case !r.Enabled:
		case r.anchors.action != nil:
			insert(x.action, r.anchors.action, i)
		case r.anchors.service != nil:
			insert(x.service, r.anchors.service, i)
		default:
			x.rest = append(x.rest, i)
		}
	}
	return x
}

func insert(m map[string][]int, values []string, i int) {
	for _, v := range values {
		if !slices.Contains(m[v], i) {
			m[v] = append(m[v], i)
		}
	}
}

// candidates appends the rules worth evaluating, in the order of the set.
func (x *index) candidates(dst []int, ev *event.Event) []int {
	dst = append(dst, x.rest...)
	dst = append(dst, x.action[ev.Action]...)
	dst = append(dst, x.service[ev.Service]...)
	slices.Sort(dst)
	return dst
}
