package rule

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// forms is a rule of each form, at its narrowest place: nothing fires but what
// the test means to.
var forms = map[string]string{
	"count":    `threshold: {count: 21, within: 10m, group_by: [principal.name]}`,
	"distinct": `threshold: {count: 21, within: 10m, group_by: [principal.name], distinct: region}`,
	"simple":   `sequence: {by: principal.name, within: 10m, steps: [{name: one, condition: action == "a"}, {name: two, condition: action == "b"}]}`,
	"sequence": `sequence: {by: principal.name, within: 10m, steps: [{name: one, condition: action == "a", count: 5}, {name: two, condition: action == "b"}]}`,
	"seen":     `first_seen: {value: region, per: principal.name, remember: 7d, settle: 10m}`,
}

// feed makes contributions without expressions: n of them, by number.
type feed struct {
	t     testing.TB
	set   *Set
	state State
	judge Judge
	tally Tally
	ids   map[string]bool
}

func newFeed(t testing.TB, form string) *feed {
	return &feed{t: t, set: load(t, "r.yaml", ruleHead+form+`}]`), state: &Scratch{}, ids: map[string]bool{}}
}

// run applies contributions in rounds of size.
func (f *feed) run(n, size int, make func(i int) Contribution) {
	f.t.Helper()
	for i := 0; i < n; {
		r := f.judge.Begin(f.state, f.set)
		for range min(size, n-i) {
			c := make(i)
			c.Rule = f.set.Rules[0]
			if err := r.Add("s", c); err != nil {
				f.t.Fatal(err)
			}
			i++
		}
		if err := r.Saw("s", make(i-1).Time); err != nil {
			f.t.Fatal(err)
		}
		if err := r.End(); err != nil {
			f.t.Fatal(err)
		}
		for _, v := range r.Verdicts {
			f.ids[v.ID] = true
		}
		f.tally.Add(r.Tally)
	}
}

// size is what a Scratch holds: keys and bytes.
func (s *Scratch) size() (keys, bytes int) {
	for _, r := range s.rules {
		for k, v := range r.values {
			keys, bytes = keys+1, bytes+len(k)+len(v)
		}
	}
	return keys, bytes
}

var start = time.Date(2026, 8, 1, 9, 0, 0, 0, time.UTC)

// oneGroup is contribution i of a million that fall into one group and two
// buckets.
func oneGroup(form string, i int) Contribution {
	c := Contribution{Event: fmt.Sprintf("5c0a0e2e-0000-0000-0000-%012d", i), Time: start.Add(time.Duration(i) * time.Millisecond), Group: []string{"ci"}, Value: fmt.Sprint("region-", i%20), Steps: 1}
	if form == "seen" {
		c.Value = "region"
	}
	return c
}

func TestAMillionContributionsOfOneGroupCostABoundedState(t *testing.T) {
	n := 1_000_000
	if testing.Short() {
		n = 50_000
	}
	want := map[string]int{"count": 8_000, "distinct": 10_000, "simple": 2_000, "sequence": 150_000, "seen": 2_000}
	for _, form := range sortedKeys(forms) {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			n := n
			if form != "count" {
				n /= 10
			}
			f := newFeed(t, forms[form])
			began := time.Now()
			f.run(n, 1000, func(i int) Contribution { return oneGroup(form, i) })
			keys, bytes := f.state.(*Scratch).size()
			t.Logf("%d keys, %d bytes, %v a contribution, tally %v", keys, bytes, time.Since(began)/time.Duration(n), f.tally)
			if keys > 12 || bytes > want[form] {
				t.Errorf("%d keys with %d bytes, want 12 and %d at most", keys, bytes, want[form])
			}
		})
	}
}

func TestLongValuesAreRememberedByTheirHash(t *testing.T) {
	f := newFeed(t, forms["distinct"])
	f.run(21, 21, func(i int) Contribution {
		return Contribution{Event: fmt.Sprint(i), Time: start, Group: []string{"ci"}, Value: strings.Repeat("x", 60_000) + fmt.Sprint(i)}
	})
	if _, bytes := f.state.(*Scratch).size(); len(f.ids) != 1 || bytes > 4_000 {
		t.Errorf("%d alerts and %d bytes of 21 long values, want one alert and a small state", len(f.ids), bytes)
	}
}

