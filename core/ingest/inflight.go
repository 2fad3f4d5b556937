package ingest

import (
	"context"
	"maps"
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
// that the next scan does not hand them out again, and those that could not
// be read and have to wait. The zero value is ready; safe for concurrent use.
type inflight struct {
	mu     sync.Mutex
	busy   map[key]struct{}
	failed map[key]failure
	gone   chan struct{} // closed and renewed whenever an object leaves
}

// rememberFailures is how many failures are kept before those whose pause is
// over are forgotten: most of them are of objects that went away.
const rememberFailures = 10_000

type failure struct {
	times int
	until time.Time
}

// enter reports whether the object may be worked on now, and if so marks it.
func (f *inflight) enter(k key, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.busy[k]; ok {
		return false
	}
	if f.failed[k].until.After(now) {
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
	delete(f.failed, k)
	f.drop(k)
}

// fail says that the object could not be read. It may enter again after a
// pause that grows with each failure, which fail returns; with forever, never.
func (f *inflight) fail(k key, now time.Time, forever bool) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed == nil {
		f.failed = make(map[key]failure)
	}
	if len(f.failed) >= rememberFailures {
		maps.DeleteFunc(f.failed, func(_ key, old failure) bool { return old.until.Before(now) })
	}
	times := f.failed[k].times + 1
	pause := backoff(times)
	if forever {
		pause = math.MaxInt64
	}
	f.failed[k] = failure{times: times, until: now.Add(pause)}
	f.drop(k)
	return pause
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
