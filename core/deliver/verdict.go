package deliver

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/trailship/trailship/core/store"
	"github.com/trailship/trailship/plugins/sdk"
)

const (
	// minAfter and maxAfter bound what a RetryAfter may ask for.
	minAfter = 100 * time.Millisecond
	maxAfter = time.Hour
	// maxCrashes is how often a plugin may crash on one and the same alert.
	maxCrashes = 3
)

// errCrashed is wrapped by the error of a batch during which the plugin died.
var errCrashed = errors.New("the plugin crashed")

// verdict is what becomes of a batch.
type verdict struct {
	done    []uint64
	dead    []store.Refusal
	buried  []store.Queued // the dead themselves, in the same order
	refused int            // of the dead, those the output answered for
	retried int
	failure error     // of the last alert that is tried again
	down    bool      // the output failed as a whole
	retry   time.Time // when the first of the retried is due
}

// answered says whether the output did its work for some alert.
func (v verdict) answered() bool { return len(v.done)+v.refused > 0 }

// judge turns the error of a batch into what happens to its alerts, and
// remembers when those that stay are due.
//
// An output is down when all of a batch failed that held an alert it had not
// seen, until something gets through: nothing is tried while the backoff
// lasts. Alerts that keep failing among others that get through wait each for
// itself.
func (q *queue) judge(batch []store.Queued, err error, now time.Time) verdict {
	v := verdict{done: make([]uint64, 0, len(batch))}
	crashed := errors.Is(err, errCrashed)
	fresh := false
	var longest time.Duration
	for _, a := range batch {
		cause := causeOf(err, a.ID)
		isPermanent, after := sdk.Judge(cause)
		switch {
		case cause == nil:
			v.done = append(v.done, a.Seq)
			delete(q.attempts, a.Seq)
		case isPermanent:
			v.refused++
			q.bury(&v, a, cause.Error())
		default:
			fresh = fresh || q.attempts[a.Seq] == nil
			longest = max(longest, after)
			q.again(&v, a, cause, after, crashed && len(batch) == 1, now)
		}
	}
	q.resize(len(batch), len(v.done), crashed)
	switch {
	case v.answered():
		q.failures, q.pause = 0, time.Time{}
	case v.retried == len(batch) && (fresh || q.failures > 0):
		q.down(&v, batch, longest, now)
	}
	return v
}

// causeOf returns what the error of a batch says about one alert.
func causeOf(err error, id string) error {
	if err == nil {
		return nil
	}
	var some sdk.Failed
	if errors.As(err, &some) {
		return some[id]
	}
	return err
}

// again plans another try, or gives up.
func (q *queue) again(v *verdict, queued store.Queued, cause error, after time.Duration, crashedAlone bool, now time.Time) {
	a := q.attempts[queued.Seq]
	if a == nil {
		a = &attempt{first: now}
		q.attempts[queued.Seq] = a
	}
	a.tries++
	if crashedAlone {
		a.crashes++
	} else {
		a.crashes = 0
	}
	switch {
	case a.crashes >= maxCrashes:
		q.bury(v, queued, fmt.Sprintf("the plugin crashed %d times on this alert alone: %v", a.crashes, cause))
	case q.Retry.GiveUp > 0 && now.Sub(a.first) >= q.Retry.GiveUp:
		q.bury(v, queued, fmt.Sprintf("gave up after %d tries in %s: %v", a.tries, now.Sub(a.first).Round(time.Second), cause))
	default:
		a.due = now.Add(q.Retry.delay(a.tries, after))
		v.retried++
		v.failure = cause
		if v.retry.IsZero() || a.due.Before(v.retry) {
			v.retry = a.due
		}
	}
}

func (q *queue) bury(v *verdict, a store.Queued, reason string) {
	v.dead = append(v.dead, store.Refusal{Seq: a.Seq, Reason: q.Redact(reason)})
	v.buried = append(v.buried, a)
	delete(q.attempts, a.Seq)
}

// resize halves the batch that crashed the plugin, until the alert it crashes
// on is alone, and grows it again with every success.
func (q *queue) resize(sent, done int, crashed bool) {
	switch {
	case crashed:
		q.limit = max(1, sent/2)
	case done > 0:
		q.limit = min(q.most, q.limit*2)
	}
}

// down pauses the whole output.
func (q *queue) down(v *verdict, batch []store.Queued, after time.Duration, now time.Time) {
	q.failures++
	q.pause, q.asked = now.Add(q.Retry.delay(q.failures, after)), after > 0
	for _, b := range batch {
		if a := q.attempts[b.Seq]; a != nil {
			a.due = q.pause
		}
	}
	v.down, v.retry = true, q.pause
}

// delay is how long to wait after the n-th failure when the destination asked
// for after, 0 for nothing.
func (r Retry) delay(n int, after time.Duration) time.Duration {
	if after > 0 {
		return min(max(after, minAfter), maxAfter)
	}
	return backoff(r.Initial, r.Max, n)
}

// backoff is first, doubled n-1 times up to limit, give or take a quarter so
// that those who failed together do not come back together.
func backoff(first, limit time.Duration, n int) time.Duration {
	d := first
	for range n - 1 {
		if d >= limit {
			break
		}
		d *= 2
	}
	d = min(d, limit)
	return d*3/4 + time.Duration(rand.Int64N(int64(d/2)+1))
}
