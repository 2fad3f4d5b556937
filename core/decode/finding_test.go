package decode_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/trailship/trailship/core/decode"
	"github.com/trailship/trailship/core/event"
	"github.com/trailship/trailship/core/event/ocsftest"
)

// TestFindingsOverEveryKindOfRecordAreOCSF: an alert about any record, an
// insight about no call at all included, is a valid Detection Finding, bare and
// with the event and the record inside.
func TestFindingsOverEveryKindOfRecordAreOCSF(t *testing.T) {
	schema := ocsftest.Load(t)
	names, err := filepath.Glob("testdata/*.in.json")
	if err != nil || len(names) == 0 {
		t.Fatalf("no records: %v", err)
	}
	finding := event.Finding{
		ID: "id", Message: "m", Severity: "high", Title: "T", RuleID: "r", Mitre: []string{"TA0006", "T1485", "T1685.002"},
		Fields: []event.Field{{Name: "nothing"}, {Name: "list", Value: []any{"a", int64(1)}}}, Created: time.UnixMilli(1),
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		record, err := decode.NewReader(bytes.NewReader(text), decode.Limits{}).Next()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var ev event.Event
		if err := decode.Normalize(&ev, record); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		bare := finding.Append(nil, &ev)
		for _, alert := range [][]byte{bare, event.Include(bare, ev.AppendOCSF(nil), ev.RawJSON)} {
			for _, problem := range schema.Check(alert).Errors {
				t.Errorf("%s: %s", filepath.Base(name), problem)
			}
		}
	}
}
