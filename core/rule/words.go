package rule

import (
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/trailship/trailship/core/diag"
)

// closed are the fields whose values are words of ours, with all there are;
// what a cloud could not name is "". severity is that of routes.
var closed = map[string][]string{
	"provider":       {"aws", "alibaba"},
	"kind":           {"api", "console_login", "console_action", "service", "data", "network", "insight"},
	"access":         {"read", "write", ""},
	"outcome":        {"success", "failure", "denied", ""},
	"principal.type": {"root", "user", "role", "federated", "service", "account", "unknown", ""},
	"principal.mfa":  {"yes", "no", ""},
	"severity":       {"info", "low", "medium", "high", "critical"},
}

// words warns about comparisons with a word a field never holds: the rule
// would load and never fire.
func (p *patcher) words(b *ast.BinaryNode) {
	field := fieldPath(b.Left)
	switch right := b.Right.(type) {
	case *ast.StringNode:
		p.word(field, right)
	case *ast.ArrayNode:
		for _, n := range right.Nodes {
			if s, ok := n.(*ast.StringNode); ok {
				p.word(field, s)
			}
		}
	}
}

func (p *patcher) word(field string, s *ast.StringNode) {
	if field == "service" && s.Value != strings.ToLower(s.Value) {
		p.lint(s, "W211", "service is always lower case: write %q", strings.ToLower(s.Value))
		return
	}
	words, ok := closed[field]
	if !ok || slices.Contains(words, s.Value) {
		return
	}
	// Another case or another joint is nearer than the distance tells.
	plain := strings.NewReplacer("-", "_", " ", "_").Replace(strings.ToLower(s.Value))
	if slices.Contains(words, plain) {
		p.lint(s, "W211", "%s is never %q (did you mean %q?)", field, s.Value, plain)
		return
	}
	p.lint(s, "W211", "%s is never %q%s", field, s.Value, diag.Suggest(s.Value, words))
}

// fieldPath is the dotted name of a field, "" for anything else.
func fieldPath(n ast.Node) string {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		return n.Value
	case *ast.MemberNode:
		name, ok := n.Property.(*ast.StringNode)
		if parent := fieldPath(n.Node); ok && parent != "" {
			return parent + "." + name.Value
		}
	}
	return ""
}
