package deliver

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/trailship/trailship/core/store"
)

// BenchmarkDeliver sends alerts of 1.5 KB through the shipped file plugin, a
// process of its own, from a queue in memory: encoding, the socket, the
// plugin's write, the answer. One operation is 10,000 alerts.
func BenchmarkDeliver(b *testing.B) {
	const alerts = 10_000
	for _, size := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			n := alerts
			if size == 1 {
				n /= 20 // a call for each takes long
			}
			s := newBacklog(n)
			d := startFile(b, s, size)
			b.SetBytes(s.bytes)
			b.ReportAllocs()
			for b.Loop() {
				s.refill()
				if err := d.Flush(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "alerts/s")
		})
	}
}

// startFile runs a Deliverer of the file plugin until the end of the benchmark.
func startFile(b *testing.B, s store.Outlet, batch int) *Deliverer {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	config, _ := json.Marshal(map[string]string{"path": filepath.Join(b.TempDir(), "alerts.ndjson")})
	d := &Deliverer{
		Output: Output{Name: "file", Program: []string{self, "plugin", "file"}, Config: config, MaxBatch: batch},
		Store:  s, Log: slog.New(slog.DiscardHandler),
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	if err := d.Flush(b.Context()); err != nil { // started
		b.Fatal(err)
	}
	return d
}

// backlog is a queue that holds the same alerts, newly numbered, whenever it
// is refilled.
type backlog struct {
	store.Outlet
	bytes int64

	mu     sync.Mutex
	alerts []store.Queued
	left   []store.Queued // the end of alerts that is not settled
}

func newBacklog(n int) *backlog {
	s := &backlog{}
	text, _ := json.Marshal(map[string]string{"text": fmt.Sprintf("%1480d", 1)})
	for i := range n {
		s.alerts = append(s.alerts, store.Queued{Seq: uint64(i), Alert: store.Alert{
			ID: fmt.Sprintf("%026d", i), RuleID: "rule", Severity: "low", Time: time.Unix(1_772_409_600, 0), JSON: text,
		}})
		s.bytes += int64(len(text))
	}
	return s
}

func (s *backlog) refill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.alerts {
		s.alerts[i].Seq += uint64(len(s.alerts))
	}
	s.left = s.alerts
}

func (s *backlog) Next(_ string, after uint64, limit, maxBytes int) ([]store.Queued, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.left
	for len(next) > 0 && next[0].Seq <= after {
		next = next[1:]
	}
	n := min(limit, max(1, maxBytes/len(s.alerts[0].JSON)), len(next))
	return slices.Clone(next[:n]), n < len(next), nil
}

func (s *backlog) Settle(_ string, done []uint64, _ []store.Refusal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = s.left[len(done):]
	return nil
}

func (s *backlog) Backlog(string) (store.Backlog, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return store.Backlog{Alerts: int64(len(s.left))}, nil
}
