package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/store"
)

const (
	commitBytes  = 2 << 20 // alerts in one transaction, about
	commitPieces = 1024    // objects in one transaction, at most
	commitWait   = 10 * time.Millisecond
	commitWaits  = 5 // at most, while more objects are being read
)

// commit writes pieces in the order they were finished until the readers are
// done. When the store cannot go on it stops the rest of the loop, drops what
// the readers still send (it is read again after a restart) and returns why.
func (in *Ingest) commit(ctx context.Context, stop func()) error {
	var failed error
	around := time.NewTicker(lookAround)
	defer around.Stop()
	for {
		batch, more := in.next(around.C)
		if !more {
			break
		}
		if failed == nil {
			failed = in.write(ctx, batch)
		}
		if failed != nil {
			stop()
			in.release(batch)
		} else {
			in.account(ctx, batch)
		}
		for _, p := range batch {
			p.free()
			in.room.Release(p.weight())
		}
	}
	if failed != nil && ctx.Err() != nil && errors.Is(failed, context.Canceled) {
		return nil
	}
	return failed
}

// next waits for pieces. A batch of none is a commit of what rules remember;
// false says that the readers are done.
func (in *Ingest) next(around <-chan time.Time) (batch []*piece, more bool) {
	for {
		select {
		case p, ok := <-in.pieces:
			if !ok {
				return nil, false
			}
			return in.gather(p), true
		case <-around:
			if !in.Once && in.quiet() {
				return nil, true
			}
		}
	}
}

// gather adds to the first piece what the readers finish in a moment, and in a
// few more while they are at work: a transaction costs about as much as reading
// some thousand records.
func (in *Ingest) gather(first *piece) []*piece {
	batch, bytes := []*piece{first}, first.bytes
	over := time.NewTimer(commitWait)
	defer over.Stop()
	for waits := 1; bytes < commitBytes && len(batch) < commitPieces; {
		select {
		case p, ok := <-in.pieces:
			if !ok {
				return batch
			}
			batch, bytes = append(batch, p), bytes+p.bytes
		case <-over.C:
			if waits == commitWaits || in.inflight.count() <= len(batch) {
				return batch
			}
			waits++
			over.Reset(commitWait)
		}
	}
	return batch
}

// write commits a batch. While the store is full it waits: the sources keep
// the bytes, so nothing is lost meanwhile.
func (in *Ingest) write(ctx context.Context, batch []*piece) error {
	if in.Gate != nil {
		if err := in.Gate(ctx, in.outputsOf(batch)); err != nil {
			return fmt.Errorf("waiting for room in an output's backlog: %w", err)
		}
	}
	for try := 1; ; try++ {
		start := time.Now()
		// A transaction that was begun is finished, whatever ctx says.
		err := in.Store.Commit(context.WithoutCancel(ctx), func(tx store.Tx) error { return in.put(tx, batch) })
		in.Metrics.commits.Observe(time.Since(start).Seconds())
		if err == nil || !errors.Is(err, store.ErrFull) || in.Once {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err() // nobody waits for room any more; what was read is read again
		}
		in.Log.Error("store is full; reading pauses until there is room", "error", err, "retry_in", backoff(try))
		wait(ctx, backoff(try))
	}
}

// outputsOf are the outputs the alerts of a batch go to. Where those of rules
// that remember will go is known only in the commit: it may be any of the rule's.
func (in *Ingest) outputsOf(batch []*piece) []string {
	var names []string
	add := func(outputs []string) {
		for _, name := range outputs {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	for _, p := range batch {
		for _, a := range p.alerts {
			add(a.Outputs)
		}
		for _, c := range p.contributions {
			add(in.Routes.any(c.Rule))
		}
	}
	return names
}

// put writes the alerts, the dead letters, what rules remember and, last, the
// positions.
func (in *Ingest) put(tx store.Tx, batch []*piece) error {
	if err := in.remember(tx, batch); err != nil {
		return err
	}
	for _, p := range batch {
		p.fresh = p.fresh[:0]
		for _, a := range p.alerts {
			fresh, err := tx.Raise(a)
			if err != nil {
				return fmt.Errorf("storing alert %s: %w", a.ID, err)
			}
			p.fresh = append(p.fresh, fresh)
		}
		for _, d := range p.dead {
			if err := tx.Bury(d); err != nil {
				return fmt.Errorf("storing dead letter %s: %w", d.ID, err)
			}
		}
		if p.entry == p.object.Entry {
			continue // nothing was read
		}
		p.entry.Seen = in.Now()
		if err := tx.PutEntry(in.Sources[p.source].Name, p.object.Key, p.entry); err != nil {
			return fmt.Errorf("storing the position of %s: %w", p.object.Name, err)
		}
	}
	return nil
}

// account tells everybody what was committed.
func (in *Ingest) account(ctx context.Context, batch []*piece) {
	raised := in.remembered()
	for _, p := range batch {
		in.count(p)
		raised = raised || slices.Contains(p.fresh, true)
		if p.done {
			in.leave(ctx, p)
		}
	}
	if raised && in.Committed != nil {
		in.Committed()
	}
}

func (in *Ingest) count(p *piece) {
	s := in.Sources[p.source].Name
	for _, of := range p.records {
		in.total.records.Add(of.records)
		in.Metrics.records.WithLabelValues(s, of.format).Add(float64(of.records))
	}
	for reason, n := range p.rejected {
		in.total.rejected.Add(n)
		in.Metrics.rejected.WithLabelValues(s, reason).Add(float64(n))
	}
	for id, n := range p.matches {
		in.Metrics.matches.WithLabelValues(id).Add(float64(n))
	}
	for i, a := range p.alerts {
		in.counted(a, p.fresh[i])
	}
	in.total.buried.Add(int64(len(p.dead)))
	for _, d := range p.dead {
		in.Log.Warn("buried in the dead letters", "id", d.ID, "source", d.Source, "object", d.Object,
			"record", d.Record, "offset", d.Offset, "reason", d.Reason, "detail", d.Detail)
	}
	in.Metrics.lag.saw(s, p.newest, p.places)
}

// leave takes an object out of the works.
func (in *Ingest) leave(ctx context.Context, p *piece) {
	s := in.Sources[p.source]
	if p.failed == nil || ctx.Err() != nil {
		in.inflight.leave(in.key(p.job))
	} else {
		in.park(p)
	}
	in.Metrics.parked.WithLabelValues(s.Name).Set(float64(in.inflight.troubled(s.Name)))
	if p.givenUp {
		in.Metrics.givenUp.WithLabelValues(s.Name).Inc()
		return
	}
	if p.failed != nil || p.entry.Records != 0 {
		return // left in the middle
	}
	if p.object.Open == nil {
		return // a note
	}
	in.total.objects.Add(1)
	in.total.bytes.Add(max(0, p.object.Size))
	in.Metrics.objects.WithLabelValues(s.Name).Inc()
	if !p.entry.Done || p.entry.Buried {
		return // a growing file; or one whose dead letters point into it
	}
	if f, ok := s.Source.(source.Finisher); ok {
		if err := f.Finish(ctx, p.object); err != nil {
			in.Log.Error("finished object could not be put away", "source", s.Name, "object", p.object.Name, "error", err)
		}
	}
}

// release gives up a batch that could not be written; it is read again.
func (in *Ingest) release(batch []*piece) {
	for _, p := range batch {
		in.inflight.leave(in.key(p.job))
	}
}
