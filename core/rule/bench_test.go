package rule

import (
	"fmt"
	"strings"
	"testing"
)

// manyRules are n rules of the usual shapes on different services and actions;
// few of them concern the benchmark's event.
func manyRules(n int) string {
	var b strings.Builder
	b.WriteString("lists: {people: [alice, bob], nets: [10.0.0.0/8, 192.0.2.0/24]}\nmacros: {ok: outcome == \"success\"}\nrules:\n")
	shapes := []string{
		`service == "s%d" and action == "Delete%d" and ok`,
		`action in ["Put%d", "Update%d"] and principal.name not in lists.people`,
		`service == "s%d" and raw.requestParameters.id == "x%d"`,
		`service == "kms" and action == "Disable%d" and cidr(ip, lists.nets) and region != "r%d"`,
		`provider == "aws" and action startsWith "Nothing%d" and user_agent contains "curl%d"`,
	}
	for i := range n {
		fmt.Fprintf(&b, "  - {id: r%d, title: T, severity: low, condition: '%s'}\n", i, fmt.Sprintf(shapes[i%len(shapes)], i, i))
	}
	return b.String()
}

func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			m, ev := load(b, "r.yaml", manyRules(n)).NewMatcher(), decrypt()
			b.ReportAllocs()
			for b.Loop() {
				m.Match(ev)
			}
		})
	}
}

func BenchmarkAlert(b *testing.B) {
	m, ev := load(b, "r.yaml", whole).NewMatcher(), decrypt()
	b.ReportAllocs()
	for b.Loop() {
		m.Match(ev)
	}
}

// BenchmarkLoad is the cost of a rule from YAML to program.
func BenchmarkLoad(b *testing.B) {
	const n = 500
	text := manyRules(n)
	b.ReportAllocs()
	for b.Loop() {
		load(b, "r.yaml", text)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/rule")
}
