package rule

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/trailship/trailship/core/event"
)

// Contribution is what one event adds to the state of one rule. It holds
// nothing of the event's memory.
type Contribution struct {
	Rule   *Rule
	Event  string // its id; an overlong one by its hash
	Time   time.Time
	Group  []string // values of group_by, by or per
	Value  string   // of distinct, or of first_seen
	Steps  uint32   // a bit for each step of a sequence that it meets
	Record *Record  // where an alert finds the event again; set by the caller
}

// Record is a record as it was read, to make the event of an alert from it
// again: when the alert is raised is known only later.
type Record struct {
	Source, Object string
	Index, Offset  int64
	Format         string
	Raw            []byte
}

// Contributions are what the event of the last Match adds to stateful rules,
// in the order of the ids of the rules. The slice is good until the next Match.
func (m *Matcher) Contributions() []Contribution { return m.contributions }

// contribute makes the contribution of an event that met the condition of a
// stateful rule.
func (m *Matcher) contribute(r *Rule, ev *event.Event) {
	c := Contribution{Rule: r, Time: ev.Time}
	if r.state.form == formSequence {
		if c.Steps = m.stepsOf(r, ev); c.Steps == 0 {
			return
		}
	}
	if m.excepted(r, ev) != nil {
		return
	}
	c.Event = eventKey(ev.ID)
	for _, e := range r.state.group {
		c.Group = append(c.Group, strings.Clone(display(m.value(r, e, ev))))
	}
	if r.state.value != nil {
		c.Value = strings.Clone(display(m.value(r, r.state.value, ev)))
	}
	if len(c.Group) > 0 && allEmpty(c.Group) || r.state.value != nil && c.Value == "" {
		m.emptyKey(r)
		return
	}
	m.contributions = append(m.contributions, c)
}

// stepsOf says which steps of a sequence an event meets.
func (m *Matcher) stepsOf(r *Rule, ev *event.Event) (steps uint32) {
	for i, s := range r.state.steps {
		if m.all(r, s.conditions, ev) {
			steps |= 1 << i
		}
	}
	return steps
}

func allEmpty(values []string) bool {
	return !slices.ContainsFunc(values, func(v string) bool { return v != "" })
}

// emptyKey notes that no value of a key says anything.
func (m *Matcher) emptyKey(r *Rule) {
	r.emptyKeys.Add(1)
	if m.set.options.EmptyKey != nil {
		m.set.options.EmptyKey(r)
	}
}

// eventKey is an event id of bounded length, in memory of its own.
func eventKey(id string) string {
	if len(id) <= maxID {
		return strings.Clone(id)
	}
	sum := sha256.Sum256([]byte(id))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Alert renders the alert of a verdict over the event its record holds.
func (m *Matcher) Alert(v Verdict, ev *event.Event) Match {
	m.frame.look(ev)
	out := Match{Rule: v.Rule, ID: v.ID, Hour: v.Hour, Key: v.Window.Key, Message: v.Rule.Title, Window: &v.Window}
	env := v.env(ev)
	m.texts(&out, ev, env)
	return out
}

// env is what the message and fields of a stateful alert see.
func (v Verdict) env(ev *event.Event) any {
	w := windowEnv{v.Window.Count, v.Window.Distinct, v.Window.First, v.Window.Last, v.Window.Key}
	switch v.Rule.state.form {
	case formSequence:
		steps := make(map[string]stepEnv, len(v.Rule.state.steps))
		for i, s := range v.Rule.state.steps {
			if i < len(v.steps) {
				steps[s.name] = v.steps[i]
			}
		}
		return &sequenceEnv{ev, w, steps}
	case formFirstSeen:
		return &seenEnv{ev, w, v.seen}
	}
	return &thresholdEnv{ev, w}
}

// listText is a list of values as a part of an alert's id.
func listText(values []string) string {
	text, _ := appendJSON(nil, values, math.MaxInt)
	return string(text)
}

// labelOf is a key for people; "" for the one group of all events.
func labelOf(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return keyText(values)
}
