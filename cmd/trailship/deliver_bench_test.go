package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/trailship/trailship/core/deliver"
	"github.com/trailship/trailship/core/store"
	"github.com/trailship/trailship/plugins/sdk"
)

// BenchmarkDelivery takes alerts of 1.5 KB out of the store and through the
// shipped file output, a process of its own, with TLS, until they are settled.
// cpu-µs/alert is user and system time of both processes, the store's included;
// committing the alerts is not counted. One operation is one alert.
func BenchmarkDelivery(b *testing.B) {
	for _, batch := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			s := emptyStore(b)
			raise(b, s, b.N, "file")
			b.SetBytes(int64(benchAlertSize))
			d := fileDeliverer(b, s, "file", filepath.Join(b.TempDir(), "alerts.ndjson"), batch)
			runtime.GC()
			before := cpuTime()
			b.ResetTimer()
			end := runDeliverer(b, d)
			flushed(b, d)
			b.StopTimer()
			end() // reaps the plugin, whose time counts from then on
			b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/1e3/float64(b.N), "cpu-µs/alert")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "alerts/s")
		})
	}
}

const benchAlertSize = 1500

// raise commits n alerts for the outputs, 1,000 at a time.
func raise(b *testing.B, s store.Store, n int, outputs ...string) {
	b.Helper()
	// A tenth is another in each alert, which is how well real ones pack.
	random, other := rand.NewChaCha8([32]byte{1}), make([]byte, benchAlertSize/20)
	same := strings.Repeat("as ever ", (benchAlertSize-2*len(other))/8)
	for from := 0; from < n; from += 1000 {
		err := s.Commit(b.Context(), func(tx store.Tx) error {
			for i := from; i < min(n, from+1000); i++ {
				random.Read(other)
				text := fmt.Appendf(nil, `{"other":"%x","same":"%s"}`, other, same)
				a := store.Alert{
					ID: fmt.Sprintf("%026d", i), Hour: 492_000, RuleID: "rule", Severity: "low",
					Time: time.Unix(1_771_200_000, 0), JSON: text, Outputs: outputs,
				}
				if _, err := tx.Raise(a); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// cpuTime is what this process and its children that ended used.
func cpuTime() time.Duration {
	var sum time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			panic(err)
		}
		sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return sum
}

// BenchmarkBesideASlowOutput measures one output alone and beside another of
// the same store that is a thousand times slower, or down, in turns: alone,
// beside, alone, beside. One operation is such a pair. beside/alone is the
// median ratio of their throughputs, 1 when the other makes no difference.
func BenchmarkBesideASlowOutput(b *testing.B) {
	for name, other := range map[string]sdk.Output{
		"slow": slow{},
		"down": pager{err: errors.New("connection refused")},
	} {
		b.Run(name, func(b *testing.B) {
			const alerts = 15_000
			var alone, beside, ratios, heaps []float64
			for b.Loop() {
				a, _ := throughput(b, alerts, nil)
				s, heap := throughput(b, alerts, other)
				alone, beside, ratios, heaps = append(alone, a), append(beside, s), append(ratios, s/a), append(heaps, heap)
			}
			for unit, values := range map[string][]float64{"alone-alerts/s": alone, "beside-alerts/s": beside, "beside/alone": ratios, "heap-MB": heaps} {
				slices.Sort(values)
				b.ReportMetric(values[len(values)/2], unit)
			}
		})
	}
}

// slow takes a batch in 30 s; the file output takes about 30 ms.
type slow struct{}

func (slow) Deliver(ctx context.Context, _ []sdk.Alert) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(30 * time.Second):
		return nil
	}
}

func (slow) Close() error { return nil }

// throughput is how many alerts a second the file output takes, beside another
// that has the same alerts to take, and the memory in use at the end, in MB.
func throughput(b *testing.B, alerts int, other sdk.Output) (perSecond, heap float64) {
	b.Helper()
	s := emptyStore(b)
	defer s.Close()
	raise(b, s, alerts, "file", "other")
	if other != nil {
		d := &deliver.Deliverer{Output: deliver.Output{Name: "other", Drain: time.Millisecond}, Store: s, Log: slog.New(slog.DiscardHandler), Destination: other}
		defer runDeliverer(b, d)()
	}
	d := fileDeliverer(b, s, "file", filepath.Join(b.TempDir(), "alerts.ndjson"), 1000)
	running := &firstSettled{Store: s, done: make(chan struct{})}
	d.Store = running
	defer runDeliverer(b, d)()
	running.wait(b)
	began := time.Now()
	left, err := s.Backlog("file")
	if err != nil {
		b.Fatal(err)
	}
	flushed(b, d)
	perSecond = float64(left.Alerts) / time.Since(began).Seconds()

	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	if kept, err := s.Backlog("other"); err != nil || kept.Alerts != int64(alerts) {
		b.Fatalf("%d alerts wait for the other output, want %d (%v)", kept.Alerts, alerts, err)
	}
	return perSecond, float64(m.HeapAlloc) / 1e6
}

// firstSettled is a store that tells when the first batch is settled: the
// program's start is not to be measured.
type firstSettled struct {
	store.Store
	once sync.Once
	done chan struct{}
}

func (f *firstSettled) Settle(output string, done []uint64, dead []store.Refusal) error {
	err := f.Store.Settle(output, done, dead)
	if err == nil {
		f.once.Do(func() { close(f.done) })
	}
	return err
}

func (f *firstSettled) wait(b *testing.B) {
	b.Helper()
	select {
	case <-f.done:
	case <-time.After(time.Minute):
		b.Fatal("the output does not start")
	}
}
