package replay_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/trailship/trailship/core/decode"
	"github.com/trailship/trailship/core/event"
	"github.com/trailship/trailship/core/replay"
	"github.com/trailship/trailship/core/rule"
	"github.com/trailship/trailship/core/source"
)

const everyForm = `
rules:
  - {id: plain, title: A refusal, severity: low, condition: outcome == "denied", message: "${principal.name} was refused ${action}"}
  - {id: dedup, title: A call, severity: low, condition: service == "kms", dedup: {by: [principal.name, region], every: 20s}}
  - {id: quiet, title: In shadow, severity: low, shadow: true, condition: service == "kms", threshold: {count: 4, within: 30s}}
  - {id: off, title: Disabled, severity: low, enabled: false, condition: service == "kms"}
  - {id: burst, title: Many, severity: low, condition: action == "Decrypt", threshold: {count: 3, within: 40s, group_by: [principal.name]}}
  - {id: regions, title: Many regions, severity: low, condition: service == "kms", threshold: {count: 3, within: 30s, group_by: [principal.name], distinct: region}}
  - id: undo
    title: Disabled and then deleted
    severity: low
    sequence:
      by: principal.name
      within: 20s
      steps: [{name: off, condition: action == "DisableKey"}, {name: gone, condition: action == "ScheduleKeyDeletion"}]
  - id: three
    title: Three steps
    severity: low
    sequence:
      by: [principal.name]
      within: 45s
      steps: [{name: a, condition: action == "Decrypt", count: 2}, {name: b, condition: action == "DisableKey"}, {name: c, condition: action startsWith "Schedule"}]
  - {id: new, title: A new region, severity: low, condition: service == "kms", first_seen: {value: region, per: principal.name, remember: 1m, settle: 10s}}
  - {id: warm, title: A new action, severity: low, condition: service == "kms", first_seen: {value: action, remember: 5m, warmup: 30s, settle: 0s}}
`

// Whatever objects the records lie in, and in whatever order, replay raises
// what one pass over them in order raises.
func TestReplayRaisesWhatOnePassInOrderRaises(t *testing.T) {
	set := load(t, everyForm)
	total := 0
	rapid.Check(t, func(rt *rapid.T) {
		records := drawRecords(rt)
		want := inOrder(t, set, records)
		total += len(want)

		src := objects{}
		rest := rapid.Permutation(append(records, records[:len(records)/2]...)).Draw(rt, "order")
		for len(rest) > 0 {
			size := rapid.IntRange(1, len(rest)).Draw(rt, "size")
			src.put(rest[:size]...)
			rest = rest[size:]
		}
		got := run(rt, &replay.Replay{Source: &src, Rules: set, Workers: rapid.IntRange(1, 3).Draw(rt, "workers")})
		if d := cmp.Diff(want, got.ids()); d != "" {
			rt.Fatalf("of one pass in order (-) and of the replay (+):\n%s", d)
		}
	})
	t.Logf("%d alerts", total)
}

// A replay of a span is the part of the whole replay that lies in the span.
func TestSinceAndUntilCutOutAPart(t *testing.T) {
	set := load(t, everyForm)
	rapid.Check(t, func(rt *rapid.T) {
		src := objects{}
		src.put(drawRecords(rt)...)
		since := at(rapid.IntRange(0, 150).Draw(rt, "since"))
		until := at(rapid.IntRange(0, 150).Draw(rt, "until"))
		want := []string{}
		for _, a := range run(rt, &replay.Replay{Source: &src, Rules: set}).alerts {
			if !a.Time.Before(since) && a.Time.Before(until) {
				want = append(want, a.Rule+" "+a.ID)
			}
		}
		got := run(rt, &replay.Replay{Source: &src, Rules: set, Since: since, Until: until})
		if d := cmp.Diff(want, got.ids()); d != "" {
			rt.Fatalf("the part (-) and the replay of the span (+):\n%s", d)
		}
	})
}

