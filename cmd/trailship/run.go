package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"

	"github.com/trailship/trailship/core/config"
	"github.com/trailship/trailship/core/deliver"
	"github.com/trailship/trailship/core/ingest"
	"github.com/trailship/trailship/core/rule"
	"github.com/trailship/trailship/core/source/s3"
	"github.com/trailship/trailship/core/store/bolt"
)

func (p *program) runCommand() *cobra.Command {
	var once, dry bool
	c := &cobra.Command{
		Use:   "run",
		Short: "Read the sources, match the rules, deliver the alerts",
		Long: `Runs the daemon until it is told to stop: one Ctrl-C (or SIGTERM) finishes what
is being read and delivered, the second stops at once. SIGHUP checks and applies
a changed configuration, SIGUSR1 makes file outputs reopen their files.

With --dry-run too it goes on until it is stopped, unless --once is given.`,
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

// daemon runs until ctx ends or, with once, until there is nothing left to do.
func (p *program) daemon(ctx context.Context, once bool) error {
	// What the user wrote is checked before anything is touched; all but what
	// only the running plugins can tell.
	sum := p.fingerprint()
	cfg, err := p.loadConfig()
	if err != nil {
		return err
	}
	var bar *progress
	if once && !p.flags.quiet && terminal(p.stderr) {
		screen := p.stderr
		bar = newProgress(screen, time.Now, func() int { return columns(screen) })
		p.stderr = bar
	}
	d, err := p.newDaemon(cfg)
	if err != nil {
		return err
	}
	d.configSum, d.progress = sum, bar
	defer d.listen(once)()
	watch := d.watcher(cfg)
	watch.Mark() // before the rules are read: what changes from here on is seen
	plan, list := planOf(cfg, d.ruleOptions())
	if list.HasErrors() || !installed(cfg) {
		// It ends here: then with all mistakes at once.
		list = append(list, d.judgeOutputs(ctx, cfg, cfg.Outputs)...)
	}
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
	buried := d.buriedAlerts()
	if err := d.start(ctx, plan, once); err != nil {
		return err
	}
	if once {
		return d.finish(ctx, buried)
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
		program: p, log: log, began: cfg, workers: runtime.GOMAXPROCS(0),
		registry: reg, ingestMetrics: ingest.NewMetrics(reg), bucketMetrics: s3.NewMetrics(reg), deliverMetrics: deliver.NewMetrics(reg),
		reloads: newReloadMetrics(reg), letters: newLetterMetrics(reg), evaluation: newEvaluation(reg, log), broken: make(chan error, 1),
	}, nil
}

// serve runs the daemon until ctx ends or something breaks for good.
func (d *daemon) serve(ctx context.Context, watch *rule.Watcher) error {
	side := d.sideline(ctx, watch)
	d.log.Info("running", "version", buildVersion().Version, "rules", len(d.rules.Load().Rules),
		"sources", len(d.live.Load().config.Sources), "outputs", len(d.live.Load().config.Outputs))
	for {
		select {
		case <-d.hup:
			d.reload(ctx, "SIGHUP", true)
			side.watch(d.live.Load().config, d.watcher(d.live.Load().config))
		case <-side.config:
			d.reload(ctx, "the configuration changed", true)
			side.watch(d.live.Load().config, d.watcher(d.live.Load().config))
		case <-side.rules:
			d.reload(ctx, "rules changed", false)
		case <-d.usr1:
			d.reopen(ctx)
		case err := <-d.broken:
			side.end()
			return distinct(err, d.drain())
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

// listen takes the signals that would otherwise end the process, from before
// anything is started: they are heeded once it runs. With --once there is
// nothing to reload. stop gives them back.
func (d *daemon) listen(once bool) (stop func()) {
	d.hup, d.usr1 = make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(d.usr1, syscall.SIGUSR1)
	if !once {
		signal.Notify(d.hup, syscall.SIGHUP)
	}
	return func() {
		signal.Stop(d.hup)
		signal.Stop(d.usr1)
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
