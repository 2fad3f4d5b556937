package decode

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/core/event"
	"github.com/trailship/trailship/core/event/ocsftest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// render shows everything a record became: the short vocabulary, then the
// OCSF event.
func render(t *testing.T, ev *event.Event) string {
	var b strings.Builder
	p := ev.Principal
	for _, line := range [][2]any{
		{"id", ev.ID}, {"time", ev.Time.Format("2006-01-02T15:04:05.000Z07:00")}, {"provider", ev.Provider}, {"service", ev.Service},
		{"action", ev.Action}, {"kind", ev.Kind}, {"access", ev.Access}, {"outcome", ev.Outcome}, {"error.code", ev.Error.Code},
		{"error.message", ev.Error.Message}, {"account", ev.Account}, {"region", ev.Region}, {"principal.type", p.Type},
		{"principal.id", p.ID}, {"principal.name", p.Name}, {"principal.arn", p.ARN}, {"principal.account", p.Account},
		{"principal.role", p.Role}, {"principal.access_key", p.AccessKey}, {"principal.mfa", p.MFA}, {"ip", ev.IP},
		{"user_agent", ev.UserAgent}, {"resource.id", ev.Resource.ID}, {"resource.name", ev.Resource.Name},
		{"resource.type", ev.Resource.Type}, {"resources", len(ev.Resources)},
	} {
		fmt.Fprintf(&b, "%s: %v\n", line[0], line[1])
	}
	b.WriteByte('\n')
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, ev.AppendOCSF(nil), "", "  "); err != nil {
		t.Fatal(err)
	}
	b.Write(pretty.Bytes())
	return b.String() + "\n"
}

func fixtures(t testing.TB) []string {
	files, err := filepath.Glob("testdata/*.in.json")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d fixtures, %v", len(files), err)
	}
	return files
}

func TestRecordsBecomeTheseEvents(t *testing.T) {
	for _, file := range fixtures(t) {
		name := strings.TrimSuffix(filepath.Base(file), ".in.json")
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var ev event.Event
			if err := Normalize(&ev, Record{Raw: raw}); err != nil {
				t.Fatal(err)
			}
			got, golden := render(t, &ev), filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("-want +got (go test -update writes it anew)\n%s", diff)
			}
		})
	}
}

func TestFixturesAreValidEvents(t *testing.T) {
	schema := ocsftest.Load(t)
	for _, file := range fixtures(t) {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		ev := normalized(t, string(raw))
		finding := event.Finding{ID: "id", RuleID: "r", Title: "t", Severity: "high", Tags: []string{"kms"}, Mitre: []string{"TA0006", "T1485", "T1562.008"}}
		for _, out := range [][]byte{ev.AppendOCSF(nil), finding.Append(nil, ev)} {
			if r := schema.Check(out); len(r.Errors)+len(r.Warnings) > 0 {
				t.Errorf("%s: %v %v\n%s", file, r.Errors, r.Warnings, out)
			}
		}
	}
}
