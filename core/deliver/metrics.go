package deliver

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailship/trailship/core/store"
)

// Metrics are the numbers of all outputs. A nil *Metrics counts nothing.
type Metrics struct {
	outbox   *prometheus.GaugeVec
	alerts   *prometheus.CounterVec
	latency  *prometheus.HistogramVec
	restarts *prometheus.CounterVec
	dead     *prometheus.GaugeVec
	filled   *prometheus.GaugeVec
	open     *prometheus.GaugeVec
}

// NewMetrics makes the metrics and registers them. It panics when they are
// registered already.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		outbox: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "trailship_outbox_alerts", Help: "Alerts that wait for an output."}, []string{"output"}),
		alerts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "trailship_output_alerts_total", Help: "Alerts an output was given, by result: delivered, retried, dead; and overflow, for which its backlog had no room."}, []string{"output", "result"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "trailship_output_latency_seconds", Help: "How long an output took for a batch.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 9)}, []string{"output"}),
		restarts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "trailship_plugin_restarts_total", Help: "How often an output's plugin was started again after it died."}, []string{"output"}),
		dead: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "trailship_dead_letters", Help: "Alerts an output refused for good, or had no room for."}, []string{"output"}),
		filled: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "trailship_outbox_filled_ratio", Help: "How much of an output's backlog bound is used; 1 is full."}, []string{"output"}),
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "trailship_output_circuit_open", Help: "1 while an output is tried with one alert at a time, because calls failed in a row."}, []string{"output"}),
	}
	reg.MustRegister(m.outbox, m.alerts, m.latency, m.restarts, m.dead, m.filled, m.open)
	return m
}

// begin makes every series of an output exist before anything happened.
func (m *Metrics) begin(output string, s store.Outlet) {
	if m == nil {
		return
	}
	for _, result := range []string{"delivered", "retried", "dead", "overflow"} {
		m.alerts.WithLabelValues(output, result)
	}
	m.latency.WithLabelValues(output)
	m.restarts.WithLabelValues(output)
	m.open.WithLabelValues(output)
	letters, err := s.DeadLetters()
	if err != nil {
		return // the loop meets the same error and returns it
	}
	var dead float64
	for _, l := range letters {
		if l.Output == output {
			dead++
		}
	}
	m.dead.WithLabelValues(output).Set(dead)
}

// backlog counts what waits, how much of the bound that is, and what found no
// room since it was called last.
func (m *Metrics) backlog(output string, b store.Backlog, filled float64, overflow int64) {
	if m == nil {
		return
	}
	m.outbox.WithLabelValues(output).Set(float64(b.Alerts))
	m.filled.WithLabelValues(output).Set(filled)
	m.alerts.WithLabelValues(output, "overflow").Add(float64(overflow))
	m.dead.WithLabelValues(output).Add(float64(overflow))
}

func (m *Metrics) circuit(output string, open bool) {
	if m == nil {
		return
	}
	value := 0.0
	if open {
		value = 1
	}
	m.open.WithLabelValues(output).Set(value)
}

func (m *Metrics) count(output string, delivered, dead, retried int) {
	if m == nil {
		return
	}
	m.alerts.WithLabelValues(output, "delivered").Add(float64(delivered))
	m.alerts.WithLabelValues(output, "retried").Add(float64(retried))
	m.alerts.WithLabelValues(output, "dead").Add(float64(dead))
	m.dead.WithLabelValues(output).Add(float64(dead))
}

func (m *Metrics) observe(output string, took time.Duration) {
	if m != nil {
		m.latency.WithLabelValues(output).Observe(took.Seconds())
	}
}

func (m *Metrics) restarted(output string) {
	if m != nil {
		m.restarts.WithLabelValues(output).Inc()
	}
}
