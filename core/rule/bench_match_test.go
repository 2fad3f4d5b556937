package rule

import (
	"fmt"
	"strings"
	"testing"

	"github.com/trailship/trailship/core/event"
)

// BenchmarkCondition is one rule tried on one event, by the form of its
// condition. None of them names an action, so each is evaluated every time.
func BenchmarkCondition(b *testing.B) {
	for _, form := range []struct{ name, condition string }{
		{"equal", `outcome == "success"`},
		{"in", `account in ["000000000001", "000000000002", "000000000003"]`},
		{"startsWith", `principal.arn startsWith "arn:aws:iam::"`},
		{"contains", `user_agent contains "kali"`},
		{"matches", `principal.name matches "^(root|admin)-[0-9]+$"`},
		{"cidr", `cidr(ip, "192.0.2.0/24")`},
		{"any", `any(resources, .type == "AWS::S3::Bucket")`},
		{"request", `request.keyId == "none"`},
		{"five", `outcome == "denied" and region == "eu-west-1" and access == "read" and principal.type == "role" and ip == "192.0.2.1"`},
	} {
		b.Run(form.name, func(b *testing.B) { matchAlone(b, conditions(1, form.condition), 0) })
	}
}

// BenchmarkRules is one event against many rules that do not match. Those with
// an anchor name another action, so that the index leaves them out.
func BenchmarkRules(b *testing.B) {
	for _, kind := range []struct{ name, condition string }{
		{"anchored", `service == "kms" and action == "Action%d" and outcome == "denied"`},
		{"unanchored", `outcome == "denied" and user_agent contains "scanner/%d"`},
	} {
		for _, n := range []int{10, 1000} {
			b.Run(fmt.Sprintf("%s=%d", kind.name, n), func(b *testing.B) { matchAlone(b, conditions(n, kind.condition), 0) })
		}
	}
}

// BenchmarkRaise is a match with what it takes to tell: key, id, message, fields.
func BenchmarkRaise(b *testing.B) {
	matchAlone(b, `
rules:
  - id: r
    title: A rule
    severity: low
    condition: action == "Decrypt"
    message: "{{ principal.name }} was refused {{ resource.id }} from {{ ip }}"
    fields: {key: resource.id, who: principal.arn}
    dedup: {by: [principal.arn, resource.id], every: 1h}
`, 1)
}

// BenchmarkReload is what new rule files cost; an operation is the whole set.
func BenchmarkReload(b *testing.B) {
	const n = 500
	roots := files("r.yaml", conditions(n, `service == "kms" and action == "Action%d" and outcome == "denied"`))
	b.ReportAllocs()
	for b.Loop() {
		if set, list := Load(roots, Options{}); set == nil {
			b.Fatal(list)
		}
	}
	b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "rules/s")
}

// matchAlone matches one event again and again; an operation is a record.
func matchAlone(b *testing.B, rules string, want int) {
	m, ev := load(b, "r.yaml", rules).NewMatcher(), decrypt()
	b.SetBytes(int64(len(ev.RawJSON)))
	b.ReportAllocs()
	var fresh event.Event
	for b.Loop() {
		fresh = *ev // open parts are parsed again
		if got := m.Match(&fresh); len(got) != want {
			b.Fatalf("%d rules match, want %d", len(got), want)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// conditions is a file of n rules; %d in the condition is the number of each.
func conditions(n int, condition string) string {
	var b strings.Builder
	b.WriteString("rules:\n")
	for i := range n {
		text := strings.ReplaceAll(condition, "%d", fmt.Sprint(i))
		fmt.Fprintf(&b, "  - id: r-%04d\n    title: A rule\n    severity: low\n    condition: '%s'\n", i, text)
	}
	return b.String()
}
