package rule

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"

	"github.com/trailship/trailship/core/diag"
)

// typeProblems are the mistakes that are told better, and more than one at a
// time, than the checker would.
func typeProblems(root *ast.Node) []problem {
	return slices.Concat(misplacedNot(root), unknownMembers(root), badPatterns(root))
}

// badPatterns reports patterns that are no regular expressions.
func badPatterns(root *ast.Node) []problem {
	var out []problem
	ast.Walk(root, visit(func(n *ast.Node) {
		b, ok := (*n).(*ast.BinaryNode)
		if !ok || b.Operator != "matches" {
			return
		}
		if s, ok := b.Right.(*ast.StringNode); ok {
			if _, err := regexp.Compile(s.Value); err != nil {
				out = append(out, problem{s.Location().From, "E209", strings.Replace(err.Error(), "error parsing regexp", "not a regular expression", 1)})
			}
		}
	}))
	return out
}

// unknownMembers reports every `.name` that the type before it does not have:
// the checker would stop at the first.
func unknownMembers(root *ast.Node) []problem {
	var out []problem
	ast.Walk(root, visit(func(n *ast.Node) {
		m, ok := (*n).(*ast.MemberNode)
		if !ok || m.Node.Type().Kind() != reflect.Struct {
			return
		}
		name, ok := m.Property.(*ast.StringNode)
		if !ok {
			return
		}
		t := m.Node.Type()
		if _, method := t.MethodByName(name.Value); method || slices.Contains(members(t), name.Value) {
			return
		}
		what := "field"
		if m.Method {
			what = "method"
		}
		out = append(out, problem{name.Location().From, "E201", fmt.Sprintf("unknown %s %q%s", what, name.Value, diag.Suggest(name.Value, members(t)))})
	}))
	return out
}

// misplacedNot reports `not x in …`, which negates x before `in` sees it.
func misplacedNot(root *ast.Node) []problem {
	var out []problem
	ast.Walk(root, visit(func(n *ast.Node) {
		b, ok := (*n).(*ast.BinaryNode)
		if !ok || !slices.Contains([]string{"in", "contains", "startsWith", "endsWith", "matches"}, b.Operator) {
			return
		}
		if u, ok := b.Left.(*ast.UnaryNode); ok && (u.Operator == "not" || u.Operator == "!") {
			x := u.Node.String()
			out = append(out, problem{u.Location().From, "E206", fmt.Sprintf("%q negates only %s: write %s not %s …", u.Operator, x, x, b.Operator)})
		}
	}))
	return out
}

const endsEarly = "the expression ends too early"

// syntaxProblem rewrites what the parser says in words for rule authors.
func syntaxProblem(err *file.Error, text string) problem {
	p := problem{err.From, "E205", err.Message}
	if rest, ok := strings.CutPrefix(p.message, "unexpected token "); ok {
		p.message = unexpected(rest)
	}
	switch {
	case strings.Contains(err.Message, `Operator("=")`):
		p.message = `unexpected "=" (did you mean "=="?)`
	case strings.HasPrefix(err.Message, "unexpected token EOF"), strings.HasPrefix(err.Message, "unexpected end"):
		p.message = endsEarly
	case strings.Contains(err.Message, "exceeds maximum allowed nodes"):
		p.code, p.message = "E208", fmt.Sprintf("the expression is too large: it has more than %d parts", maxNodes)
	}
	p.offset = min(p.offset, len([]rune(text)))
	return p
}

// unexpected turns `Identifier("foo")` into `unexpected "foo"`.
func unexpected(token string) string {
	if _, rest, ok := strings.Cut(token, "("); ok && strings.HasSuffix(rest, ")") {
		return "unexpected " + strings.TrimSuffix(rest, ")")
	}
	return "unexpected " + token
}

var (
	mismatch  = regexp.MustCompile(`^invalid operation: (.+) \(mismatched types? (.+?)(?: and (.+))?\)$`)
	argument  = regexp.MustCompile(`^cannot use (.+) as argument \(type (.+)\) to call (\S+) ?$`)
	fieldless = regexp.MustCompile(`^type (\S+) has no field (\S+)$`)
	// typeWords are the words for what the checker calls by Go's names.
	typeWords = strings.NewReplacer("map[string]interface {}", "a map", "[]uint8", "bytes", "uint8", "a byte", "time.Time", "a time", "time.Duration", "a duration", "string", "text",
		"[]string", "a list", "[]interface {}", "a list", "int64", "a number", "float64", "a number", "int", "a number", "bool", "true or false", "nil", "nothing")
)

// plainWords puts what the checker says in words for rule authors.
func plainWords(message string) string {
	if m := mismatch.FindStringSubmatch(message); m != nil {
		types := typeWords.Replace(m[2])
		if m[3] != "" {
			types += " and " + typeWords.Replace(m[3])
		}
		return fmt.Sprintf("%q does not go with %s", m[1], types)
	}
	if m := argument.FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("%s() wants %s here, not %s", m[3], typeWords.Replace(m[2]), typeWords.Replace(m[1]))
	}
	if m := fieldless.FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("this is %s and has no field %q", typeWords.Replace(m[1]), m[2])
	}
	return strings.ReplaceAll(message, "interface {}", "anything")
}
