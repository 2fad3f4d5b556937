package rule

import (
	"math"
	"slices"
)

// addStep keeps an event of a sequence.
func (s *stateful) addStep(w *window, m mark) added {
	i, known := find(w.marks, m)
	if known {
		more := w.marks[i].steps|m.steps != w.marks[i].steps
		w.marks[i].steps |= m.steps
		return added{changed: more, here: more}
	}
	w.marks = slices.Insert(w.marks, i, m)
	if s.simple() {
		kept := s.keepEnds(w, m)
		return added{changed: kept, here: kept}
	}
	evicted := 0
	if len(w.marks) > s.bound() {
		evicted = s.thin(w)
		w.evicted = true
	}
	return added{changed: true, here: true, evicted: evicted}
}

// simple sequences, one event and then another, need four of each step.
func (s *stateful) simple() bool {
	return len(s.steps) == 2 && s.steps[0].count == 1 && s.steps[1].count == 1
}

// keepEnds keeps the two oldest and the two newest of each step, and reports
// whether m is among them.
func (s *stateful) keepEnds(w *window, m mark) bool {
	if len(w.marks) <= 4 {
		return true
	}
	keep := make([]bool, len(w.marks))
	for step := range s.steps {
		for _, i := range ends(w.marks, 1<<step, 2) {
			keep[i] = true
		}
	}
	kept := w.marks[:0]
	found := false
	for i, k := range w.marks {
		if keep[i] {
			kept = append(kept, k)
			found = found || k == m
		}
	}
	clear(w.marks[len(kept):])
	w.marks = kept
	return found
}

// ends are the places of the n oldest and the n newest marks of a step.
func ends(marks []mark, step uint32, n int) (places []int) {
	left := n
	for i := 0; i < len(marks) && left > 0; i++ {
		if marks[i].steps&step != 0 {
			places, left = append(places, i), left-1
		}
	}
	left = n
	for i := len(marks) - 1; i >= 0 && left > 0; i-- {
		if marks[i].steps&step != 0 {
			places, left = append(places, i), left-1
		}
	}
	return places
}

// bound is how many events of a group and bucket are kept.
func (s *stateful) bound() int {
	sum := 0
	for _, st := range s.steps {
		sum += 2 * st.count
	}
	return max(keptSequence, sum)
}

// thin lets events near the middle go, an eighth of all at a time so that it
// is seldom done. The oldest and newest of each step stay: they decide most.
func (s *stateful) thin(w *window) (gone int) {
	keep := make([]bool, len(w.marks))
	for i, st := range s.steps {
		for _, place := range ends(w.marks, 1<<i, st.count) {
			keep[place] = true
		}
	}
	gone = len(w.marks) / 8
	from := (len(w.marks) - gone) / 2
	kept := w.marks[:0]
	left := gone
	for i, m := range w.marks {
		if i >= from && left > 0 && !keep[i] {
			left--
			continue
		}
		kept = append(kept, m)
	}
	clear(w.marks[len(kept):])
	w.marks = kept
	return gone - left
}

// completes looks for an event of the last step, the newest there is, at which
// the sequence is complete.
func (s *stateful) completes(prev, cur *window, from, to int64) *sight {
	if !s.enough(prev, cur) {
		return nil
	}
	final := uint32(1) << (len(s.steps) - 1)
	tried := int64(math.MinInt64)
	for i := len(cur.marks) - 1; i >= 0; i-- {
		at := cur.marks[i].at
		if at < from {
			return nil
		}
		if cur.marks[i].steps&final == 0 || at >= to || at == tried {
			continue
		}
		tried = at
		seen := slices.Concat(prev.marks[upTo(prev.marks, at-s.within):], cur.marks[:upTo(cur.marks, at)])
		if chosen := s.choose(seen); chosen != nil {
			return s.chosen(chosen)
		}
	}
	return nil
}

// enough says that there are as many events of each step as it wants.
func (s *stateful) enough(prev, cur *window) bool {
	var have [maxSteps]int
	for _, marks := range [][]mark{prev.marks, cur.marks} {
		for _, m := range marks {
			for i := range s.steps {
				have[i] += int(m.steps >> i & 1)
			}
		}
	}
	for i, st := range s.steps {
		if have[i] < st.count {
			return false
		}
	}
	return true
}

// choose picks distinct events for the steps in order, nil when it cannot. It
// goes back through time, so that what it shows ends with the newest event, and
// is always as far as it can be: with what it holds at a time, nothing is
// possible that is not with more steps done. Events of the same time may serve
// steps in any order, so there it matches them to the places that are still
// open, from the last on, as far as that goes.
func (s *stateful) choose(seen []mark) [][]mark {
	chosen := make([][]mark, len(s.steps))
	places := s.open(nil, chosen)
	for j := len(seen); j > 0 && len(places) > 0; {
		i := j - 1
		for i > 0 && seen[i-1].at == seen[i].at {
			i--
		}
		for place, taken := range assign(seen[i:j], places) {
			step := places[place]
			chosen[step] = append(chosen[step], seen[i+taken])
		}
		places = s.open(places[:0], chosen)
		j = i
	}
	if len(places) > 0 {
		return nil
	}
	return chosen
}

// open appends the step of each place that is not taken yet, the last first.
func (s *stateful) open(places []int, chosen [][]mark) []int {
	for i := len(s.steps) - 1; i >= 0; i-- {
		for range s.steps[i].count - len(chosen[i]) {
			places = append(places, i)
		}
	}
	return places
}

// assign gives events of one time to as many places as it can without a gap,
// from the first on: place → event.
func assign(events []mark, places []int) []int {
	if len(events) == 1 { // as nearly always
		if events[0].steps>>places[0]&1 == 1 {
			return []int{0}
		}
		return nil
	}
	holder := make([]int, len(events)) // the place an event has, -1 for none
	for i := range holder {
		holder[i] = -1
	}
	filled := 0
	for ; filled < len(places) && filled < len(events); filled++ {
		if !augment(events, places, holder, make([]bool, len(events)), filled) {
			break
		}
	}
	taken := make([]int, filled)
	for e, place := range holder {
		if place >= 0 {
			taken[place] = e
		}
	}
	return taken
}

// augment finds an event for a place, moving others on if it must.
func augment(events []mark, places, holder []int, tried []bool, place int) bool {
	for e := range events {
		if holder[e] < 0 && events[e].steps>>places[place]&1 == 1 {
			holder[e] = place
			return true
		}
	}
	for e := range events {
		if tried[e] || events[e].steps>>places[place]&1 == 0 {
			continue
		}
		tried[e] = true
		if augment(events, places, holder, tried, holder[e]) {
			holder[e] = place
			return true
		}
	}
	return false
}

// chosen is what a complete sequence shows.
func (s *stateful) chosen(steps [][]mark) *sight {
	out := &sight{steps: make([]stepEnv, len(steps))}
	for i, marks := range steps { // the newest first
		out.steps[i] = stepEnv{Time: timeOf(marks[0].at), Count: len(marks)}
		out.marks = append(out.marks, marks...)
	}
	slices.SortStableFunc(out.marks, mark.order)
	return out
}
