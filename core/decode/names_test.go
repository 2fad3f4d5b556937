package decode

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/core/event"
)

// TestNamesAreUnescapedOnce: a backslash that a name holds is not one more
// escape.
func TestNamesAreUnescapedOnce(t *testing.T) {
	record := `{"eventSource":"kms.amazonaws.com","eventName":"Decrypt","eventTime":"2026-08-01T09:30:00Z","\u0061wsRegion":"r",` +
		`"x\\u0041":1,"xA":2,"x\u0042":3,"a\\nb":4}`
	ev := normalized(t, record)
	if err := ev.Load(event.PartUnmapped); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{`x\u0041`: int64(1), "xA": int64(2), "xB": int64(3), `a\nb`: int64(4)}
	if diff := cmp.Diff(want, ev.Unmapped); diff != "" || ev.Region != "r" {
		t.Errorf("region %q, unmapped (-want +got):\n%s", ev.Region, diff)
	}
}
