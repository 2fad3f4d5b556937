package deliver

import (
	"slices"
	"time"

	"github.com/trailship/trailship/core/store"
)

// maxWaiting bounds how many alerts of an output wait for another try; at the
// bound no new ones are tried before some of them are through.
const maxWaiting = 10_000

// queue is what the loop knows of an output's alerts beyond the store: how far
// it came, and which ones wait for another try.
type queue struct {
	Output
	store    store.Outlet
	after    uint64              // the alerts up to here were tried, or are in attempts
	attempts map[uint64]*attempt // of alerts that were tried and not settled, by Seq
	most     int                 // alerts in a batch
	bytes    int                 // of it
	limit    int                 // most, lowered while the plugin crashes
	failures int                 // batches in a row that failed as a whole
	pause    time.Time           // nothing is tried before
	asked    bool                // the destination asked for the pause
}

func newQueue(o Output, s store.Outlet) *queue {
	return &queue{Output: o, store: s, attempts: map[uint64]*attempt{}, most: o.MaxBatch, bytes: maxBytes, limit: o.MaxBatch}
}

// wish lowers the bounds of a batch to what the destination likes; 0 is no
// wish.
func (q *queue) wish(alerts, bytes uint32) {
	q.most, q.bytes = q.MaxBatch, maxBytes
	if alerts > 0 {
		q.most = min(q.most, int(alerts))
	}
	if bytes > 0 {
		q.bytes = min(q.bytes, int(bytes))
	}
	q.limit = min(q.limit, q.most)
}

// tripAfter is after how many failed calls in a row the circuit opens.
const tripAfter = 3

// open says that the output is not worth more than one alert at a time. Of a
// single alert that keeps failing nobody knows whose fault it is.
func (q *queue) open() bool { return q.failures >= tripAfter && len(q.attempts) > 1 }

// attempt is the history of one alert in this process.
type attempt struct {
	tries   int
	crashes int // in a row, of a plugin that held nothing but this alert
	first   time.Time
	due     time.Time
}

// batch is what goes into one call.
type batch struct {
	alerts []store.Queued
	bytes  int
	full   bool
}

// collect fills a batch: alerts due for another try first, then new ones. An
// alert the plugin keeps crashing on goes alone.
func (q *queue) collect(b *batch, now time.Time) error {
	if now.Before(q.pause) {
		// One alert that failed may be to blame itself: a new one tells.
		if len(q.attempts) == 1 && !q.asked {
			return q.collectFresh(b)
		}
		return nil
	}
	if q.open() {
		return q.collectProbe(b, now)
	}
	due, suspects := q.due(now)
	if err := q.fetch(b, due); err != nil {
		return err
	}
	if len(b.alerts) == 0 && len(suspects) > 0 {
		err := q.fetch(b, suspects[:1])
		b.full = true
		return err
	}
	return q.collectFresh(b)
}

// collectProbe takes the one alert that is to tell whether the output is back:
// of those that are due the one that was tried least, else a new one. Alerts
// that are given up next have a last try first.
func (q *queue) collectProbe(b *batch, now time.Time) error {
	var last []uint64
	least, tries := uint64(0), 0
	for seq, a := range q.attempts {
		if a.due.After(now) {
			continue
		}
		if q.Retry.GiveUp > 0 && now.Sub(a.first) >= q.Retry.GiveUp {
			last = append(last, seq)
		}
		if least == 0 || a.tries < tries || a.tries == tries && seq < least {
			least, tries = seq, a.tries
		}
	}
	if len(last) == 0 && least != 0 {
		last = []uint64{least}
	}
	if len(last) > 0 {
		slices.Sort(last)
		err := q.fetch(b, last)
		b.full = true
		return err
	}
	defer func(limit int) { q.limit = limit }(q.limit)
	q.limit = 1
	return q.collectFresh(b)
}

// collectFresh adds alerts that were not tried before.
func (q *queue) collectFresh(b *batch) error {
	for !b.full && len(q.attempts) < maxWaiting {
		found, more, err := q.store.Next(q.Name, q.after, q.limit-len(b.alerts), q.bytes-b.bytes)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return nil
		}
		if b.alerts == nil {
			b.alerts = found[:0:len(found)] // each stays where it is
		}
		for _, a := range found {
			if !q.add(b, a) {
				return nil
			}
			q.after = a.Seq
		}
		// To fill it up would be to divide what was stored together.
		b.full = b.full || more && (2*len(b.alerts) >= q.limit || 2*b.bytes >= q.bytes)
	}
	return nil
}

// due returns the alerts whose time has come, in order, those the plugin
// crashed on apart.
func (q *queue) due(now time.Time) (due, suspects []uint64) {
	for seq, a := range q.attempts {
		switch {
		case a.due.After(now):
		case a.crashes > 0:
			suspects = append(suspects, seq)
		default:
			due = append(due, seq)
		}
	}
	slices.Sort(due)
	slices.Sort(suspects)
	return due, suspects
}

// fetch adds the alerts with these ascending Seqs. One that is no longer queued
// is forgotten.
func (q *queue) fetch(b *batch, seqs []uint64) error {
	for len(seqs) > 0 && !b.full {
		found, _, err := q.store.Next(q.Name, seqs[0]-1, q.limit-len(b.alerts), q.bytes)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			q.forget(seqs)
			return nil
		}
		for _, a := range found {
			i, isDue := slices.BinarySearch(seqs, a.Seq)
			q.forget(seqs[:i])
			seqs = seqs[i:]
			if !isDue {
				continue
			}
			if !q.add(b, a) {
				return nil
			}
			seqs = seqs[1:]
		}
	}
	return nil
}

// forget drops alerts that are no longer queued.
func (q *queue) forget(seqs []uint64) {
	for _, seq := range seqs {
		delete(q.attempts, seq)
	}
}

// add puts an alert into the batch unless that would make it too large.
func (q *queue) add(b *batch, a store.Queued) bool {
	is := a.Size()
	size := is.JSON
	if q.IncludeEvent {
		size += is.Event
	}
	if q.IncludeRaw {
		size += is.Raw
	}
	if len(b.alerts) > 0 && b.bytes+size > q.bytes {
		b.full = true
		return false
	}
	b.alerts = append(b.alerts, a)
	b.bytes += size
	// To look for the one alert that fits in what is left is not worth it.
	b.full = len(b.alerts) >= q.limit || b.bytes >= q.bytes-q.bytes/50
	return true
}

// next is the earliest time something may be due; zero when nothing waits.
func (q *queue) next(now time.Time) time.Time {
	if q.pause.After(now) {
		return q.pause
	}
	var next time.Time
	for _, a := range q.attempts {
		if next.IsZero() || a.due.Before(next) {
			next = a.due
		}
	}
	return next
}

// hold lets nothing be tried for a while the destination asked for.
func (q *queue) hold(d time.Duration, now time.Time) {
	if d > 0 {
		q.pause, q.asked = now.Add(d), true
	}
}

func (q *queue) tries(seq uint64) int {
	if a := q.attempts[seq]; a != nil {
		return a.tries
	}
	return 0
}
