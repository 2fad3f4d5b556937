package ingest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"github.com/trailship/trailship/core/decode"
	"github.com/trailship/trailship/core/event"
	"github.com/trailship/trailship/core/ingest"
	"github.com/trailship/trailship/core/rule"
	"github.com/trailship/trailship/core/store"
)

// call is a record of a call at a second of 2026-08-01T09:00Z.
func call(id string, second int, action, user, region string) string {
	at := time.Date(2026, 8, 1, 9, 0, second, 0, time.UTC).Format(time.RFC3339)
	return fmt.Sprintf(`{"eventVersion":"1.08","eventID":%q,"eventTime":%q,"eventSource":"kms.amazonaws.com","eventName":%q,"awsRegion":%q,"eventType":"AwsApiCall","recipientAccountId":"111122223333","userIdentity":{"type":"IAMUser","principalId":"AIDA","userName":%q}}`,
		id, at, action, region, user)
}

func ndjson(records ...string) []byte { return []byte(strings.Join(records, "\n") + "\n") }

const fiveOf = `
rules:
  - id: burst
    title: Many decrypts
    severity: medium
    condition: action == "Decrypt"
    threshold: {count: 5, within: 1m, group_by: [principal.name]}
    message: ${principal.name} decrypted ${window.count} times since ${window.first}
    fields: {last: window.last, key: window.key}
`

func TestAThresholdSurvivesRestartAndReload(t *testing.T) {
	w := newWorld(t, fiveOf)
	var four []string
	for i := range 4 {
		four = append(four, call(fmt.Sprint("e", i), 10*i, "Decrypt", "ci", "eu-west-1"))
	}
	w.src.put("a.json", ndjson(four...))
	w.src.put("again.json", ndjson(append(four, four...)...))
	if got := w.run(); got.Alerts != 0 {
		t.Fatalf("four of five raised an alert: %+v", got)
	}

	w.rules = load(t, strings.Replace(fiveOf, "Many decrypts", "A great many decrypts", 1)) // reloaded, the block as it was
	w.src.put("b.json", ndjson(call("e4", 40, "Decrypt", "ci", "eu-west-1"), call("x", 41, "Decrypt", "other", "eu-west-1")))
	if got := w.run(); got.Alerts != 1 {
		t.Fatalf("the fifth raised no alert: %+v", got)
	}
	f := w.findings()[0]
	want := map[string]any{
		"message": "ci decrypted 5 times since 2026-08-01T09:00:00Z", "title": "A great many decrypts",
		"first": "2026-08-01T09:00:00Z", "last": "2026-08-01T09:00:40Z", "related": []string{"e4", "e3", "e2", "e1", "e0"},
		"window": map[string]any{"key": "ci", "count": 5.0, "first": 1785574800000.0, "last": 1785574840000.0},
		"fields": map[string]any{"last": "2026-08-01T09:00:40Z", "key": "ci"}, "object": "b.json",
	}
	if d := gocmp.Diff(want, f); d != "" {
		t.Errorf("the alert (-want +got):\n%s", d)
	}
}

// findings are what the queued alerts say of windows.
func (w *world) findings() (out []map[string]any) {
	w.t.Helper()
	for _, a := range w.waiting("out") {
		var f struct {
			Message string
			Info    struct {
				Title   string
				First   int64                  `json:"first_seen_time"`
				Last    int64                  `json:"last_seen_time"`
				Related []struct{ UID string } `json:"related_events"`
			} `json:"finding_info"`
			Unmapped struct {
				Window, Fields map[string]any
				Object         string
			}
		}
		if err := json.Unmarshal(a.JSON, &f); err != nil {
			w.t.Fatal(err)
		}
		var related []string
		for _, r := range f.Info.Related {
			related = append(related, r.UID)
		}
		at := func(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }
		out = append(out, map[string]any{
			"message": f.Message, "title": f.Info.Title, "first": at(f.Info.First), "last": at(f.Info.Last), "related": related,
			"window": f.Unmapped.Window, "fields": f.Unmapped.Fields, "object": f.Unmapped.Object,
		})
	}
	return out
}

func TestAChangedBlockDropsTheStateAndSaysSo(t *testing.T) {
	w := newWorld(t, fiveOf)
	for i := range 4 {
		w.src.put(fmt.Sprint(i), ndjson(call(fmt.Sprint("e", i), 10*i, "Decrypt", "ci", "eu-west-1")))
	}
	w.run()
	w.rules = load(t, strings.Replace(fiveOf, "within: 1m", "within: 2m", 1))
	w.src.put("b.json", ndjson(call("e4", 40, "Decrypt", "ci", "eu-west-1")))
	var log strings.Builder
	in := w.ingest(true)
	in.Log = slog.New(slog.NewTextHandler(&log, nil))
	sum, err := in.Run(t.Context())
	if err != nil || sum.Alerts != 0 {
		t.Errorf("%+v, %v: want no alert, for the four were forgotten", sum, err)
	}
	if got := log.String(); !strings.Contains(got, "state of a rule was dropped") || !strings.Contains(got, "rule=burst") {
		t.Errorf("the log does not say that the state was dropped:\n%s", got)
	}
}

