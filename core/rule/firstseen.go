package rule

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/trailship/trailship/core/event"
)

// sightings are what is known of when a value (or anything of a `per`) was
// seen: the newest time, and the one sighting that no earlier one covers and
// that is not decided yet, with the newest time before it. An earlier sighting
// covers a later one for as long as `remember`.
type sightings struct {
	any    bool
	newest int64

	open  bool // there is a candidate
	first mark // the candidate
	prior int64
	since bool // prior is there

	born mark // of a `per`: the last candidate that was decided
}

// add takes in a sighting. late ones are never candidates.
func (s *sightings) add(m mark, late bool, remember int64) {
	switch {
	case s.open && m.order(s.first) < 0:
		s.before(m, late, remember)
	case !s.open && !late && (!s.any || s.newest <= m.at && m.at-s.newest >= remember):
		s.prior, s.since = s.newest, s.any
		s.open, s.first = true, m
	}
	if !s.any || m.at > s.newest {
		s.any, s.newest = true, m.at
	}
}

// before takes in a sighting before the candidate.
func (s *sightings) before(m mark, late bool, remember int64) {
	covered := s.since && m.at-s.prior < remember
	switch {
	case !late && !covered:
		s.first = m
	case s.first.at-m.at < remember:
		s.open = false // the candidate is covered, and so is m, or it came too late
	case !s.since || m.at > s.prior:
		s.prior, s.since = m.at, true
	}
}

// settle ends the time in which an earlier sighting may turn up.
func (s *sightings) settle() {
	if s.open {
		s.open, s.born = false, s.first
	}
}

func (s *sightings) encode(e *encoder) {
	e.flag(s.any)
	e.int(s.newest)
	e.flag(s.open)
	e.flag(s.since)
	e.int(s.prior)
	for _, m := range []mark{s.first, s.born} {
		e.int(m.at)
		e.text(m.id)
	}
}

func (s *sightings) decode(d *decoder) {
	s.any, s.newest = d.flag(), d.int()
	s.open, s.since, s.prior = d.flag(), d.flag(), d.int()
	for _, m := range []*mark{&s.first, &s.born} {
		m.at, m.id = d.int(), d.text()
	}
}

// valueState is what is remembered of one value of a group.
type valueState struct {
	exists bool
	label  string // for people
	seen   sightings

	// What the alert of the candidate needs.
	group  []string
	value  string
	record *Record

	storedAge int64 // as it stands in the order, MinInt64 for not at all
	changed   bool
}

func (v *valueState) encode() []byte {
	e := newEncoder()
	e.text(v.label)
	v.seen.encode(e)
	if !v.seen.open {
		return e.b
	}
	e.uint(uint64(len(v.group)))
	for _, g := range v.group {
		e.text(g)
	}
	e.text(v.value)
	v.record.encode(e)
	return e.b
}

func decodeValue(b []byte) (*valueState, error) {
	d := newDecoder(b)
	v := &valueState{exists: true, label: d.text()}
	v.seen.decode(d)
	if v.seen.open {
		v.group = make([]string, d.length())
		for i := range v.group {
			v.group[i] = d.text()
		}
		v.value = d.text()
		v.record = decodeRecord(d)
	}
	return v, d.err
}

func (r *Record) encode(e *encoder) {
	e.flag(r != nil)
	if r == nil {
		return
	}
	for _, s := range []string{r.Source, r.Object, r.Format, string(r.Raw)} {
		e.text(s)
	}
	e.int(r.Index)
	e.int(r.Offset)
}

func decodeRecord(d *decoder) *Record {
	if !d.flag() {
		return nil
	}
	r := &Record{Source: d.text(), Object: d.text(), Format: d.text(), Raw: []byte(d.text())}
	r.Index, r.Offset = d.int(), d.int()
	return r
}

// key is where a value, or its place in an order, stands.
func (p spot) key() string { return string(p.group[:]) + string(p.value[:]) }

func spotOf(key string) (p spot) {
	copy(p.group[:], key)
	copy(p.value[:], key[len(p.group):])
	return p
}

// value returns what is known of a value, which may not exist yet.
func (m *memory) value(p spot) (*valueState, error) {
	if v := m.values[p]; v != nil {
		return v, nil
	}
	v := &valueState{storedAge: math.MinInt64}
	b, err := m.get(valueKey + p.key())
	if err != nil {
		return nil, err
	}
	if b != nil {
		if v, err = decodeValue(b); err != nil {
			return nil, fmt.Errorf("state of rule %s: %w", m.rule.ID, err)
		}
		v.storedAge = m.age(v)
	}
	m.values[p] = v
	return v, nil
}

// see applies a contribution to first_seen.
func (m *memory) see(c Contribution, at int64, g group) error {
	late := m.meta.watermark != math.MinInt64 && m.meta.watermark-at > m.state.settle
	if late {
		m.round.Tally.Late[m.rule.ID]++
	}
	m.meta.changed = true
	m.meta.oldest = min(m.meta.oldest, at)
	if ahead := min(at, m.round.now); ahead > m.meta.watermark {
		m.meta.watermark = ahead
		if err := m.decide(ahead - m.state.settle); err != nil {
			return err
		}
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
	if m.state.settle == 0 {
		if v.seen.open {
			per.per.settle()
			m.conclude(per, v)
		}
		return nil
	}
	return m.wait(p, had, was, v)
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
	for {
		keys, err := m.below(pendingKey, pruneStep)
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
		if len(keys) < pruneStep {
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
