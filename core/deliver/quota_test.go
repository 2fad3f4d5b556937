package deliver

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAPluginThatFloodsItsLogFillsNoDisk(t *testing.T) {
	got, _, log := deliverTo(t, pluginOutput(t, "flood", recording), "a-1", "a-2")
	slices.Sort(got)
	if diff := cmp.Diff([]string{"a-1", "a-2"}, got); diff != "" {
		t.Error(diff)
	}
	// Each window has its quota, and on a slow machine there are several.
	if len(log) > 16<<20 || !strings.Contains(log, "the plugin logs too much") {
		t.Errorf("32 MiB became a log of %d bytes", len(log))
	}
}

func TestWhatIsBeyondTheQuotaIsDroppedAndCounted(t *testing.T) {
	var text strings.Builder
	log := slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	var q quota
	now := time.Unix(1_772_409_600, 0)
	var taken []bool
	for _, n := range []int{logBytes / 2, logBytes / 2, 1, 1} {
		taken = append(taken, q.take(n, now, log))
	}
	taken = append(taken, q.take(1, now.Add(logWindow), log))
	if diff := cmp.Diff([]bool{true, true, false, false, true}, taken); diff != "" {
		t.Error(diff)
	}
	want := `level=WARN msg="the plugin logs too much: what follows is dropped for some seconds" bytes=1048576 window=10s
level=WARN msg="lines of the plugin's log were dropped" lines=2
`
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Error(diff)
	}
}
