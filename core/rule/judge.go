package rule

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/trailship/trailship/core/event"
)

// Judge decides what contributions amount to. The zero value is good; it holds
// no state of its own, and goroutines may share it.
type Judge struct {
	// Retention is how much older than the newest event of its source a
	// contribution may be; older ones are counted and not judged. 0: any age.
	Retention time.Duration
	// MaxGroups is how many groups of one rule are remembered; 0 is 100,000.
	// Of first_seen they are its values, ten times as many.
	MaxGroups int
	// Now is the wall clock: event times that lie ahead of it age nothing.
	// nil takes every event's time as it is.
	Now func() time.Time
}

// Verdict is an alert that a stateful rule raised. [Matcher.Alert] renders it.
type Verdict struct {
	Rule   *Rule
	ID     string // of the alert
	Hour   uint32 // since 1970, of the start of its bucket
	Window event.Window
	Record *Record // of the event the alert shows

	steps []stepEnv
	seen  firstSeenEnv
}

// Tally counts what a round did not judge as if nothing were lost, by rule.
type Tally struct {
	Late    map[string]int // older than retention, or than settle allows to fire
	Evicted map[string]int // groups, values and events that had to go
	Stale   map[string]int // contributions to a shape the rule no longer has
}

// Round is one transaction's work of a Judge: Add in the order of arrival,
// then End. It must not be used after an error. It belongs to one goroutine.
type Round struct {
	Verdicts []Verdict // what was raised; complete after End
	Tally    Tally
	// Groups are how many groups (of first_seen, values) the rules that took
	// part remember, by id; good after End.
	Groups map[string]int64

	judge   *Judge
	state   State
	set     *Set
	now     int64
	rules   map[string]*memory
	sources map[string]*clock
}

// Begin begins a round over the state of one transaction. set are the rules as
// they are now; contributions may come from the set before.
func (j *Judge) Begin(state State, set *Set) *Round {
	now := int64(math.MaxInt64)
	if j.Now != nil {
		now = j.Now().UnixMilli()
	}
	return &Round{
		judge: j, state: state, set: set, now: now, rules: map[string]*memory{}, Groups: map[string]int64{},
		Tally: Tally{Late: map[string]int{}, Evicted: map[string]int{}, Stale: map[string]int{}},
	}
}

// Add applies the contribution of an event of a source.
func (r *Round) Add(source string, c Contribution) error {
	m, err := r.memory(c.Rule)
	if err != nil {
		return err
	}
	if m == nil {
		r.Tally.Stale[c.Rule.ID]++
		return nil
	}
	at := c.Time.UnixMilli()
	if r.judge.Retention > 0 {
		newest, err := r.newest(source)
		if err != nil {
			return err
		}
		if at < newest-r.judge.Retention.Milliseconds() {
			r.Tally.Late[c.Rule.ID]++
			return nil
		}
	}
	g := groupOf(c.Group)
	if c.Rule.state.form == formFirstSeen {
		return m.see(c, at, g)
	}
	return m.contribute(c, at, g)
}

// memory is the state of the rule, nil when it is that of another shape.
func (r *Round) memory(rule *Rule) (*memory, error) {
	m := r.rules[rule.ID]
	if m == nil {
		meta, err := r.meta(rule.ID)
		if err != nil {
			return nil, err
		}
		m = &memory{round: r, meta: meta}
		r.rules[rule.ID] = m
	}
	if m.meta.shape == "" {
		if now := r.set.Rule(rule.ID); now != nil && now.state != nil && now.state.shape != rule.state.shape {
			return nil, nil // read before the rules changed
		}
		*m = memory{round: r, meta: metaOfRule(rule), groups: map[group]*groupState{}, windows: map[spot]*window{}, values: map[spot]*valueState{}}
	}
	if m.meta.shape != rule.state.shape {
		return nil, nil
	}
	if m.groups == nil {
		m.groups, m.windows, m.values = map[group]*groupState{}, map[spot]*window{}, map[spot]*valueState{}
	}
	m.rule, m.state = rule, rule.state
	return m, nil
}

// End writes what changed and lets go of what is over or too much.
func (r *Round) End() error {
	for _, id := range slices.Sorted(maps.Keys(r.rules)) {
		if r.rules[id].state == nil {
			continue // only contributions of another shape
		}
		if err := r.rules[id].flush(); err != nil {
			return fmt.Errorf("state of rule %s: %w", id, err)
		}
		r.Groups[id] = r.rules[id].meta.groups
	}
	return r.putClocks()
}

