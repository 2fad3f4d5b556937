package ingest

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/trailship/trailship/core/decode"
	"github.com/trailship/trailship/core/event"
	"github.com/trailship/trailship/core/rule"
	"github.com/trailship/trailship/core/store"
)

// lookAround is how often, while nothing comes, the committer looks whether
// the rules changed or a candidate of first_seen has waited long enough.
const lookAround = 5 * time.Second

// recall is what the committer needs for rules that remember. It belongs to
// the committer.
type recall struct {
	judge   rule.Judge
	set     *rule.Set // the state was compared with, in a commit that succeeded
	at      time.Time // when
	due     time.Time // when the first candidate that waits is decided; zero: none waits
	matcher *rule.Matcher
	event   event.Event
	space   []byte // of an alert
	now     judged
	gone    map[string]eviction // by rule
}

// judged is what rules that remember made of one transaction.
type judged struct {
	set     *rule.Set
	matched []*rule.Rule
	alerts  []store.Alert
	fresh   []bool
	tally   rule.Tally
	groups  []map[string]int64
	dropped []string
	due     time.Time
}

// contribute adds to the piece what an event adds to rules that remember, with
// the record: only the commit knows whether an alert is made of it.
func (r *reader) contribute(p *piece, rec decode.Record) {
	contributions := r.matcher.Contributions()
	if len(contributions) == 0 {
		return
	}
	record := &rule.Record{
		Source: r.Sources[p.source].Name, Object: p.object.Name,
		Index: p.object.Entry.Before + rec.Index, Offset: rec.Offset,
		Format: rec.Format, Raw: bytes.Clone(rec.Raw),
	}
	p.bytes += len(rec.Raw)
	for _, c := range contributions {
		c.Record = record
		p.contributions = append(p.contributions, c)
		p.bytes += contributionBytes
	}
}

// contributionBytes is about what a contribution takes beside its record.
const contributionBytes = 256

// remember applies the contributions of a batch to the state of their rules
// and stores the alerts they raise. It is part of the transaction, and may run
// more than once.
func (in *Ingest) remember(tx store.Tx, batch []*piece) error {
	m := &in.recall
	m.now = judged{set: in.Rules(), due: m.due}
	if err := in.reconcile(tx); err != nil {
		return err
	}
	if !m.now.set.Remembers() {
		return nil
	}
	round := m.judge.Begin(tx, m.now.set)
	for _, p := range batch {
		name := in.Sources[p.source].Name
		for _, c := range p.contributions {
			if err := round.Add(name, c); err != nil {
				return err
			}
		}
		if err := round.Saw(name, p.newest); err != nil {
			return err
		}
	}
	if len(batch) == 0 {
		if err := round.Decide(in.Now()); err != nil {
			return err
		}
	}
	if err := round.End(); err != nil {
		return err
	}
	m.now.tally = round.Tally
	m.now.groups = append(m.now.groups, round.Groups)
	for _, v := range round.Verdicts {
		if err := in.sentence(tx, v); err != nil {
			return err
		}
	}
	var err error
	m.now.due, err = round.Due()
	return err
}

// reconcile drops state that no rule goes on with, when the rules changed and
// once an hour.
func (in *Ingest) reconcile(tx store.Tx) (err error) {
	m := &in.recall
	if m.now.set == m.set && in.Now().Sub(m.at) < time.Hour {
		return nil
	}
	round := m.judge.Begin(tx, m.now.set)
	m.now.dropped, err = round.Reconcile()
	m.now.groups = append(m.now.groups, round.Groups)
	return err
}

