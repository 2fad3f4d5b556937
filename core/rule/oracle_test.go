package rule

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/trailship/trailship/core/event"
)

// The oracles are the definitions of docs/rules.md written down in the plainest
// way: over all records at once, without buckets to keep or anything to forget.

// seen is one record of a test. Its time is in milliseconds.
type seen struct {
	id     string
	at     int64
	group  string // "" is an empty key
	value  string
	action string // letters: a step each
}

func (s seen) event() *event.Event {
	return &event.Event{
		ID: s.id, Time: time.UnixMilli(s.at).UTC(), Provider: "aws", Service: "kms", Action: s.action, Region: s.value,
		Principal: event.Principal{Name: s.group}, Format: event.CloudTrail, RawJSON: []byte("{}"),
	}
}

// memoryRule is a random rule of one of the forms with its oracle.
type memoryRule struct {
	text     string
	form     string
	settle   int64
	expected func([]seen) []string // ids of alerts, sorted
}

func drawRule(t *rapid.T) memoryRule {
	return rapid.OneOf(
		rapid.Custom(drawThreshold), rapid.Custom(drawDistinct), rapid.Custom(drawSequence), rapid.Custom(drawFirstSeen),
	).Draw(t, "rule")
}

const ruleHead = `rules: [{id: r, title: T, severity: low, message: "${window.count} ${window.key}", condition: service == "kms", `

func drawWithin(t *rapid.T) int64 {
	return 1000 * rapid.SampledFrom([]int64{1, 3, 10}).Draw(t, "within")
}

// groups splits records by key; those whose key is empty take no part.
func groups(all []seen) map[string][]seen {
	out := map[string][]seen{}
	for _, s := range all {
		if s.group != "" {
			out[s.group] = append(out[s.group], s)
		}
	}
	return out
}

func idsOf(found map[string]bool) []string { return sortedKeys(found) }

func bucketID(form, group string, at, within int64) string {
	return alertID(form, "r", `["`+group+`"]`, bucketText(floor(at, within)))
}

// inWindow are the records in (at−within, at].
func inWindow(all []seen, at, within int64) (in []seen) {
	for _, s := range all {
		if s.at > at-within && s.at <= at {
			in = append(in, s)
		}
	}
	return in
}

func drawThreshold(t *rapid.T) memoryRule {
	within, count := drawWithin(t), rapid.IntRange(1, 5).Draw(t, "count")
	return memoryRule{
		form: formThreshold,
		text: ruleHead + fmt.Sprintf(`threshold: {count: %d, within: %ds, group_by: [principal.name]}}]`, count, within/1000),
		expected: func(all []seen) []string {
			found := map[string]bool{}
			for group, events := range groups(all) {
				for _, e := range events {
					if len(inWindow(events, e.at, within)) >= count {
						found[bucketID(formThreshold, group, e.at, within)] = true
					}
				}
			}
			return idsOf(found)
		},
	}
}

func drawDistinct(t *rapid.T) memoryRule {
	within, count := drawWithin(t), rapid.IntRange(1, 4).Draw(t, "count")
	return memoryRule{
		form: formThreshold,
		text: ruleHead + fmt.Sprintf(`threshold: {count: %d, within: %ds, group_by: [principal.name], distinct: region}}]`, count, within/1000),
		expected: func(all []seen) []string {
			found := map[string]bool{}
			for group, events := range groups(all) {
				events = slices.DeleteFunc(events, func(s seen) bool { return s.value == "" })
				for _, e := range events {
					values := map[string]bool{}
					for _, s := range inWindow(events, e.at, within) {
						values[s.value] = true
					}
					if len(values) >= count {
						found[bucketID(formThreshold, group, e.at, within)] = true
					}
				}
			}
			return idsOf(found)
		},
	}
}

func drawSequence(t *rapid.T) memoryRule {
	within := drawWithin(t)
	counts := rapid.SliceOfN(rapid.IntRange(1, 2), 2, 3).Draw(t, "counts")
	if rapid.Bool().Draw(t, "simple") {
		counts = []int{1, 1}
	}
	var steps []string
	for i, n := range counts {
		steps = append(steps, fmt.Sprintf(`{name: s%d, condition: action contains "%c", count: %d}`, i, 'a'+i, n))
	}
	return memoryRule{
		form: formSequence,
		text: ruleHead + fmt.Sprintf(`sequence: {by: principal.name, within: %ds, steps: [%s]}}]`, within/1000, strings.Join(steps, ", ")),
		expected: func(all []seen) []string {
			found := map[string]bool{}
			for group, events := range groups(all) {
				for _, last := range events {
					if follows(inWindow(events, last.at, within), last, counts) {
						found[bucketID(formSequence, group, last.at, within)] = true
					}
				}
			}
			return idsOf(found)
		},
	}
}

