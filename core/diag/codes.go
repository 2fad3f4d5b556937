package diag

import (
	"fmt"
	"slices"
	"strings"
)

// Code is one row of the table of codes: what a diagnostic with it means, with
// an example of the mistake and of its remedy.
type Code struct {
	ID    string // E… is an error, W… a warning
	Title string
	Why   string
	Wrong string // an example that is answered with this code
	Right string // the same, put right
}

// Codes is every code, sorted. The tables are in codes_yaml.go (E001–E099: any
// file), codes_config.go (E100–E199, W100–W199: trailship.yaml) and codes_rule.go
// (E200–E399, W200–W399: rules).
func Codes() []Code {
	all := slices.Concat(yamlCodes, configCodes, ruleCodes)
	slices.SortFunc(all, func(a, b Code) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// Lookup finds a code, in upper or lower case.
func Lookup(id string) (Code, bool) {
	for _, c := range Codes() {
		if strings.EqualFold(c.ID, id) {
			return c, true
		}
	}
	return Code{}, false
}

// Page is the explanation of a code for a terminal.
func (c Code) Page() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n\n%s\n", c.ID, c.Title, strings.TrimSpace(c.Why))
	if c.Wrong != "" {
		fmt.Fprintf(&b, "\nWrong:\n%s", indented(c.Wrong))
	}
	if c.Right != "" {
		fmt.Fprintf(&b, "\nRight:\n%s", indented(c.Right))
	}
	return b.String()
}

func indented(s string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.Trim(s, "\n") + "\n") {
		b.WriteString(indent + line)
	}
	return b.String()
}
