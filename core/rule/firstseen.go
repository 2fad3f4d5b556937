package rule

import (
	"math"
	"strings"
	"time"

	"github.com/trailship/trailship/core/event"
)

// see applies a contribution to first_seen.
func (m *memory) see(c Contribution, at int64, g group) error {
	late := m.meta.watermark != math.MinInt64 && m.meta.watermark-at > m.state.settle
	if late {
		m.round.Tally.Late[m.rule.ID]++
	}
	if err := m.pass(at); err != nil {
		return err
	}
	p := spot{group: g, value: groupOf([]string{c.Value})}
	per, err := m.group(p.group)
	if err != nil {
		return err
	}
	v, err := m.value(p)
	if err != nil {
		return err
	}
	m.meet(per, v, c)
	seen := mark{at: at, id: c.Event}
	if per.per.open && per.per.first.at < m.meta.watermark-m.state.settle {
		per.per.settle()
	}
	per.per.add(seen, late, m.state.within)
	was, had := v.seen.first, v.seen.open
	v.seen.add(seen, late, m.state.within)
	if v.seen.open && v.seen.first == seen {
		v.group, v.value, v.record = c.Group, c.Value, c.Record
	}
	if m.state.settle > 0 {
		return m.wait(p, had, was, v)
	}
	if v.seen.open {
		per.per.settle()
		m.conclude(per, v)
	}
	return nil
}

// pass moves the watermark to a time, and decides what waited for it. The wall
// clock holds up times that lie ahead of it.
func (m *memory) pass(at int64) error {
	m.meta.changed = true
	m.meta.oldest = min(m.meta.oldest, at)
	now := min(at, m.round.now)
	if now <= m.meta.watermark {
		return nil
	}
	m.meta.watermark = now
	return m.decide(now - m.state.settle)
}

// meet makes the value and its group when they are new.
func (m *memory) meet(per *groupState, v *valueState, c Contribution) {
	per.changed, v.changed = true, true
	if !per.exists {
		per.exists, per.label = true, cut(labelOf(c.Group), maxLabel)
	}
	if !v.exists {
		v.exists, v.label = true, cut(c.Value, maxLabel)
		per.values++
		m.meta.groups++
	}
}

// wait puts the candidate where decide finds it.
func (m *memory) wait(p spot, had bool, was mark, v *valueState) error {
	if had && v.seen.open && was.at == v.seen.first.at {
		return nil
	}
	if had {
		if err := m.take(pendingKey + ordered(was.at) + p.key()); err != nil {
			return err
		}
	}
	if !v.seen.open {
		return nil
	}
	return m.put(pendingKey+ordered(v.seen.first.at)+p.key(), []byte{})
}

// decide decides the candidates before a time, the oldest first.
func (m *memory) decide(before int64) error {
	if m.state.settle == 0 {
		return nil // none waits
	}
	for step := 1; ; step = pruneStep { // mostly there is one to look at, and it waits on
		keys, err := m.below(pendingKey, step)
		if err != nil {
			return err
		}
		for _, key := range keys {
			rest := key[len(pendingKey):]
			if unordered(rest[:8]) >= before {
				return nil
			}
			if err := m.take(key); err != nil {
				return err
			}
			if err := m.decideOne(spotOf(rest[8:])); err != nil {
				return err
			}
		}
		if len(keys) < step {
			return nil
		}
	}
}

func (m *memory) decideOne(p spot) error {
	per, err := m.group(p.group)
	if err != nil {
		return err
	}
	v, err := m.value(p)
	if err != nil || !v.seen.open {
		return err
	}
	// The beginning of the group waits for as long as its values.
	if per.per.open && per.per.first.at <= v.seen.first.at {
		per.per.settle()
	}
	per.changed, v.changed = true, true
	m.conclude(per, v)
	return nil
}

