package rule

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/trailship/trailship/core/event"
)

// index finds the rules an event may match. A rule stands under the clause of
// its anchors that fewest events meet; one without an anchor among the rest.
type index struct {
	rest  []int32      // the cheapest first
	begun []fieldIndex // what the outline of an event leads to
	later []fieldIndex // what the other fields lead to
	// What those of the principal lead to: a person's number stands for all.
	personal []fieldIndex

	// Which parts of the event may lead to a rule: always, by what its outline
	// is, and by what cheap parts say. Gates lead to Parts, not to rules.
	always       event.Parts
	gates, cheap []fieldIndex
	remembered   int // fields whose texts a Matcher remembers
}

// fieldIndex is the part of an index that one field leads into.
type fieldIndex struct {
	name   string
	number int // among the fields whose texts are remembered
	text   func(*frame) string
	parts  event.Parts
	equals map[string][]int32
	begins []affixes
	ends   []affixes
	holds  *substrings
	others []other // texts it may differ from
	plain  bool    // asks only what a text is, or is not
	empty  []int32 // what the empty text leads to
}

// affixes are beginnings or ends of one length.
type affixes struct {
	length int
	rules  map[string][]int32
}

// other is what any text but one leads to.
type other struct {
	than  string
	rules []int32
}

// indexing is an index that is being made: its fields by their names.
type indexing struct {
	rest                                 []int32
	always                               event.Parts
	begun, later, personal, gates, cheap map[string]*fieldIndex
	gated                                []gated
}

// newIndex makes the index of the rules that are enabled, and says in each by
// what it is found. Their anchors are forgotten.
func newIndex(rules []*Rule) index {
	s := survey(rules)
	fields := func() map[string]*fieldIndex { return map[string]*fieldIndex{} }
	x := indexing{begun: fields(), later: fields(), personal: fields(), gates: fields(), cheap: fields()}
	for i, r := range rules {
		if r.Enabled {
			x.insert(r, int32(i), s)
		}
		r.anchors = nil
	}
	x.shut()
	slices.SortStableFunc(x.rest, func(a, b int32) int { return rules[a].cost() - rules[b].cost() })
	return x.made()
}

// made is the index when nothing more is inserted.
func (x *indexing) made() index {
	out := index{
		rest: x.rest, begun: prepared(x.begun), later: prepared(x.later), personal: prepared(x.personal),
		always: x.always, gates: prepared(x.gates), cheap: prepared(x.cheap),
	}
	for _, fields := range [...][]fieldIndex{out.later, out.personal, out.cheap} {
		for i := range fields {
			fields[i].number = out.remembered
			out.remembered++
		}
	}
	return out
}

// insert puts a rule in its place.
func (x *indexing) insert(r *Rule, number int32, s surveyed) {
	c, ok := s.choose(r.anchors)
	if !ok {
		x.rest = append(x.rest, number)
		return
	}
	r.anchor = c.fields()
	for _, a := range c {
		insert(x.place(a.field), a, number)
	}
	if parts := c.parts(); parts != 0 {
		x.gate(r.anchors, parts)
	}
}

// place is where what a field leads to is inserted.
func (x *indexing) place(field string) map[string]*fieldIndex {
	switch {
	case slices.Contains(outlineFields, field):
		return x.begun
	case partsOfField(field) == event.PartPrincipal:
		return x.personal
	}
	return x.later
}

// gate notes for which events a rule with these anchors needs parts of it.
func (x *indexing) gate(a anchors, parts event.Parts) {
	outline, chance := a.gate(clause.outlined)
	if gate, less := a.gate(clause.cheaply); gate != nil && parts&^cheap != 0 && less < chance {
		x.gated = append(x.gated, gated{x.cheap, gate, parts})
		parts = gate.parts()
	}
	if outline == nil {
		x.always |= parts
	} else {
		x.gated = append(x.gated, gated{x.gates, outline, parts})
	}
}

// gated is a clause without which parts are not needed.
type gated struct {
	fields map[string]*fieldIndex
	clause clause
	parts  event.Parts
}

