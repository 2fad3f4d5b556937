package main

import (
	"encoding/hex"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailship/trailship/core/diag"
	"github.com/trailship/trailship/core/rule"
)

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

// evaluation counts what rules could not evaluate, and logs one sample per
// rule of a set.
type evaluation struct {
	failed, empty *prometheus.CounterVec
	log           *slog.Logger
	said          sync.Map // *rule.Rule → struct{}
}

func newEvaluation(reg prometheus.Registerer, log *slog.Logger) *evaluation {
	counter := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "trailship_" + name, Help: help}, []string{"rule"})
	}
	e := &evaluation{
		failed: counter("rule_eval_errors_total", "Evaluations that failed; each counts as no match."),
		empty:  counter("rule_empty_key_total", "Matches whose key values were all empty: they were not deduplicated, or did not contribute."),
		log:    log,
	}
	reg.MustRegister(e.failed, e.empty)
	return e
}

// ruleOptions are those of every set the daemon loads.
func (d *daemon) ruleOptions() rule.Options {
	e := d.evaluation
	return rule.Options{
		EvalError: func(r *rule.Rule, err error) {
			e.failed.WithLabelValues(r.ID).Inc()
			if _, said := e.said.LoadOrStore(r, struct{}{}); !said {
				e.log.Warn("a rule could not be evaluated on a record: no match; more of it is only counted", "rule", r.ID, "file", r.File, "line", r.Line, "error", err)
			}
		},
		EmptyKey: func(r *rule.Rule) { e.empty.WithLabelValues(r.ID).Inc() },
	}
}
