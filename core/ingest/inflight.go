package ingest

import (
	"context"
	"math"
	"sync"
	"time"
)

// key names an object of a source while it is being worked on. Two sources of
// one name share their objects, as they share their ledger: a bucket's listing
// and its notifications.
type key struct {
	source string
	object string
}

// inflight knows the objects that are between a scan and their commit, so
// that the next scan does not hand them out again, and those that are parked:
// they could not be read and have to wait. The zero value is ready; safe for
// concurrent use.
type inflight struct {
	mu     sync.Mutex
	busy   map[key]struct{}
	parked map[key]parking
	counts map[string]int // of parked objects with trouble, by source
	gone   chan struct{}  // closed and renewed whenever an object leaves
}

// maxParked bounds how many parked objects are remembered. Those beyond it are
// read again at the next scan, without a pause.
const maxParked = 100_000

// forgotten is how long after its pause a parked object is taken to be gone: the
// rarest scans are daily.
const forgotten = 26 * time.Hour

// parking is an object that could not be read.
type parking struct {
	version string // another one does not have to wait
	tries   int    // in this process
	until   time.Time
	trouble // zero: it may only be growing, or be gone
}

// trouble is what an operator is told of a parked object.
type trouble struct {
	object string
	why    string
	since  time.Duration // it fails
}

// enter reports whether the object may be worked on now, and if so marks it.
func (f *inflight) enter(k key, version string, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.busy[k]; ok {
		return false
	}
	if p := f.parked[k]; p.until.After(now) && p.version == version {
		return false
	}
	if f.busy == nil {
		f.busy = make(map[key]struct{})
	}
	f.busy[k] = struct{}{}
	return true
}

// leave says that the object was committed or given back.
func (f *inflight) leave(k key) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.unpark(k)
	f.drop(k)
}

// park says that the object could not be read. It may enter again after a
// pause that grows with each try, which park returns; with forever, never.
func (f *inflight) park(k key, p parking, now time.Time, forever bool) (tries int, pause time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.parked == nil {
		f.parked, f.counts = make(map[key]parking), make(map[string]int)
	}
	if len(f.parked) >= maxParked {
		f.forget(now, true)
	}
	p.tries = 1
	if before := f.parked[k]; before.version == p.version {
		p.tries += before.tries
	}
	pause = min(longestPause, time.Second<<min(p.tries-1, 10))
	if forever {
		pause = math.MaxInt64
	}
	p.until = now.Add(pause)
	f.unpark(k)
	if len(f.parked) < maxParked {
		f.parked[k] = p
		if p.trouble != (trouble{}) {
			f.counts[k.source]++
		}
	}
	f.drop(k)
	return p.tries, pause
}

// unpark forgets a parked object, with the lock held.
func (f *inflight) unpark(k key) {
	if f.parked[k].trouble != (trouble{}) {
		f.counts[k.source]--
	}
	delete(f.parked, k)
}

// tidy forgets parked objects nobody hears of any more, and tells how many of a
// source there are.
func (in *Ingest) tidy(source string) {
	in.inflight.mu.Lock()
	in.inflight.forget(in.Now(), false)
	in.inflight.mu.Unlock()
	in.Metrics.parked.WithLabelValues(source).Set(float64(in.inflight.troubled(source)))
}

// troubled is how many parked objects of a source are trouble.
func (f *inflight) troubled(source string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[source]
}

// longestPause is how often a parked object is tried at least, if its source
// lists as often.
const longestPause = 10 * time.Minute

// tries is how often in a row this version of the object could not be read.
func (f *inflight) tries(k key, version string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p := f.parked[k]; p.version == version {
		return p.tries
	}
	return 0
}

// forget drops what was not heard of for long and, when room is needed, what
// most likely is gone. With the lock held.
func (f *inflight) forget(now time.Time, room bool) {
	for k, p := range f.parked {
		if late := now.Sub(p.until); late > forgotten || room && late > 0 && p.trouble == (trouble{}) {
			f.unpark(k)
		}
	}
}

func (f *inflight) drop(k key) {
	delete(f.busy, k)
	if f.gone != nil {
		close(f.gone)
		f.gone = nil
	}
}

// settle waits until no object of the source is being worked on.
func (f *inflight) settle(ctx context.Context, source string) {
	for {
		f.mu.Lock()
		busy := false
		for k := range f.busy {
			busy = busy || k.source == source
		}
		if f.gone == nil {
			f.gone = make(chan struct{})
		}
		gone := f.gone
		f.mu.Unlock()
		if !busy {
			return
		}
		select {
		case <-gone:
		case <-ctx.Done():
			return
		}
	}
}

// count is how many objects are being worked on.
func (f *inflight) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.busy)
}