// follows tries every way to choose distinct events for the steps that ends
// with last.
func follows(in []seen, last seen, counts []int) bool {
	final := byte('a' + len(counts) - 1)
	if !strings.Contains(last.action, string(final)) {
		return false
	}
	used := map[string]bool{last.id: true}
	// From the last step to the first: latest is how late an event may be.
	var choose func(step, left int, latest, earliest int64) bool
	choose = func(step, left int, latest, earliest int64) bool {
		if left == 0 {
			if step == 0 {
				return true
			}
			return choose(step-1, counts[step-1], earliest, earliest)
		}
		for _, s := range in {
			if used[s.id] || s.at > latest || !strings.Contains(s.action, string(rune('a'+step))) {
				continue
			}
			used[s.id] = true
			if choose(step, left-1, latest, min(earliest, s.at)) {
				return true
			}
			delete(used, s.id)
		}
		return false
	}
	return choose(len(counts)-1, counts[len(counts)-1]-1, last.at, last.at)
}

func drawFirstSeen(t *rapid.T) memoryRule {
	remember := 1000 * rapid.Int64Range(8, 30).Draw(t, "remember")
	settle := 1000 * rapid.Int64Range(0, 7).Draw(t, "settle")
	warmup := 1000 * rapid.SampledFrom([]int64{0, 0, 1, 20}).Draw(t, "warmup")
	return memoryRule{
		form: formFirstSeen, settle: settle,
		text: ruleHead + fmt.Sprintf(`first_seen: {value: region, per: principal.name, remember: %ds, settle: %ds, warmup: %ds}}]`, remember/1000, settle/1000, warmup/1000),
		expected: func(all []seen) []string {
			found := map[string]bool{}
			var oldest *seen
			byGroup := groups(slices.DeleteFunc(slices.Clone(all), func(s seen) bool { return s.value == "" }))
			for _, events := range byGroup {
				for _, s := range events {
					if oldest == nil || s.at < oldest.at {
						oldest = &s
					}
				}
			}
			for group, events := range byGroup {
				for _, e := range events {
					value, per := false, false // seen before
					for _, s := range events {
						before := s.at < e.at || s.at == e.at && s.id < e.id
						if before && s.at > e.at-remember {
							per = true
							value = value || s.value == e.value
						}
					}
					if per && !value && e.at-oldest.at >= warmup {
						found[alertID(formFirstSeen, "r", `["`+group+`"]`, e.value, bucketText(floor(e.at, remember)))] = true
					}
				}
			}
			return idsOf(found)
		},
	}
}

// drawSeen makes records with equal times, edges of buckets and empty keys.
func drawSeen(t *rapid.T) []seen {
	var all []seen
	n := rapid.IntRange(0, 40).Draw(t, "records")
	span := rapid.SampledFrom([]int64{2, 15, 60}).Draw(t, "span") // 2: nearly all at once
	actions := rapid.SampledFrom([][]string{{"a", "b", "c", "ab", "bc", "abc", "-"}, {"b", "a", "ab", "b"}}).Draw(t, "actions")
	for i := range n {
		all = append(all, seen{
			id:     fmt.Sprintf("%02d", (i*37+11)%97),
			at:     1000*rapid.Int64Range(-5, span).Draw(t, "second") + rapid.SampledFrom([]int64{0, 0, 0, 1, -1}).Draw(t, "ms"),
			group:  rapid.SampledFrom([]string{"a", "a", "a", "b", ""}).Draw(t, "group"),
			value:  rapid.SampledFrom([]string{"v", "w", "x", "y", ""}).Draw(t, "value"),
			action: rapid.SampledFrom(actions).Draw(t, "action"),
		})
	}
	return all
}

// orders are the ways the same records may arrive.
func orders(t *rapid.T, r memoryRule, all []seen) map[string][]seen {
	sorted := slices.Clone(all)
	slices.SortFunc(sorted, func(a, b seen) int { return mark{at: a.at, id: a.id}.order(mark{at: b.at, id: b.id}) })
	out := map[string][]seen{"sorted": sorted, "shuffled": shuffled(t, r, sorted), "split": split(t, r, sorted)}
	twice := slices.Clone(out["shuffled"])
	for _, s := range all {
		if rapid.Bool().Draw(t, "again") {
			at := rapid.IntRange(slices.Index(twice, s), len(twice)).Draw(t, "place")
			twice = slices.Insert(twice, at, s)
		}
	}
	out["duplicated"] = twice
	return out
}

