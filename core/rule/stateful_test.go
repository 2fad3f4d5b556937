package rule

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestInlineTestsOfRulesThatRemember(t *testing.T) {
	got := outcomes(t, "r.yaml", `
rules:
  - id: burst
    title: T
    severity: medium
    condition: action startsWith "Decrypt" and outcome == "denied"
    threshold: {count: 21, within: 10m, group_by: [account, principal.name]}
    message: ${principal.name} was refused ${window.count} decrypts since ${window.first}
    fields: {key: window.key, last: window.last}
    tests:
      - {name: 21 in ten minutes, event: &d {eventName: Decrypt, errorCode: AccessDenied, userIdentity: {userName: ci}}, repeat: 21, every: 20s, expect: {alerts: 1, message: "ci was refused 21 decrypts since 2026-01-01T00:00:00Z", fields: {key: '["","ci"]', last: "2026-01-01T00:06:40Z"}}}
      - {name: 21 over half an hour, event: *d, repeat: 21, every: 90s, expect: none}
      - {name: two days long, event: *d, repeat: 288, every: 10m, expect: none}
      - {name: nobody, event: *d, set: {userIdentity: null}, repeat: 50, expect: none}
  - id: regions
    title: T
    severity: low
    condition: service == "kms"
    threshold: {count: 3, within: 1h, distinct: region}
    message: ${window.distinct} regions of ${window.count}
    tests:
      - name: three
        events: [&r {eventName: A, acsRegion: r1}, {eventName: A, acsRegion: r2}, {eventName: A, acsRegion: r2}, {eventName: A, acsRegion: r3}]
        expect: {alerts: 1, message: 3 regions of 3}
      - {name: two, events: [*r, *r, {eventName: A, acsRegion: r2}], expect: none}
  - id: undo
    title: T
    severity: high
    condition: service == "kms"
    sequence:
      by: principal.name
      within: 1h
      steps:
        - {name: tried, condition: action == "Disable" and outcome == "denied", count: 2}
        - {name: gone, condition: action == "Delete"}
    message: ${steps.tried.count} tries until ${steps.tried.time}, ${principal.name} at ${steps.gone.time}
    tests:
      - name: in order
        events:
          - &no {eventName: Disable, errorCode: x, eventTime: "2026-01-01T00:00:00Z", userIdentity: {userName: ci}}
          - {eventName: Disable, errorCode: x, eventTime: "2026-01-01T00:01:00Z", userIdentity: {userName: ci}}
          - {eventName: Delete, eventTime: "2026-01-01T00:02:00Z", userIdentity: {userName: ci}}
        expect: {alerts: 1, message: "2 tries until 2026-01-01T00:01:00Z, ci at 2026-01-01T00:02:00Z"}
      - name: the other way round
        events: [*no, {eventName: Delete, eventTime: "2025-12-31T23:59:59Z", userIdentity: {userName: ci}}, {eventName: Disable, errorCode: x, eventTime: "2026-01-01T00:01:00Z", userIdentity: {userName: ci}}]
        expect: none
  - id: new
    title: T
    severity: low
    condition: service == "kms"
    first_seen: {value: region, per: principal.name, remember: 30d, warmup: 1d, settle: 1h}
    message: ${first_seen.value} is new to ${window.key}, who has ${first_seen.known}
    tests:
      - name: second region
        events: [&one {eventName: A, acsRegion: r1, userIdentity: {userName: ci}}, {eventName: A, acsRegion: r2, eventTime: "2026-01-03T00:00:00Z", userIdentity: {userName: ci}}]
        expect: {alerts: 1, message: "r2 is new to ci, who has 1"}
      - {name: too early, events: [*one, {eventName: A, acsRegion: r2, eventTime: "2026-01-01T12:00:00Z", userIdentity: {userName: ci}}], expect: none}
      - {name: only learned, events: [*one, {eventName: A, acsRegion: r2, eventTime: "2026-01-03T00:00:00Z", userIdentity: {userName: other}}], expect: none}
      - {name: seen before, events: [*one, {eventName: A, acsRegion: r1, eventTime: "2026-01-03T00:00:00Z", userIdentity: {userName: ci}}], expect: none}
`)
	want := []string{
		"burst/21 in ten minutes: ok", "burst/21 over half an hour: ok", "burst/two days long: ok", "burst/nobody: ok",
		"new/second region: ok", "new/too early: ok", "new/only learned: ok", "new/seen before: ok",
		"regions/three: ok", "regions/two: ok", "undo/in order: ok", "undo/the other way round: ok",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

// Ids never change: stores and destinations know alerts by them. These were
// computed elsewhere, as TestAlertIDVectors says.
func TestStatefulAlertIDs(t *testing.T) {
	for _, v := range []struct {
		want, form, rule string
		parts            []string
	}{
		{"yih3vaoy3hnkb5d2ityceuoegq", formThreshold, "burst", []string{listText([]string{"111122223333", "AIDA"}), "2974291"}},
		{"uslizuycjq4vqoxuu37mluznvc", formThreshold, "burst", []string{listText(nil), "-1"}},
		{"zb3jt6w7tcsagonalbcysd7g52", formSequence, "undo", []string{listText([]string{`a"b`}), "0"}},
		{"itdtlh3cwkgqryk7jz4jeasu5p", formFirstSeen, "new", []string{listText([]string{"ci"}), "r2", "680"}},
	} {
		if got := alertID(v.form, v.rule, v.parts...); got != v.want {
			t.Errorf("%s %q: %s, want %s", v.form, v.parts, got, v.want)
		}
	}
}

func TestExplainSaysHowFullAWindowIs(t *testing.T) {
	set := load(t, "r.yaml", `
rules:
  - {id: count, title: T, severity: low, condition: service == "kms", threshold: {count: 2, within: 10m, group_by: [principal.name]}, message: "${window.count}"}
  - {id: values, title: T, severity: low, condition: service == "kms", threshold: {count: 2, within: 10m, distinct: region}}
  - {id: steps, title: T, severity: low, sequence: {within: 1h, steps: [{name: a, condition: action == "Decrypt"}, {name: b, condition: action == "Encrypt"}]}}
  - {id: empty, title: T, severity: low, condition: service == "kms", threshold: {count: 2, within: 10m, group_by: [principal.mfa]}}
  - {id: other, title: T, severity: low, condition: service == "s3", threshold: {count: 2, within: 10m}}
  - {id: new, title: T, severity: low, condition: service == "kms", first_seen: {value: ip}}
`)
	got := map[string][]string{}
	for _, r := range set.Rules {
		var state Scratch
		for i := range 3 {
			ev := decrypt()
			ev.ID = string(rune('a' + i))
			x, err := set.ExplainAfter(&state, r.ID, ev)
			if err != nil {
				t.Fatal(err)
			}
			if x.Matched {
				x.Stopped = "alert " + x.Message + ": " + x.Memory.String()
			}
			got[r.ID] = append(got[r.ID], x.Stopped)
		}
	}
	want := map[string][]string{
		"count":  {"so far ci: events in 10m 1 of 2", "alert 2: ci: events in 10m 2 of 2", "this bucket of time alerted already: ci: events in 10m 2 of 2"},
		"values": {"so far values in 10m 1 of 2", "so far values in 10m 1 of 2", "so far values in 10m 1 of 2"},
		"steps":  {"so far a 1 of 1, b 0 of 1", "so far a 1 of 1, b 0 of 1", "so far a 1 of 1, b 0 of 1"},
		"empty":  {"every value of its key is empty", "every value of its key is empty", "every value of its key is empty"},
		"other":  {"the condition is not true", "the condition is not true", "the condition is not true"},
		"new":    {"198.51.100.7 is the first value, which is only learned", "198.51.100.7 was seen at 2026-08-01T09:30:00Z", "198.51.100.7 was seen at 2026-08-01T09:30:00Z"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("explained (-want +got):\n%s", diff)
	}
}
