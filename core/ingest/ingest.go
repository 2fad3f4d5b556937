// Package ingest is loop one: it takes objects from sources, turns their
// records into events, matches rules, and commits positions and alerts in one
// transaction.
//
//	scan (one goroutine per source) ─► read (Workers) ─► commit (one goroutine)
//
// Nothing is remembered outside the store: an object that was not committed
// is read again, and an alert that was committed before is recognised by its
// id. The committer takes whatever the readers finished while it was writing,
// so many small objects share one fsync.
package ingest

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/trailship/trailship/core/decode"
	"github.com/trailship/trailship/core/rule"
	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/store"
)

// Source is a configured source of objects. Several may have one name: they
// then share a ledger and never read the same object at once.
type Source struct {
	Name string
	source.Source
	// MaxAge marks alerts of older events as backfill; 0 means never.
	MaxAge time.Duration
}

// Ingest is the loop. Set the fields, then call Run once.
type Ingest struct {
	Sources []Source
	Store   store.Inlet
	Rules   func() *rule.Set // the set that judges the next records; any goroutine
	Routes  Routes
	Limits  decode.Limits
	Workers int // readers at work at a time; 0 means 1

	// Gate, when set, is called before each commit with the outputs its
	// alerts go to, and blocks while one of them has no room left.
	Gate func(ctx context.Context, outputs []string) error
	// Committed, when set, is called after each commit that stored alerts.
	Committed func()

	Log     *slog.Logger
	Metrics *Metrics
	Now     func() time.Time // nil means time.Now

	// Retention is how much older than the newest event of its source an event
	// may be for rules that remember; older ones are counted. 0: any age.
	Retention time.Duration

	// Once makes Run read what is there and return, instead of going on.
	Once bool

	objects  chan job
	pieces   chan *piece
	room     *semaphore.Weighted // in pieces and what the committer holds
	inflight inflight
	listed   listings
	total    counters
	recall   recall
}

// Summary is what one Run did.
type Summary struct {
	Objects, Records, Rejected, Alerts, Repeated int64
	Failed                                       int64 // objects that could not be read and will be tried again
	Buried                                       int64 // dead letters written
}

type counters struct {
	bytes                                                        atomic.Int64 // of objects, as stored
	objects, records, rejected, alerts, repeated, failed, buried atomic.Int64
}

// job is an object on its way to a reader.
type job struct {
	source int
	object source.Object
}

// Run reads until ctx ends or, with Once, until everything the sources list
// is read and committed. When ctx ends, objects being read are committed up
// to the record they stand at, and Run returns nil. An error means that the
// store failed for another reason than being full.
func (in *Ingest) Run(ctx context.Context) (Summary, error) {
	in.prepare()

	// The committer outlives the readers, and the readers the scans: closing
	// each channel behind its last sender is the whole shutdown.
	work, stop := context.WithCancel(ctx)
	defer stop()
	var g errgroup.Group
	g.Go(func() error { return in.commit(work, stop) })
	g.Go(func() error {
		defer close(in.pieces)
		var readers sync.WaitGroup
		for range max(1, in.Workers) {
			readers.Go(func() { in.readAll(work) })
		}
		readers.Wait()
		return nil
	})
	g.Go(func() error {
		defer close(in.objects)
		var scans sync.WaitGroup
		for i := range in.Sources {
			scans.Go(func() { in.scan(work, i) })
		}
		scans.Wait()
		return nil
	})

	err := g.Wait()
	return in.Summary(), err
}

func (in *Ingest) prepare() {
	if in.Now == nil {
		in.Now = time.Now
	}
	if in.Log == nil {
		in.Log = slog.New(slog.DiscardHandler)
	}
	if in.Metrics == nil {
		in.Metrics = NewMetrics(nil)
	}
	in.objects = make(chan job)
	in.pieces = make(chan *piece, 256)
	in.room = semaphore.NewWeighted(waitingBytes)
	in.recall = recall{judge: rule.Judge{Retention: in.Retention, Now: in.Now}}
}

