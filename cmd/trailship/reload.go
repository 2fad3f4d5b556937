package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/trailship/trailship/core/config"
	"github.com/trailship/trailship/core/diag"
	"github.com/trailship/trailship/core/rule"
)

// reload checks everything the user wrote and then applies what differs. On
// any mistake what runs goes on as it is.
func (d *daemon) reload(ctx context.Context, why string, withConfig bool) {
	now := d.live.Load()
	cfg := now.config
	if withConfig {
		next, list, err := d.readConfig()
		if err != nil {
			list = diag.List{{File: "trailship.yaml", Code: "E100", Message: err.Error()}}
		}
		if next == nil {
			d.refuse(why, list)
			return
		}
		cfg = next
	}
	p, list := planOf(cfg, d.ruleOptions())
	list = append(list, d.judgeOutputs(ctx, cfg, changedOutputs(now.config, cfg))...)
	if ctx.Err() != nil {
		return
	}
	if list.HasErrors() {
		d.refuse(why, list)
		return
	}
	d.swap(p.set)
	if withConfig {
		d.apply(now, p)
	}
	d.log.Info("reloaded", "because", why, "rules", len(p.set.Rules))
}

// refuse says why a reload changed nothing: in the log, in the metrics, and
// to whoever the alerts go to.
func (d *daemon) refuse(why string, list diag.List) {
	d.reloads.refused(list)
	d.log.Error("reload refused; what ran before goes on", "because", why, "mistakes", len(list))
	d.report(list)
	if err := d.alertRefusal(list); err != nil {
		d.log.Error("the alert about the refused reload could not be stored", "error", err)
	}
}

// swap makes a set judge the records that follow.
func (d *daemon) swap(set *rule.Set) {
	d.rules.Store(set)
	d.reloads.loaded(set)
}

// apply changes what runs by difference: outputs that stayed the same keep
// running, and reading goes on where it stood.
func (d *daemon) apply(now *live, p *plan) {
	for _, key := range needRestart(now.config, p.config) {
		d.log.Warn("this setting changes at the next start only", "key", key)
	}
	if sameReading(now.config, p.config) {
		d.live.Store(&live{config: p.config, loop: now.loop, outputs: now.outputs})
		return
	}
	if err := now.loop.end(); err != nil {
		return // d.broken has it
	}
	next := &live{config: p.config, outputs: map[string]*running{}}
	for _, o := range p.config.Outputs {
		old := now.outputs[o.Name]
		if old != nil && sameOutput(old.config, o) {
			next.outputs[o.Name] = old
			continue
		}
		if old != nil {
			d.stopOutput(old)
		}
		r, err := d.startOutput(o, p.config)
		if err != nil {
			d.fail(err)
			return
		}
		next.outputs[o.Name] = r
	}
	for name, old := range now.outputs {
		if next.outputs[name] == nil {
			d.stopOutput(old)
		}
	}
	next.loop = d.startLoop(p.config, p.routes, false)
	d.live.Store(next)
	d.wake() // for what was committed before the new outputs were known
}

func (d *daemon) stopOutput(r *running) {
	if err := r.end(); err != nil {
		d.log.Error("output ended badly", "output", r.Name, "error", err)
	}
	if b, err := d.store.Backlog(r.Name); err == nil && b.Alerts > 0 {
		d.log.Warn("an output was stopped with alerts in its queue; they stay stored and go out when an output of this name is back",
			"output", r.Name, "alerts", b.Alerts)
	}
}

// needRestart names settings that differ and are only read at the start.
func needRestart(a, b *config.Config) []string {
	var keys []string
	for key, differs := range map[string]bool{
		"data_dir":       a.DataDir != b.DataDir,
		"store":          a.Store != b.Store,
		"telemetry.http": a.Telemetry.HTTP != b.Telemetry.HTTP,
		"telemetry.log":  a.Telemetry.Log != b.Telemetry.Log,
		"retention":      a.Retention != b.Retention,
	} {
		if differs {
			keys = append(keys, key)
		}
	}
	return keys
}

// sameOutput compares what two outputs say, not where they say it.
func sameOutput(a, b config.Output) bool {
	a.Place, b.Place = config.Place{}, config.Place{}
	return reflect.DeepEqual(a, b)
}

// changedOutputs are the outputs of next that differ from what runs.
func changedOutputs(now, next *config.Config) []config.Output {
	return slices.DeleteFunc(slices.Clone(next.Outputs), func(o config.Output) bool {
		return slices.ContainsFunc(now.Outputs, func(old config.Output) bool { return sameOutput(old, o) })
	})
}

// sameReading reports whether two configurations read the same sources in the
// same way and send alerts the same ways.
func sameReading(a, b *config.Config) bool {
	return a.Limits == b.Limits &&
		slices.EqualFunc(a.Sources, b.Sources, func(a, b config.Source) bool {
			a.Place, b.Place = config.Place{}, config.Place{}
			return reflect.DeepEqual(a, b)
		}) &&
		slices.EqualFunc(a.Outputs, b.Outputs, sameOutput) &&
		slices.EqualFunc(a.Routes, b.Routes, func(a, b config.Route) bool {
			return a.When.Value() == b.When.Value() && a.Continue == b.Continue &&
				slices.EqualFunc(a.To, b.To, func(a, b diag.String) bool { return a.Value == b.Value })
		})
}

