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
	rest   []int32 // the cheapest first
	fields []fieldIndex
}

// fieldIndex is the part of an index that one field leads into.
type fieldIndex struct {
	name   string
	text   func(*frame) string
	parts  event.Parts
	equals map[string][]int32
	begins []affixes
	ends   []affixes
	holds  *substrings
}

// affixes are beginnings or ends of one length.
type affixes struct {
	length int
	rules  map[string][]int32
}

// newIndex makes the index of the rules that are enabled, and says in each by
// what it is found. Their anchors are forgotten.
func newIndex(rules []*Rule) index {
	var x index
	s := survey(rules)
	fields := map[string]*fieldIndex{}
	for i, r := range rules {
		if !r.Enabled {
			r.anchors = nil
			continue
		}
		c, ok := s.choose(r.anchors)
		if r.anchors = nil; !ok {
			x.rest = append(x.rest, int32(i))
			continue
		}
		r.anchor = c.fields()
		for _, a := range c {
			f := fields[a.field]
			if f == nil {
				f = &fieldIndex{name: a.field, text: textFields[a.field], parts: partsOfField(a.field)}
				fields[a.field] = f
			}
			f.insert(a, int32(i))
		}
	}
	slices.SortStableFunc(x.rest, func(a, b int32) int { return rules[a].cost() - rules[b].cost() })
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		f := fields[name]
		f.holds.prepare()
		x.fields = append(x.fields, *f)
	}
	// What is there from the start comes first.
	slices.SortStableFunc(x.fields, func(a, b fieldIndex) int { return cmp.Compare(a.parts, b.parts) })
	return x
}

func (f *fieldIndex) insert(a atom, rule int32) {
	switch a.how {
	case isEqual:
		if f.equals == nil {
			f.equals = map[string][]int32{}
		}
		f.equals[a.text] = append(f.equals[a.text], rule)
	case beginsWith:
		f.begins = insertAffix(f.begins, a.text, rule)
	case endsWith:
		f.ends = insertAffix(f.ends, a.text, rule)
	case contains:
		if f.holds == nil {
			f.holds = &substrings{needles: map[string][]int32{}}
		}
		f.holds.needles[a.text] = append(f.holds.needles[a.text], rule)
	}
}

func insertAffix(all []affixes, text string, rule int32) []affixes {
	i := slices.IndexFunc(all, func(a affixes) bool { return a.length == len(text) })
	if i < 0 {
		i = len(all)
		all = append(all, affixes{len(text), map[string][]int32{}})
	}
	all[i].rules[text] = append(all[i].rules[text], rule)
	return all
}

// candidates appends the rules with an anchor that are worth evaluating, each
// once. What the fields need is loaded.
func (x *index) candidates(dst []int32, f *frame) []int32 {
	for i := range x.fields {
		field := &x.fields[i]
		if field.parts&^f.loaded != 0 && f.tryLoad(field.parts) != nil {
			continue // closed parts always load
		}
		dst = field.candidates(dst, field.text(f))
	}
	if len(dst) > 1 {
		slices.Sort(dst)
		dst = slices.Compact(dst)
	}
	return dst
}

func (f *fieldIndex) candidates(dst []int32, text string) []int32 {
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
