package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"

	"github.com/trailship/trailship/core/config"
	"github.com/trailship/trailship/core/deliver"
	"github.com/trailship/trailship/core/diag"
	"github.com/trailship/trailship/core/ingest"
	"github.com/trailship/trailship/core/rule"
	"github.com/trailship/trailship/core/store"
	"github.com/trailship/trailship/core/store/bolt"
)

func (p *program) runCommand() *cobra.Command {
	var once, dry bool
	c := &cobra.Command{
		Use:   "run",
		Short: "Read the sources, match the rules, deliver the alerts",
		Long: `Runs the daemon until it is told to stop: one Ctrl-C (or SIGTERM) finishes what
is being read and delivered, the second stops at once. SIGHUP checks and applies
a changed configuration, SIGUSR1 makes file outputs reopen their files.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if dry {
				return p.dryRun(c.Context(), once)
			}
			return p.daemon(c.Context(), once)
		},
	}
	c.Flags().BoolVar(&once, "once", false, "read what is there, deliver it, and exit")
	c.Flags().BoolVar(&dry, "dry-run", false, "print alerts as NDJSON on standard output; touch no state and no output")
	return c
}

// daemon is the running program: one store, the loop that fills it, and the
// deliverers that empty it.
type daemon struct {
	*program
	log     *slog.Logger
	workers int

	store    store.Store // nil in a dry run
	inlet    store.Inlet
	runDir   string
	listener net.Listener // of telemetry; nil when it is off

	registry       *prometheus.Registry
	ingestMetrics  *ingest.Metrics
	deliverMetrics *deliver.Metrics
	reloads        *reloadMetrics
	evaluation     *evaluation

	rules    atomic.Pointer[rule.Set]
	broken   chan error // the first failure nothing can be done about
	draining atomic.Bool

	// What runs now. Only the goroutine of serve changes it.
	live atomic.Pointer[live]
}

// live is what a configuration made run.
type live struct {
	config  *config.Config
	loop    *loop
	outputs map[string]*running
}

// daemon runs until ctx ends or, with once, until there is nothing left to do.
func (p *program) daemon(ctx context.Context, once bool) error {
	// What the user wrote, all of it checked before anything is touched.
	cfg, err := p.loadConfig()
	if err != nil {
		return err
	}
	d, err := p.newDaemon(cfg)
	if err != nil {
		return err
	}
	watch := d.watcher(cfg)
	watch.Mark() // before the rules are read: what changes from here on is seen
	plan, list := planOf(cfg, d.ruleOptions())
	list = append(list, d.judgeOutputs(ctx, cfg, cfg.Outputs)...)
	if ctx.Err() != nil {
		return &exitError{code: exitInterrupted}
	}
	if err := p.judge(list); err != nil {
		return err
	}
	d.swap(plan.set)

	// The store comes first: it is the lock against a second daemon.
	s, err := bolt.Open(filepath.Join(plan.config.DataDir, "trailship.db"), bolt.Options{Retention: plan.config.Retention})
	if err != nil {
		return err
	}
	defer s.Close()
	d.store, d.inlet = s, s
	if d.runDir, err = deliver.RunDir(plan.config.DataDir); err != nil {
		return err
	}
	defer os.RemoveAll(d.runDir)

	if addr := plan.config.Telemetry.HTTP; addr != "" && !once {
		if d.listener, err = listenLoopback(addr); err != nil {
			return err
		}
		defer d.listener.Close()
	}
	if err := d.start(plan, once); err != nil {
		return errors.Join(err, d.drain())
	}
	if once {
		return d.finish(ctx)
	}
	return d.serve(ctx, watch)
}

// dryRun matches and prints: no store, no outputs, no ports.
func (p *program) dryRun(ctx context.Context, once bool) error {
	cfg, err := p.loadConfig()
	if err != nil {
		return err
	}
	d, err := p.newDaemon(cfg)
	if err != nil {
		return err
	}
	plan, list := planOf(cfg, d.ruleOptions())
	if err := p.judge(list); err != nil {
		return err
	}
	d.swap(plan.set)
	d.inlet = newDryStore(p.stdout)
	l := d.startLoop(plan.config, plan.routes, once)
	select {
	case <-ctx.Done():
		return l.end()
	case <-l.done:
		p.summarize(l.sum)
		return errors.Join(l.err, failures(l.sum))
	}
}

func (p *program) newDaemon(cfg *config.Config) (*daemon, error) {
	log, err := p.log(cfg.Telemetry.Log.Level, cfg.Telemetry.Log.Format)
	if err != nil {
		return nil, err
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return &daemon{
		program: p, log: log, workers: runtime.GOMAXPROCS(0),
		registry: reg, ingestMetrics: ingest.NewMetrics(reg), deliverMetrics: deliver.NewMetrics(reg),
		reloads: newReloadMetrics(reg), evaluation: newEvaluation(reg, log), broken: make(chan error, 1),
	}, nil
}

// start makes a plan run.
func (d *daemon) start(p *plan, once bool) error {
	l := &live{config: p.config, outputs: map[string]*running{}}
	d.live.Store(l)
	for _, o := range p.config.Outputs {
		r, err := d.startOutput(o, p.config)
		if err != nil {
			return err
		}
		l.outputs[o.Name] = r
	}
	l.loop = d.startLoop(p.config, p.routes, once)
	return nil
}

// finish waits for --once to have read and delivered everything.
func (d *daemon) finish(ctx context.Context) error {
	l := d.live.Load()
	select {
	case <-l.loop.done:
	case <-ctx.Done():
		return errors.Join(d.drain(), &exitError{code: exitInterrupted})
	}
	err := l.loop.err
	for _, r := range l.outputs {
		late, cancel := context.WithTimeout(ctx, flushTime)
		err = errors.Join(err, r.Flush(late))
		cancel()
	}
	d.summarize(l.loop.sum)
	return errors.Join(err, failures(l.loop.sum), d.drain())
}

// flushTime is how long --once waits for an output that is down. What is left
// stays in the store, and goes out with the next run.
const flushTime = 30 * time.Second

// serve runs the daemon until ctx ends or something breaks for good.
func (d *daemon) serve(ctx context.Context, watch *rule.Watcher) error {
	hup, usr1 := notify(syscall.SIGHUP), notify(syscall.SIGUSR1)
	defer signal.Stop(hup)
	defer signal.Stop(usr1)

	side := d.sideline(ctx, watch)
	d.log.Info("running", "version", buildVersion().Version, "rules", len(d.rules.Load().Rules),
		"sources", len(d.live.Load().config.Sources), "outputs", len(d.live.Load().config.Outputs))
	for {
		select {
		case <-hup:
			d.reload(ctx, "SIGHUP", true)
			side.watch(d.live.Load().config, d.watcher(d.live.Load().config))
		case <-side.config:
			d.reload(ctx, "the configuration changed", true)
			side.watch(d.live.Load().config, d.watcher(d.live.Load().config))
		case <-side.rules:
			d.reload(ctx, "rules changed", false)
		case <-usr1:
			d.reopen(ctx)
		case err := <-d.broken:
			side.end()
			return errors.Join(err, d.drain())
		case <-ctx.Done():
			d.log.Info("stopping: finishing what is being read and delivered")
			d.draining.Store(true)
			err := d.drain()
			side.end()
			d.log.Info("stopped")
			return err
		}
	}
}

func notify(s os.Signal) chan os.Signal {
	c := make(chan os.Signal, 1)
	signal.Notify(c, s)
	return c
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
	if l == nil {
		return nil
	}
	var errs []error
	if l.loop != nil {
		errs = append(errs, l.loop.end())
	}
	ends := make(chan error)
	for _, r := range l.outputs {
		go func() { ends <- r.end() }()
	}
	for range l.outputs {
		errs = append(errs, <-ends)
	}
	return errors.Join(errs...)
}

// wake tells the deliverers that alerts were stored.
func (d *daemon) wake() {
	for _, r := range d.live.Load().outputs {
		r.Wake()
	}
}

// gate blocks while an output whose backlog must not overflow has no room.
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
				return ctx.Err()
			case <-time.After(gatePause):
			}
		}
	}
	return nil
}

// gatePause is how often a full backlog is looked at.
const gatePause = 100 * time.Millisecond

func (d *daemon) full(r *running) bool {
	b, err := d.store.Backlog(r.Name)
	bound := r.config.Backlog
	return err == nil && (b.Alerts >= bound.MaxAlerts || b.Bytes >= int64(bound.MaxBytes))
}

// reopen makes outputs that write files reopen them.
func (d *daemon) reopen(ctx context.Context) {
	for _, r := range d.live.Load().outputs {
		if err := r.Reopen(ctx); err != nil {
			d.log.Error("reopening failed", "error", err)
		}
	}
}

// summarize says what a run with --once did.
func (p *program) summarize(s ingest.Summary) {
	p.say("%d records of %d objects: %d alerts, %d seen before; %d rejected, %d dead letters", s.Records, s.Objects, s.Alerts, s.Repeated, s.Rejected, s.Buried)
}

func failures(s ingest.Summary) error {
	if s.Failed == 0 {
		return nil
	}
	return fmt.Errorf("%d objects or listings failed and will be tried again by the next run: see the log", s.Failed)
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
	for _, o := range l.config.Outputs {
		r := l.outputs[o.Name]
		b, err := d.store.Backlog(o.Name)
		if err != nil {
			s.Why = append(s.Why, "store: "+err.Error())
		}
		st := r.Status()
		s.Outputs = append(s.Outputs, outputStatus{Name: o.Name, Queued: b.Alerts, Bytes: b.Bytes, Up: st.Up, Error: st.Error})
	}
	s.Ready = len(s.Why) == 0
	return s
}

// plan is everything that can be known before anything runs.
type plan struct {
	config *config.Config
	set    *rule.Set
	routes ingest.Routes
}

// judge prints diagnostics, and fails when there is a mistake among them.
func (p *program) judge(list diag.List) error {
	list.Sort()
	p.report(list)
	if list.HasErrors() {
		return &exitError{code: exitInvalid}
	}
	return nil
}

// planOf checks a configuration and everything it names but the plugins.
func planOf(cfg *config.Config, o rule.Options) (*plan, diag.List) {
	list := append(cfg.ForDaemon(), checkSupported(cfg)...)
	routes, found := routesOf(cfg)
	list = append(list, found...)
	o.Outputs = outputNames(cfg)
	set, found := loadRules(cfg.Rules.Paths, o)
	list = append(list, found...)
	if set != nil && cfg.Rules.RunTests {
		list = append(list, failedTests(set)...)
	}
	list.Sort()
	return &plan{config: cfg, set: set, routes: routes}, list
}
