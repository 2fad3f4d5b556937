package rule

import (
	"slices"

	"github.com/expr-lang/expr/ast"

	"github.com/trailship/trailship/core/event"
)

// The outline of an event is the texts it begins with that say what was done: a
// trail has a few hundred combinations of them, whoever did it, and where. What
// a rule asks of the outline alone is decided once for a combination, see
// lead.
const outlineSize = 6

// outlineFields are the names of the outline, in its order. Rules do not see
// the format, their `sources` do.
var outlineFields = [outlineSize]string{"", "provider", "service", "action", "kind", "access"}

const formatOnly outlineSet = 1

// outlineText is the text of a field of the outline.
func outlineText(ev *event.Event, field int) string {
	switch field {
	case 0:
		return ev.Format
	case 1:
		return ev.Provider
	case 2:
		return ev.Service
	case 3:
		return ev.Action
	case 4:
		return ev.Kind
	}
	return ev.Access
}

// outlineSet is a bit for each field of the outline.
type outlineSet uint8

// outlineField is the bit of a field, 0 for one that is not of the outline.
func outlineField(name string) outlineSet {
	if i := slices.Index(outlineFields[1:], name); i >= 0 {
		return 2 << i
	}
	return 0
}

// outlineRead is what of the outline a tree reads; false when it reads anything
// else of the event.
func outlineRead(root ast.Node) (reads outlineSet, only bool) {
	only = true
	ast.Walk(&root, visit(func(n *ast.Node) {
		id, ok := (*n).(*ast.IdentifierNode)
		if !ok {
			return
		}
		field := outlineField(id.Value)
		reads |= field
		if field == 0 && slices.Contains(eventFields, id.Value) {
			only = false
		}
	}))
	return reads, only
}

// outlined is a clause about the outline and nothing else.
func (c clause) outlined() bool {
	return !slices.ContainsFunc(c, func(a atom) bool { return outlineField(a.field) == 0 })
}