func TestOldContributionsAreCountedNotJudged(t *testing.T) {
	w := newWorld(t, strings.Replace(fiveOf, "count: 5", "count: 1", 1))
	w.src.put("a", ndjson(call("new", 0, "Decrypt", "ci", "x")))
	in := w.ingest(true)
	in.Retention = time.Hour
	if _, err := in.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.src.put("b", ndjson(call("in time", -3600, "Decrypt", "ci", "x"), call("late", -3601, "Decrypt", "ci", "x")))
	in = w.ingest(true)
	in.Retention = time.Hour
	sum, err := in.Run(t.Context())
	if err != nil || sum.Alerts != 1 {
		t.Errorf("%+v, %v: want one alert more", sum, err)
	}
	if got, want := w.queued(), []string{"in time", "new"}; !slices.Equal(got, want) {
		t.Errorf("alerts of %v, want %v", got, want)
	}
}

// What a rule lets go of is in the metric to the last one, and in the log when
// it begins and whenever it doubled.
func TestMoreGroupsThanTheCapAreSeen(t *testing.T) {
	w := newWorld(t, `
rules:
  - {id: long, title: Two and a third, severity: low, condition: service == "kms", sequence: {within: 1h, steps: [{name: a, condition: action == "A", count: 2}, {name: b, condition: action == "B"}]}}
`)
	const objects, each = 40, 100
	for i := range objects {
		var records []string
		for j := range each {
			records = append(records, call(fmt.Sprintf("e%d-%d", i, j), i, "A", "ci", "r"))
		}
		w.src.put(fmt.Sprintf("%02d", i), ndjson(records...))
	}
	var log strings.Builder
	in, reg := w.ingest(true), prometheus.NewRegistry()
	in.Log, in.Metrics = slog.New(slog.NewTextHandler(&log, nil)), ingest.NewMetrics(reg)
	if _, err := in.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	found, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	evicted := 0
	for _, f := range found {
		if f.GetName() == "trailship_rule_memory_total" {
			evicted = int(f.GetMetric()[0].GetCounter().GetValue())
		}
	}
	said := strings.Count(log.String(), "a rule remembers more groups or events than it may")
	if kept := objects*each - evicted; kept < 875 || kept > 1000 || said == 0 || said > 6 {
		t.Errorf("%d of %d evicted and told %d times; want about a thousand kept, and a few lines:\n%s", evicted, objects*each, said, log.String())
	}
}

const firstRegion = `
rules:
  - id: region
    title: A new region
    severity: low
    condition: service == "kms"
    first_seen: {value: region, per: principal.name, remember: 7d, settle: 30m}
    message: ${first_seen.value} after ${first_seen.known} others, by ${action}
`

func TestACandidateIsDecidedByTheClockOnceNothingComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it is 2000 here: the events lie ahead of that clock
		w := newWorld(t, firstRegion)
		start := time.Now()
		shift := time.Date(2026, 8, 1, 9, 0, 10, 0, time.UTC).Sub(start)
		w.src.put("a", ndjson(call("e1", 0, "A", "ci", "r1"), call("e2", 5, "B", "ci", "r2")))
		in := w.ingest(false)
		in.Now = func() time.Time { return time.Now().Add(shift) }
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w.src.poll = time.Second
		w.src.each = func() {
			if len(w.queued()) > 0 {
				cancel()
			}
			if time.Since(start) > time.Hour {
				t.Error("the candidate was never decided")
				cancel()
			}
		}
		if _, err := in.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(start); waited < 29*time.Minute {
			t.Errorf("decided after %v, want about 30m", waited)
		}
		if got := w.findings()[0]["message"]; got != "r2 after 1 others, by B" {
			t.Errorf("message %q", got)
		}
	})
}

