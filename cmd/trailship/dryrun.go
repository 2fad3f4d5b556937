package main

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/trailship/trailship/core/rule"
	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/store"
)

// dryStore is the store of `run --dry-run`: alerts go to a writer as NDJSON,
// positions are kept in memory, and nothing outlives the process.
type dryStore struct {
	mu      sync.Mutex
	out     io.Writer
	raised  map[string]struct{}
	entries map[string]source.Entry
	state   rule.Scratch
}

func newDryStore(out io.Writer) *dryStore {
	return &dryStore{out: out, raised: map[string]struct{}{}, entries: map[string]source.Entry{}}
}

// Commit runs fn at once; a failure to write stops the loop.
func (d *dryStore) Commit(_ context.Context, fn func(store.Tx) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return fn(dryTx{d, &d.state})
}

// Ledger returns the positions reached by this process.
func (d *dryStore) Ledger(sourceName string) source.Ledger { return dryLedger{d, sourceName} }

type dryLedger struct {
	*dryStore
	source string
}

func (l dryLedger) Entry(key string) (source.Entry, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.entries[l.source+"\x00"+key]
	return e, ok, nil
}

// dryTx is used with the store locked.
type dryTx struct {
	*dryStore
	*rule.Scratch
}

func (t dryTx) PutEntry(sourceName, key string, e source.Entry) error {
	t.entries[sourceName+"\x00"+key] = e
	return nil
}

func (t dryTx) Raise(a store.Alert) (bool, error) {
	if _, ok := t.raised[a.ID]; ok {
		return false, nil
	}
	t.raised[a.ID] = struct{}{}
	if _, err := fmt.Fprintf(t.out, "%s\n", a.JSON); err != nil {
		return false, fmt.Errorf("writing alerts: %w", err)
	}
	return true, nil
}

// Bury does nothing: ingest logs every dead letter.
func (t dryTx) Bury(store.DeadLetter) error { return nil }
