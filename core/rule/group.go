package rule

import (
	"fmt"
	"math"
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
	for _, step := range []int{1, pruneStep} { // mostly the oldest is not over
		keys, err := m.below(prefix, step)
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
