package main

import (
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailship/trailship/core/rule"
)

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
		empty:  counter("rule_empty_key_total", "Matches whose key values were all empty, so that they were not deduplicated."),
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
