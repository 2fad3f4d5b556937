package rule

import (
	"fmt"
	"hash/maphash"
	"slices"

	"github.com/trailship/trailship/core/event"
)

// lead is where the outline of an event leads among all rules.
type lead struct {
	outline uint64      // event.Event's; 0: of none
	rules   []int32     // first those without an anchor that it does not rule out, then those it leads to, sorted
	rest    int32       // how many of rules have no anchor
	parts   event.Parts // of the event in which a rule may have an anchor
}

// personLead is where a person leads among all rules.
type personLead struct {
	person uint64 // event.Event's; 0: nobody
	rules  []int32
}

// What a Matcher remembers, in places where the last one stays: leads of so many
// outlines, of so many people, and what so many texts of so many bytes lead to,
// besides the last of each field. That is 0.2 MiB, 4 more when every list of rules
// is full, and up to 9 more of events' texts when each of them is the last of its
// block (event.Text).
const (
	leadsKept   = 2048
	peopleKept  = 1024
	textsKept   = 1024
	longestText = 256
	rulesKept   = 256
)

var memorySeed = maphash.MakeSeed()

// lead finds out where the outline of the event leads that the Matcher looks at,
// or remembers it. It is good until the next one.
func (m *Matcher) lead() *lead {
	if m.leads == nil {
		m.leads = make([]lead, leadsKept)
	}
	number := m.frame.ev.Outline
	v := &m.leads[number%leadsKept]
	if number != 0 && v.outline == number {
		return v
	}
	m.findLead(&m.fresh)
	if number == 0 || len(m.fresh.rules) > rulesKept {
		return &m.fresh
	}
	v.outline, v.rules, v.rest, v.parts = number, append(v.rules[:0], m.fresh.rules...), m.fresh.rest, m.fresh.parts
	return v
}

// findLead finds out where the outline of the event leads.
func (m *Matcher) findLead(v *lead) {
	x := &m.set.index
	v.rules = m.appendPossible(v.rules[:0], x.rest)
	v.rest = int32(len(v.rules))
	m.picked = m.outlineLeads(x.begun)
	slices.Sort(m.picked)
	v.rules = m.appendPossible(v.rules, slices.Compact(m.picked))
	v.parts = x.always
	for _, parts := range m.outlineLeads(x.gates) {
		v.parts |= event.Parts(parts)
	}
}

// outlineLeads is what the outline leads to in fields, good until the next call.
func (m *Matcher) outlineLeads(fields []fieldIndex) []int32 {
	m.picked = m.picked[:0]
	for i := range fields {
		f := &fields[i]
		m.picked = f.search(m.picked, f.text(&m.frame))
	}
	return m.picked
}

// appendPossible appends those of rules that the outline does not rule out.
func (m *Matcher) appendPossible(dst, rules []int32) []int32 {
	for _, i := range rules {
		if m.possible(m.set.Rules[i]) {
			dst = append(dst, i)
		}
	}
	return dst
}

// possible reports that the outline of the event does not rule a rule out.
func (m *Matcher) possible(r *Rule) (yes bool) {
	defer func() {
		if p := recover(); p != nil {
			m.failure(r, fmt.Errorf("panic: %v", p))
		}
	}()
	return (r.formats == nil || r.formats[m.frame.ev.Format]) && (r.outline == nil || r.outline.test(&m.frame))
}

// recalled is a text of a field and what it leads to.
type recalled struct {
	text  string // "" is nothing
	rules []int32
}

// lookUp appends what a text leads to in a field, some of it twice. Texts of
// which more has to be asked than what they are equal to are remembered: few
// addresses, agents and principals come at a time. Of the other fields the last
// is: an object is of one region and one account. In one place the same text is
// of the same field: there are fewer fields than places.
func (m *Matcher) lookUp(dst []int32, f *fieldIndex, text string) []int32 {
	switch {
	case text == "":
		return append(dst, f.empty...)
	case len(text) > longestText:
		return f.search(dst, text)
	}
	if m.recalled == nil {
		m.recalled = make([]recalled, textsKept)
		m.last = make([]recalled, m.set.index.remembered)
	}
	t := &m.last[f.number]
	if !f.plain {
		t = &m.recalled[(maphash.String(memorySeed, text)+uint64(f.number))%textsKept]
	}
	if t.text == text {
		return append(dst, t.rules...)
	}
	from := len(dst)
	dst = f.search(dst, text)
	if t.text = ""; len(dst)-from <= rulesKept {
		t.text, t.rules = text, append(t.rules[:0], dst[from:]...)
	}
	return dst
}

// lookUpFields picks what fields lead to of which the parts are wanted.
func (m *Matcher) lookUpFields(fields []fieldIndex, parts event.Parts) {
	for i := range fields {
		if f := &fields[i]; m.frame.wants(f, parts) {
			m.picked = m.lookUp(m.picked, f, f.text(&m.frame))
		}
	}
}

// lookUpPerson picks the rules that who did it leads to. Few people come at a
// time: mostly nothing has to be known of them but their number.
func (m *Matcher) lookUpPerson() {
	if m.people == nil {
		m.people = make([]personLead, peopleKept)
	}
	number := m.frame.ev.Person
	v := &m.people[number%peopleKept]
	if number != 0 && v.person == number {
		m.picked = append(m.picked, v.rules...)
		return
	}
	before := len(m.picked)
	m.lookUpFields(m.set.index.personal, event.PartPrincipal)
	if found := m.picked[before:]; number != 0 && len(found) <= rulesKept {
		v.person, v.rules = number, append(v.rules[:0], found...)
	}
}

// cheapLeads is which parts of the event may lead to rules by what the cheap
// ones say.
func (m *Matcher) cheapLeads(v *lead) (parts event.Parts) {
	m.picked = m.picked[:0]
	m.lookUpFields(m.set.index.cheap, v.parts)
	for _, p := range m.picked {
		parts |= event.Parts(p)
	}
	return parts
}

// wants reports that a field lies in the parts that are wanted, and loads what
// it needs.
func (f *frame) wants(field *fieldIndex, parts event.Parts) bool {
	return field.parts&^parts == 0 && (field.parts&^f.loaded == 0 || f.tryLoad(field.parts) == nil) // closed parts always load
}

// later is the rules that the rest of the event leads to, each once and without
// those its outline led to, good until the next call. Parts no rule asks for are
// not loaded.
func (m *Matcher) later(v *lead) []int32 {
	x := &m.set.index
	parts := v.parts | m.cheapLeads(v)
	m.picked = m.picked[:0]
	m.lookUpFields(x.later, parts)
	if parts&event.PartPrincipal != 0 && len(x.personal) > 0 {
		m.lookUpPerson()
	}
	if len(m.picked) == 0 {
		return nil
	}
	slices.Sort(m.picked)
	return slices.DeleteFunc(slices.Compact(m.picked), func(i int32) bool {
		_, twice := slices.BinarySearch(v.rules[v.rest:], i)
		return twice || !m.possible(m.set.Rules[i])
	})
}
