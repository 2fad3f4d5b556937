package ingest

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what ingest does; names and labels are those of docs/cli.md.
type Metrics struct {
	objects    *prometheus.CounterVec
	records    *prometheus.CounterVec
	rejected   *prometheus.CounterVec
	matches    *prometheus.CounterVec
	alerts     *prometheus.CounterVec
	memory     *prometheus.CounterVec
	groups     *prometheus.GaugeVec
	lag        *lag
	scanErrors *prometheus.CounterVec
	readErrors *prometheus.CounterVec
	givenUp    *prometheus.CounterVec
	parked     *prometheus.GaugeVec
	commits    prometheus.Histogram
}

// NewMetrics registers the metrics with reg; with nil they count unseen.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "trailship_" + name, Help: help}, labels)
	}
	m := &Metrics{
		objects:  counter("source_objects_total", "Objects read and committed; of a growing file each run of lines.", "source"),
		records:  counter("records_total", "Records evaluated.", "source", "format"),
		rejected: counter("records_rejected_total", "Records that are no trail records or could not be read, by reason.", "source", "reason"),
		matches:  counter("rule_matches_total", "Matches, shadow rules included.", "rule"),
		alerts:   counter("alerts_total", "Alerts committed.", "rule", "severity"),
		memory:   counter("rule_memory_total", "What rules that remember could not take as it was: late (too old to be judged, or to be new), evicted (let go at a bound), stale (read before the rule changed), dropped (the whole state, after a change).", "rule", "what"),
		groups: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "trailship_state_groups", Help: "Groups (of first_seen, values) that a rule remembers.",
		}, []string{"rule"}),
		scanErrors: counter("source_scan_errors_total", "Listings that failed.", "source"),
		readErrors: counter("source_read_errors_total", "Objects that could not be read and are tried again.", "source"),
		givenUp:    counter("source_objects_given_up_total", "Objects that could not be read for too long and are dead letters.", "source"),
		parked: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "trailship_source_objects_parked", Help: "Objects that could not be read and are tried again.",
		}, []string{"source"}),
		lag: newLag(),
		commits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "trailship_commit_seconds",
			Help:    "Duration of a commit.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}),
	}
	if reg != nil {
		reg.MustRegister(m.objects, m.records, m.rejected, m.matches, m.alerts, m.memory, m.groups, m.lag, m.scanErrors, m.readErrors, m.givenUp, m.parked, m.commits)
	}
	return m
}