// shut makes the gates, but for those to parts that are needed anyway.
func (x *indexing) shut() {
	for _, g := range x.gated {
		if g.parts&^x.always == 0 {
			continue
		}
		for _, a := range g.clause {
			insert(g.fields, a, int32(g.parts))
		}
	}
}

func insert(fields map[string]*fieldIndex, a atom, leadsTo int32) {
	f := fields[a.field]
	if f == nil {
		f = &fieldIndex{name: a.field, text: textFields[a.field], parts: partsOfField(a.field)}
		fields[a.field] = f
	}
	f.insert(a, leadsTo)
}

// prepared are the fields ready to be searched; what is there from the start
// comes first.
func prepared(fields map[string]*fieldIndex) (out []fieldIndex) {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		f := fields[name]
		f.holds.prepare()
		f.empty = f.search(nil, "")
		f.plain = f.begins == nil && f.ends == nil && f.holds == nil
		out = append(out, *f)
	}
	slices.SortStableFunc(out, func(a, b fieldIndex) int { return cmp.Compare(a.parts, b.parts) })
	return out
}

func (f *fieldIndex) insert(a atom, rule int32) {
	switch a.how {
	case isEqual:
		if f.equals == nil {
			f.equals = map[string][]int32{}
		}
		f.equals[a.text] = with(f.equals[a.text], rule)
	case beginsWith:
		f.begins = insertAffix(f.begins, a.text, rule)
	case endsWith:
		f.ends = insertAffix(f.ends, a.text, rule)
	case contains:
		if f.holds == nil {
			f.holds = &substrings{needles: map[string][]int32{}}
		}
		f.holds.needles[a.text] = with(f.holds.needles[a.text], rule)
	case differs:
		i := slices.IndexFunc(f.others, func(o other) bool { return o.than == a.text })
		if i < 0 {
			i = len(f.others)
			f.others = append(f.others, other{than: a.text})
		}
		f.others[i].rules = with(f.others[i].rules, rule)
	}
}

func insertAffix(all []affixes, text string, rule int32) []affixes {
	i := slices.IndexFunc(all, func(a affixes) bool { return a.length == len(text) })
	if i < 0 {
		i = len(all)
		all = append(all, affixes{len(text), map[string][]int32{}})
	}
	all[i].rules[text] = with(all[i].rules[text], rule)
	return all
}

// with is a list with one more in it, once. Rules come in order, gates lead to
// few different parts.
func with(list []int32, one int32) []int32 {
	if slices.Contains(list[max(0, len(list)-16):], one) {
		return list
	}
	return append(list, one)
}

// search appends what a text leads to, some of it twice.
func (f *fieldIndex) search(dst []int32, text string) []int32 {
	dst = append(dst, f.equals[text]...)
	for i := range f.begins {
		if a := &f.begins[i]; a.length <= len(text) {
			dst = append(dst, a.rules[text[:a.length]]...)
		}
	}
	for i := range f.ends {
		if a := &f.ends[i]; a.length <= len(text) {
			dst = append(dst, a.rules[text[len(text)-a.length:]]...)
		}
	}
	for i := range f.others {
		if o := &f.others[i]; o.than != text {
			dst = append(dst, o.rules...)
		}
	}
	return f.holds.find(dst, text)
}

// cost is how much trying the rule costs, roughly, for ordering.
func (r *Rule) cost() (n int) {
	for _, e := range r.conditions {
		if e.closure == nil {
			n += 20
		}
		for part := event.Parts(1); part <= event.PartsAll; part <<= 1 {
			switch {
			case e.parts&part == 0:
			case part&event.PartsOpen != 0:
				n += 10
			default:
				n++
			}
		}
	}
	return n
}

// fields names what a clause looks at, as in "action, principal.arn".
func (c clause) fields() string {
	var names []string
	for _, a := range c {
		if !slices.Contains(names, a.field) {
			names = append(names, a.field)
		}
	}
	if len(c) == 0 {
		return "never"
	}
	return strings.Join(names, ", ")
}
