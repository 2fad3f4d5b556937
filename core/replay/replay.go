// Package replay runs rules over what happened before: the matching and the
// judging of the daemon, with a memory of its own and nothing written.
//
//	list ─► read (Workers) ─► sort ─► judge rules that remember ─► sort ─► count
//
// Because all records are there, what adds to rules that remember is put in
// the order of event time before it is judged, group by group. The answer is
// that of a daemon that met every record in time, however the records lie in
// objects, and memory does not grow with groups, alerts or records: both sorts
// go to a temporary file beyond some megabytes (sort.go).
package replay

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/trailship/trailship/core/decode"
	"github.com/trailship/trailship/core/rule"
	"github.com/trailship/trailship/core/source"
)

// Replay is one run over history. Set the fields, then call Run once.
type Replay struct {
	Source source.Source
	Rules  *rule.Set
	Old    *rule.Set // to compare with; nil compares nothing
	Only   []string  // ids of the rules that matter; none is all
	// Since leaves out alerts of before; what happened before still adds to
	// rules that remember. Until leaves out records of then or later. Both are
	// event time; zero is no bound.
	Since, Until time.Time

	Limits  decode.Limits
	Workers int // readers at work at a time; 0 means 1

	// Failed, when set, is called for each object that could not be read to
	// its end, and why; one call at a time.
	Failed func(object string, err error)
	// Alert, when set, is called for every alert of Rules, each id once, by
	// rule and id. An error ends Run.
	Alert func(Alert) error
	// Progress may be read while Run runs.
	Progress Progress

	sorters struct{ contributions, alerts, keys sorter }
	rules   []*traced
	place   map[string]int // of a rule in rules, by id
	mu      sync.Mutex     // of what follows
	sum     Report
}

// Progress says how far a Run is. Safe for concurrent use.
type Progress struct {
	Objects atomic.Int64 // read, or given up
	Bytes   atomic.Int64 // of them, as stored
	Records atomic.Int64 // in them
	Listed  atomic.Int64 // objects handed out so far
}

// Alert is what a rule raised.
type Alert struct {
	ID     string    `json:"id"`
	Rule   string    `json:"rule"`
	Shadow bool      `json:"shadow,omitempty"` // the rule reaches no output
	Time   time.Time `json:"time"`             // of the event that completed it
	Key    string    `json:"key,omitempty"`    // of its group; of a rule without groups, who acted
	Text   string    `json:"text,omitempty"`   // its message; of a rule that remembers, what it saw
	Object string    `json:"object"`           // where its event was read
	Record int64     `json:"record"`
}

// Sets of rules, as they stand in items.
const (
	sideNew = iota
	sideOld
	sides
)

// traced is a rule of either set, or of both.
type traced struct {
	id     string
	sets   [sides]*rule.Rule
	oldest [sides]atomic.Int64 // event time in ms of what it judged, 0 for none
	tally  rule.Tally
}

// Bounds of what stays in memory of each sort.
const (
	sortBytes   = 32 << 20
	countBytes  = 16 << 20
	keepAlerts  = 3 // examples of a difference
	keepGroups  = 5
	recordsLook = 512 // between two looks at ctx
)

// Run reads, judges and counts. An object that cannot be read is reported and
// counted; the error is of ctx, of the listing, of Alert, or of the disk.
func (r *Replay) Run(ctx context.Context) (*Report, error) {
	r.prepare()
	defer r.close()
	if err := r.readAll(ctx); err != nil {
		return nil, err
	}
	if err := r.judgeAll(ctx); err != nil {
		return nil, err
	}
	if err := r.count(ctx); err != nil {
		return nil, err
	}
	return &r.sum, nil
}

func (r *Replay) prepare() {
	s := &r.sorters
	s.contributions.limit, s.alerts.limit, s.keys.limit = sortBytes, countBytes, countBytes
	r.sum.Rejected = map[string]int64{}
	r.place = map[string]int{}
	ids := map[string]*traced{}
	for side, set := range r.sets() {
		if set == nil {
			continue
		}
		for _, one := range set.Rules {
			if !one.Enabled || len(r.Only) > 0 && !slices.Contains(r.Only, one.ID) {
				continue
			}
			t := ids[one.ID]
			if t == nil {
				t = &traced{id: one.ID}
				ids[one.ID] = t
				r.rules = append(r.rules, t)
			}
			t.sets[side] = one
		}
	}
	slices.SortFunc(r.rules, func(a, b *traced) int { return compare(a.id, b.id) })
	for i, t := range r.rules {
		r.place[t.id] = i
	}
}

func (r *Replay) sets() [sides]*rule.Set { return [sides]*rule.Set{r.Rules, r.Old} }

func (r *Replay) close() {
	for _, s := range []*sorter{&r.sorters.contributions, &r.sorters.alerts, &r.sorters.keys} {
		s.close()
	}
}

// readAll lists the source and reads what it finds.
func (r *Replay) readAll(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	objects := make(chan numbered)
	g.Go(func() error {
		defer close(objects)
		return r.list(ctx, objects)
	})
	for range max(1, r.Workers) {
		g.Go(func() error { return r.newReader().all(ctx, objects) })
	}
	return g.Wait()
}

// numbered is an object with its place in the listing.
type numbered struct {
	source.Object
	n int
}

// list hands out every object once. A long growing file comes run by run: a
// listing for each run, in which only such files count.
func (r *Replay) list(ctx context.Context, objects chan<- numbered) error {
	l := ledger{}
	for first := true; ; first = false {
		more := ledger{}
		err := r.Source.Scan(ctx, l, func(o source.Object) error {
			if _, known := l[o.Key]; o.Open == nil || !first && !known {
				return nil
			}
			if o.More {
				more[o.Key] = o.Done
			}
			select {
			case objects <- numbered{o, int(r.Progress.Listed.Add(1))}:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		if err != nil && ctx.Err() == nil && r.Progress.Listed.Load() > 0 {
			r.fail("listing", err) // a part; what was found counts
			return nil
		}
		if err != nil || len(more) == 0 {
			return err
		}
		l = more
	}
}

// ledger remembers how far long growing files were handed out.
type ledger map[string]source.Entry

// Entry implements source.Ledger.
func (l ledger) Entry(key string) (source.Entry, bool, error) {
	e, ok := l[key]
	return e, ok, nil
}

// fail reports an object, or a listing.
func (r *Replay) fail(name string, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.New("it went away after it was listed")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sum.Failed++
	if r.Failed != nil {
		r.Failed(name, err)
	}
}
