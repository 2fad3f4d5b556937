package main

import (
	"context"
	"sync"
	"time"

	"github.com/trailship/trailship/core/ingest"
	"github.com/trailship/trailship/core/replay"
	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/store"
)

// followReplay shows how far a replay is; nil shows nothing. place is what it
// reads once more, to count what there is. wait ends it and returns once
// nothing of it runs any more.
func (bar *progress) followReplay(ctx context.Context, r *replay.Replay, place func() (source.Source, error)) (wait func()) {
	if bar == nil {
		return func() {}
	}
	ctx, stop := context.WithCancel(ctx)
	survey := &survey{since: bar.began}
	var aside sync.WaitGroup
	aside.Go(func() {
		if another, err := place(); err == nil { // else the replay says why
			survey.run(ctx, []ingest.Source{{Source: another}}, nothingRead{})
		}
	})
	aside.Go(func() {
		tick := time.NewTicker(redraw)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				p := &r.Progress
				bar.show(ingest.Progress{Objects: p.Objects.Load(), Bytes: p.Bytes.Load(), Records: p.Records.Load()}, survey.found())
			case <-ctx.Done():
				bar.end()
				return
			}
		}
	})
	return func() {
		stop()
		aside.Wait()
	}
}

// nothingRead is a store in which no source was read.
type nothingRead struct{ store.Inlet }

// Ledger implements store.Inlet.
func (nothingRead) Ledger(string) source.Ledger { return nothingRead{} }

// Entry implements source.Ledger.
func (nothingRead) Entry(string) (source.Entry, bool, error) { return source.Entry{}, false, nil }