func TestMoreGroupsThanTheCapAreEvictedAndCounted(t *testing.T) {
	n, limit := 60_000, 6_000
	if testing.Short() {
		n, limit = 20_000, 2_000
	}
	f := newFeed(t, forms["count"])
	f.judge.MaxGroups = limit
	f.run(n, 1000, func(i int) Contribution {
		return Contribution{Event: fmt.Sprint(i), Time: start.Add(time.Duration(i) * time.Millisecond), Group: []string{fmt.Sprint("g", i)}}
	})
	if got := f.tally.Evicted["r"]; got != n-limit {
		t.Errorf("%d evicted, want %d", got, n-limit)
	}
	keys, bytes := f.state.(*Scratch).size()
	t.Logf("%d keys, %d bytes", keys, bytes)
	if keys != 3*limit+2 { // a window, a group, a place in the order each; the rule; the source
		t.Errorf("%d keys", keys)
	}
	// The newest groups are those that are left.
	f.run(21, 21, func(i int) Contribution {
		return Contribution{Event: fmt.Sprint("again", i), Time: start.Add(time.Duration(n) * time.Millisecond), Group: []string{fmt.Sprint("g", n-1)}}
	})
	if len(f.ids) == 0 {
		t.Error("the newest group was forgotten")
	}
}

func TestFirstSeenForgetsTheValuesSeenLongestAgo(t *testing.T) {
	f := newFeed(t, `first_seen: {value: region, per: principal.name, remember: 7d}`)
	f.judge.MaxGroups = 10 // 100 values
	value := func(i int) Contribution {
		return Contribution{Event: fmt.Sprint(i), Time: start.Add(time.Duration(i) * 12 * time.Hour / 10), Group: []string{"ci"}, Value: fmt.Sprint("v", i)}
	}
	f.run(130, 10, value)
	if got := f.tally.Evicted["r"]; got != 30 {
		t.Errorf("%d evicted, want 30", got)
	}
	if keys, _ := f.state.(*Scratch).size(); keys != 2*100+3 { // and the group, the rule, the source
		t.Errorf("%d keys", keys)
	}
	// After remember everything is new again, and the group is too.
	later := func(i int) Contribution {
		c := value(i)
		c.Time = c.Time.Add(60 * 24 * time.Hour)
		return c
	}
	f.ids = map[string]bool{}
	f.run(2, 1, later)
	if keys, _ := f.state.(*Scratch).size(); len(f.ids) != 1 || keys != 2*2+3 {
		t.Errorf("%d alerts and %d keys, want the second value's alert and nothing else left", len(f.ids), keys)
	}
}

func TestWindowsGoWithRetention(t *testing.T) {
	f := newFeed(t, forms["count"])
	f.judge.Retention = 24 * time.Hour
	f.run(5000, 10, func(i int) Contribution { // one group, always busy
		return Contribution{Event: fmt.Sprint(i), Time: start.Add(time.Duration(i) * 10 * time.Minute), Group: []string{"ci"}}
	})
	f.run(1, 1, func(int) Contribution { // another much later
		return Contribution{Event: "x", Time: start.Add(5000 * 10 * time.Minute), Group: []string{"other"}}
	})
	if keys, _ := f.state.(*Scratch).size(); keys > 144+12 {
		t.Errorf("%d keys, want those of a day", keys)
	}
	f.run(1, 1, func(int) Contribution {
		return Contribution{Event: "y", Time: start.Add(9000 * 10 * time.Minute), Group: []string{"other"}}
	})
	f.run(1, 1, func(int) Contribution {
		return Contribution{Event: "z", Time: start.Add(9001 * 10 * time.Minute), Group: []string{"other"}}
	})
	if keys, _ := f.state.(*Scratch).size(); keys != 6 { // two windows, a group, its place, the rule, the source
		t.Errorf("%d keys, want nothing of the group that is over", keys)
	}
}

