package rule

import "github.com/trailship/trailship/core/event"

// chances are estimates of how many events have one given value of a field.
// They are read off trails of many services: only their order matters much.
var chances = map[string]float64{
	"id": 1e-6, "action": 0.004, "service": 0.05, "account": 0.3, "region": 0.4, "provider": 0.7,
	"ip": 0.01, "user_agent": 0.01, "kind": 0.3, "access": 0.4, "outcome": 0.4, "error.code": 0.01,
	"principal.type": 0.2, "principal.id": 0.005, "principal.name": 0.005, "principal.arn": 0.005, "principal.mfa": 0.3,
	"principal.role": 0.02, "principal.account": 0.1, "resource.type": 0.05, "resource.id": 0.001, "resource.name": 0.005,
}

// otherChance is that of every other field, and values are exceptions.
const otherChance = 0.05

var valueChances = map[[2]string]float64{
	{"outcome", "success"}: 0.9, {"outcome", "denied"}: 0.05, {"outcome", "failure"}: 0.05,
	{"access", "read"}: 0.7, {"principal.type", "root"}: 0.01, {"kind", "api"}: 0.9, {"kind", "console_login"}: 0.005,
	{"kind", "insight"}: 0.001, {"kind", "network"}: 0.01,
}

// mostOften is the text that a field has in nearly all events, but for those
// that are looked for.
var mostOften = map[string]string{
	"outcome": "success", "status": "Success",
	"error.code": "", "error.message": "", "status_code": "", "status_detail": "", "api.response.error": "", "api.response.error_message": "",
}

// usually reports that nearly all events have one text in a field.
func usually(field string, texts []string) bool {
	text, ok := mostOften[field]
	return ok && len(texts) == 1 && texts[0] == text
}

// chance is how likely an event meets an atom.
func (a atom) chance() float64 {
	p, ok := chances[a.field]
	if !ok {
		p = otherChance
	}
	if q, ok := valueChances[[2]string{a.field, a.text}]; ok && a.how == isEqual {
		return q
	}
	switch {
	case a.how == differs:
		return 0.08
	case a.text == "":
		return 0.5
	case a.how != isEqual:
		return min(0.6, 4*p)
	}
	return p
}

// chance is how likely an event meets a clause.
func (c clause) chance() (p float64) {
	for _, a := range c {
		p += a.chance()
	}
	return min(p, 1)
}

// surveyed counts what the rules of a set could be found by.
type surveyed struct {
	rules  map[atom]int        // that have the atom
	parts  map[event.Parts]int // rules with a clause that needs these parts
	always event.Parts         // made of every event, for rules that have no choice
}

func survey(rules []*Rule) surveyed {
	s := surveyed{rules: map[atom]int{}, parts: map[event.Parts]int{}}
	for _, r := range rules {
		if !r.Enabled {
			continue
		}
		inAll := event.PartsClosed
		for _, c := range r.anchors {
			for _, a := range c {
				s.rules[a]++
			}
			parts := c.parts()
			s.parts[parts]++
			inAll &= parts
		}
		if len(r.anchors) > 0 {
			s.always |= inAll
		}
	}
	return s
}

// gate is the clause that fewest events meet of those a test accepts.
func (a anchors) gate(accept func(clause) bool) (best clause, chance float64) {
	chance = 1
	for _, c := range a {
		if p := c.chance(); accept(c) && (best == nil || p < chance) {
			best, chance = c, p
		}
	}
	return best, chance
}

// cheap are the parts that are worth making to know whether others have to be.
const cheap = event.PartError | event.PartOutcome

// cheaply is a clause that cheap parts decide.
func (c clause) cheaply() bool { return c.parts()&^cheap == 0 && !c.outlined() }

func (c clause) parts() (parts event.Parts) {
	for i, a := range c {
		if i > 0 && a.field == c[i-1].field {
			continue
		}
		parts |= partsOfField(a.field)
	}
	return parts
}

// What making parts of an event costs, measured in rules that are tried. Most
// events have no error, and who did it is mostly known by number.
const (
	loadCost  = 6
	knownCost = 0.5
)

// choose is the clause that costs least: the rules in its place, as often as
// events come there, and its share of loading what it looks at, of the events
// that nothing cheaper rules out.
func (s surveyed) choose(a anchors) (best clause, ok bool) {
	least := 0.0
	for _, c := range a {
		cost := 0.0
		for _, a := range c {
			cost += a.chance() * (1 + float64(s.rules[a])/256)
		}
		cost += s.loading(a, c.parts())
		if !ok || cost < least {
			best, least, ok = c, cost, true
		}
	}
	return best, ok
}

// loading is the share of a rule with these anchors of making parts.
func (s surveyed) loading(a anchors, parts event.Parts) (cost float64) {
	_, asked := a.gate(clause.outlined)
	if gate, chance := a.gate(clause.cheaply); gate != nil && parts&^cheap != 0 && chance < asked {
		cost, asked = s.loading(a, gate.parts()), chance
	}
	switch {
	case parts&^s.always == 0:
		return cost
	case parts == event.PartPrincipal, parts == event.PartError:
		return cost + knownCost*asked/float64(s.parts[parts])
	}
	return cost + loadCost*asked/float64(s.parts[parts])
}
