package bolt

import (
	"fmt"
	"slices"

	"github.com/trailship/trailship/core/store"
)

// Bound implements store.Store.
func (s *Store) Bound(output string, most store.Backlog) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if most.Alerts == 0 && most.Bytes == 0 {
		delete(s.bounds, output)
		return
	}
	s.bounds[output] = most
}

// bounded is how large an output's queue is, and how large it may become.
func (s *Store) bounded(output string) (now, most store.Backlog) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.backlog[output], s.bounds[output]
}

// overfull says which bound is passed when the queue grows by another alert of
// that size; "" for none.
func (l *lane) overfull(size int64) string {
	switch {
	case l.most.Alerts > 0 && l.before.Alerts+l.grown.Alerts+1 > l.most.Alerts:
		return fmt.Sprintf("the backlog was full: max_alerts is %d", l.most.Alerts)
	case l.most.Bytes > 0 && l.before.Bytes+l.grown.Bytes+size > l.most.Bytes:
		return fmt.Sprintf("the backlog was full: max_bytes is %d", l.most.Bytes)
	}
	return ""
}

// admit returns the lanes of the outputs of an alert that have room for it,
// each once. For the others it becomes a dead letter.
func (t *tx) admit(a store.Alert, size int64) ([]*lane, error) {
	t.admitted = t.admitted[:0]
	for n, output := range a.Outputs {
		if slices.Contains(a.Outputs[:n], output) {
			continue
		}
		l := t.laneOf(output)
		if why := l.overfull(size); why != "" {
			if err := t.s.buryAlert(t.t, output, a, "backlog", why); err != nil {
				return nil, err
			}
			l.grown.Buried++
			continue
		}
		if err := l.open(t.t); err != nil {
			return nil, err
		}
		l.grown.Alerts++
		l.grown.Bytes += size
		t.admitted = append(t.admitted, l)
	}
	return t.admitted, nil
}
