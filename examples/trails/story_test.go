package trails

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTheSampleIsTheStory keeps sample/ what Story makes. When it fails after a
// change of the story: rm -r examples/trails/sample && go run ./cmd/trailgen -story -out examples/trails/sample
func TestTheSampleIsTheStory(t *testing.T) {
	want := map[string]string{}
	for _, o := range Story() {
		want[filepath.Join("sample", o.Path)] = string(inflate(t, o.Body))
	}
	got := map[string]string{}
	for _, path := range files(t, "sample") {
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got[path] = string(inflate(t, body))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the story (-) and sample/ (+) differ:\n%s", diff)
	}
}

func TestTheStoryHasDifferentIDs(t *testing.T) {
	seen := map[string]bool{}
	for _, o := range Story() {
		for _, r := range decode(t, inflate(t, o.Body)) {
			id := text(r, "eventID") + text(r, "eventId")
			if seen[id] {
				t.Errorf("%s is told twice", id)
			}
			seen[id] = true
		}
	}
}
