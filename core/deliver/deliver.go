// Package deliver is loop two: it takes alerts out of the store, hands them to
// an output, and settles them. Each output has a Deliverer of its own with its
// own backlog, so one that is slow or dead touches nobody else.
//
// deliver.go is the loop, output.go what the configuration says of it, queue.go
// what comes next and when, parcel.go how it goes out, verdict.go what becomes of
// an alert that failed.
// Below them supervise.go starts a plugin's program (client.go, process.go) as
// often as it takes, and calls.go is what is said to it.
package deliver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/trailship/trailship/core/store"
	"github.com/trailship/trailship/plugins/sdk"
)

// Deliverer delivers the alerts of one output. Fill it, then Run it once,
// perhaps after a Start.
type Deliverer struct {
	Output
	Store   store.Outlet
	Log     *slog.Logger // nil for slog.Default()
	Metrics *Metrics     // nil for none

	// Destination is delivered to instead of a plugin process; Run closes it.
	Destination sdk.Output

	setup sync.Once
	wake  chan struct{} // holds a token when there may be news
	ended chan struct{} // closed when Run returns

	mu      sync.Mutex
	asked   int           // how many Flush calls there were
	rested  rest          // the last time the loop had nothing to do
	resting chan struct{} // closed and replaced when rested changes
	flushes int           // Flush calls that wait now
	hurried chan struct{} // closed while there are any
	status  Status
	plugin  *supervisor // from Start, or else Run, to the end of Run

	// Only the loop uses these.
	filling bool  // the backlog was said to fill up
	spilled int64 // what Store.Backlog said of Buried
}

// Status says how an output is doing.
type Status struct {
	Name  string    `json:"name"`
	Up    bool      `json:"up"`              // false since a whole batch failed, or its plugin is not running
	Error string    `json:"error,omitempty"` // the last failure while it is not up
	Retry time.Time `json:"retry,omitzero"`  // when it is tried again, or goes on after a pause it asked for

	// Open says that several calls in a row failed: since then one alert is
	// tried at each step of the backoff, until one gets through.
	Open bool `json:"circuit_open"`
}

// Start starts the plugin, which else Run does, and has it judge its
// configuration. sdk.Invalids is what the plugin finds wrong with it; any other
// error says why the plugin does not run, and Run starts it again and again.
// A Run must follow: it ends the plugin, also when its context is over already,
// and then delivers nothing.
func (d *Deliverer) Start(ctx context.Context) error {
	d.prepare()
	_, err := d.supervisor().start(ctx)
	return err
}

// Run delivers until ctx ends, then lets the batch in flight finish, drains
// the plugin, and returns nil, all within Drain. It returns an error only when
// the store fails; an output that is down is waited for.
func (d *Deliverer) Run(ctx context.Context) error {
	d.prepare()
	defer close(d.ended)
	// In-flight work outlives ctx by at most Drain.
	late, cancel := outlive(ctx, d.Drain)
	defer cancel()

	var out recipient = given{d.Destination}
	if d.Destination == nil {
		p := d.supervisor()
		defer d.forget()
		defer d.supervise(ctx, late, p)()
		out = p
	} else {
		defer d.Destination.Close()
	}
	if err := d.loop(ctx, late, out); err != nil {
		return fmt.Errorf("output %s: %w", d.Name, err)
	}
	return nil
}

