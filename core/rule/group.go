package rule

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// meta is what is known of a rule's memory as a whole.
type meta struct {
	shape     string
	groups    int64 // how many are remembered; of first_seen, values
	oldest    int64 // event time the rule saw, for warmup
	watermark int64 // newest event time the rule saw
	gone      int64 // wall time in milliseconds since there is no such rule; 0: there is

	changed bool
}

func metaOfRule(r *Rule) meta {
	return meta{shape: r.state.shape, oldest: math.MaxInt64, watermark: math.MinInt64}
}

func (m meta) encode() []byte {
	e := newEncoder()
	e.text(m.shape)
	for _, n := range []int64{m.groups, m.oldest, m.watermark, m.gone} {
		e.int(n)
	}
	return e.b
}

func (r *Round) meta(id string) (meta, error) {
	b, err := r.state.Get(id, metaKey)
	if err != nil || b == nil {
		return meta{}, err
	}
	d := newDecoder(b)
	m := meta{shape: d.text(), groups: d.int(), oldest: d.int(), watermark: d.int(), gone: d.int()}
	if d.err != nil {
		return m, fmt.Errorf("state of rule %s: %w", id, d.err)
	}
	return m, nil
}

// groupState is a group: of a threshold or sequence, with its newest bucket;
// of first_seen, one `per` with its values.
type groupState struct {
	exists  bool
	label   string // for people
	newest  int64  // bucket
	per     sightings
	values  int64
	stored  int64 // newest as it is stored
	changed bool
}

func (g *groupState) encode() []byte {
	e := newEncoder()
	e.text(g.label)
	e.int(g.newest)
	e.int(g.values)
	g.per.encode(e)
	return e.b
}

// group returns a group, which may not exist yet.
func (m *memory) group(id group) (*groupState, error) {
	if g := m.groups[id]; g != nil {
		return g, nil
	}
	g := &groupState{}
	m.groups[id] = g
	b, err := m.get(groupKey + string(id[:]))
	if err != nil || b == nil {
		return g, err
	}
	d := newDecoder(b)
	*g = groupState{exists: true, label: d.text(), newest: d.int(), values: d.int()}
	g.per.decode(d)
	g.stored = g.newest
	if d.err != nil {
		return g, fmt.Errorf("state of rule %s: %w", m.rule.ID, d.err)
	}
	return g, nil
}

// touch notes a new bucket of a group, and a new group.
func (m *memory) touch(id group, bucket int64, c Contribution) error {
	g, err := m.group(id)
	if err != nil {
		return err
	}
	if g.exists && g.newest >= bucket {
		return nil
	}
	if !g.exists {
		g.label = cut(labelOf(c.Group), maxLabel)
		m.meta.groups++
		m.meta.changed = true
	}
	g.newest, g.changed = bucket, true
	if !g.exists {
		g.exists, g.stored = true, math.MinInt64
	}
	return nil
}

// putGroups writes the groups that changed, and lets go of their buckets that
// are over.
func (m *memory) putGroups() error {
	for id, g := range m.groups {
		if !g.changed {
			continue
		}
		if err := m.put(groupKey+string(id[:]), g.encode()); err != nil {
			return err
		}
		if m.state.form == formFirstSeen {
			continue // its values are in order, not their groups
		}
		if err := m.reorder(string(id[:]), g.stored, g.newest); err != nil {
			return err
		}
		if err := m.pruneGroup(id); err != nil {
			return err
		}
	}
	return nil
}

// reorder moves something in the order of age.
func (m *memory) reorder(what string, from, to int64) error {
	if from == to {
		return nil
	}
	if from != math.MinInt64 {
		if err := m.take(orderKey + ordered(from) + what); err != nil {
			return err
		}
	}
	return m.put(orderKey+ordered(to)+what, []byte{})
}

// pruneStep is how much a round lets go of at a time.
const pruneStep = 256

// pruneGroup lets go of the buckets of a group that nothing can reach.
func (m *memory) pruneGroup(id group) error {
	over, err := m.over()
	if err != nil || over == math.MinInt64 {
		return err
	}
	prefix := windowKey + string(id[:])
	keys, err := m.below(prefix, pruneStep)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if unordered(key[len(prefix):]) > over {
			return nil
		}
		if err := m.take(key); err != nil {
			return err
		}
	}
	return nil
}

// over is the newest number that nothing can ask for any more: of a bucket, or
// of an age of first_seen.
func (m *memory) over() (int64, error) {
	if m.state.form == formFirstSeen {
		return m.valuesOver(), nil
	}
	if m.round.judge.Retention == 0 {
		return math.MinInt64, nil
	}
	slowest, err := m.round.slowest()
	if err != nil || slowest == math.MinInt64 {
		return math.MinInt64, err
	}
	return floor(slowest-m.round.judge.Retention.Milliseconds(), m.state.within) - 2, nil
}

// prune lets go of groups that are over, and of the oldest when there are too
// many.
func (m *memory) prune() error {
	over, err := m.over()
	if err != nil {
		return err
	}
	for {
		keys, err := m.below(orderKey, pruneStep)
		if err != nil {
			return err
		}
		done := true
		for _, key := range keys {
			what := key[len(orderKey)+8:]
			if unordered(key[len(orderKey):len(orderKey)+8]) > over {
				if m.meta.groups <= m.limit() {
					return nil
				}
				m.round.Tally.Evicted[m.rule.ID]++
			}
			if err := m.drop(key, what); err != nil {
				return err
			}
			done = false
		}
		if done || m.meta.groups <= m.limit() && len(keys) == pruneStep {
			return nil // the rest that is over goes with the next rounds
		}
	}
}

