package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailship/trailship/core/config"
	"github.com/trailship/trailship/core/deliver"
	"github.com/trailship/trailship/core/ingest"
	"github.com/trailship/trailship/core/rule"
	"github.com/trailship/trailship/core/source/s3"
	"github.com/trailship/trailship/core/store"
)

// daemon is the running program: one store, the loop that fills it, and the
// deliverers that empty it.
type daemon struct {
	*program
	log     *slog.Logger
	workers int
	began   *config.Config // some settings only count at the start

	configSum string // of the configuration file, taken before it was read

	store    store.Store // nil in a dry run
	inlet    store.Inlet
	runDir   string
	listener net.Listener // of telemetry; nil when it is off

	progress *progress // nil shows none

	registry       *prometheus.Registry
	ingestMetrics  *ingest.Metrics
	bucketMetrics  *s3.Metrics
	deliverMetrics *deliver.Metrics
	reloads        *reloadMetrics
	letters        *letterMetrics
	evaluation     *evaluation

	rules    atomic.Pointer[rule.Set]
	broken   chan error // the first failure nothing can be done about
	draining atomic.Bool

	hup, usr1 chan os.Signal

	// What runs now. Only the goroutine of serve changes it.
	live atomic.Pointer[live]
}

// live is what a configuration made run.
type live struct {
	config  *config.Config
	loop    *loop
	outputs map[string]*running
}

// start makes a plan run.
func (d *daemon) start(ctx context.Context, p *plan, once bool) error {
	outputs, err := d.startOutputs(ctx, p.config)
	if err != nil {
		return err
	}
	l := &live{config: p.config, outputs: outputs}
	d.live.Store(l)
	for _, name := range d.abandoned(p.config) {
		d.log.Warn("alerts wait for an output the configuration does not have; they go out when an output of this name is back", "output", name)
	}
	l.loop = d.startLoop(p.config, p.routes, once)
	return nil
}

// abandoned are the names of outputs that are not configured any more and have
// alerts in their queues.
func (d *daemon) abandoned(cfg *config.Config) []string {
	queues, _ := d.store.Queues() // what is wrong with the store is told where it matters
	maps.DeleteFunc(queues, func(name string, _ store.Backlog) bool {
		return slices.Contains(outputNames(cfg), name)
	})
	return slices.Sorted(maps.Keys(queues))
}

// finish waits for --once to have read and delivered everything; buried is how
// many alerts were dead letters before.
func (d *daemon) finish(ctx context.Context, buried int) error {
	l := d.live.Load()
	shown := d.follow(ctx, l.loop)
	select {
	case <-l.loop.done:
		shown()
	case <-ctx.Done():
		err := d.drain()
		shown()
		return errors.Join(err, &exitError{code: exitInterrupted})
	}
	err := d.flushAll(ctx)
	d.summarize(l.loop.sum)
	if n := d.buriedAlerts() - buried; n > 0 {
		d.say("%d alerts were refused for good and are dead letters: trailship dlq list", n)
	}
	if err == nil && len(l.loop.Unlisted()) == 0 {
		d.housekeep()
	}
	return distinct(err, failures(l.loop.sum), d.drain())
}

// distinct joins errors, but says a text only once: a store that is gone is
// gone for everybody.
func distinct(errs ...error) error {
	var said []error
	for _, err := range flat(errs) {
		if !slices.ContainsFunc(said, func(other error) bool { return strings.Contains(err.Error(), other.Error()) }) {
			said = append(said, err)
		}
	}
	return errors.Join(said...)
}

// flat takes apart what errors.Join made.
func flat(errs []error) (all []error) {
	for _, err := range errs {
		if err == nil {
			continue
		}
		if parts, ok := err.(interface{ Unwrap() []error }); ok && errors.Join(parts.Unwrap()...).Error() == err.Error() {
			all = append(all, flat(parts.Unwrap())...)
		} else {
			all = append(all, err)
		}
	}
	return all
}

