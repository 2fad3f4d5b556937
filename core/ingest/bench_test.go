package ingest_test

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/trailship/trailship/core/ingest"
	"github.com/trailship/trailship/core/rule"
	"github.com/trailship/trailship/core/source/dir"
	"github.com/trailship/trailship/core/store/bolt"
	"github.com/trailship/trailship/examples/trails"
)

// BenchmarkWholePath reads generated trails of both clouds from real files,
// with one reader, into a new store: listing, inflating, normalizing, matching,
// encoding, commit and fsync. One operation is the whole corpus.
func BenchmarkWholePath(b *testing.B) {
	for _, objects := range corpora {
		for _, rules := range objects.rules {
			for _, share := range shares {
				b.Run(fmt.Sprintf("objects=%s/rules=%d/matching=%s", objects.name, rules, share.name), func(b *testing.B) {
					wholePath(b, objects.Options, ruleText(rules, share.condition))
				})
			}
		}
	}
}

// corpora are the shapes objects are delivered in: busy accounts fill files
// with a thousand records, most accounts get files of a few.
var corpora = []struct {
	name string
	trails.Options
	rules []int // how many the whole path is measured with
}{
	{"large", trails.Options{Seed: 1, Files: 4, Records: 1000, Alibaba: 0.25, Matching: 0.02}, []int{1, 10, 100}},
	{"tiny", trails.Options{Seed: 1, Files: 500, Records: 8, Alibaba: 0.25, Matching: 0.02}, []int{10}},
}

// shares are the conditions of the one rule that may match.
var shares = []struct{ name, condition string }{
	{"none", `service == "kms" and action == "CancelNothing"`},
	{"2%", `service == "kms" and action == "ScheduleKeyDeletion"`},
	{"all", `provider in ["aws", "alibaba"]`},
}

// ruleText is n rules. The first has the condition; the others never match,
// and look like those people write: of ten, six name an action, two only a
// service, one reads the request, and one is tried on every record.
func ruleText(n int, condition string) string {
	var b strings.Builder
	b.WriteString("rules:\n")
	for i := range n {
		if i > 0 {
			condition = idleCondition(i)
		}
		fmt.Fprintf(&b, "  - id: rule-%03d\n    title: Rule %d of the benchmark\n    severity: low\n    condition: >-\n      %s\n", i, i, condition)
	}
	return b.String()
}

func idleCondition(i int) string {
	switch i % 10 {
	case 1, 2:
		return fmt.Sprintf(`service == "kms" and action in ["Decrypt", "DisableKey"] and principal.name == "nobody-%d"`, i)
	case 3, 4:
		return fmt.Sprintf(`action == "AssumeRole" and ip startsWith "198.18.%d." and outcome == "success"`, i)
	case 5, 6:
		return fmt.Sprintf(`action in ["GetObject", "PutObject"] and resource.id contains "secret-%d" and not (principal.type == "service")`, i)
	case 7:
		return fmt.Sprintf(`service == "ec2" and outcome == "denied" and principal.role == "breakglass-%d"`, i)
	case 8:
		return fmt.Sprintf(`service == "iam" and access == "write" and account == "%012d"`, i)
	case 9:
		return fmt.Sprintf(`service == "s3" and request.bucketName == "forgotten-%d"`, i)
	}
	return fmt.Sprintf(`outcome == "denied" and user_agent contains "scanner/%d"`, i)
}

// loadRules compiles a rule file.
func loadRules(b *testing.B, text string) *rule.Set {
	b.Helper()
	set, list := rule.Load([]rule.Root{{FS: fstest.MapFS{"r.yaml": {Data: []byte(text)}}, Path: "rules"}}, rule.Options{})
	if set == nil {
		b.Fatal(list)
	}
	return set
}

func wholePath(b *testing.B, corpus trails.Options, rules string) {
	from := b.TempDir()
	made, err := corpus.Write(from)
	if err != nil {
		b.Fatal(err)
	}
	set := loadRules(b, rules)
	stores := b.TempDir()
	m := meter{B: b}
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		s, err := bolt.Open(filepath.Join(stores, fmt.Sprint(n)), bolt.Options{})
		if err != nil {
			b.Fatal(err)
		}
		in := ingest.Ingest{
			Sources: []ingest.Source{{Name: "trails", Source: &dir.Source{Name: "trails", Path: from}}},
			Store:   s, Rules: func() *rule.Set { return set },
			Routes: ingest.Routes{Outputs: []ingest.Output{{Name: "out"}}}, Once: true,
		}
		m.start()
		sum, err := in.Run(b.Context())
		m.stop()
		if err != nil || sum.Records != int64(made.Records) {
			b.Fatalf("read %+v of %d records: %v", sum, made.Records, err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	m.report(made)
}

// meter adds up what the timed parts of a benchmark cost. Beside the clock it
// reads the processor time of the process: on a machine that others use too,
// that is the figure to compare.
type meter struct {
	*testing.B
	began, cpu, cpuBegan time.Duration
	wall                 time.Duration
	mallocs, before      uint64
	passes               int
}

func (m *meter) start() {
	m.before = mallocs()
	m.cpuBegan = processorTime(m.B)
	m.B.StartTimer()
	m.began = m.Elapsed()
}

func (m *meter) stop() {
	m.B.StopTimer()
	m.wall += m.Elapsed() - m.began
	m.cpu += processorTime(m.B) - m.cpuBegan
	m.mallocs += mallocs() - m.before
	m.passes++
}

// report gives the figures of passes over the whole corpus.
func (m *meter) report(made trails.Result) {
	records := float64(m.passes * made.Records)
	m.SetBytes(made.Bytes)
	m.ReportMetric(records/m.wall.Seconds(), "records/s")
	m.ReportMetric(m.cpu.Seconds()*1e6/records, "cpu-µs/record")
	m.ReportMetric(float64(m.mallocs)/records, "allocs/record")
}

func mallocs() uint64 {
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.Mallocs
}

func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
