package rule

import (
	"reflect"

	"github.com/expr-lang/expr/ast"

	"github.com/trailship/trailship/core/event"
)

// elementKind is what the elements of the innermost loop are.
type elementKind uint8

const (
	noElement elementKind = iota
	anyElement
	resourceElement
	policyElement
)

// loop compiles any, all and none. Loops inside loops stay with the machine,
// which counts their rounds.
func (cs closures) loop(n *ast.BuiltinNode) *closure {
	if cs.element != noElement || len(n.Arguments) != 2 || n.Map != nil || n.Name != "any" && n.Name != "all" && n.Name != "none" {
		return nil
	}
	inside := closures{element: elementOf(n.Arguments[0])}
	body, list := inside.of(loopBody(n).Node), cs.of(n.Arguments[0])
	if body == nil || body.test == nil || list == nil {
		return nil
	}
	// any ends at the first true, none and all at the first that breaks them.
	test, stopAt, answer := body.test, n.Name != "all", n.Name == "any"
	c := tested(nil, list, body)
	switch inside.element {
	case resourceElement:
		c.test = func(f *frame) bool { return f.overResources(test, stopAt) == answer }
	case policyElement:
		c.test = func(f *frame) bool { return f.overPolicies(test, stopAt) == answer }
	default:
		value := list.any()
		c.fails = true
		c.test = func(f *frame) bool { return f.over(value(f), test, stopAt) == answer }
	}
	return c
}

func elementOf(list ast.Node) elementKind {
	switch fieldPath(list) {
	case "resources":
		return resourceElement
	case "policies":
		return policyElement
	}
	return anyElement
}

// over reports that the test answers stopAt for some element.
func (f *frame) over(list any, test func(*frame) bool, stopAt bool) bool {
	if items, ok := list.([]any); ok {
		for _, item := range items {
			f.element = item
			if test(f) == stopAt {
				return true
			}
		}
		return false
	}
	// Whatever else has a length: only an element that is looked at can fail.
	items := reflect.ValueOf(list)
	for i := range items.Len() {
		f.element = elementOfOther{items, i}
		if test(f) == stopAt {
			return true
		}
	}
	return false
}

// elementOfOther is an element of what is no list of JSON.
type elementOfOther struct {
	of reflect.Value
	at int
}

func (f *frame) overResources(test func(*frame) bool, stopAt bool) bool {
	for i := range f.ev.Resources {
		f.resource = &f.ev.Resources[i]
		if test(f) == stopAt {
			return true
		}
	}
	return false
}

func (f *frame) overPolicies(test func(*frame) bool, stopAt bool) bool {
	for i := range f.ev.Policies {
		f.policy = &f.ev.Policies[i]
		if test(f) == stopAt {
			return true
		}
	}
	return false
}

// pointer is the element of a loop as a whole.
func (cs closures) pointer(n *ast.PointerNode) *closure {
	if n.Name != "" || cs.element != anyElement {
		return nil
	}
	return &closure{fails: true, value: func(f *frame) any {
		if e, ok := f.element.(elementOfOther); ok {
			return e.of.Index(e.at).Interface()
		}
		return f.element
	}}
}

// elementMember is `.name` of an element, or of what arn() answers.
func (cs closures) elementMember(n *ast.MemberNode) *closure {
	base, name := baseOf(n)
	switch x := base.(type) {
	case *ast.PointerNode:
		if x.Name != "" {
			return nil
		}
		return cs.elementText(name)
	case *ast.CallNode:
		get, id := arnTexts[name], x.Callee
		if callee, ok := id.(*ast.IdentifierNode); !ok || callee.Value != "arn" || get == nil || len(x.Arguments) != 1 {
			return nil
		}
		of := cs.of(x.Arguments[0])
		if of == nil || of.text == nil {
			return nil
		}
		text := of.text
		return (&closure{text: func(f *frame) string { return get(arnOf(text(f))) }}).from(of)
	}
	return nil
}

func (cs closures) elementText(name string) *closure {
	switch cs.element {
	case resourceElement:
		if get := resourceTexts[name]; get != nil {
			return &closure{text: func(f *frame) string { return get(f.resource) }, need: event.PartsOf("resources")}
		}
	case policyElement:
		if get := policyTexts[name]; get != nil {
			return &closure{text: func(f *frame) string { return get(f.policy) }, need: event.PartsOf("policies")}
		}
	}
	return nil
}

// baseOf takes the constant names off a chain of members.
func baseOf(n ast.Node) (base ast.Node, path string) {
	m, ok := n.(*ast.MemberNode)
	if !ok {
		return n, ""
	}
	name, ok := m.Property.(*ast.StringNode)
	if !ok || m.Method {
		return n, ""
	}
	base, path = baseOf(m.Node)
	if path != "" {
		path += "."
	}
	return base, path + name.Value
}

// mergedLoops reports that the optimizer may make one loop of several that an
// `and` or `or` joins.
func mergedLoops(n *ast.BinaryNode) bool {
	seen := map[string]int{}
	var leaves func(ast.Node)
	leaves = func(n ast.Node) {
		switch x := n.(type) {
		case *ast.BinaryNode:
			switch x.Operator {
			case "and", "&&", "or", "||":
				leaves(x.Left)
				leaves(x.Right)
			}
		case *ast.BuiltinNode:
			if loopBody(x) != nil {
				seen[x.Name]++
			}
		}
	}
	leaves(n)
	for _, times := range seen {
		if times > 1 {
			return true
		}
	}
	return false
}
