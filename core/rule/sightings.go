package rule

import (
	"fmt"
	"math"
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
