package decode

import (
	"testing"
	"time"
)

func TestEveryDayIsReadAsTheStandardLibraryReadsIt(t *testing.T) {
	last := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	for want := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC); !want.After(last); want = want.Add(23*time.Hour + 59*time.Minute + 59*time.Second) {
		text := want.Format("2006-01-02T15:04:05Z")
		if got, ok := fastTime([]byte(text)); !ok || got != want {
			t.Fatalf("%s: got %v, %v", text, got, ok)
		}
	}
}

func TestTimesThatAreNone(t *testing.T) {
	for _, text := range []string{
		"2026-00-01T00:00:00Z", "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-01-00T00:00:00Z",
		"2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:0xZ", "2026-01-01 00:00:00Z",
	} {
		if got, ok := fastTime([]byte(text)); ok {
			t.Errorf("%s: got %v", text, got)
		}
	}
}
