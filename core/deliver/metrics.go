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
}

// NewMetrics makes the metrics and registers them. It panics when they are
// registered already.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		outbox: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "trailship_outbox_alerts", Help: "Alerts that wait for an output."}, []string{"output"}),
		alerts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "trailship_output_alerts_total", Help: "Alerts an output was given, by result: delivered, retried, dead."}, []string{"output", "result"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "trailship_output_latency_seconds", Help: "How long an output took for a batch.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 9)}, []string{"output"}),
		restarts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "trailship_plugin_restarts_total", Help: "How often an output's plugin was started again after it died."}, []string{"output"}),
		dead: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "trailship_dead_letters", Help: "Alerts an output refused for good."}, []string{"output"}),
	}
	reg.MustRegister(m.outbox, m.alerts, m.latency, m.restarts, m.dead)
	return m
}

// begin makes every series of an output exist before anything happened.
func (m *Metrics) begin(output string, s store.Outlet) {
	if m == nil {
		return
	}
	for _, result := range []string{"delivered", "retried", "dead"} {
		m.alerts.WithLabelValues(output, result)
	}
	m.latency.WithLabelValues(output)
	m.restarts.WithLabelValues(output)
	m.backlog(output, s)
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

func (m *Metrics) backlog(output string, s store.Outlet) {
	if m == nil {
		return
	}
	if b, err := s.Backlog(output); err == nil {
		m.outbox.WithLabelValues(output).Set(float64(b.Alerts))
	}
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
