package rule

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/trailship/trailship/core/event"
)

// window is what is kept of a group in one bucket of time.
type window struct {
	fired   bool // its alert was raised
	silent  bool // it would have been, but the rule was in shadow
	marks   []mark
	spans   map[string]sighting // of a distinct threshold, instead of marks
	evicted bool                // some were let go that might have mattered

	changed bool
}

// sighting is what is kept of one value: its oldest and newest contribution.
type sighting struct{ first, last mark }

// sight is what made a window fire.
type sight struct {
	marks    []mark // those it counts, in order
	distinct int
	steps    []stepEnv
}

func (s *stateful) encodeWindow(w *window) []byte {
	e := newEncoder()
	var flags uint64
	for i, on := range []bool{w.fired, w.silent, w.evicted} {
		if on {
			flags |= 1 << i
		}
	}
	e.uint(flags)
	if !s.distinct() {
		e.marks(w.marks, s.form == formSequence)
		return e.b
	}
	e.uint(uint64(len(w.spans)))
	for _, v := range slices.Sorted(maps.Keys(w.spans)) {
		e.text(v)
		e.marks([]mark{w.spans[v].first, w.spans[v].last}, false)
	}
	return e.b
}

func (s *stateful) decodeWindow(b []byte) (*window, error) {
	d := newDecoder(b)
	flags := d.uint()
	w := &window{fired: flags&1 != 0, silent: flags&2 != 0, evicted: flags&4 != 0}
	if !s.distinct() {
		w.marks = d.marks(s.form == formSequence)
		return w, d.err
	}
	w.spans = map[string]sighting{}
	for range d.length() {
		v, m := d.text(), d.marks(false)
		if len(m) != 2 {
			return nil, errState
		}
		w.spans[v] = sighting{m[0], m[1]}
	}
	return w, d.err
}

func (s *stateful) distinct() bool { return s.form == formThreshold && s.value != nil }

// added is what became of a contribution to a window.
type added struct {
	changed bool // something is kept differently
	here    bool // it may make this bucket fire, and not only the next
	evicted int  // how many had to go that might have mattered
}

// add puts a contribution into a window.
func (s *stateful) add(w *window, m mark, value string) added {
	switch {
	case s.form == formSequence:
		return s.addStep(w, m)
	case s.distinct():
		return s.addValue(w, m, value)
	}
	changed := s.addEvent(w, m)
	return added{changed: changed, here: changed}
}

// fires says whether the window cur, whose predecessor is prev, fires; the
// sight is what the alert shows. from to to is where an event must lie for the
// last contribution to make a difference.
func (s *stateful) fires(prev, cur *window, from, to int64) *sight {
	if prev == nil {
		prev = &window{}
	}
	switch {
	case s.form == formSequence:
		return s.completes(prev, cur, from, to)
	case s.distinct():
		return s.countValues(prev, cur, from, to)
	}
	return s.countEvents(prev, cur, from, to)
}

// addEvent keeps the newest events.
func (s *stateful) addEvent(w *window, m mark) bool {
	i, known := find(w.marks, m)
	if known || i == 0 && len(w.marks) >= s.count {
		return false
	}
	w.marks = slices.Insert(w.marks, i, m)
	if len(w.marks) > s.count {
		w.marks = slices.Delete(w.marks, 0, 1)
	}
	return true
}

// countEvents looks for an event of cur, the newest there is, that sees
// enough events in the span that ends with it.
func (s *stateful) countEvents(prev, cur *window, from, to int64) *sight {
	if len(prev.marks)+len(cur.marks) < s.count {
		return nil
	}
	for i := len(cur.marks); i > 0; {
		at := cur.marks[i-1].at
		if at < from {
			return nil
		}
		before := upTo(prev.marks, at-s.within)
		if at < to && i+len(prev.marks)-before >= s.count {
			return &sight{marks: slices.Concat(prev.marks[before:], cur.marks[:i])}
		}
		i = upTo(cur.marks, at-1)
	}
	return nil
}

// addValue keeps the oldest and the newest contribution of each value, and
// from `count` values on those that were seen last.
func (s *stateful) addValue(w *window, m mark, value string) added {
	if w.spans == nil {
		w.spans = map[string]sighting{}
	}
	if len(value) > maxID { // strangers choose it, and many are kept
		value = eventKey(value)
	}
	old, known := w.spans[value]
	v := old
	if !known {
		v = sighting{m, m}
	}
	if m.order(v.first) < 0 {
		v.first = m
	}
	if m.order(v.last) > 0 {
		v.last = m
	}
	if known && v == old {
		return added{}
	}
	w.spans[value] = v
	if len(w.spans) > s.count {
		s.dropValue(w)
	}
	return added{changed: true, here: !known || v.first != old.first}
}

// dropValue lets the value go that was seen longest ago.
func (s *stateful) dropValue(w *window) {
	oldest, found := "", false
	for value, v := range w.spans {
		if !found || v.last.at < w.spans[oldest].last.at || v.last.at == w.spans[oldest].last.at && value < oldest {
			oldest, found = value, true
		}
	}
	delete(w.spans, oldest)
}

// countValues looks for an event of cur that sees enough values. Only the
// oldest contribution of a value can be the first to see one more.
func (s *stateful) countValues(prev, cur *window, from, to int64) *sight {
	if len(prev.spans)+len(cur.spans) < s.count {
		return nil
	}
	newest := slices.SortedFunc(maps.Values(cur.spans), func(a, b sighting) int { return cmp.Compare(a.last.at, b.last.at) })
	if len(cur.spans) >= s.count {
		return s.seeing(prev, cur, newest[len(newest)-1].last.at)
	}
	for _, v := range slices.Backward(slices.SortedFunc(maps.Values(cur.spans), func(a, b sighting) int { return cmp.Compare(a.first.at, b.first.at) })) {
		if v.first.at < from {
			return nil
		}
		if v.first.at >= to {
			continue
		}
		if seen := s.seeing(prev, cur, v.first.at); seen != nil {
			return seen
		}
	}
	return nil
}

// seeing is what an event at a time sees of the values, nil when too little.
func (s *stateful) seeing(prev, cur *window, at int64) *sight {
	values := map[string]mark{}
	for value, v := range prev.spans {
		if v.last.at > at-s.within {
			values[value] = v.last
		}
	}
	for value, v := range cur.spans {
		switch {
		case v.last.at <= at:
			values[value] = v.last
		case v.first.at <= at:
			values[value] = v.first
		}
	}
	if len(values) < s.count {
		return nil
	}
	marks := slices.SortedFunc(maps.Values(values), mark.order)
	return &sight{marks: marks, distinct: len(values)}
}

// shown is a sight as an alert holds it.
func (g *sight) shown(key string) event.Window {
	w := event.Window{Key: key, Count: len(g.marks), Distinct: g.distinct}
	if len(g.marks) == 0 {
		return w
	}
	w.First, w.Last = timeOf(g.marks[0].at), timeOf(g.marks[len(g.marks)-1].at)
	for _, m := range slices.Backward(g.marks) {
		if len(w.Events) == maxRelated {
			break
		}
		if !slices.Contains(w.Events, m.id) {
			w.Events = append(w.Events, m.id)
		}
	}
	return w
}

func timeOf(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// floor is the number of the bucket a time lies in.
func floor(at, span int64) int64 {
	n := at / span
	if at%span < 0 {
		n--
	}
	return n
}
