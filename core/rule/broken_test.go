package rule

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the expected diagnostics")

// TestBroken loads every file of testdata/broken alone and compares all that
// is said about it with the .txt beside it.
func TestBroken(t *testing.T) {
	names, err := filepath.Glob("testdata/broken/*.yaml")
	if err != nil || len(names) < 8 {
		t.Fatalf("%d broken files: %v", len(names), err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".yaml"), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			set, list := Load(files(filepath.Base(name), string(text)), Options{Outputs: []string{"pager", "archive"}})
			if (set == nil) != list.HasErrors() {
				t.Errorf("a set: %v, errors: %v", set != nil, list.HasErrors())
			}
			golden := strings.TrimSuffix(name, ".yaml") + ".txt"
			got := list.String() + "\n"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("diagnostics (-want +got):\n%s", diff)
			}
		})
	}
}
