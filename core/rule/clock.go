package rule

import (
	"fmt"
	"math"
	"time"
)

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