func TestTheReportCountsByDayAndGroup(t *testing.T) {
	src := objects{}
	day := 24 * 3600
	for i := range 12 {
		src.put(call(fmt.Sprint("a", i), i, "Decrypt", "ada", "r1"))
		src.put(call(fmt.Sprint("b", i), day+i%7, "Decrypt", fmt.Sprint("user", i), "r1"), `{"hello": "world"}`)
	}
	set := load(t, `
rules:
  - {id: call, title: A call, severity: low, condition: service == "kms"}
  - {id: burst, title: Many, severity: high, condition: service == "kms", threshold: {count: 10, within: 1m, group_by: [principal.name]}}
  - {id: never, title: Never, severity: low, shadow: true, condition: service == "never"}
`)
	got := run(t, &replay.Replay{Source: &src, Rules: set, Workers: 2})
	want := &replay.Report{
		Objects: 24, Records: 24, Rejected: map[string]int64{"not_a_trail": 12}, First: at(0), Last: at(day + 6), Alerts: 25,
		Rules: []replay.Rule{
			{ID: "burst", Title: "Many", Severity: "high", File: "r.yaml", Line: 4, Alerts: 1, Days: []replay.Day{{"2026-08-01", 1}}, Groups: []replay.Group{{"ada", 1}}},
			{ID: "call", Title: "A call", Severity: "low", File: "r.yaml", Line: 3, Alerts: 24, Days: []replay.Day{{"2026-08-01", 12}, {"2026-08-02", 12}},
				Groups: []replay.Group{{"ada", 12}, {"user0", 1}, {"user1", 1}, {"user10", 1}, {"user11", 1}}},
			{ID: "never", Title: "Never", Severity: "low", Shadow: true, File: "r.yaml", Line: 5},
		},
	}
	if d := cmp.Diff(want, got.Report); d != "" {
		t.Errorf("the report (-want +got):\n%s", d)
	}
	if a := got.alerts[0]; a.Text != "10 events in 9s from 2026-08-01T09:00:00Z" || a.Object == "" || a.Time != at(9) {
		t.Errorf("the burst is shown as %+v", a)
	}
}

func TestTwoSetsOfRulesAreComparedByTheirAlerts(t *testing.T) {
	src := objects{}
	for i := range 10 {
		src.put(call(fmt.Sprint("e", i), i, []string{"Decrypt", "DisableKey"}[i%2], "ada", "r1"))
	}
	old := load(t, `
rules:
  - {id: gone, title: T, severity: low, condition: action == "Decrypt"}
  - {id: same, title: T, severity: low, condition: action == "Decrypt", threshold: {count: 3, within: 1h}}
  - {id: wider, title: T, severity: low, condition: action == "Decrypt" and id != "e8"}
`)
	now := load(t, `
rules:
  - {id: same, title: Another title, severity: high, condition: action startsWith "Dec", threshold: {count: 4, within: 1h}}
  - {id: wider, title: T, severity: low, condition: action == "DisableKey" or id == "e0"}
`)
	got := run(t, &replay.Replay{Source: &src, Rules: now, Old: old})
	type difference struct {
		Rule                      string
		Added, Removed, Unchanged int64
		AddedAt, RemovedAt        []time.Time
	}
	var differences []difference
	for _, d := range got.Differences {
		out := difference{Rule: d.Rule, Added: d.Added, Removed: d.Removed, Unchanged: d.Unchanged}
		for _, a := range d.AddedAlerts {
			out.AddedAt = append(out.AddedAt, a.Time)
		}
		for _, a := range d.RemovedAlerts {
			out.RemovedAt = append(out.RemovedAt, a.Time)
		}
		differences = append(differences, out)
	}
	want := []difference{
		{Rule: "gone", Removed: 5, RemovedAt: []time.Time{at(0), at(2), at(4)}},
		{Rule: "same", Unchanged: 1},
		{Rule: "wider", Added: 5, Removed: 3, Unchanged: 1, AddedAt: []time.Time{at(1), at(3), at(5)}, RemovedAt: []time.Time{at(2), at(4), at(6)}},
	}
	if d := cmp.Diff(want, differences); d != "" {
		t.Errorf("differences (-want +got):\n%s", d)
	}
	if got.Alerts != 7 {
		t.Errorf("%d alerts of the new rules, want 7", got.Alerts)
	}
}

