package rule

import (
	"slices"
	"strings"

	"github.com/trailship/trailship/core/diag"
)

// macro is a named expression: one of `macros`, or of a rule's `let`. It is
// inlined on the syntax tree wherever its name stands.
type macro struct {
	name  string
	text  string
	at    diag.Node // where the expression stands
	scope *scope    // what it may name
	state int
}

// What is known of a macro.
const (
	macroUnchecked = iota
	macroChecking
	macroGood
	macroBroken
)

// checkMacro compiles a macro alone, once, so that a mistake in it is reported
// where it stands. inside is the chain of macros that led here, the outermost
// first; one that is still being checked is part of itself.
func (c *compiler) checkMacro(m *macro, inside []string) int {
	if m.state != macroUnchecked {
		return m.state
	}
	m.state = macroChecking
	p, problems := c.parseInside(m.text, m.scope, append(slices.Clone(inside), m.name))
	if p != nil && len(problems) == 0 {
		problems = c.patchAll(p, m.name, wantAny)
		problems = append(problems, p.lints...)
	}
	m.state = macroGood
	if p == nil || hasErrors(problems) {
		m.state = macroBroken
	}
	c.report(m.at, 0, problems)
	return m.state
}

func hasErrors(problems []problem) bool {
	return slices.ContainsFunc(problems, func(p problem) bool { return strings.HasPrefix(p.code, "E") })
}
