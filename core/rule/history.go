package rule

import "time"

// History judges one group of one rule over contributions that are complete
// and in order of time: of a past that is over, not of a stream. It remembers
// nothing else, so however many groups there are, none is ever let go. It
// belongs to one goroutine.
type History struct {
	Set    *Set
	Rule   *Rule
	Oldest time.Time // the rule's first event of any group, from which warmup counts

	Tally Tally // of all rounds so far

	state Scratch
	round *Round
	held  int
}

// roundSize is how many contributions are judged between two looks at what is
// over.
const roundSize = 256

// Add applies a contribution, none older than the one before, and returns what
// was raised since the last call. An error is of a state that cannot be.
func (h *History) Add(c Contribution) ([]Verdict, error) {
	if h.round == nil {
		if err := h.begin(); err != nil {
			return nil, err
		}
	}
	if err := h.round.Add("", c); err != nil {
		return nil, err
	}
	if h.held++; h.held < roundSize {
		return nil, nil
	}
	return h.end(c.Time)
}

// End decides what still waits: nothing more comes. Add must not be called
// after it.
func (h *History) End() ([]Verdict, error) {
	if h.round == nil {
		if err := h.begin(); err != nil {
			return nil, err
		}
	}
	if err := h.round.decideRule(h.Rule, Forever); err != nil {
		return nil, err
	}
	return h.end(time.Time{})
}

func (h *History) begin() error {
	known, err := h.state.Get(h.Rule.ID, metaKey)
	if err == nil && known == nil {
		m := metaOfRule(h.Rule)
		m.oldest = h.Oldest.UnixMilli()
		err = h.state.Put(h.Rule.ID, metaKey, m.encode())
	}
	// What is in order is never late, and nothing before the buckets that the
	// newest event touches is asked for again.
	judge := Judge{Retention: time.Millisecond}
	h.round, h.held = judge.Begin(&h.state, h.Set), 0
	return err
}

func (h *History) end(newest time.Time) ([]Verdict, error) {
	r := h.round
	h.round = nil
	if err := r.Saw("", newest); err != nil {
		return nil, err
	}
	if err := r.End(); err != nil {
		return nil, err
	}
	h.Tally.Add(r.Tally)
	return r.Verdicts, nil
}

// Add adds what another round counted.
func (t *Tally) Add(o Tally) {
	for _, pair := range []struct {
		to   *map[string]int
		from map[string]int
	}{{&t.Late, o.Late}, {&t.Evicted, o.Evicted}, {&t.Stale, o.Stale}} {
		if *pair.to == nil {
			*pair.to = map[string]int{}
		}
		for id, n := range pair.from {
			(*pair.to)[id] += n
		}
	}
}

// GroupHash is the hash of the values of the contribution's key.
func (c Contribution) GroupHash() [16]byte { return groupOf(c.Group) }

// New is the value that a first_seen verdict is about, else "".
func (v Verdict) New() string { return v.seen.Value }

// Span is the length of the spans of event time in each of which a key alerts
// once: `every` of dedup, `within` of a threshold or a sequence. 0 for others.
func (r *Rule) Span() time.Duration {
	switch {
	case r.state != nil && r.state.form != formFirstSeen:
		return time.Duration(r.state.within) * time.Millisecond
	case r.Dedup != nil:
		return r.Dedup.Every
	}
	return 0
}

// Reach is how far back from an event the rule looks: what is older changes
// nothing. 0 for a rule that remembers nothing but the bucket of its dedup.
func (r *Rule) Reach() time.Duration {
	switch {
	case r.state != nil:
		return time.Duration(2*r.state.within+r.state.settle+r.state.warmup) * time.Millisecond
	case r.Dedup != nil:
		return r.Dedup.Every
	}
	return 0
}