func TestWhatCannotBeReadIsReportedAndTheRestIsJudged(t *testing.T) {
	src := objects{}
	src.put(call("a", 0, "Decrypt", "ada", "r1"))
	src.open("torn", func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(`{"Records":[` + call("b", 1, "Decrypt", "ada", "r1") + `,{"eventID`)), nil
	})
	src.open("refused", func() (io.ReadCloser, error) { return nil, errors.New("access denied") })
	src.put(call("c", 2, "Decrypt", "ada", "r1"))
	var failed []string
	got := run(t, &replay.Replay{Source: &src, Rules: load(t, `rules: [{id: call, title: T, severity: low, condition: service == "kms"}]`), Failed: func(object string, err error) {
		failed = append(failed, object+": "+err.Error())
	}})
	if got.Alerts != 3 || got.Failed != 2 || got.Objects != 4 {
		t.Errorf("%+v, want 3 alerts and 2 of 4 objects failed", got.Report)
	}
	if len(failed) != 2 || !strings.HasPrefix(failed[0], "torn: ") || failed[1] != "refused: access denied" {
		t.Errorf("failed: %q", failed)
	}
}

func TestAListingThatFailsInTheMiddleIsAFailureBesideWhatWasFound(t *testing.T) {
	src := objects{failed: errors.New("a folder is denied")}
	set := load(t, `rules: [{id: call, title: T, severity: low, condition: service == "kms"}]`)
	if _, err := (&replay.Replay{Source: &src, Rules: set}).Run(t.Context()); err != src.failed {
		t.Errorf("nothing could be listed: %v, want %v", err, src.failed)
	}
	src.put(call("a", 0, "Decrypt", "ada", "r1"))
	if got := run(t, &replay.Replay{Source: &src, Rules: set}); got.Alerts != 1 || got.Failed != 1 {
		t.Errorf("%+v, want an alert and a failure", got.Report)
	}
}

func TestALongFileIsReadRunByRun(t *testing.T) {
	src := objects{}
	src.put(call("other", 9, "Decrypt", "ada", "r1"))
	src.runs = [][]string{{call("a", 0, "Decrypt", "ada", "r1")}, {call("b", 1, "Decrypt", "ada", "r1")}, {call("c", 2, "Decrypt", "ada", "r1")}}
	got := run(t, &replay.Replay{Source: &src, Rules: load(t, `rules: [{id: call, title: T, severity: low, condition: service == "kms"}]`)})
	if got.Records != 4 || got.Alerts != 4 {
		t.Errorf("%d records and %d alerts, want 4 and 4", got.Records, got.Alerts)
	}
}

func TestReplayEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	src := objects{}
	src.open("endless", func() (io.ReadCloser, error) {
		return io.NopCloser(&endless{text: []byte(call("a", 0, "Decrypt", "ada", "r1") + "\n"), stop: cancel}), nil
	})
	r := replay.Replay{Source: &src, Rules: load(t, everyForm)}
	if report, err := r.Run(ctx); !errors.Is(err, context.Canceled) || report != nil {
		t.Errorf("%v, %v; want no report", report, err)
	}
}

// endless repeats a text, and stops everything after a while.
type endless struct {
	text []byte
	n    int
	stop func()
}

func (e *endless) Read(p []byte) (int, error) {
	if e.n++; e.n == 100 {
		e.stop()
	}
	return copy(p, bytes.Repeat(e.text, max(1, len(p)/len(e.text)))[:min(len(p), max(1, len(p)/len(e.text))*len(e.text))]), nil
}

// result is a report with its alerts.
type result struct {
	*replay.Report
	alerts []replay.Alert
}

func (r result) ids() []string {
	ids := []string{}
	for _, a := range r.alerts {
		ids = append(ids, a.Rule+" "+a.ID)
	}
	return ids
}

func run(t interface{ Fatal(...any) }, r *replay.Replay) (out result) {
	r.Alert = func(a replay.Alert) error { out.alerts = append(out.alerts, a); return nil }
	report, err := r.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	out.Report = report
	return out
}

