package rule

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/trailship/trailship/core/event"
)

// BenchmarkCondition is one rule tried on one event, by the form of its
// condition. None of them names an action, so each is evaluated every time.
func BenchmarkCondition(b *testing.B) {
	for _, form := range []struct{ name, condition string }{
		{"equal", `outcome == "failure"`},
		{"in", `account in ["000000000001", "000000000002", "000000000003"]`},
		{"startsWith", `principal.arn startsWith "arn:aws:iam::"`},
		{"contains", `user_agent contains "kali"`},
		{"matches", `principal.name matches "^(root|admin)-[0-9]+$"`},
		{"cidr", `cidr(ip, "192.0.2.0/24")`},
		{"any", `any(resources, .type == "AWS::S3::Bucket")`},
		{"request", `request.keyId == "none"`},
		{"five", `outcome == "denied" and region == "eu-west-1" and access == "read" and principal.type == "role" and ip == "192.0.2.1"`},
	} {
		b.Run(form.name, func(b *testing.B) { matchAlone(b, 0, ruleFiles(1, form.condition)...) })
	}
}

// BenchmarkExpression is one expression by itself, as a closure and in expr's
// machine.
func BenchmarkExpression(b *testing.B) {
	for _, form := range []struct{ name, text string }{
		{"equal", `action == "ScheduleKeyDeletion"`},
		{"equal+in", `service == "kms" and action in ["CreateKey", "DisableKey", "EnableKey", "ScheduleKeyDeletion"]`},
		{"startsWith", `principal.arn startsWith "arn:aws:iam::"`},
		{"contains", `user_agent contains "kali"`},
		{"matches", `principal.name matches "^(root|admin)-[0-9]+$"`},
		{"five", `outcome == "denied" and region == "eu-west-1" and access == "read" and principal.type == "role" and ip == "192.0.2.1"`},
		{"any", `any(resources, .type == "AWS::S3::Bucket")`},
		{"cidr", `cidr(ip, "192.0.2.0/24", "10.0.0.0/8")`},
		{"hours", `hours(time, "Europe/Berlin", 22, 6)`},
		{"lower", `lower(action) == "encrypt"`},
		{"request", `request.keyId == "none"`},
		{"raw", `raw.requestParameters.items[0].k startsWith "x"`},
	} {
		c := newCompiler(event.Event{})
		p, problems := c.parse(form.text, &scope{})
		if len(problems) > 0 || len(c.patchAll(p, "condition", wantBool)) > 0 {
			b.Fatal(form.text)
		}
		made := closureOf(p.tree.Node)
		machine, _ := c.machine(p.tree.Node, p.tree.Source)
		machine.parts = p.parts
		for name, e := range map[string]*expression{"closure": {closure: made}, "machine": machine} {
			b.Run(form.name+"/"+name, func(b *testing.B) {
				m, ev := (&Set{}).NewMatcher(), decrypt()
				b.ReportAllocs()
				defer reportCPU(b)()
				var fresh event.Event
				for b.Loop() {
					fresh = *ev // open parts are parsed again
					m.begin(&fresh)
					if v, err := m.run(e, &fresh); v != false || err != nil {
						b.Fatal(v, err)
					}
				}
			})
		}
	}
}

// BenchmarkRules is one event against many rules that do not match. Those with
// an anchor ask for what the event has not, each in one of several ways; those
// without are tried every time.
func BenchmarkRules(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000, 10_000} {
		b.Run(fmt.Sprintf("anchored=%d", n), func(b *testing.B) { matchAlone(b, 0, ruleFiles(n, anchored...)...) })
	}
	for _, n := range []int{10, 100} {
		b.Run(fmt.Sprintf("unanchored=%d", n), func(b *testing.B) {
			matchAlone(b, 0, ruleFiles(n, `access != "write" and action != "Action%d" and not (user_agent startsWith "aws-cli")`)...)
		})
	}
}