// sentence stores the alert of a verdict.
func (in *Ingest) sentence(tx store.Tx, v rule.Verdict) error {
	m := &in.recall
	m.now.matched = append(m.now.matched, v.Rule)
	if v.Rule.Shadow {
		return nil
	}
	rec := v.Record
	err := decode.Normalize(&m.event, decode.Record{Raw: rec.Raw, Index: rec.Index, Offset: rec.Offset, Format: rec.Format})
	if err != nil { // only a newer program finds no event where there was one
		in.Log.Warn("the record of an alert cannot be read again", "rule", v.Rule.ID, "alert", v.ID, "error", err)
		m.event.Reset()
		m.event.Time = v.Window.Last
	}
	if m.matcher == nil {
		m.matcher = m.now.set.NewMatcher()
	}
	match := m.matcher.Alert(v, &m.event)
	m.space = slices.Grow(m.space[:0], chunkRest)
	a := in.alertOf(match, &m.event, origin{
		source: rec.Source, object: rec.Object, record: rec.Index, raw: rec.Raw, maxAge: in.maxAge(rec.Source),
	}, &m.space)
	fresh, err := tx.Raise(a)
	if err != nil {
		return fmt.Errorf("storing alert %s: %w", a.ID, err)
	}
	a.JSON, a.Event, a.Raw = nil, nil, nil // the next verdict writes there
	m.now.alerts, m.now.fresh = append(m.now.alerts, a), append(m.now.fresh, fresh)
	return nil
}

// maxAge is that of the source of a name; of one that is gone, 0.
func (in *Ingest) maxAge(source string) time.Duration {
	for _, s := range in.Sources {
		if s.Name == source {
			return s.MaxAge
		}
	}
	return 0
}

// remembered tells everybody what rules that remember made of a transaction
// that was committed. It reports whether an alert is new.
func (in *Ingest) remembered() (raised bool) {
	m := &in.recall
	if m.set != m.now.set || in.Now().Sub(m.at) >= time.Hour {
		m.set, m.at, m.matcher = m.now.set, in.Now(), nil
	}
	m.due = m.now.due
	for _, id := range m.now.dropped {
		in.Log.Warn("the state of a rule was dropped: what it remembers by changed, or it is gone for a week", "rule", id)
		in.Metrics.memory.WithLabelValues(id, "dropped").Inc()
		in.Metrics.groups.DeleteLabelValues(id)
	}
	for _, groups := range m.now.groups {
		for id, n := range groups {
			in.Metrics.groups.WithLabelValues(id).Set(float64(n))
		}
	}
	for _, r := range m.now.matched {
		in.Metrics.matches.WithLabelValues(r.ID).Inc()
	}
	for i, a := range m.now.alerts {
		raised = in.counted(a, m.now.fresh[i]) || raised
	}
	for what, counts := range map[string]map[string]int{"late": m.now.tally.Late, "evicted": m.now.tally.Evicted, "stale": m.now.tally.Stale} {
		for id, n := range counts {
			in.Metrics.memory.WithLabelValues(id, what).Add(float64(n))
			if what == "evicted" {
				in.evicted(id, n)
			}
		}
	}
	return raised
}

// evicted logs what a rule let go of: at once, and then whenever it is twice as
// much, for it may go on with every commit.
func (in *Ingest) evicted(id string, n int) {
	m := &in.recall
	if m.gone == nil {
		m.gone = map[string]eviction{}
	}
	e := m.gone[id]
	if e.all += n; e.all >= 2*e.said {
		e.said = e.all
		in.Log.Warn("a rule remembers more groups or events than it may: the oldest were let go, and it may miss what they were part of", "rule", id, "evicted", e.all)
	}
	m.gone[id] = e
}

// eviction is how much a rule let go of since the start, and when last said.
type eviction struct{ all, said int }

// counted counts an alert that was committed, and passes on whether it is new.
func (in *Ingest) counted(a store.Alert, fresh bool) bool {
	if !fresh {
		in.total.repeated.Add(1)
		return false
	}
	in.total.alerts.Add(1)
	in.Metrics.alerts.WithLabelValues(a.RuleID, a.Severity).Inc()
	return true
}

// quiet says that a commit without pieces is worth it: nothing is on its way,
// and the rules changed or a candidate is due.
func (in *Ingest) quiet() bool {
	m := &in.recall
	if set := in.Rules(); set != m.set && (m.set != nil || set.Remembers()) {
		return true
	}
	return !m.due.IsZero() && in.Now().After(m.due) && len(in.Unlisted()) == 0 && in.inflight.count() == 0
}
