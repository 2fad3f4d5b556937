package s3

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/core/source"
)

type notes map[string]source.Entry

func (n notes) Entry(key string) (source.Entry, bool, error) {
	e, ok := n[key]
	return e, ok, nil
}

func TestRelistSetsBackWhatHidesAnOldObject(t *testing.T) {
	const leaf = "AWSLogs/111122223333/CloudTrail/eu-west-1/"
	ledger := notes{
		leaf + folderNote: {Version: "2026-07-01", Done: true},
		"AWSLogs/111122223333/CloudTrail/eu-west-2/" + folderNote: {Version: "2026-07-01", Done: true},
		startNote: {Version: "2026-01-01T00:00:00Z", Done: true},
	}
	got, err := Relist(ledger, leaf+"2026/05/01/111122223333_CloudTrail_eu-west-1_20260501T0000Z_a.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]source.Entry{leaf + folderNote: {Version: time.Time{}.Format(time.DateOnly), Done: true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	if mark, err := time.Parse(time.DateOnly, got[leaf+folderNote].Version); err != nil || !mark.IsZero() {
		t.Errorf("the mark is read as %v (%v), want none", mark, err)
	}
}
