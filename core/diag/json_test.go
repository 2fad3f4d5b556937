package diag

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Records in tests are read as the cloud would have written them; settings are
// read as JSON.
func TestScalarsAreReadAsJSONWould(t *testing.T) {
	const text = `
bools: [true, false, "true", yes, True]
nulls: [null, ~, !!null "", "null"]
numbers: [0, -1, 1.5, 2e3, 007, 0x10, 1_000, .5, +1, 9223372036854775807, 9223372036854775808, "1"]
dates: [2026-08-01T09:00:00Z, 2026-08-01]
accounts: [111122223333, 1000000000000001, "111122223333", 1785600000000]
tags: [!!int 111122223333, !!int "5", !!str 5, !!float 1.0, !!bool "true"]
same: &a
  x: |
    text
again: *a
`
	f, list := Parse("f", []byte(text))
	if list != nil {
		t.Fatal(list)
	}
	same := map[string]any{"x": "text\n"}
	want := map[string]any{
		"bools":    []any{true, false, "true", "yes", "True"},
		"nulls":    []any{nil, nil, nil, "null"},
		"numbers":  []any{int64(0), int64(-1), 1.5, 2000.0, "007", "0x10", "1_000", ".5", "+1", int64(9223372036854775807), "9223372036854775808", "1"},
		"dates":    []any{"2026-08-01T09:00:00Z", "2026-08-01"},
		"accounts": []any{"111122223333", "1000000000000001", "111122223333", int64(1785600000000)},
		"tags":     []any{int64(111122223333), int64(5), "5", 1.0, true},
		"same":     same, "again": same,
	}
	if got, err := f.Root().JSON(); err != nil {
		t.Fatal(err)
	} else if diff := cmp.Diff(any(want), got); diff != "" {
		t.Error(diff)
	}
	want["accounts"] = []any{int64(111122223333), int64(1000000000000001), "111122223333", int64(1785600000000)}
	if got, err := f.Root().Data(); err != nil {
		t.Fatal(err)
	} else if diff := cmp.Diff(any(want), got); diff != "" {
		t.Error(diff)
	}
}
