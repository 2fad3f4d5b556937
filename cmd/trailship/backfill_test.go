package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Alerts of what is older than max_age are backfill. Of a rule that remembers
// the newest event of the window counts, in whatever order the events came.
func TestAWindowIsBackfillWhenAllOfItIsOld(t *testing.T) {
	t.Parallel()
	d := newReplayTest(t)
	write(t, d.path("rules/all.yaml"), `
rules:
  - id: burst
    title: Three calls
    severity: low
    condition: action == "Decrypt"
    threshold: {count: 3, within: 10h, group_by: [principal.name]}
  - id: pair
    title: Off and on
    severity: low
    sequence:
      by: principal.name
      within: 10h
      steps: [{name: off, condition: action == "DisableKey"}, {name: on, condition: action == "EnableKey"}]
  - id: fresh
    title: A new region
    severity: low
    condition: action == "Decrypt"
    first_seen: {value: region, per: principal.name, remember: 30d}
  - id: plain
    title: A listing
    severity: low
    condition: action == "ListKeys"
`)
	write(t, d.path("trailship.yaml"), fmt.Sprintf(`
version: 1
data_dir: %q
sources: [{name: trails, type: dir, path: %q, alerts: {max_age: 24h}}]
rules: {paths: [%q]}
outputs:
  - {name: archive, plugin: file, backfill: true, config: {path: %q}}
  - {name: pager, plugin: file, config: {path: %q}}
`, d.path("data"), d.path("trails"), d.path("rules"), d.path("archive.ndjson"), d.path("pager.ndjson")))

	now, n := time.Now().UTC(), 0
	event := func(user, action, region string, hoursAgo int) string {
		n++
		return fmt.Sprintf(`{"eventVersion":"1.11","eventID":"e-%d","eventTime":%q,"eventSource":"kms.amazonaws.com","eventName":%q,"awsRegion":%q,"userIdentity":{"type":"IAMUser","userName":%q,"accountId":"111122223333"},"recipientAccountId":"111122223333"}`,
			n, now.Add(time.Duration(-hoursAgo)*time.Hour).Format(time.RFC3339), action, region, user)
	}
	// The objects are read one run after the other.
	for i, object := range [][]string{
		{event("old", "Decrypt", "r1", 50), event("old", "Decrypt", "r1", 49), event("old", "Decrypt", "r2", 48)},
		{event("new", "Decrypt", "r1", 3), event("new", "Decrypt", "r1", 2), event("new", "Decrypt", "r2", 1)},
		{event("mixed", "Decrypt", "r1", 26), event("mixed", "Decrypt", "r1", 25)}, {event("mixed", "Decrypt", "r1", 22)},
		{event("late", "Decrypt", "r1", 22)}, {event("late", "Decrypt", "r1", 26), event("late", "Decrypt", "r1", 25)},
		{event("old", "EnableKey", "r1", 40)}, {event("old", "DisableKey", "r1", 41)},
		{event("late", "EnableKey", "r1", 22)}, {event("late", "DisableKey", "r1", 26)},
		{event("old", "ListKeys", "r1", 25), event("new", "ListKeys", "r1", 23)},
	} {
		write(t, d.path(fmt.Sprintf("trails/%d.json", i)), `{"Records":[`+strings.Join(object, ",")+`]}`)
		d.runOnce()
	}

	want := map[string]bool{
		"burst old": true, "fresh old": true, "pair old": true, "plain old": true,
		"burst new": false, "fresh new": false, "burst mixed": false, "burst late": false, "pair late": false, "plain new": false,
	}
	if diff := cmp.Diff(want, backfills(t, d.path("archive.ndjson"))); diff != "" {
		t.Errorf("what is backfill, in the archive (-want +got):\n%s", diff)
	}
	for what, backfill := range want {
		if backfill {
			delete(want, what)
		}
	}
	if diff := cmp.Diff(want, backfills(t, d.path("pager.ndjson"))); diff != "" {
		t.Errorf("what is backfill, at the pager (-want +got):\n%s", diff)
	}
}

// backfills are the alerts of a file output: rule and user, and whether the
// alert is marked as backfill.
func backfills(t *testing.T, path string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for line := range bytes.Lines(text) {
		var a struct {
			Info     struct{ Analytic struct{ UID string } } `json:"finding_info"`
			Unmapped struct{ Backfill bool }
		}
		if err := json.Unmarshal(line, &a); err != nil {
			t.Fatal(err)
		}
		for _, user := range []string{"old", "new", "mixed", "late"} {
			if bytes.Contains(line, []byte(`"`+user+`"`)) {
				found[a.Info.Analytic.UID+" "+user] = a.Unmapped.Backfill
			}
		}
	}
	return found
}
