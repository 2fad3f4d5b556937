package main

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/trailship/trailship/core/ingest"
	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/source/dir"
	"github.com/trailship/trailship/core/source/s3"
	"github.com/trailship/trailship/core/store"
)

// survey counts what a run over once has to read, by listings of its own: those
// of the run wait for the readers. Safe for concurrent use.
type survey struct {
	since time.Time // the run's begin: what was read after it was to be read

	mu  sync.Mutex
	all findings
}

func (s *survey) found() findings {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all
}

// run lists the sources, which must be nobody else's, once. What goes wrong is
// for the run to tell.
func (s *survey) run(ctx context.Context, sources []ingest.Source, from store.Inlet) {
	var group sync.WaitGroup
	for _, one := range sources {
		group.Go(func() {
			quiet(one.Source)
			_ = one.Scan(ctx, before{from.Ledger(one.Name), s.since}, func(o source.Object) error {
				s.add(o)
				return ctx.Err()
			})
			if c, ok := one.Source.(io.Closer); ok {
				_ = c.Close()
			}
		})
	}
	group.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all.whole = true
}

func (s *survey) add(o source.Object) {
	if o.Open == nil {
		return // a note
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all.objects++
	s.all.bytes += max(0, o.Size)
}

// quiet makes a source tell nobody of what it does.
func quiet(s source.Source) {
	switch s := s.(type) {
	case *dir.Source:
		s.Log = nil
	case *s3.Source:
		s.Log, s.Metrics = nil, nil
	}
}

// before is a ledger as it was before a run.
type before struct {
	source.Ledger
	run time.Time
}

// Entry returns no entry that the run wrote. Those of older ones seem to have
// dead letters, so that nothing is put away twice.
func (b before) Entry(key string) (source.Entry, bool, error) {
	e, ok, err := b.Ledger.Entry(key)
	if err != nil || !ok || !e.Seen.Before(b.run) {
		return source.Entry{}, false, err
	}
	e.Buried = true
	return e, true, nil
}