func TestReconcile(t *testing.T) {
	ruleOf := func(id, block string) string {
		return fmt.Sprintf("  - {id: %s, title: T, severity: low, condition: service == \"kms\", %s}\n", id, block)
	}
	all := func(rules ...string) *Set { return load(t, "r.yaml", "rules:\n"+strings.Join(rules, "")) }
	three := "threshold: {count: 3, within: 1h}"
	before := all(ruleOf("same", three), ruleOf("changed", three), ruleOf("plain", three), ruleOf("gone", three), ruleOf("back", three))
	now := start
	judge := Judge{Now: func() time.Time { return now }}
	var state Scratch
	add := func(set *Set, id string, from *Set) Tally {
		r := judge.Begin(&state, set)
		if err := r.Add("s", Contribution{Rule: from.Rule(id), Event: id, Time: start}); err != nil {
			t.Fatal(err)
		}
		if err := r.End(); err != nil {
			t.Fatal(err)
		}
		return r.Tally
	}
	reconcile := func(set *Set) []string {
		t.Helper()
		dropped, err := judge.Begin(&state, set).Reconcile()
		if err != nil {
			t.Fatal(err)
		}
		return dropped
	}
	for _, r := range before.Rules {
		add(before, r.ID, before)
	}
	after := all(ruleOf("same", three), ruleOf("changed", "threshold: {count: 3, within: 2h}"), ruleOf("plain", "owner: me"))
	if diff := cmp.Diff([]string{"changed", "plain"}, reconcile(after)); diff != "" {
		t.Errorf("dropped (-want +got):\n%s", diff)
	}
	if got := add(after, "changed", before).Stale; got["changed"] != 1 {
		t.Errorf("a contribution of the shape before: %v, want it counted as stale", got)
	}
	if got := add(after, "changed", after).Stale; len(got) != 0 {
		t.Errorf("a contribution of the shape there is: %v", got)
	}
	now = now.Add(3 * 24 * time.Hour)
	if got := reconcile(all(ruleOf("same", three), ruleOf("changed", "threshold: {count: 3, within: 2h}"), ruleOf("back", three))); got != nil {
		t.Errorf("dropped %v after three days", got)
	}
	now = now.Add(5 * 24 * time.Hour)
	if diff := cmp.Diff([]string{"gone"}, reconcile(after)); diff != "" {
		t.Errorf("dropped after a week (-want +got):\n%s", diff)
	}
	left, _ := state.Remembered()
	if diff := cmp.Diff([]string{"back", "changed", "same"}, left); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

func TestARuleOutOfShadowRaisesWhatIsDue(t *testing.T) {
	shadow := load(t, "r.yaml", ruleHead+`shadow: true, threshold: {count: 2, within: 1h}}]`)
	real := load(t, "r.yaml", ruleHead+`threshold: {count: 2, within: 1h}}]`)
	var state Scratch
	var judge Judge
	raised := func(set *Set, event string) int {
		r := judge.Begin(&state, set)
		if err := r.Add("s", Contribution{Rule: set.Rules[0], Event: event, Time: start}); err != nil {
			t.Fatal(err)
		}
		if err := r.End(); err != nil {
			t.Fatal(err)
		}
		return len(r.Verdicts)
	}
	got := []int{raised(shadow, "a"), raised(shadow, "b"), raised(shadow, "c"), raised(real, "d"), raised(real, "e")}
	if want := []int{0, 1, 0, 1, 0}; !slices.Equal(got, want) {
		t.Errorf("verdicts %v, want %v", got, want)
	}
}

func TestScratchIsInOrder(t *testing.T) {
	var s Scratch
	for i := range 5000 {
		s.Put("r", fmt.Sprintf("%05d", i*7919%5000), []byte{1})
	}
	for i := range 2500 {
		s.Put("r", fmt.Sprintf("%05d", i*2), nil)
	}
	keys, _ := s.Keys("r", "01000", 3)
	if diff := cmp.Diff([]string{"01001", "01003", "01005"}, keys); diff != "" {
		t.Error(diff)
	}
	all, _ := s.Keys("r", "", 9999)
	if len(all) != 2500 || !slices.IsSorted(all) {
		t.Errorf("%d keys, sorted: %v", len(all), slices.IsSorted(all))
	}
}

// BenchmarkContribution is one contribution, in rounds of 500, to a state that
// has seen ever more of them in one group or in many: the cost is flat. On a
// busy machine look at the processor time.
func BenchmarkContribution(b *testing.B) {
	for _, form := range sortedKeys(forms) {
		for _, groups := range []int{1, 1000} {
			for _, before := range []int{10, 1_000, 100_000, 1_000_000} {
				if before < groups {
					continue
				}
				b.Run(fmt.Sprintf("%s/groups=%d/before=%d", form, groups, before), func(b *testing.B) {
					f := newFeed(b, forms[form])
					f.judge.Retention = 24 * time.Hour
					next := 0
					make := func(int) Contribution {
						c := oneGroup(form, next)
						c.Group = []string{fmt.Sprint("g", next%groups)}
						next++
						return c
					}
					f.run(before, 500, make)
					b.ReportAllocs()
					b.ResetTimer()
					began := processorTime(b)
					f.run(b.N, 500, make)
					b.ReportMetric(float64(processorTime(b)-began)/float64(b.N), "cpu-ns/op")
				})
			}
		}
	}
}

// processorTime is what this process took so far.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