// shuffled moves records anywhere; of first_seen, by settle at most.
func shuffled(t *rapid.T, r memoryRule, sorted []seen) []seen {
	if r.form != formFirstSeen {
		return rapid.Permutation(sorted).Draw(t, "shuffled")
	}
	if r.settle == 0 {
		return sorted
	}
	type late struct {
		seen
		arrives int64
	}
	var order []late
	for _, s := range rapid.Permutation(sorted).Draw(t, "ties") {
		order = append(order, late{s, s.at + rapid.Int64Range(0, r.settle).Draw(t, "late")})
	}
	slices.SortStableFunc(order, func(a, b late) int { return int(a.arrives - b.arrives) })
	var out []seen
	for _, l := range order {
		out = append(out, l.seen)
	}
	return out
}

// split is the records as files of an "hour" hold them, each file shuffled in
// itself, the files in any order.
func split(t *rapid.T, r memoryRule, sorted []seen) []seen {
	if r.form == formFirstSeen {
		return shuffled(t, r, sorted)
	}
	files := map[int64][]seen{}
	for _, s := range sorted {
		files[floor(s.at, 7000)] = append(files[floor(s.at, 7000)], s)
	}
	var names []int64
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	var out []seen
	for _, name := range rapid.Permutation(names).Draw(t, "files") {
		out = append(out, files[name]...)
	}
	return out
}

// committed runs records through a state in rounds of random size. A round may
// die before it is committed, and is run again, as after a kill -9.
func committed(t *rapid.T, set *Set, arrived []seen, commit func(func(State) error) error) []string {
	m := set.NewMatcher()
	found := map[string]bool{}
	judge := Judge{Retention: time.Hour}
	round := func(part []seen, end, die bool) {
		var raised []Verdict
		err := commit(func(st State) error {
			r := judge.Begin(st, set)
			newest := time.Time{}
			for _, s := range part {
				m.Match(s.event())
				for _, c := range m.Contributions() {
					if err := r.Add("trail", c); err != nil {
						return err
					}
				}
				if at := time.UnixMilli(s.at); at.After(newest) || newest.IsZero() {
					newest = at
				}
			}
			if err := r.Saw("trail", newest); err != nil {
				return err
			}
			if end {
				if err := r.Decide(Forever); err != nil {
					return err
				}
			}
			if err := r.End(); err != nil {
				return err
			}
			if die {
				return errDied
			}
			raised = r.Verdicts
			return nil
		})
		if err != nil && err != errDied {
			t.Fatal(err)
		}
		for _, v := range raised {
			found[v.ID] = true
			if a := m.Alert(v, part0(part).event()); a.Message == "" {
				t.Fatal("an alert without a message")
			}
		}
	}
	for rest := arrived; len(rest) > 0; {
		n := rapid.IntRange(1, len(rest)).Draw(t, "chunk")
		if rapid.IntRange(0, 4).Draw(t, "dies") == 0 {
			round(rest[:n], false, true)
		}
		round(rest[:n], false, false)
		rest = rest[n:]
	}
	round(nil, true, false)
	return idsOf(found)
}

func part0(part []seen) seen {
	if len(part) > 0 {
		return part[0]
	}
	return seen{}
}

var errDied = fmt.Errorf("the process died")

// inMemory commits to a Scratch: what dies leaves nothing.
func inMemory() func(func(State) error) error {
	var now Scratch
	return func(fn func(State) error) error {
		next := now.clone()
		if err := fn(next); err != nil {
			return err
		}
		now = *next
		return nil
	}
}

func (s *Scratch) clone() *Scratch {
	var out Scratch
	for rule, shelf := range s.rules {
		for key, value := range shelf.values {
			out.Put(rule, key, value)
		}
	}
	return &out
}

func TestMemoryEqualsTheOracleInAnyOrder(t *testing.T) {
	fired := map[string]int{}
	for range 10 {
		rapid.Check(t, func(t *rapid.T) { equalsTheOracle(t, fired) })
	}
	t.Logf("alerts by form: %v", fired)
}

func equalsTheOracle(t *rapid.T, fired map[string]int) {
	r := drawRule(t)
	set, list := Load(files("r.yaml", r.text), Options{})
	if set == nil {
		t.Fatalf("%s\n%s", r.text, list)
	}
	all := drawSeen(t)
	want := r.expected(all)
	fired[r.form] += len(want)
	ways := orders(t, r, all)
	for _, name := range sortedKeys(ways) {
		arrived := ways[name]
		if got := committed(t, set, arrived, inMemory()); !slices.Equal(got, want) {
			t.Fatalf("%s: %d alerts, want %d\n%s\n%v\ngot  %v\nwant %v", name, len(got), len(want), r.text, arrived, got, want)
		}
	}
}