// Summary says what was done so far. Safe to call while Run runs.
func (in *Ingest) Summary() Summary {
	return Summary{
		Objects:  in.total.objects.Load(),
		Records:  in.total.records.Load(),
		Rejected: in.total.rejected.Load(),
		Alerts:   in.total.alerts.Load(),
		Repeated: in.total.repeated.Load(),
		Failed:   in.total.failed.Load(),
		Buried:   in.total.buried.Load(),
	}
}

// Progress is how much was read so far.
type Progress struct {
	Objects, Bytes, Records int64 // bytes as stored, of objects that were read to their end
}

// Progress says how much was read so far. Safe to call while Run runs.
func (in *Ingest) Progress() Progress {
	return Progress{Objects: in.total.objects.Load(), Bytes: in.total.bytes.Load(), Records: in.total.records.Load()}
}

// Unlisted returns the names of the sources that were not listed in full yet,
// each once. Safe to call before and while Run runs.
func (in *Ingest) Unlisted() []string {
	var names []string
	for i, s := range in.Sources {
		if !in.listed.has(i) && !slices.Contains(names, s.Name) {
			names = append(names, s.Name)
		}
	}
	return names
}

// listings are how listing the sources went, by index. The zero value is not at
// all yet; safe for concurrent use.
type listings struct {
	mu   sync.Mutex
	done map[int]bool  // in full, once
	last map[int]error // of the last listing
}

func (l *listings) add(i int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done == nil {
		l.done = map[int]bool{}
	}
	l.done[i] = true
	delete(l.last, i)
}

func (l *listings) failed(i int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil {
		l.last = map[int]error{}
	}
	l.last[i] = err
}

func (l *listings) has(i int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.done[i]
}

// failure is what was wrong with the last listing, "" for nothing.
func (l *listings) failure(i int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.last[i]; err != nil {
		return err.Error()
	}
	return ""
}

// scan lists one source again and again (with Once: until it has handed out
// what was there) and hands its objects to the readers.
func (in *Ingest) scan(ctx context.Context, i int) {
	s := in.Sources[i]
	ledger := in.Store.Ledger(s.Name)
	if c, ok := s.Source.(io.Closer); ok {
		defer c.Close()
	}
	failures := 0
	for ctx.Err() == nil {
		in.tidy(s.Name)
		more := false
		err := s.Scan(ctx, ledger, func(o source.Object) error {
			if !in.inflight.enter(key{s.Name, o.Key}, versionOf(o), in.Now()) {
				return nil
			}
			select {
			case in.objects <- job{source: i, object: o}:
				more = more || o.More
				return nil
			case <-ctx.Done():
				in.inflight.leave(key{s.Name, o.Key})
				return ctx.Err()
			}
		})
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			failures++
			in.Metrics.scanErrors.WithLabelValues(s.Name).Inc()
			in.listed.failed(i, err)
			in.Log.Error("listing failed", "source", s.Name, "error", err)
		} else {
			failures = 0
			in.listed.add(i)
		}
		if in.Once {
			// A long file is handed out run by run. What comes meanwhile is for
			// the next Run: a busy writer must not keep this one for ever.
			in.inflight.settle(ctx, s.Name)
			if err != nil {
				in.total.failed.Add(1)
			}
			if err != nil || !more {
				return
			}
			continue
		}
		in.pause(ctx, s, failures)
	}
}

// pause waits for the next reason to list a source: its own, or, while
// listing fails, the end of a longer and longer pause.
func (in *Ingest) pause(ctx context.Context, s Source, failures int) {
	if failures > 0 {
		wait(ctx, backoff(failures))
		return
	}
	if err := s.Wait(ctx); err != nil && ctx.Err() == nil {
		in.Log.Error("waiting for news failed", "source", s.Name, "error", err)
		wait(ctx, time.Second)
	}
}

// backoff is the pause before try n (1-based): 1 s doubling to a minute.
func backoff(n int) time.Duration {
	return min(time.Minute, time.Second<<min(n-1, 6))
}

// wait returns after d or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