// conclude raises the alert of a candidate that no earlier sighting covers, or
// only learns it.
func (m *memory) conclude(per *groupState, v *valueState) {
	first := v.seen.first
	v.seen.settle()
	group, value, record := v.group, v.value, v.record
	v.group, v.value, v.record = nil, "", nil
	if per.per.born.at == first.at && per.per.born.id == first.id || first.at-m.meta.oldest < m.state.warmup {
		return // the first value of its group, or too early
	}
	bucket := floor(first.at, m.state.within)
	at := timeOf(first.at)
	m.round.Verdicts = append(m.round.Verdicts, Verdict{
		Rule:   m.rule,
		ID:     alertID(formFirstSeen, m.rule.ID, listText(group), value, bucketText(bucket)),
		Hour:   hourOf(timeOf(bucket * m.state.within)),
		Window: event.Window{Key: labelOf(group), Count: 1, First: at, Last: at, Events: []string{first.id}},
		Record: record,
		seen:   firstSeenEnv{Value: value, Known: int(per.values) - 1},
	})
}

// Decide decides what first_seen rules have waiting from before a time of
// their own events plus settle: the clock when nothing more comes, or
// [Forever] at the end of all records.
func (r *Round) Decide(until time.Time) error {
	for _, rule := range r.set.Rules {
		if rule.state == nil || !rule.Enabled {
			continue
		}
		if err := r.decideRule(rule, until); err != nil {
			return err
		}
	}
	return nil
}

func (r *Round) decideRule(rule *Rule, until time.Time) error {
	if rule.state.form != formFirstSeen {
		return nil
	}
	m, err := r.memory(rule)
	if err != nil || m == nil {
		return err
	}
	return m.decide(until.UnixMilli() - rule.state.settle)
}

// Due is when the clock decides the first candidate that waits, zero when none
// does. It is good after End.
func (r *Round) Due() (due time.Time, err error) {
	for _, rule := range r.set.Rules {
		if rule.state == nil || rule.state.form != formFirstSeen || rule.state.settle == 0 || !rule.Enabled {
			continue
		}
		keys, err := r.state.Keys(rule.ID, pendingKey, 1)
		if err != nil {
			return due, err
		}
		if len(keys) == 0 || !strings.HasPrefix(keys[0], pendingKey) {
			continue
		}
		at := timeOf(unordered(keys[0][len(pendingKey):len(pendingKey)+8]) + rule.state.settle)
		if due.IsZero() || at.Before(due) {
			due = at
		}
	}
	return due, nil
}

// Forever is later than any event.
var Forever = time.UnixMilli(math.MaxInt64 / 2)

// age is the number by which values are let go: coarse, so that a value that
// is seen often is not moved often.
func (m *memory) age(v *valueState) int64 { return floor(v.seen.newest, m.grain()) }

func (m *memory) grain() int64 { return max(m.state.within/16, 1) }

// valuesOver is the newest age that covers nothing any more.
func (m *memory) valuesOver() int64 {
	if m.meta.watermark == math.MinInt64 {
		return math.MinInt64
	}
	return floor(m.meta.watermark-m.state.within-m.state.settle, m.grain()) - 1
}

// putValues writes the values that changed.
func (m *memory) putValues() error {
	for p, v := range m.values {
		if !v.changed {
			continue
		}
		if err := m.put(valueKey+p.key(), v.encode()); err != nil {
			return err
		}
		if err := m.reorder(p.key(), v.storedAge, m.age(v)); err != nil {
			return err
		}
	}
	return nil
}

// dropValue lets a value go, and its group with the last one.
func (m *memory) dropValue(key string) error {
	p := spotOf(key)
	v, err := m.value(p)
	if err != nil {
		return err
	}
	if v.seen.open {
		if err := m.take(pendingKey + ordered(v.seen.first.at) + key); err != nil {
			return err
		}
	}
	if err := m.take(valueKey + key); err != nil {
		return err
	}
	g, err := m.group(p.group)
	if err != nil {
		return err
	}
	if g.values--; g.values <= 0 {
		return m.take(groupKey + string(p.group[:]))
	}
	return m.put(groupKey+string(p.group[:]), g.encode())
}
