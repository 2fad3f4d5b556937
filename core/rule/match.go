package rule

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr/vm"

	"github.com/trailship/trailship/core/event"
)

// Matcher matches events against a set. It belongs to one goroutine.
type Matcher struct {
	set           *Set
	vm            vm.VM
	matches       []Match
	contributions []Contribution
	picked        []int32            // indexes of the rules an event may match
	fresh         lead               // one that is not remembered yet
	leads         []lead             // by the number of an outline
	people        []personLead       // by the number of a person
	recalled      []recalled         // by the hash of a text
	last          []recalled         // by the number of a field
	frame         frame              // what closures see
	failure       func(*Rule, error) // what happens to a failed evaluation
}

// NewMatcher makes a Matcher for one goroutine.
func (s *Set) NewMatcher() *Matcher {
	return &Matcher{set: s, vm: vm.VM{MemoryBudget: memoryBudget}, failure: s.count}
}

// Match is one event that one rule matched.
type Match struct {
	Rule    *Rule
	ID      string // of the alert
	Hour    uint32 // since 1970: of the event, or of the start of its dedup bucket
	Key     string // the dedup key; several values as a JSON list; "" without dedup
	Message string
	Fields  []event.Field
	Window  *event.Window // of a stateful rule
}

// Match returns the rules the event matches, in the order of their ids; what it
// adds to stateful rules is in Contributions. The slice is good until the next call. A rule whose evaluation fails does not
// match; the failure is counted and stops nothing else. The event is changed
// only by loading its open parts.
func (m *Matcher) Match(ev *event.Event) []Match {
	m.begin(ev)
	v := m.lead()
	m.tryAll(v.rules, ev)
	m.tryAll(m.later(v), ev)
	if len(m.matches) > 1 {
		slices.SortFunc(m.matches, func(a, b Match) int { return strings.Compare(a.Rule.ID, b.Rule.ID) })
	}
	if len(m.contributions) > 1 {
		slices.SortFunc(m.contributions, func(a, b Contribution) int { return strings.Compare(a.Rule.ID, b.Rule.ID) })
	}
	return m.matches
}

// begin forgets the event before.
func (m *Matcher) begin(ev *event.Event) {
	m.matches, m.contributions = m.matches[:0], m.contributions[:0]
	m.frame.look(ev)
}

func (m *Matcher) tryAll(rules []int32, ev *event.Event) {
	for _, i := range rules {
		m.try(m.set.Rules[i], ev)
	}
}

// try matches one rule that the outline does not rule out. A panic is one more
// failed evaluation.
func (m *Matcher) try(r *Rule, ev *event.Event) {
	defer func() {
		if p := recover(); p != nil {
			m.failure(r, fmt.Errorf("panic: %v", p))
		}
	}()
	if !m.all(r, r.conditions, ev) {
		return
	}
	m.frame.load(event.PartID)
	if r.state != nil {
		m.contribute(r, ev)
	} else if m.excepted(r, ev) == nil {
		m.matches = append(m.matches, m.match(r, ev))
	}
}

// count notes a failed evaluation.
func (s *Set) count(r *Rule, err error) {
	r.evalErrors.Add(1)
	if s.options.EvalError != nil {
		s.options.EvalError(r, err)
	}
}

// all reports that every condition is true.
func (m *Matcher) all(r *Rule, conditions []*expression, ev *event.Event) bool {
	if m.frame.ev != ev {
		m.frame.look(ev)
	}
	for _, c := range conditions {
		if x := c.closure; x != nil && !x.fails { // the common case: nothing to catch
			m.frame.load(x.need)
			if !x.test(&m.frame) {
				return false
			}
			continue
		}
		v, err := m.run(c, ev)
		if err != nil {
			m.failure(r, err)
			return false
		}
		if v != true {
			return false
		}
	}
	return true
}

// run evaluates an expression over an event.
func (m *Matcher) run(e *expression, ev *event.Event) (any, error) { return m.runIn(e, ev, ev) }

// runIn evaluates an expression over what it sees of an event, loading the
// parts it reads.
func (m *Matcher) runIn(e *expression, ev *event.Event, env any) (v any, err error) {
	if m.frame.ev != ev {
		m.frame.look(ev)
	}
	if e.closure != nil {
		return e.closure.run(&m.frame)
	}
	if err := m.frame.tryLoad(e.parts); err != nil {
		return nil, err
	}
	if v, err = m.vm.Run(e.program, env); err != nil {
		return nil, evaluationError(err)
	}
	return v, nil
}

