package dir

import (
	"context"
	"fmt"
	"testing"

	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/source/sourcetest"
)

// BenchmarkScan walks a tree of which everything was read.
func BenchmarkScan(b *testing.B) {
	const files = 20_000
	s := &Source{Name: "test", Path: b.TempDir()}
	defer s.Close()
	t := &tree{TB: b, Source: s}
	for n := range files {
		t.write(fmt.Sprintf("2026/06/%02d/%05d.json.gz", n%30, n), "x")
	}
	var ledger sourcetest.Ledger
	scan := func() {
		err := s.Scan(context.Background(), &ledger, func(o source.Object) error {
			ledger.Put(o.Key, o.Done)
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	scan()
	b.ReportAllocs()
	for b.Loop() {
		scan()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*files), "ns/file")
}
