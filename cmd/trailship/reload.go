package main

import (
	"context"
	"maps"
	"reflect"
	"slices"

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
	if !withConfig && d.reloads.last() == "ok" && slices.Equal(p.set.Files, d.rules.Load().Files) {
		return // something else in the folder changed
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
	if n := set.Unanchored(); n > 0 {
		d.log.Info("some rules are tried on every record; `trailship rules list` names them", "tried", n, "rules", len(set.Rules))
	}
}

// apply changes what runs by difference: outputs that stayed the same keep
// running, and reading goes on where it stood.
func (d *daemon) apply(now *live, p *plan) {
	for _, key := range needRestart(d.began, p.config) {
		d.log.Warn("this setting changes at the next start only", "key", key)
	}
	if sameReading(now.config, p.config) {
		d.live.Store(&live{config: p.config, loop: now.loop, outputs: now.outputs})
		return
	}
	if err := now.loop.end(); err != nil {
		return // d.broken has it
	}
	next := &live{config: p.config, loop: now.loop}
	outputs, err := d.changeOutputs(now.outputs, p.config)
	next.outputs = outputs
	if err != nil {
		d.live.Store(next) // what runs is what drain ends
		d.fail(err)
		return
	}
	next.loop = d.startLoop(p.config, p.routes, false)
	d.live.Store(next)
	d.wake() // for what was committed before the new outputs were known
}

// changeOutputs stops and starts outputs until those of cfg run. It returns
// what runs, also with an error.
func (d *daemon) changeOutputs(now map[string]*running, cfg *config.Config) (map[string]*running, error) {
	next := maps.Clone(now)
	for name, old := range now {
		if !slices.ContainsFunc(cfg.Outputs, func(o config.Output) bool { return sameOutput(old.config, o) }) {
			d.stopOutput(old)
			delete(next, name)
		}
	}
	for _, o := range cfg.Outputs {
		if next[o.Name] != nil {
			continue
		}
		r, err := d.startOutput(o, cfg)
		if err != nil {
			return next, err
		}
		next[o.Name] = r
	}
	return next, nil
}

func (d *daemon) stopOutput(r *running) {
	if err := r.end(); err != nil {
		d.log.Error("output ended badly", "output", r.config.Name, "error", err)
	}
	if b, err := d.store.Backlog(r.config.Name); err == nil && b.Alerts > 0 {
		d.log.Warn("an output was stopped with alerts in its queue; they stay stored and go out when an output of this name is back",
			"output", r.config.Name, "alerts", b.Alerts)
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