func (m *memory) limit() int64 {
	n := int64(m.round.judge.MaxGroups)
	if n == 0 {
		n = defaultGroups
	}
	if m.state.form == formFirstSeen {
		n *= valuesPerGroup
	}
	return n
}

// drop lets go of what stands under a key of the order.
func (m *memory) drop(key, what string) error {
	if err := m.take(key); err != nil {
		return err
	}
	m.meta.groups--
	m.meta.changed = true
	if m.state.form == formFirstSeen {
		return m.dropValue(what)
	}
	if err := m.take(groupKey + what); err != nil {
		return err
	}
	for {
		keys, err := m.below(windowKey+what, pruneStep)
		if err != nil {
			return err
		}
		for _, k := range keys {
			if err := m.take(k); err != nil {
				return err
			}
		}
		if len(keys) < pruneStep {
			return nil
		}
	}
}

// clocks are kept under this name, which no rule can have.
const clockRule = ".sources"

// clock is the newest event of a source.
type clock struct {
	newest  int64
	seen    int64 // wall time when it last brought anything
	changed bool
}

// idleSource is how long a source that brings nothing holds up the end of
// what is old.
const idleSource = 25 * time.Hour

// Saw notes the newest event of what was read of a source, contributing or not.
func (r *Round) Saw(source string, newest time.Time) error {
	if _, err := r.newest(source); err != nil || newest.IsZero() {
		return err
	}
	c := r.sources[source]
	if c == nil {
		c = &clock{newest: math.MinInt64}
		r.sources[source] = c
	}
	// The wall clock is noted to the hour: not every round has to write it.
	at := min(newest.UnixMilli(), r.now)
	if at > c.newest || r.now != math.MaxInt64 && r.now-c.seen > time.Hour.Milliseconds() {
		c.newest, c.seen, c.changed = max(at, c.newest), r.now, true
	}
	return nil
}

// newest is the newest event time of a source that was committed, and loads
// what is known of all sources.
func (r *Round) newest(source string) (int64, error) {
	if r.sources == nil {
		r.sources = map[string]*clock{}
		names, err := r.state.Keys(clockRule, "", 10_000)
		if err != nil {
			return 0, err
		}
		for _, name := range names {
			b, err := r.state.Get(clockRule, name)
			if err != nil {
				return 0, err
			}
			d := newDecoder(b)
			r.sources[name] = &clock{newest: d.int(), seen: d.int()}
			if d.err != nil {
				return 0, fmt.Errorf("state of source %s: %w", name, d.err)
			}
		}
	}
	if c := r.sources[source]; c != nil {
		return c.newest, nil
	}
	return math.MinInt64 / 2, nil
}

// slowest is the newest event time of the source that is furthest behind, of
// those that still bring anything.
func (r *Round) slowest() (int64, error) {
	if _, err := r.newest(""); err != nil {
		return 0, err
	}
	slowest := int64(math.MaxInt64)
	for _, c := range r.sources {
		if r.now-c.seen < idleSource.Milliseconds() {
			slowest = min(slowest, c.newest)
		}
	}
	if slowest == math.MaxInt64 {
		return math.MinInt64, nil
	}
	return slowest, nil
}

func (r *Round) putClocks() error {
	for name, c := range r.sources {
		if !c.changed {
			continue
		}
		e := newEncoder()
		e.int(c.newest)
		e.int(c.seen)
		if err := r.state.Put(clockRule, name, e.b); err != nil {
			return err
		}
	}
	return nil
}

// goneFor is how long the state of a deleted rule is kept.
const goneFor = 7 * 24 * time.Hour

// Reconcile compares what is remembered with the rules there are now. It
// returns the rules whose state it dropped: those whose block changed, or that
// are gone for a week. Call it when the set changed, and now and then, in a
// round of its own.
func (r *Round) Reconcile() (dropped []string, err error) {
	ids, err := r.state.Remembered()
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if strings.HasPrefix(id, ".") {
			continue
		}
		drop, err := r.reconcile(id)
		if err != nil {
			return nil, err
		}
		if drop {
			dropped = append(dropped, id)
		}
	}
	return dropped, nil
}

func (r *Round) reconcile(id string) (drop bool, err error) {
	m, err := r.meta(id)
	if err != nil {
		if !errors.Is(err, errState) {
			return false, err
		}
		return true, r.state.Forget(id)
	}
	rule := r.set.Rule(id)
	switch {
	case rule != nil && (rule.state == nil || rule.state.shape != m.shape):
		return true, r.state.Forget(id)
	case rule == nil && m.gone == 0:
		m.gone = r.now
	case rule == nil && r.now-m.gone > goneFor.Milliseconds():
		return true, r.state.Forget(id)
	case rule != nil && m.gone != 0:
		m.gone = 0
	default:
		return false, nil
	}
	return false, r.state.Put(id, metaKey, m.encode())
}
