package rule

import (
	"fmt"
	"strings"
	"time"
)

// Memory is what a rule remembers, as a whole.
type Memory struct {
	Rule string `json:"rule"`
	// Form is "" when the rule is gone or remembers by something else now:
	// nothing will be judged by this any more.
	Form   string    `json:"form"`
	Groups int64     `json:"groups"`          // of first_seen, values
	Oldest time.Time `json:"oldest,omitzero"` // first event, of first_seen
	Newest time.Time `json:"newest,omitzero"` // newest event, of first_seen
	Gone   time.Time `json:"gone,omitzero"`   // since when there is no such rule
}

// Remembered is one thing a rule remembers: what a group did in a bucket of
// time, or a value of first_seen.
type Remembered struct {
	Rule string    `json:"rule"`
	Key  string    `json:"key"` // of the group
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"` // the bucket ends before it
	Have []Have    `json:"have,omitempty"`
	// Fired: its alert was raised. Evicted: some events had no room.
	Fired   bool     `json:"fired,omitempty"`
	Evicted bool     `json:"evicted,omitempty"`
	Events  []string `json:"events,omitempty"` // those that are kept, oldest first

	Value string    `json:"value,omitempty"`
	Seen  time.Time `json:"seen,omitzero"` // last
	// Waits is the time of a sighting that is not decided yet.
	Waits time.Time `json:"waits,omitzero"`
}

// Memories calls rules with what each rule remembers as a whole, in the order
// of their ids, and after each call each with everything it is made of, in no
// order that matters. Either may be nil; their errors end it and are returned.
// It changes nothing.
func (s *Set) Memories(state State, rules func(Memory) error, each func(Remembered) error) error {
	ids, err := state.Remembered()
	if err != nil {
		return err
	}
	for _, id := range ids {
		if strings.HasPrefix(id, ".") {
			continue
		}
		if err := s.memories(state, id, rules, each); err != nil {
			return err
		}
	}
	return nil
}

func (s *Set) memories(state State, id string, rules func(Memory) error, each func(Remembered) error) error {
	r := (&Judge{}).Begin(state, s)
	meta, err := r.meta(id)
	if err != nil {
		return err
	}
	of := s.Rule(id)
	known := of != nil && of.state != nil && of.state.shape == meta.shape
	out := Memory{Rule: id, Groups: meta.groups, Gone: timeIf(meta.gone != 0, meta.gone)}
	if known {
		out.Form = of.state.form
		if out.Form == formFirstSeen {
			out.Oldest, out.Newest = timeOf(meta.oldest), timeOf(meta.watermark)
		}
	}
	if rules != nil {
		if err := rules(out); err != nil {
			return err
		}
	}
	if !known || each == nil {
		return nil
	}
	m := &memory{round: r, rule: of, state: of.state, meta: meta}
	if out.Form == formFirstSeen {
		return m.everyValue(each)
	}
	return m.everyWindow(each)
}

func timeIf(is bool, ms int64) (t time.Time) {
	if is {
		t = timeOf(ms)
	}
	return t
}

// every calls fn with the keys that begin with a prefix, without it. They are
// read in steps, so that fn may read too.
func (m *memory) every(prefix string, fn func(rest string) error) error {
	from := prefix
	for {
		keys, err := m.round.state.Keys(m.rule.ID, from, pruneStep)
		if err != nil {
			return err
		}
		for _, key := range keys {
			rest, ok := strings.CutPrefix(key, prefix)
			if !ok {
				return nil
			}
			if err := fn(rest); err != nil {
				return err
			}
		}
		if len(keys) < pruneStep {
			return nil
		}
		from = keys[len(keys)-1] + "\x00"
	}
}

// label is the text of a group. Only the last one is kept: they come in order.
func (m *memory) label(id string) (string, error) {
	var key group
	copy(key[:], id)
	if g := m.groups[key]; g != nil {
		return g.label, nil
	}
	m.groups = map[group]*groupState{}
	g, err := m.group(key)
	return g.label, err
}

func (m *memory) everyWindow(fn func(Remembered) error) error {
	var before *window
	var beforeKey string
	return m.every(windowKey, func(rest string) error {
		b, err := m.get(windowKey + rest)
		if err != nil || b == nil {
			return err
		}
		w, err := m.state.decodeWindow(b)
		if err != nil {
			return fmt.Errorf("state of rule %s: %w", m.rule.ID, err)
		}
		id, bucket := rest[:len(group{})], unordered(rest[len(group{}):])
		prev := &window{}
		if beforeKey == id+ordered(bucket-1) {
			prev = before
		}
		before, beforeKey = w, rest
		label, err := m.label(id)
		if err != nil {
			return err
		}
		out := Remembered{
			Rule: m.rule.ID, Key: label, From: timeOf(bucket * m.state.within), To: timeOf((bucket + 1) * m.state.within),
			Fired: w.fired || w.silent, Evicted: w.evicted,
		}
		last := m.state.last(w)
		out.Have = m.state.have(prev, w, last.at)
		for _, mark := range w.marks {
			out.Events = append(out.Events, mark.id)
		}
		return fn(out)
	})
}

// last is the newest contribution that is kept.
func (s *stateful) last(w *window) (last mark) {
	if len(w.marks) > 0 {
		last = w.marks[len(w.marks)-1]
	}
	for _, v := range w.spans {
		if v.last.order(last) > 0 {
			last = v.last
		}
	}
	return last
}

func (m *memory) everyValue(fn func(Remembered) error) error {
	return m.every(valueKey, func(rest string) error {
		b, err := m.get(valueKey + rest)
		if err != nil || b == nil {
			return err
		}
		v, err := decodeValue(b)
		if err != nil {
			return fmt.Errorf("state of rule %s: %w", m.rule.ID, err)
		}
		label, err := m.label(rest[:len(group{})])
		if err != nil {
			return err
		}
		return fn(Remembered{
			Rule: m.rule.ID, Key: label, Value: v.label, Seen: timeOf(v.seen.newest), Waits: timeIf(v.seen.open, v.seen.first.at),
		})
	})
}

// Clocks are the newest event of each source that was committed while any rule
// remembered, by name.
func Clocks(state State) (map[string]time.Time, error) {
	r := (&Judge{}).Begin(state, nil)
	if _, err := r.newest(""); err != nil {
		return nil, err
	}
	clocks := map[string]time.Time{}
	for name, c := range r.sources {
		clocks[name] = timeOf(c.newest)
	}
	return clocks, nil
}
