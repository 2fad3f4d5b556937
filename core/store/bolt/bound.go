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

// overfull says which bound of an output is passed when its queue grows by
// what grown says; "" for none.
func (s *Store) overfull(output string, grown store.Backlog) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	most, now := s.bounds[output], sum(s.backlog[output], grown)
	switch {
	case most.Alerts > 0 && now.Alerts > most.Alerts:
		return fmt.Sprintf("the backlog was full: max_alerts is %d", most.Alerts)
	case most.Bytes > 0 && now.Bytes > most.Bytes:
		return fmt.Sprintf("the backlog was full: max_bytes is %d", most.Bytes)
	}
	return ""
}

// admit returns the outputs of an alert that have room for it, each once. For
// the others it becomes a dead letter.
func (t *tx) admit(a store.Alert, size int64) ([]string, error) {
	var outputs []string
	for n, output := range a.Outputs {
		if slices.Contains(a.Outputs[:n], output) {
			continue
		}
		one := store.Backlog{Alerts: 1, Bytes: size}
		if why := t.s.overfull(output, sum(t.changes[output], one)); why != "" {
			if err := t.s.buryAlert(t.t, output, a, "backlog", why); err != nil {
				return nil, err
			}
			t.changes[output] = sum(t.changes[output], store.Backlog{Buried: 1})
			continue
		}
		t.changes.add(output, 1, size)
		outputs = append(outputs, output)
	}
	return outputs, nil
}
