package rule

import (
	"reflect"
	"slices"

	"github.com/expr-lang/expr/ast"

	"github.com/trailship/trailship/core/event"
)

// partsOf says which parts of the event an expression reads. Before the
// patches, while member chains are still whole, it is exact; afterwards it may
// say too much of api.
func partsOf(root ast.Node) event.Parts {
	var parts event.Parts
	var whole map[string]int // how often one of the open paths is used
	count := func(path string, n int) {
		if openPaths[path] == 0 {
			return
		}
		if whole == nil {
			whole = map[string]int{}
		}
		whole[path] += n
	}
	ast.Walk(&root, visit(func(n *ast.Node) {
		switch x := (*n).(type) {
		case *ast.IdentifierNode:
			count(x.Value, 1)
			if slices.Contains(eventFields, x.Value) {
				parts |= event.PartsOf(x.Value) & event.PartsClosed
			}
		case *ast.MemberNode:
			if base := chain(x.Node); base == "api" || base == "api.request" || base == "api.response" {
				count(base, -1) // what is read of it is counted by its own name
			}
			count(chain(x), 1)
		}
	}))
	for path, times := range whole {
		if times > 0 {
			parts |= openPaths[path]
		}
	}
	return parts
}

// eventFields are the names expressions begin with.
var eventFields = members(reflect.TypeFor[event.Event]())

// openPaths is what reading a name, and for api's objects the whole of it, needs.
var openPaths = map[string]event.Parts{
	"request": event.PartRequest, "response": event.PartResponse,
	"raw": event.PartRaw, "unmapped": event.PartUnmapped,
	"api": event.PartRequest | event.PartResponse, "api.request": event.PartRequest, "api.response": event.PartResponse,
	"api.request.data": event.PartRequest, "api.response.data": event.PartResponse,
}

// chain is `a.b.c` for a node that is nothing else, and "" for any other.
func chain(n ast.Node) string {
	switch x := n.(type) {
	case *ast.ChainNode:
		return chain(x.Node)
	case *ast.IdentifierNode:
		return x.Value
	case *ast.MemberNode:
		name, ok := x.Property.(*ast.StringNode)
		if base := chain(x.Node); ok && base != "" {
			return base + "." + name.Value
		}
	}
	return ""
}
