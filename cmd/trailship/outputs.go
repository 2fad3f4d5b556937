package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/trailship/trailship/core/config"
	"github.com/trailship/trailship/core/deliver"
	"github.com/trailship/trailship/core/diag"
	"github.com/trailship/trailship/core/store"
	"github.com/trailship/trailship/plugins"
	"github.com/trailship/trailship/plugins/sdk"
)

// outputOf turns an output of the configuration into what deliver runs.
func outputOf(o config.Output, cfg *config.Config, runDir string) (deliver.Output, error) {
	settings, err := json.Marshal(o.Config)
	if err != nil {
		return deliver.Output{}, fmt.Errorf("config cannot be passed on as JSON: %w", err)
	}
	out := deliver.Output{
		Name: o.Name, Config: settings, Env: o.Environ(), Sha256: o.Sha256, TLS: bool(o.TLS),
		User: o.User, MaxFiles: uint64(o.MaxFiles),
		Dir: filepath.Dir(cfg.Node.File()), RunDir: runDir, Redact: cfg.Redact,
		IncludeEvent: slices.Contains(o.Include, "event"), IncludeRaw: slices.Contains(o.Include, "raw"),
		MaxBatch: o.Batch.Max, Linger: o.Batch.Wait,
		Retry:   deliver.Retry{Initial: o.Retry.Initial, Max: o.Retry.Max, GiveUp: o.Retry.GiveUp},
		Backlog: deliver.Backlog{MaxAlerts: o.Backlog.MaxAlerts, MaxBytes: int64(o.Backlog.MaxBytes)},
	}
	if cfg.DataDir != "" {
		out.StateDir = filepath.Join(cfg.DataDir, "outputs", o.Name)
	}
	if _, ok := plugins.Shipped[o.Plugin]; ok {
		self, err := os.Executable()
		out.Program = []string{self, "plugin", o.Plugin}
		if o.Plugin == "stdout" {
			out.Stdout = os.Stdout
		}
		return out, err
	}
	out.Program, err = deliver.Find(o.Plugin, cfg.PluginDirs)
	return out, err
}

// checkOutputs starts the plugins of outputs, lets each judge its
// configuration, and reports at the user's line what is wrong. Nothing stays
// running. codeNotRunning is a plugin that may mend itself; the other codes
// are mistakes.
func checkOutputs(ctx context.Context, cfg *config.Config, outputs []config.Output) diag.List {
	return gather(outputs, func(o config.Output) diag.List { return checkOutput(ctx, o, cfg) })
}

// gather asks all at the same time what is wrong.
func gather[T any](all []T, wrong func(T) diag.List) diag.List {
	var (
		mu   sync.Mutex
		list diag.List
		wg   sync.WaitGroup
	)
	for _, one := range all {
		wg.Go(func() {
			found := wrong(one)
			mu.Lock()
			defer mu.Unlock()
			list = append(list, found...)
		})
	}
	wg.Wait()
	list.Sort()
	return list
}

// judgeOutputs is checkOutputs for a daemon.
func (d *daemon) judgeOutputs(ctx context.Context, cfg *config.Config, outputs []config.Output) diag.List {
	return mistakes(checkOutputs(ctx, cfg, outputs))
}

// mistakes leaves out the plugins that do not run now: for a daemon that is no
// reason to stop reading. Their deliverers say so, and start them again and
// again. A program that is not there at all is a mistake.
func mistakes(list diag.List) diag.List {
	return slices.DeleteFunc(list, func(m diag.Diagnostic) bool { return m.Code == codeNotRunning })
}

// codeNotRunning is the code of a plugin that is there and does not run.
const codeNotRunning = "E153"

func checkOutput(ctx context.Context, o config.Output, cfg *config.Config) diag.List {
	out, err := outputOf(o, cfg, "")
	if err != nil {
		return diag.List{o.Node.Key("plugin").Errorf("E150", "%v", err)}
	}
	return objections(deliver.Check(ctx, out, nil), o, cfg)
}

