package rule

import (
	"slices"

	"github.com/expr-lang/expr/ast"
)

// The outline of an event is the texts it begins with that say what was done,
// and its format: a trail has a few hundred combinations of them, whoever did
// it, and where. What a rule asks of the outline alone is decided once for a
// combination, see lead. Rules do not see the format, their `sources` do.
var outlineFields = []string{"provider", "service", "action", "kind", "access"}

// readsOnlyOutline reports that a tree reads nothing else of the event.
func readsOnlyOutline(root ast.Node) bool {
	only := true
	ast.Walk(&root, visit(func(n *ast.Node) {
		if id, ok := (*n).(*ast.IdentifierNode); ok && !slices.Contains(outlineFields, id.Value) && slices.Contains(eventFields, id.Value) {
			only = false
		}
	}))
	return only
}

// outlined is a clause about the outline and nothing else.
func (c clause) outlined() bool {
	return !slices.ContainsFunc(c, func(a atom) bool { return !slices.Contains(outlineFields, a.field) })
}