// supervise starts the plugin, if Start did not, and sees that it keeps
// running. end drains and ends it.
func (d *Deliverer) supervise(ctx, late context.Context, p *supervisor) (end func()) {
	if ctx.Err() != nil {
		return func() { p.stop(late) } // what Start started
	}
	// An output that cannot start should say so now, not at the first alert.
	if _, err := p.start(late); err != nil {
		d.Log.Error("the output's plugin did not start", "error", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	var keeping sync.WaitGroup
	keeping.Go(func() { p.keep(ctx) })
	return func() {
		cancel()
		keeping.Wait()
		p.stop(late)
	}
}

// loop is loop two: next, deliver, settle. "Settle is the last line" is the
// whole durability argument.
func (d *Deliverer) loop(ctx, late context.Context, out recipient) error {
	q := newQueue(d.Output, d.Store)
	d.beginBacklog()
	for ctx.Err() == nil {
		asked := d.asks()
		q.wish(out.limits())
		batch, err := d.gather(ctx, q)
		if err != nil {
			return err
		}
		if len(batch) == 0 {
			d.watchBacklog()
			d.rest(ctx, asked, q.next(time.Now()))
			continue
		}
		failure := d.send(late, out, q, batch)
		if errors.Is(failure, store.ErrDamaged) { // no fault of the output's
			return failure
		}
		v := q.judge(batch, failure, time.Now())
		var pause time.Duration
		if t, ok := out.(throttler); ok {
			pause = t.throttle()
			q.hold(pause, time.Now())
		}
		if err := d.settle(late, v); err != nil {
			return err
		}
		d.report(v, q.open(), pause)
	}
	return nil
}

// recipient is what the loop delivers to: a plugin's supervisor, or what is
// given instead.
type recipient interface {
	// carry is sdk.Output's Deliver of what comes out of the store.
	carry(context.Context, parcel) error
	// limits is the largest batch it likes; 0 is no wish.
	limits() (alerts, bytes uint32)
}

// given is Deliverer.Destination.
type given struct{ sdk.Output }

func (g given) carry(ctx context.Context, p parcel) error {
	alerts, err := p.contents()
	if err != nil {
		return err
	}
	return g.Deliver(ctx, alerts)
}

func (g given) limits() (alerts, bytes uint32) {
	if p, ok := g.Output.(picky); ok {
		return p.limits()
	}
	return 0, 0
}

// picky is an output that does not like batches as large as the configuration
// allows.
type picky interface {
	limits() (alerts, bytes uint32)
}

// throttler is a destination that may ask for a pause after a batch, however
// the batch went.
type throttler interface {
	throttle() time.Duration
}

// gather collects a batch, and waits for company when it is not full.
func (d *Deliverer) gather(ctx context.Context, q *queue) ([]store.Queued, error) {
	var b batch
	if err := q.collect(&b, time.Now()); err != nil {
		return nil, err
	}
	if len(b.alerts) > 0 && !b.full && d.Linger > 0 {
		d.linger(ctx)
		if err := q.collectFresh(&b); err != nil {
			return nil, err
		}
	}
	return b.alerts, nil
}

// send makes one call and returns the destination's error.
func (d *Deliverer) send(ctx context.Context, out recipient, q *queue, batch []store.Queued) error {
	began := time.Now()
	err := out.carry(ctx, parcel{&d.Output, batch, q.tries})
	d.Metrics.observe(d.Name, time.Since(began))
	return err
}

// settle makes a verdict durable. A store without room is waited for: the
// alerts stay queued, and come again should this process not live to see it.
func (d *Deliverer) settle(ctx context.Context, v verdict) error {
	if len(v.done) == 0 && len(v.dead) == 0 {
		return nil
	}
	for {
		err := d.Store.Settle(d.Name, v.done, v.dead)
		if !errors.Is(err, store.ErrFull) {
			return err
		}
		d.Log.Error("cannot record what was delivered", "error", err)
		if sleep(ctx, d.Retry.Initial); ctx.Err() != nil {
			return nil
		}
	}
}

// Wake says that alerts may have been stored. It never blocks, and may be
// called at any time, also before Run.
func (d *Deliverer) Wake() {
	d.prepare()
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Status says how the output is doing. Safe for concurrent use.
func (d *Deliverer) Status() Status {
	d.prepare()
	d.mu.Lock()
	defer d.mu.Unlock()
	st := d.status
	if d.plugin == nil || !st.Up {
		return st
	}
	// A plugin that is not there is told of before it is needed.
	if t := d.plugin.broken.Load(); t != nil {
		st.Up, st.Error, st.Retry = false, d.Redact(t.err.Error()), t.until
	}
	return st
}

// Reopen asks the plugin to close and open its files again. It does nothing
// when the plugin is not running: it will open them anew.
func (d *Deliverer) Reopen(ctx context.Context) error {
	d.mu.Lock()
	p := d.plugin
	d.mu.Unlock()
	if p == nil {
		return nil
	}
	if err := p.reopen(ctx); err != nil {
		return fmt.Errorf("output %s: reopening: %w", d.Name, err)
	}
	return nil
}

// supervisor is the one of the plugin, made by whoever is first: Start or Run.
func (d *Deliverer) supervisor() *supervisor {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.plugin == nil {
		d.plugin = &supervisor{Output: d.Output, Log: d.Log, Metrics: d.Metrics, changed: make(chan struct{}, 1)}
	}
	return d.plugin
}

func (d *Deliverer) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.plugin = nil
}

// prepare makes the zero values useful.
func (d *Deliverer) prepare() {
	d.setup.Do(func() {
		d.Output = d.Output.withDefaults()
		if d.Log == nil {
			d.Log = slog.Default()
		}
		d.Log = d.Log.With("output", d.Name)
		d.wake = make(chan struct{}, 1)
		d.ended = make(chan struct{})
		d.resting, d.hurried = make(chan struct{}), make(chan struct{})
		d.status = Status{Name: d.Name, Up: true}
	})
}

// outlive returns a context that ends d after ctx does.
func outlive(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		sleep(late, d)
		cancel()
	})
	return late, func() { stop(); cancel() }
}

// sleep waits for d or the end of ctx.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
