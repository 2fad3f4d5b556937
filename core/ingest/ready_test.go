package ingest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Who asks whether everything is listed may ask before Run has begun.
func TestNoSourceIsListedBeforeRun(t *testing.T) {
	in := &Ingest{Sources: []Source{{Name: "trails"}, {Name: "queue and bucket"}, {Name: "queue and bucket"}}}
	if diff := cmp.Diff([]string{"trails", "queue and bucket"}, in.Unlisted()); diff != "" {
		t.Errorf("unlisted (-want +got):\n%s", diff)
	}
	in.listed.add(1)
	in.listed.add(0)
	if diff := cmp.Diff([]string{"queue and bucket"}, in.Unlisted()); diff != "" {
		t.Errorf("unlisted (-want +got):\n%s", diff)
	}
}