// buriedAlerts is how many alerts outputs refused for good.
func (d *daemon) buriedAlerts() int {
	letters, err := d.store.DeadLetters()
	if err != nil {
		return 0 // whatever is wrong with the store is told where it matters
	}
	return len(slices.DeleteFunc(letters, func(l store.DeadLetter) bool { return l.Output == "" }))
}

// fail reports a failure that ends the daemon; the first one counts.
func (d *daemon) fail(err error) {
	select {
	case d.broken <- err:
	default:
	}
}

// drain stops reading, then delivering.
func (d *daemon) drain() error {
	l := d.live.Load()
	return errors.Join(l.loop.end(), endAll(l.outputs))
}

// wake tells the deliverers that alerts were stored.
func (d *daemon) wake() {
	for _, r := range d.live.Load().outputs {
		r.Wake()
	}
}

// gate blocks while an output whose backlog must not overflow has no room. The
// others' alerts become dead letters in the store: see boundOf.
func (d *daemon) gate(ctx context.Context, outputs []string) error {
	for _, name := range outputs {
		said := false
		for {
			r := d.live.Load().outputs[name]
			if r == nil || !d.full(r) {
				break
			}
			if !said {
				d.log.Warn("the backlog is full; reading pauses until the output takes alerts again", "output", name)
				said = true
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("output %s: %w", name, context.Cause(ctx))
			case <-time.After(gatePause):
			}
		}
	}
	return nil
}

// gatePause is how often a full backlog is looked at.
const gatePause = 100 * time.Millisecond

func (d *daemon) full(r *running) bool {
	b, err := d.store.Backlog(r.config.Name)
	bound := r.config.Backlog
	return err == nil && bound.Full != config.DeadLetter && (b.Alerts >= bound.MaxAlerts || b.Bytes >= int64(bound.MaxBytes))
}

// reopen makes outputs that write files reopen them.
func (d *daemon) reopen(ctx context.Context) {
	for _, r := range d.live.Load().outputs {
		if err := r.Reopen(ctx); err != nil {
			d.log.Error("reopening failed", "error", err)
		}
	}
}

func statusOf(s ingest.SourceStatus) sourceStatus {
	out := sourceStatus{Name: s.Name, Listed: s.Listed, Error: s.Error, Parked: s.Parked}
	if s.Parked > 0 {
		out.Oldest = &parkedStatus{Object: s.Object, Error: s.Why, Failing: s.Failing.Round(time.Second).String()}
	}
	return out
}

func outputStatusOf(s deliver.Status, b store.Backlog) outputStatus {
	out := outputStatus{Name: s.Name, Queued: b.Alerts, Bytes: b.Bytes, Up: s.Up, Open: s.Open, Error: s.Error}
	if wait := time.Until(s.Retry).Round(time.Second); wait > 0 {
		out.Retry = wait.String()
	}
	return out
}

// status is what /readyz shows.
func (d *daemon) status() status {
	l := d.live.Load()
	s := status{Draining: d.draining.Load(), Rules: len(d.rules.Load().Rules), Reload: d.reloads.last()}
	if s.Draining {
		s.Why = append(s.Why, "draining")
	}
	for _, name := range l.loop.Unlisted() {
		s.Why = append(s.Why, "source "+name+" was not listed in full yet")
	}
	for _, one := range l.loop.Status() {
		s.Sources = append(s.Sources, statusOf(one))
	}
	s.Letters = d.letters.counts()
	for _, o := range l.config.Outputs {
		r := l.outputs[o.Name]
		if r == nil {
			continue // it could not be started, and the daemon ends
		}
		b, err := d.store.Backlog(o.Name)
		if err != nil {
			s.Why = append(s.Why, "store: "+err.Error())
		}
		s.Outputs = append(s.Outputs, outputStatusOf(r.Status(), b))
	}
	for _, name := range d.abandoned(l.config) {
		b, _ := d.store.Backlog(name)
		s.Outputs = append(s.Outputs, outputStatusOf(deliver.Status{Name: name, Error: "the configuration has no such output"}, b))
	}
	s.Ready = len(s.Why) == 0
	return s
}
