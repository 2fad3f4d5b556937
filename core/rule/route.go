package rule

import (
	"sync/atomic"

	"github.com/expr-lang/expr/vm"

	"github.com/trailship/trailship/core/diag"
	"github.com/trailship/trailship/core/event"
)

// Route is a compiled `when` of a route. Goroutines share it.
type Route struct {
	when   *expression
	errors atomic.Uint64
}

// routeEnv is what a route sees: the rule, the match, and the event.
type routeEnv struct {
	*event.Event
	Rule     routeRule      `expr:"rule"`
	Severity string         `expr:"severity"`
	Source   string         `expr:"source"`
	Backfill bool           `expr:"backfill"`
	Fields   map[string]any `expr:"fields"`
}

type routeRule struct {
	ID    string   `expr:"id"`
	Tags  []string `expr:"tags"`
	Owner string   `expr:"owner"`
	Pack  string   `expr:"pack"`
}

// CompileRoute compiles the condition in n. The Route is nil when the list
// has errors.
func CompileRoute(n diag.Node) (*Route, diag.List) {
	c := newCompiler(routeEnv{Event: &event.Event{}})
	e := c.at(n, 0, n.Value(), "when", &scope{}, wantBool)
	if e == nil {
		return nil, c.list
	}
	return &Route{when: e}, c.list
}

// Match reports whether the route takes an alert. A condition that fails on an
// event does not, and is counted.
func (r *Route) Match(m Match, ev *event.Event, source string, backfill bool) bool {
	env := routeEnv{
		Event: ev, Severity: m.Rule.Severity, Source: source, Backfill: backfill, Fields: map[string]any{},
		Rule: routeRule{ID: m.Rule.ID, Tags: m.Rule.Tags, Owner: m.Rule.Owner, Pack: m.Rule.Pack},
	}
	for _, f := range m.Fields {
		env.Fields[f.Name] = f.Value
	}
	one := Matcher{vm: vm.VM{MemoryBudget: memoryBudget}}
	v, err := one.runIn(r.when, ev, &env)
	if err != nil {
		r.errors.Add(1)
	}
	return v == true
}

// Errors is how often the condition failed.
func (r *Route) Errors() uint64 { return r.errors.Load() }