// BenchmarkTrail is many different events against rules that do not match: 600
// actions, 300 principals, 2,000 addresses and 100 user agents, few of which
// come often.
func BenchmarkTrail(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	few := func(n int) int { return int(float64(n) * math.Pow(random.Float64(), 4)) }
	events := make([]event.Event, 8192)
	for i := range events {
		ev, a := decrypt(), few(600)
		ev.Outcome, ev.Error = "success", event.Error{}
		ev.Service, ev.Action = fmt.Sprint("service", a%40), fmt.Sprint("DescribeThing", a)
		ev.Principal.Name = fmt.Sprint("somebody-", few(300))
		ev.Principal.ARN = "arn:aws:sts::111122223333:assumed-role/" + ev.Principal.Name
		ev.IP, ev.UserAgent = fmt.Sprint("203.0.113.", few(2000)), fmt.Sprint("aws-sdk-go-v2/1.24.", few(100), " os/linux lang/go")
		ev.Outline = uint64(a) + 1
		events[i] = *ev
	}
	for _, n := range []int{1, 10, 100, 1000, 10_000} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			m := load(b, ruleFiles(n, anchored...)...).NewMatcher()
			b.ReportAllocs()
			defer reportCPU(b)()
			for i := 0; b.Loop(); i++ {
				if len(m.Match(&events[i%len(events)])) > 0 {
					b.Fatal("a rule matches")
				}
			}
		})
	}
}

// anchored are conditions as people write them.
var anchored = []string{
	`service == "kms" and action == "Action%d" and outcome == "denied"`,
	`action in ["Create%d", "Delete%d", "Put%d"]`,
	`service == "service%d" and action startsWith "Delete"`,
	`action == "Decrypt%d" and request.keyId == "1234"`,
	`outcome == "denied" and user_agent contains "scanner/%d"`,
	`principal.arn startsWith "arn:aws:iam::%d:" and not (ip startsWith "10.")`,
	`action startsWith "Schedule%dKey" or action == "Disable%d"`,
	`principal.name == "user-%d" and region == "eu-west-1"`,
	`action == "PutPolicy%d" and principal.type == "root"`,
	`error.code == "Denied%d"`,
}

// BenchmarkLoad is 10,000 rules from nothing; live-MB is what stays.
func BenchmarkLoad(b *testing.B) {
	const n = 10_000
	roots := files(ruleFiles(n, anchored...)...)
	b.ReportAllocs()
	defer reportCPU(b)()
	var live float64
	for b.Loop() {
		before := heap()
		set, problems := Load(roots, Options{})
		if set == nil {
			b.Fatal(problems)
		}
		live = heap() - before
		runtime.KeepAlive(set)
	}
	b.ReportMetric(live, "live-MB")
}

// heap is what is in use, in MB.
func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / 1e6
}

// BenchmarkRaise is a match with what it takes to tell: key, id, message, fields.
func BenchmarkRaise(b *testing.B) {
	matchAlone(b, 1, "r.yaml", `
rules:
  - id: r
    title: A rule
    severity: low
    condition: action == "Decrypt"
    message: "{{ principal.name }} was refused {{ resource.id }} from {{ ip }}"
    fields: {key: resource.id, who: principal.arn}
    dedup: {by: [principal.arn, resource.id], every: 1h}
`)
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
func matchAlone(b *testing.B, want int, rules ...string) {
	m, ev := load(b, rules...).NewMatcher(), decrypt()
	ev.Outline = 1
	if want == 0 {
		ev.Outcome, ev.Error = "success", event.Error{} // as most are
	}
	b.SetBytes(int64(len(ev.RawJSON)))
	b.ReportAllocs()
	defer reportCPU(b)()
	var fresh event.Event
	for b.Loop() {
		fresh = *ev // open parts are parsed again
		if got := m.Match(&fresh); len(got) != want {
			b.Fatalf("%d rules match, want %d", len(got), want)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// reportCPU measures CPU time, which a busy machine changes less than the clock.
func reportCPU(b *testing.B) func() {
	used := func() time.Duration {
		var r syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
		return time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	before := used()
	return func() { b.ReportMetric(float64(used()-before)/float64(b.N), "cpu-ns/op") }
}

// ruleFiles are names and texts of files with n rules in all.
func ruleFiles(n int, of ...string) (list []string) {
	for i := 0; n > 0; i, n = i+1, n-1000 {
		text := strings.ReplaceAll(conditions(min(n, 1000), of...), "r-", fmt.Sprintf("r%02d-", i))
		list = append(list, fmt.Sprintf("%02d.yaml", i), text)
	}
	return list
}

// conditions is a file of n rules whose conditions take turns; %d in one is the
// number of the rule.
func conditions(n int, of ...string) string {
	var b strings.Builder
	b.WriteString("rules:\n")
	for i := range n {
		text := strings.ReplaceAll(of[i%len(of)], "%d", fmt.Sprint(i))
		fmt.Fprintf(&b, "  - id: r-%04d\n    title: A rule\n    severity: low\n    condition: '%s'\n", i, text)
	}
	return b.String()
}