// memory is what a rule remembers, as far as a round has touched it.
type memory struct {
	round   *Round
	rule    *Rule
	state   *stateful
	meta    meta
	groups  map[group]*groupState
	windows map[spot]*window
	values  map[spot]*valueState
}

// group is the hash of the values of a key, or of one value.
type group [16]byte

func groupOf(values []string) (g group) {
	text, _ := appendJSON(nil, values, math.MaxInt)
	sum := sha256.Sum256(text)
	copy(g[:], sum[:])
	return g
}

// spot is a bucket, or a value, of a group.
type spot struct {
	group  group
	bucket int64
	value  group
}

func (p spot) windowKey() string {
	return windowKey + string(p.group[:]) + ordered(p.bucket)
}

// contribute applies a contribution to a threshold or a sequence.
func (m *memory) contribute(c Contribution, at int64, g group) error {
	bucket := floor(at, m.state.within)
	w, err := m.window(spot{group: g, bucket: bucket}, true, c)
	if err != nil {
		return err
	}
	made := m.state.add(w, mark{at: at, id: c.Event, steps: c.Steps}, c.Value)
	w.changed = w.changed || made.changed
	if made.evicted > 0 {
		m.round.Tally.Evicted[m.rule.ID] += made.evicted
	}
	if made.here || w.silent {
		if err := m.look(c, at, g, bucket); err != nil {
			return err
		}
	}
	if !made.changed {
		return nil
	}
	return m.look(c, at, g, bucket+1)
}

// look raises the alert of a bucket that fires and has not yet.
func (m *memory) look(c Contribution, at int64, g group, bucket int64) error {
	cur, err := m.window(spot{group: g, bucket: bucket}, false, c)
	if err != nil || cur == nil || cur.fired || cur.silent && m.rule.Shadow {
		return err
	}
	prev, err := m.window(spot{group: g, bucket: bucket - 1}, false, c)
	if err != nil {
		return err
	}
	from, to := at, at+m.state.within
	if cur.silent { // nothing new is needed
		from, to = math.MinInt64, math.MaxInt64
	}
	seen := m.state.fires(prev, cur, from, to)
	if seen == nil {
		return nil
	}
	cur.fired, cur.silent, cur.changed = !m.rule.Shadow, m.rule.Shadow, true
	m.round.Verdicts = append(m.round.Verdicts, Verdict{
		Rule:   m.rule,
		ID:     alertID(m.state.form, m.rule.ID, listText(c.Group), bucketText(bucket)),
		Hour:   hourOf(timeOf(bucket * m.state.within)),
		Window: seen.shown(labelOf(c.Group)),
		Record: c.Record,
		steps:  seen.steps,
	})
	return nil
}

// window returns what is kept of a group in a bucket; nil when there is
// nothing, unless it is to be made.
func (m *memory) window(p spot, create bool, c Contribution) (*window, error) {
	w, known := m.windows[p]
	if !known {
		b, err := m.round.state.Get(m.rule.ID, p.windowKey())
		if err != nil {
			return nil, err
		}
		if b != nil {
			if w, err = m.state.decodeWindow(b); err != nil {
				return nil, fmt.Errorf("state of rule %s: %w", m.rule.ID, err)
			}
		}
		m.windows[p] = w
	}
	if w != nil || !create {
		return w, nil
	}
	w = &window{}
	m.windows[p] = w
	return w, m.touch(p.group, p.bucket, c)
}

// flush writes everything that changed.
func (m *memory) flush() error {
	for p, w := range m.windows {
		if w != nil && w.changed {
			if err := m.put(p.windowKey(), m.state.encodeWindow(w)); err != nil {
				return err
			}
		}
	}
	if err := m.putValues(); err != nil {
		return err
	}
	if err := m.putGroups(); err != nil {
		return err
	}
	if err := m.prune(); err != nil {
		return err
	}
	if !m.meta.changed {
		return nil
	}
	return m.put(metaKey, m.meta.encode())
}

func (m *memory) get(key string) ([]byte, error) { return m.round.state.Get(m.rule.ID, key) }

func (m *memory) put(key string, value []byte) error {
	return m.round.state.Put(m.rule.ID, key, value)
}

func (m *memory) take(key string) error { return m.round.state.Put(m.rule.ID, key, nil) }

// below returns up to max keys with a prefix.
func (m *memory) below(prefix string, max int) ([]string, error) {
	keys, err := m.round.state.Keys(m.rule.ID, prefix, max)
	for i, key := range keys {
		if !strings.HasPrefix(key, prefix) {
			return keys[:i], err
		}
	}
	return keys, err
}
