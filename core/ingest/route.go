package ingest

import (
	"slices"

	"github.com/trailship/trailship/core/event"
	"github.com/trailship/trailship/core/rule"
)

// Routes decides which outputs an alert goes to.
type Routes struct {
	Table []Route
	// Outputs are all outputs there are: where an alert goes without a Table.
	Outputs []Output
}

// Route sends the matches it accepts to outputs.
type Route struct {
	When     *rule.Route // nil accepts everything
	To       []string
	Continue bool // look at the routes below too
}

// Output is what routing knows of an output.
type Output struct {
	Name       string
	Backfill   bool // takes alerts of events older than the source's MaxAge
	Event, Raw bool // wants the whole event, the record
}

// to returns the names of the outputs for a match, each once: the rule's own
// outputs where it names some, otherwise those of the first route that
// accepts it and of the ones it continues to.
func (r *Routes) to(m rule.Match, ev *event.Event, source string, backfill bool) []string {
	var names []string
	switch {
	case len(m.Rule.Outputs) > 0:
		names = m.Rule.Outputs
	case len(r.Table) == 0:
		for _, o := range r.Outputs {
			names = append(names, o.Name)
		}
	default:
		names = r.match(m, ev, source, backfill)
	}
	if !backfill {
		return names
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !r.output(name).Backfill })
}

// any returns every output a match of the rule may go to.
func (r *Routes) any(of *rule.Rule) []string {
	switch {
	case of.Shadow:
		return nil
	case len(of.Outputs) > 0:
		return of.Outputs
	case len(r.Table) > 0:
		return r.targets()
	}
	names := make([]string, len(r.Outputs))
	for i, o := range r.Outputs {
		names[i] = o.Name
	}
	return names
}

// targets are the outputs of all routes.
func (r *Routes) targets() (names []string) {
	for _, route := range r.Table {
		names = append(names, route.To...)
	}
	return names
}

func (r *Routes) match(m rule.Match, ev *event.Event, source string, backfill bool) []string {
	var names []string
	for _, route := range r.Table {
		if route.When != nil && !route.When.Match(m, ev, source, backfill) {
			continue
		}
		for _, name := range route.To {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		if !route.Continue {
			break
		}
	}
	return names
}

func (r *Routes) output(name string) Output {
	i := slices.IndexFunc(r.Outputs, func(o Output) bool { return o.Name == name })
	if i < 0 {
		return Output{}
	}
	return r.Outputs[i]
}

// include says what of the event the named outputs want beside the alert.
func (r *Routes) include(names []string) (ev, raw bool) {
	for _, name := range names {
		o := r.output(name)
		ev, raw = ev || o.Event, raw || o.Raw
	}
	return ev, raw
}