// objects is a source in memory.
type objects struct {
	all  []source.Object
	runs [][]string // of one long file

	failed error // at the end of the listing
}

func (s *objects) put(records ...string) {
	text := strings.Join(records, "\n")
	s.open(fmt.Sprint("object ", len(s.all)), func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil })
}

func (s *objects) open(name string, open func() (io.ReadCloser, error)) {
	s.all = append(s.all, source.Object{
		Key: name, Name: name, Size: -1, Done: source.Entry{Done: true},
		Open: func(context.Context) (io.ReadCloser, error) { return open() },
	})
}

func (s *objects) Scan(_ context.Context, ledger source.Ledger, yield func(source.Object) error) error {
	for _, o := range s.all {
		if err := yield(o); err != nil {
			return err
		}
	}
	e, _, _ := ledger.Entry("long")
	if n := int(e.Offset); n < len(s.runs) {
		return yield(source.Object{
			Key: "long", Name: "long", Entry: e, Done: source.Entry{Offset: e.Offset + 1}, More: n+1 < len(s.runs),
			Open: func(context.Context) (io.ReadCloser, error) {
				return io.NopCloser(strings.NewReader(strings.Join(s.runs[n], "\n"))), nil
			},
		})
	}
	if err := yield(source.Object{Key: "a note"}); err != nil {
		return err
	}
	return s.failed
}

func (s *objects) Wait(ctx context.Context) error { return ctx.Err() }

// at is a second after 2026-08-01T09:00Z.
func at(second int) time.Time { return time.Date(2026, 8, 1, 9, 0, second, 0, time.UTC) }

func call(id string, second int, action, user, region string) string {
	return fmt.Sprintf(`{"eventVersion":"1.08","eventID":%q,"eventTime":%q,"eventSource":"kms.amazonaws.com","eventName":%q,"awsRegion":%q,"eventType":"AwsApiCall","recipientAccountId":"111122223333","userIdentity":{"type":"IAMUser","principalId":"AIDA","userName":%q}}`,
		id, at(second).Format(time.RFC3339), action, region, user)
}

func drawRecords(t *rapid.T) (records []string) {
	for i := range rapid.IntRange(0, 60).Draw(t, "records") {
		r := call(fmt.Sprintf("e%02d", i), rapid.IntRange(0, 150).Draw(t, "second"),
			rapid.SampledFrom([]string{"Decrypt", "Decrypt", "DisableKey", "ScheduleKeyDeletion"}).Draw(t, "action"),
			rapid.SampledFrom([]string{"a", "b", ""}).Draw(t, "user"), rapid.SampledFrom([]string{"r1", "r2", "r3", ""}).Draw(t, "region"))
		if rapid.IntRange(0, 4).Draw(t, "refused") == 0 {
			r = strings.TrimSuffix(r, "}") + `,"errorCode":"AccessDenied"}`
		}
		records = append(records, r)
	}
	return records
}

func load(t *testing.T, text string) *rule.Set {
	t.Helper()
	set, list := rule.Load([]rule.Root{{FS: fstest.MapFS{"r.yaml": {Data: []byte(text)}}}}, rule.Options{})
	if list.HasErrors() {
		t.Fatal(list)
	}
	return set
}

// inOrder is one pass over the records in the order of time and of the listing,
// with everything in one memory: rule and id of each alert.
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
	found := map[string]bool{}
	m, round := set.NewMatcher(), judge.Begin(&state, set)
	for _, ev := range events {
		for _, match := range m.Match(ev) {
			found[match.Rule.ID+" "+match.ID] = true
		}
		for _, c := range m.Contributions() {
			if err := round.Add("", c); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := round.Decide(rule.Forever); err != nil {
		t.Fatal(err)
	}
	if err := round.End(); err != nil {
		t.Fatal(err)
	}
	for _, v := range round.Verdicts {
		found[v.Rule.ID+" "+v.ID] = true
	}
	return append([]string{}, slices.Sorted(maps.Keys(found))...)
}