// objections tells the user why an output does not start.
func objections(err error, o config.Output, cfg *config.Config) diag.List {
	var invalid sdk.Invalids
	switch {
	case err == nil:
		return nil
	case errors.As(err, &invalid):
		var list diag.List
		for _, e := range invalid {
			list = append(list, o.At(e.Pointer).Errorf("E151", "output %s: %s", o.Name, cfg.Redact(e.Message)))
		}
		return list
	}
	return diag.List{o.Node.Key("plugin").Errorf(codeNotRunning, "output %s: %s", o.Name, cfg.Redact(err.Error()))}
}

// running is a deliverer with the goroutine it runs in.
type running struct {
	*deliver.Deliverer
	config config.Output
	ctx    context.Context // of its Run; ends with stop
	stop   context.CancelFunc
	done   chan struct{}
	err    error // good after done
}

// end lets the batch in flight finish and waits for the plugin to be gone.
func (r *running) end() error {
	r.stop()
	<-r.done
	return r.err
}

// endAll ends outputs, all at the same time.
func endAll(outputs map[string]*running) error {
	ends := make(chan error)
	for _, r := range outputs {
		go func() { ends <- r.end() }()
	}
	var errs []error
	for range outputs {
		errs = append(errs, <-ends)
	}
	return errors.Join(errs...)
}

// boundOf is the bound the store keeps: without one, gate lets no transaction
// begin once the backlog is that large. So it may pass the bound by one.
func boundOf(o config.Output) store.Backlog {
	if o.Backlog.Full != config.DeadLetter {
		return store.Backlog{}
	}
	return store.Backlog{Alerts: o.Backlog.MaxAlerts, Bytes: int64(o.Backlog.MaxBytes)}
}

// installed says whether the programs of all outputs are there.
func installed(cfg *config.Config) bool {
	return !slices.ContainsFunc(cfg.Outputs, func(o config.Output) bool {
		_, err := outputOf(o, cfg, "")
		return err != nil
	})
}

// startOutputs starts all plugins for good, and delivering once none of them
// refuses its configuration. On an error nothing stays running.
func (d *daemon) startOutputs(ctx context.Context, cfg *config.Config) (map[string]*running, error) {
	var all []*running
	for _, o := range cfg.Outputs {
		r, err := d.newOutput(o, cfg)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	list := gather(all, func(r *running) diag.List { return objections(r.Start(ctx), r.config, cfg) })
	err := d.judge(mistakes(list))
	if ctx.Err() != nil {
		err = &exitError{code: exitInterrupted}
	}
	started := map[string]*running{}
	for _, r := range all {
		if err != nil {
			r.stop() // before it runs: it ends its plugin and delivers nothing
		}
		d.run(r)
		started[r.config.Name] = r
	}
	if err != nil {
		return nil, errors.Join(err, endAll(started))
	}
	return started, nil
}

// startOutput starts delivering.
func (d *daemon) startOutput(o config.Output, cfg *config.Config) (*running, error) {
	r, err := d.newOutput(o, cfg)
	if err == nil {
		d.run(r)
	}
	return r, err
}

// newOutput makes the deliverer of an output, which does not run yet.
func (d *daemon) newOutput(o config.Output, cfg *config.Config) (*running, error) {
	out, err := outputOf(o, cfg, d.runDir)
	if err != nil {
		return nil, err
	}
	d.store.Bound(o.Name, boundOf(o))
	// Deliverers end when they are told to, after ingest: not with a context
	// of the caller.
	ctx, stop := context.WithCancel(context.Background())
	return &running{
		Deliverer: &deliver.Deliverer{Output: out, Store: d.store, Log: d.log, Metrics: d.deliverMetrics},
		config:    o, ctx: ctx, stop: stop, done: make(chan struct{}),
	}, nil
}

// run starts delivering; a deliverer that ends by itself breaks the daemon.
func (d *daemon) run(r *running) {
	go func() {
		defer close(r.done)
		if r.err = r.Run(r.ctx); r.err != nil {
			d.fail(r.err)
		}
	}()
}