var conversion = regexp.MustCompile(`^interface conversion: interface \{\} is (.+), not (.+)$`)

// evaluationError is one line in words for rule authors.
func evaluationError(err error) error {
	message := located(err).Message
	if m := conversion.FindStringSubmatch(message); m != nil {
		message = fmt.Sprintf("found %s where %s is needed", typeWords.Replace(m[1]), typeWords.Replace(m[2]))
	}
	return errors.New(message)
}

// value is run for what an alert is made of: what fails is nil and counted,
// and the alert goes out without it.
func (m *Matcher) value(r *Rule, e *expression, ev *event.Event) any { return m.valueIn(r, e, ev, ev) }

func (m *Matcher) valueIn(r *Rule, e *expression, ev *event.Event, env any) any {
	v, err := m.runIn(e, ev, env)
	if err != nil {
		m.failure(r, err)
		return nil
	}
	return v
}

// excepted is the first exception of the rule that the event meets, nil for
// none. An exception that fails is not met: the alert goes out.
func (m *Matcher) excepted(r *Rule, ev *event.Event) *Exception {
	for i := range r.Exceptions {
		e := &r.Exceptions[i]
		if !e.Until.IsZero() && !ev.Time.Before(e.Until) {
			continue
		}
		if m.meets(r, e, ev) {
			return e
		}
	}
	return nil
}

func (m *Matcher) meets(r *Rule, e *Exception, ev *event.Event) bool {
	for _, t := range e.tests {
		v := m.value(r, t.value, ev)
		if t.accept != nil && !t.accept.accepts(v) || t.accept == nil && v != true {
			return false
		}
	}
	return true
}

// match makes the alert of a rule that held.
func (m *Matcher) match(r *Rule, ev *event.Event) Match {
	out := Match{Rule: r, Message: r.Title}
	if r.Dedup == nil || !m.deduplicate(&out, ev) {
		out.ID = alertID(formPlain, r.ID, ev.Provider, ev.Account, ev.ID)
		out.Hour = hourOf(ev.Time)
	}
	m.texts(&out, ev, ev)
	return out
}

// texts fills in the message and the fields.
func (m *Matcher) texts(out *Match, ev *event.Event, env any) {
	r := out.Rule
	if r.message != nil {
		out.Message = r.message.render(func(e *expression) any { return m.valueIn(r, e, ev, env) })
	}
	for _, f := range r.fields {
		out.Fields = append(out.Fields, event.Field{Name: f.name, Value: fieldValue(m.valueIn(r, f.value, ev, env))})
	}
}

// deduplicate gives the match the id of its key and span of time; false when
// every value of the key is empty.
func (m *Matcher) deduplicate(out *Match, ev *event.Event) bool {
	r := out.Rule
	values := make([]string, len(r.keyParts))
	for i, e := range r.keyParts {
		values[i] = display(m.value(r, e, ev))
	}
	if allEmpty(values) {
		m.emptyKey(r)
		return false
	}
	n := bucket(ev.Time, r.Dedup.Every)
	parts := append([]string{ev.Provider, ev.Account}, values...)
	out.ID = alertID(formDedup, r.ID, append(parts, bucketText(n))...)
	out.Hour = hourOf(time.UnixMilli(n * r.Dedup.Every.Milliseconds()))
	out.Key = keyText(values)
	return true
}

// keyText is a key for people: one value as it is, several as a JSON list.
func keyText(values []string) string {
	if len(values) == 1 {
		return values[0]
	}
	b, _ := appendJSON(nil, values, maxText)
	return string(b)
}

// Finding is the alert with everything the rule and the match know. The caller
// adds Source, Object, Record, Created and Backfill.
func (m Match) Finding() event.Finding {
	r := m.Rule
	return event.Finding{
		ID: m.ID, Message: m.Message, Severity: r.Severity, Title: r.Title, Description: r.Description,
		RuleID: r.ID, RuleVersion: r.PackVersion, Owner: r.Owner, Runbook: r.Runbook, Pack: r.Pack,
		Tags: r.Tags, Mitre: r.Mitre, References: r.References, FalsePositives: r.FalsePositives,
		Meta: r.Meta, Fields: m.Fields, Window: m.Window,
	}
}
