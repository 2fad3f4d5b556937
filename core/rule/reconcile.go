package rule

import (
	"errors"
	"strings"
	"time"
)

// goneFor is how long the state of a deleted rule is kept.
const goneFor = 7 * 24 * time.Hour

// Reconcile compares what is remembered with the rules there are now. It
// returns the rules whose state it dropped: those whose block changed, or that
// are gone for a week. Call it when the set changed, and now and then, in a
// round of its own.
func (r *Round) Reconcile() (dropped []string, err error) {
	ids, err := r.state.Remembered()
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if strings.HasPrefix(id, ".") {
			continue
		}
		drop, err := r.reconcile(id)
		if err != nil {
			return nil, err
		}
		if drop {
			dropped = append(dropped, id)
			delete(r.Groups, id)
		}
	}
	return dropped, nil
}

func (r *Round) reconcile(id string) (drop bool, err error) {
	m, err := r.meta(id)
	if err != nil {
		if !errors.Is(err, errState) {
			return false, err
		}
		return true, r.state.Forget(id)
	}
	rule := r.set.Rule(id)
	r.Groups[id] = m.groups
	switch {
	case rule != nil && (rule.state == nil || rule.state.shape != m.shape):
		return true, r.state.Forget(id)
	case rule == nil && m.gone == 0:
		m.gone = r.now
	case rule == nil && r.now-m.gone > goneFor.Milliseconds():
		return true, r.state.Forget(id)
	case rule != nil && m.gone != 0:
		m.gone = 0
	default:
		return false, nil
	}
	return false, r.state.Put(id, metaKey, m.encode())
}
