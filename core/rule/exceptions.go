package rule

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/trailship/trailship/core/diag"
)

// exceptionTest is one line of an exception: an expression that must be true,
// or the value of a field that must be one of several.
type exceptionTest struct {
	text   string // as written, for Explain
	left   string // the field of a line of `match`
	scope  *scope
	value  *expression
	accept *matcherValues // nil: value itself must be true
}

// matcherValues is the right-hand side of one line of `match`.
type matcherValues struct {
	exact map[string]bool
	globs []string
	lists []*list
}

// accepts compares by text: trails write account ids and flags both ways.
func (m *matcherValues) accepts(v any) bool {
	if v == nil {
		return false
	}
	s := display(v)
	if m.exact[s] {
		return true
	}
	for _, g := range m.globs {
		if ok, _ := boundedGlob(g, s); ok {
			return true
		}
	}
	for _, l := range m.lists {
		if _, ok := l.members[s]; ok {
			return true
		}
	}
	return false
}

// exceptions compiles the exceptions of a rule.
func (b *builder) exceptions(docs []exceptionDoc) []Exception {
	var out []Exception
	for _, doc := range docs {
		e := Exception{Name: doc.Name.Value, Reason: doc.Reason.Value}
		e.Until = b.until(doc.Until)
		switch {
		case (len(doc.Match) > 0) == (doc.Condition.Value != ""):
			if doc.Name.Node.Kind() != diag.Absent {
				b.report(doc.Name.Node.Errorf("E228", "exception %q needs match or condition, and not both", doc.Name.Value))
			}
		case doc.Condition.Value != "":
			x := b.expression(doc.Condition, "condition", wantBool)
			e.tests = append(e.tests, exceptionTest{text: doc.Condition.Value, scope: b.scope(doc.Condition.Node), value: x})
		}
		for _, pair := range doc.Match {
			e.tests = append(e.tests, b.match(pair))
		}
		out = append(out, e)
	}
	return out
}

// until reads a date, or a time; a date ends as it begins, in UTC.
func (b *builder) until(s diag.String) time.Time {
	if s.Value == "" {
		return time.Time{}
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, s.Value); err == nil {
			return t
		}
	}
	b.report(s.Node.Errorf("E229", "until must be a date such as 2027-06-30, got %q", s.Value))
	return time.Time{}
}

// match compiles one line of match.
func (b *builder) match(pair diag.Entry[diag.Node]) exceptionTest {
	sc := b.scope(pair.Key)
	value := b.l.c.at(pair.Key, 0, pair.Name, "match", sc, wantAny)
	m := &matcherValues{exact: map[string]bool{}}
	var texts []string
	nodes := []diag.Node{pair.Value}
	if pair.Value.Kind() == diag.Sequence {
		nodes = nil
		for n := range pair.Value.Items() {
			nodes = append(nodes, n)
		}
	}
	for _, n := range nodes {
		if n.Kind() != diag.Scalar {
			b.report(n.Errorf("E228", "%s must be a value, a glob, or a list of them", pair.Name))
			continue
		}
		texts = append(texts, n.Value())
		b.accept(m, n, sc)
	}
	if value != nil {
		b.comparable(pair, value, nodes)
	}
	return exceptionTest{text: fmt.Sprintf("%s: %s", pair.Name, strings.Join(texts, ", ")), left: pair.Name, scope: sc, value: value, accept: m}
}

func (b *builder) accept(m *matcherValues, n diag.Node, sc *scope) {
	v := n.Value()
	if name, ok := strings.CutPrefix(v, "lists."); ok {
		l := sc.lists[name]
		if l == nil {
			b.report(n.ErrorAt(len("lists."), "E203", "unknown list %q%s", name, diag.Suggest(name, sortedKeys(sc.lists))))
			return
		}
		l.set()
		m.lists = append(m.lists, l)
		return
	}
	if strings.ContainsAny(v, "*?") {
		if len(v) > maxPattern {
			b.report(n.Errorf("E209", "a glob pattern may have %d bytes at most", maxPattern))
		}
		m.globs = append(m.globs, v)
		return
	}
	m.exact[v] = true
}

// comparable reports values that the field can never have.
func (b *builder) comparable(pair diag.Entry[diag.Node], value *expression, nodes []diag.Node) {
	t := value.typ
	if dynamic(t) {
		return
	}
	for _, n := range nodes {
		var err error
		switch {
		case isBool(t):
			if n.Value() != "true" && n.Value() != "false" {
				err = fmt.Errorf("%s is true or false", pair.Name)
			}
		case article(t) == "a number":
			if _, bad := strconv.ParseFloat(n.Value(), 64); bad != nil && !strings.ContainsAny(n.Value(), "*?") {
				err = fmt.Errorf("%s is a number", pair.Name)
			}
		case article(t) != "text":
			err = fmt.Errorf("%s is %s: write a condition", pair.Name, article(t))
		}
		if err != nil {
			b.report(n.Errorf("E228", "%v", err))
		}
	}
}
