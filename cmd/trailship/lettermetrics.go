package main

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailship/trailship/core/store"
)

// letterMetrics tells how many dead letters there are of sources. Those of
// outputs are told by core/deliver.
type letterMetrics struct {
	held    *prometheus.GaugeVec
	dropped prometheus.Gauge

	mu   sync.Mutex
	last lettersStatus
}

func newLetterMetrics(reg prometheus.Registerer) *letterMetrics {
	m := &letterMetrics{
		held: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "trailship_source_dead_letters", Help: "Objects and records that could not be read and are dead letters.",
		}, []string{"source"}),
		dropped: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "trailship_dead_letters_dropped", Help: "Dead letters of sources and outputs that newer ones took the place of, ever.",
		}),
	}
	reg.MustRegister(m.held, m.dropped)
	return m
}

// count looks at what there is now. A store that cannot be read is told of
// where it matters.
func (m *letterMetrics) count(s store.Letters) {
	letters, err := s.DeadLetters()
	if err != nil {
		return
	}
	var now lettersStatus
	bySource := map[string]int{}
	for _, d := range letters {
		if d.Output != "" {
			now.Outputs++
			continue
		}
		now.Sources++
		bySource[d.Source]++
	}
	m.held.Reset()
	for source, n := range bySource {
		m.held.WithLabelValues(source).Set(float64(n))
	}
	if n, err := s.Dropped(); err == nil {
		m.dropped.Set(float64(n))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = now
}

func (m *letterMetrics) counts() lettersStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last
}