// sideline is what runs beside the loops of a daemon.
type sideline struct {
	config, rules chan struct{}
	ctx           context.Context // of everything here; ends with end
	stop          context.CancelFunc
	group         errgroup.Group

	watched []string // the folders of rules being watched
	unwatch context.CancelFunc
}

func (s *sideline) end() {
	s.stop()
	_ = s.group.Wait()
}

// watch follows the rules of a configuration, instead of those before.
func (s *sideline) watch(cfg *config.Config, w *rule.Watcher) {
	if !cfg.Rules.Watch {
		w.Dirs = nil
	}
	if s.unwatch != nil && slices.Equal(s.watched, w.Dirs) {
		return
	}
	if s.unwatch != nil {
		s.unwatch()
	}
	var ctx context.Context
	ctx, s.unwatch = context.WithCancel(s.ctx)
	s.watched = w.Dirs
	if len(w.Dirs) > 0 {
		s.group.Go(func() error { return w.Run(ctx, func() { poke(s.rules) }) })
	}
}

// sideline starts the watchers, the telemetry and the housekeeping.
func (d *daemon) sideline(ctx context.Context, watch *rule.Watcher) *sideline {
	s := &sideline{config: make(chan struct{}, 1), rules: make(chan struct{}, 1)}
	// Telemetry answers until the daemon has drained.
	s.ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.watch(d.live.Load().config, watch)
	s.group.Go(func() error { d.watchConfig(s.ctx, s.config); return nil })
	s.group.Go(func() error { d.maintain(s.ctx); return nil })
	if d.listener != nil {
		t := &telemetry{Registry: d.registry, Status: d.status}
		s.group.Go(func() error {
			err := t.serve(s.ctx, d.listener)
			if err != nil {
				d.fail(err)
			}
			return err
		})
	}
	return s
}

func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// watcher watches the rules of a configuration.
func (d *daemon) watcher(cfg *config.Config) *rule.Watcher {
	_, paths, _ := openRules(cfg.Rules.Paths)
	return &rule.Watcher{Dirs: paths, Log: d.log}
}

// configPause is how often the configuration file is compared with what it was.
const configPause = 2 * time.Second

// watchConfig pokes changed whenever the configuration file has new contents.
func (d *daemon) watchConfig(ctx context.Context, changed chan<- struct{}) {
	path, err := d.configFile()
	if err != nil {
		return
	}
	last := fingerprint(path)
	for every(ctx, configPause) {
		if now := fingerprint(path); now != last && now != "" {
			last = now
			poke(changed)
		}
	}
}

// every waits, and reports whether ctx goes on.
func every(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// fingerprint of a file's contents; "" while it cannot be read.
func fingerprint(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// maintain lets the store forget what retention no longer covers.
func (d *daemon) maintain(ctx context.Context) {
	for every(ctx, 10*time.Minute) {
		if err := d.store.Maintain(time.Now()); err != nil {
			d.log.Error("housekeeping of the store failed", "error", err)
		}
	}
}

// reloadMetrics tells how the last reload went.
type reloadMetrics struct {
	rules   prometheus.Gauge
	success prometheus.Gauge
	time    prometheus.Gauge
	files   *prometheus.GaugeVec

	mu     sync.Mutex
	answer string
}

func newReloadMetrics(reg prometheus.Registerer) *reloadMetrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "trailship_" + name, Help: help})
	}
	m := &reloadMetrics{
		rules:   gauge("rules_loaded", "Rules that judge records."),
		success: gauge("rules_last_reload_successful", "1 when the last reload was applied, 0 when it was refused."),
		time:    gauge("rules_last_reload_timestamp_seconds", "When a reload was last applied."),
		files: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "trailship_rules_file_info", Help: "The rule files in use.",
		}, []string{"file", "sha256"}),
		answer: "ok",
	}
	reg.MustRegister(m.rules, m.success, m.time, m.files)
	return m
}

func (m *reloadMetrics) loaded(set *rule.Set) {
	m.say("ok")
	m.success.Set(1)
	m.time.SetToCurrentTime()
	enabled := 0
	for _, r := range set.Rules {
		if r.Enabled {
			enabled++
		}
	}
	m.rules.Set(float64(enabled))
	m.files.Reset()
	for _, f := range set.Files {
		m.files.WithLabelValues(f.Name, hex.EncodeToString(f.Sha256[:])).Set(1)
	}
}

func (m *reloadMetrics) refused(list diag.List) {
	m.success.Set(0)
	if len(list) > 0 {
		m.say(list[0].String())
	}
}

func (m *reloadMetrics) say(answer string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answer = answer
}

func (m *reloadMetrics) last() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.answer
}
