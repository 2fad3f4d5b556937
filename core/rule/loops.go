package rule

import "github.com/expr-lang/expr/ast"

// boundLoops finds loops inside loops. Every round of an innermost body then
// costs memory budget, so that they end: expr itself counts no steps. Three
// inside each other are worth a warning.
func (p *patcher) boundLoops(root *ast.Node) {
	height := map[*ast.BuiltinNode]int{}
	bounded := map[*ast.BuiltinNode]bool{}
	ast.Walk(root, visit(func(n *ast.Node) {
		b, ok := (*n).(*ast.BuiltinNode)
		if !ok || loopBody(b) == nil {
			return
		}
		inner := loopsIn(loopBody(b).Node)
		for _, i := range inner {
			height[b] = max(height[b], height[i]+1)
		}
		if height[b] == 2 {
			p.lint(b, "W202", "three loops inside each other are slow on a large event, and given up after %d rounds", memoryBudget)
		}
		for _, i := range inner {
			if height[i] == 0 && !bounded[i] {
				bounded[i] = true
				costly(loopBody(i))
			}
		}
	}))
}

// loopBody is the function a builtin calls for each element, nil for none.
func loopBody(b *ast.BuiltinNode) *ast.PredicateNode {
	if len(b.Arguments) < 2 {
		return nil
	}
	body, _ := b.Arguments[1].(*ast.PredicateNode)
	return body
}

func loopsIn(n ast.Node) (loops []*ast.BuiltinNode) {
	ast.Walk(&n, visit(func(n *ast.Node) {
		if b, ok := (*n).(*ast.BuiltinNode); ok && loopBody(b) != nil {
			loops = append(loops, b)
		}
	}))
	return loops
}

// costly makes a body `[body][0]`: the list of one is what the budget counts.
func costly(body *ast.PredicateNode) {
	at := body.Location()
	index := &ast.IntegerNode{}
	index.SetLocation(at)
	one := &ast.ArrayNode{Nodes: []ast.Node{body.Node}}
	one.SetLocation(at)
	body.Node = &ast.MemberNode{Node: one, Property: index}
	body.Node.SetLocation(at)
}
