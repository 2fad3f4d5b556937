package s3

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what sources of this kind do. The nil *Metrics counts nothing.
type Metrics struct {
	listed, requests, notifications, missed *prometheus.CounterVec
}

// NewMetrics registers the metrics with reg; with nil they count unseen.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "trailship_source_" + name, Help: help}, labels)
	}
	m := &Metrics{
		listed:        counter("objects_listed_total", "Objects seen in listings, again and again.", "source"),
		requests:      counter("list_requests_total", "Pages of listings asked for.", "source"),
		notifications: counter("notifications_total", "Notifications by what became of them: object, known, foreign, ignored, unreadable, deleted.", "source", "result"),
		missed:        counter("notifications_missed_total", "Objects that were found by listing although notifications are on.", "source"),
	}
	if reg != nil {
		reg.MustRegister(m.listed, m.requests, m.notifications, m.missed)
	}
	return m
}

func (m *Metrics) lists(source string, n int) {
	if m != nil {
		m.requests.WithLabelValues(source).Add(float64(n))
	}
}

func (m *Metrics) saw(source string, objects int) {
	if m != nil {
		m.listed.WithLabelValues(source).Add(float64(objects))
	}
}

func (m *Metrics) notified(source, result string) {
	if m != nil {
		m.notifications.WithLabelValues(source, result).Inc()
	}
}

func (m *Metrics) miss(source string) {
	if m != nil {
		m.missed.WithLabelValues(source).Inc()
	}
}
