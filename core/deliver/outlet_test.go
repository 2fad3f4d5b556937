package deliver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/trailship/trailship/core/store"
)

// outlet is a store.Outlet in memory with one queue.
type outlet struct {
	mu     sync.Mutex
	seq    uint64
	queue  []store.Queued
	dead   map[string]string // reasons, by alert id
	fail   error             // what Settle returns
	failed int               // how often it did

	spilled int64 // what Backlog says of Buried
}

// raise queues alerts with these ids.
func (o *outlet) raise(ids ...string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range ids {
		o.seq++
		text, _ := json.Marshal(map[string]string{"message": "alert " + id})
		o.queue = append(o.queue, store.Queued{Seq: o.seq, Alert: store.Alert{
			ID: id, RuleID: "a-rule", Severity: "high", Time: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC), JSON: text,
		}})
	}
}

func (o *outlet) Next(_ string, after uint64, limit, maxBytes int) (found []store.Queued, more bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, a := range o.queue {
		if a.Seq <= after {
			continue
		}
		if maxBytes -= a.Size().JSON; len(found) > 0 && maxBytes < 0 || len(found) == limit {
			return found, true, nil
		}
		found = append(found, a)
	}
	return found, false, nil
}

func (o *outlet) Settle(_ string, done []uint64, dead []store.Refusal) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fail != nil {
		o.failed++
		return o.fail
	}
	for _, seq := range done {
		o.remove(seq)
	}
	for _, r := range dead {
		if o.dead == nil {
			o.dead = map[string]string{}
		}
		o.dead[o.remove(r.Seq)] = r.Reason
	}
	return nil
}

func (o *outlet) remove(seq uint64) string {
	i := slices.IndexFunc(o.queue, func(a store.Queued) bool { return a.Seq == seq })
	if i < 0 {
		panic(fmt.Sprintf("alert %d was settled twice", seq))
	}
	id := o.queue[i].ID
	o.queue = slices.Delete(o.queue, i, i+1)
	return id
}

func (o *outlet) Backlog(string) (store.Backlog, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return store.Backlog{Alerts: int64(len(o.queue)), Buried: o.spilled}, nil
}

func (o *outlet) DeadLetters() ([]store.DeadLetter, error) { return nil, nil }

func (o *outlet) buried() map[string]string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.dead)
}

func ids(t *testing.T, n int) []string {
	t.Helper()
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("a%04d", i)
	}
	return all
}

// lockedBuffer is a buffer several goroutines may write to.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// eventually waits for a condition of another process.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.Tick(5 * time.Millisecond)
	for !condition() {
		select {
		case <-deadline:
			t.Fatalf("never came true: %s", what)
		case <-tick:
		}
	}
}
