package bolt

import (
	"fmt"
	"testing"

	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/store"
	"github.com/trailship/trailship/core/store/storetest"
)

// alertBytes is about what a finding without its event takes.
const alertBytes = 2 << 10

// BenchmarkCommit is what one transaction costs, its syncs included.
func BenchmarkCommit(b *testing.B) {
	for _, alerts := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("alerts=%d", alerts), func(b *testing.B) {
			s := open(b, b.TempDir())
			defer s.Close()
			for n := 0; b.Loop(); n++ {
				raise(b, s, n*alerts, (n+1)*alerts, alertBytes)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*alerts), "µs/alert")
		})
	}
	for _, entries := range []int{1, 1000} {
		b.Run(fmt.Sprintf("entries=%d", entries), func(b *testing.B) {
			s := open(b, b.TempDir())
			defer s.Close()
			for n := 0; b.Loop(); n++ {
				commit(b, s, func(tx store.Tx) error {
					for i := range entries {
						key := fmt.Sprintf("AWSLogs/o-abc/123456789012/CloudTrail/eu-west-1/2026/06/01/%09d.json.gz", n*entries+i)
						if err := tx.PutEntry("s", key, source.Entry{Version: "9f86d081884c7d659a2feaa0c55ad015", Done: true}); err != nil {
							return err
						}
					}
					return nil
				})
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*entries), "µs/entry")
		})
	}
}

// BenchmarkRaise is what an alert costs whose id is known, or that goes to no
// output; in commits of 1,000.
func BenchmarkRaise(b *testing.B) {
	const batch = 1000
	for name, step := range map[string]int{"known": 0, "new": batch} {
		b.Run(name, func(b *testing.B) {
			s := open(b, b.TempDir())
			defer s.Close()
			ids := make([]string, 1<<17)
			for n := range ids {
				ids[n] = storetest.ID(n)
			}
			for n := 0; b.Loop(); n += step {
				commit(b, s, func(tx store.Tx) error {
					for i := range batch {
						a := store.Alert{ID: ids[(n+i)%len(ids)], Hour: 490_000 + uint32(n/len(ids))}
						if _, err := tx.Raise(a); err != nil {
							return err
						}
					}
					return nil
				})
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/alert")
		})
	}
}

// BenchmarkDeliver is Next and Settle of batches of 1,000.
func BenchmarkDeliver(b *testing.B) {
	const batch = 1000
	s := open(b, b.TempDir())
	defer s.Close()
	after, raised := uint64(0), 0
	for b.Loop() {
		b.StopTimer()
		if q, _ := s.Backlog("a"); q.Alerts < batch {
			raise(b, s, raised, raised+10*batch, alertBytes)
			raised += 10 * batch
		}
		b.StartTimer()
		list, _, err := s.Next("a", after, batch, 64<<20)
		if err != nil {
			b.Fatal(err)
		}
		done := make([]uint64, len(list))
		for n, q := range list {
			done[n], after = q.Seq, q.Seq
		}
		if err := s.Settle("a", done, nil); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := s.Settle("b", done, nil); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*batch), "µs/alert")
}

// BenchmarkEntry is one lookup of a scan.
func BenchmarkEntry(b *testing.B) {
	s := open(b, b.TempDir())
	defer s.Close()
	const entries = 100_000
	commit(b, s, func(tx store.Tx) error {
		for n := range entries {
			if err := tx.PutEntry("s", fmt.Sprintf("2026/06/01/%09d.json.gz", n), source.Entry{Version: "v", Done: true}); err != nil {
				return err
			}
		}
		return nil
	})
	ledger := s.Ledger("s")
	for n := 0; b.Loop(); n++ {
		if _, ok, err := ledger.Entry(fmt.Sprintf("2026/06/01/%09d.json.gz", n%entries)); err != nil || !ok {
			b.Fatal(ok, err)
		}
	}
}