func TestOnceLeavesCandidatesForLater(t *testing.T) {
	w := newWorld(t, firstRegion)
	w.src.put("a", ndjson(call("e1", 0, "A", "ci", "r1"), call("e2", 5, "B", "ci", "r2")))
	if got := w.run(); got.Alerts != 0 {
		t.Errorf("decided at once: %+v", got)
	}
	w.src.put("b", ndjson(call("e3", 1806, "C", "ci", "r1")))
	if got := w.run(); got.Alerts != 1 {
		t.Errorf("not decided by a later event: %+v", got)
	}
	if got, want := w.queued(), []string{"e2"}; !slices.Equal(got, want) {
		t.Errorf("the alert is about %v, want the event that waited, %v", got, want)
	}
}

const allForms = fiveOf + `
  - id: regions
    title: Many regions
    severity: low
    condition: service == "kms"
    threshold: {count: 3, within: 30s, group_by: [principal.name], distinct: region}
  - id: undo
    title: Disabled and then deleted
    severity: high
    sequence:
      by: principal.name
      within: 20s
      steps: [{name: off, condition: action == "DisableKey"}, {name: gone, condition: action == "ScheduleKeyDeletion"}]
  - id: guess
    title: Twice decrypt, then disable, then delete
    severity: high
    condition: service == "kms"
    sequence:
      by: [principal.name]
      within: 45s
      steps: [{name: a, condition: action == "Decrypt", count: 2}, {name: b, condition: action == "DisableKey"}, {name: c, condition: action startsWith "Schedule"}]
`

// The whole path with the real store, readers in parallel, objects of any cut
// and commits that fail raises what one pass in order raises.
func TestTheRealStoreRaisesTheSameAlertsInAnyOrder(t *testing.T) {
	set := load(t, allForms)
	total := 0
	rapid.Check(t, func(rt *rapid.T) {
		var records []string
		for i := range rapid.IntRange(0, 60).Draw(rt, "records") {
			records = append(records, call(fmt.Sprintf("e%02d", i), rapid.IntRange(0, 150).Draw(rt, "second"),
				rapid.SampledFrom([]string{"Decrypt", "Decrypt", "DisableKey", "ScheduleKeyDeletion"}).Draw(rt, "action"),
				rapid.SampledFrom([]string{"a", "b", ""}).Draw(rt, "user"), rapid.SampledFrom([]string{"r1", "r2", "r3", ""}).Draw(rt, "region")))
		}
		want := inOrder(t, set, records)
		total += len(want)

		w := newWorld(t, allForms)
		w.rules = set
		w.inlet = &dying{Inlet: w.store, random: rand.New(rand.NewPCG(uint64(len(records)), rapid.Uint64().Draw(rt, "deaths")))}
		twice := append(records, records[:len(records)/2]...)
		rest := rapid.Permutation(twice).Draw(rt, "order")
		for n := 0; len(rest) > 0; n++ {
			size := rapid.IntRange(1, len(rest)).Draw(rt, "size")
			w.src.put(fmt.Sprint("o", n), ndjson(rest[:size]...))
			rest = rest[size:]
		}
		for {
			_, err := w.ingest(true).Run(t.Context())
			if err == nil {
				break
			}
			if !errors.Is(err, errDied) {
				rt.Fatal(err)
			}
		}
		got := w.fromQueue(func(a store.Queued) string { return a.RuleID + " " + a.ID })
		if !slices.Equal(got, want) {
			rt.Fatalf("got %v\nwant %v\nof %v", got, want, records)
		}
	})
	t.Logf("%d alerts", total)
}

// inOrder is one pass over the records as they happened, in memory: rule and id
// of each alert.
func inOrder(t *testing.T, set *rule.Set, records []string) []string {
	t.Helper()
	var events []*event.Event
	for _, raw := range records {
		ev := &event.Event{}
		if err := decode.Normalize(ev, decode.Record{Raw: []byte(raw), Format: event.CloudTrail}); err != nil {
			t.Fatal(err)
		}
		events = append(events, ev)
	}
	slices.SortStableFunc(events, func(a, b *event.Event) int { return a.Time.Compare(b.Time) })
	var state rule.Scratch
	var judge rule.Judge
	m, round := set.NewMatcher(), judge.Begin(&state, set)
	for _, ev := range events {
		m.Match(ev)
		for _, c := range m.Contributions() {
			if err := round.Add("", c); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := round.End(); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, v := range round.Verdicts {
		found[v.Rule.ID+" "+v.ID] = true
	}
	return slices.Sorted(maps.Keys(found))
}

var errDied = errors.New("the process died in the middle of a commit")

// dying is a store whose process dies now and then, just before a commit is
// durable.
type dying struct {
	store.Inlet
	random *rand.Rand
}

func (d *dying) Commit(ctx context.Context, fn func(store.Tx) error) error {
	return d.Inlet.Commit(ctx, func(tx store.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		if d.random.IntN(3) == 0 {
			return errDied
		}
		return nil
	})
}
