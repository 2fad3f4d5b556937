package deliver

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/plugins/sdk"
)

func TestWhatStartStartedDelivers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	log, text := debugLog()
	s := &outlet{}
	s.raise("a-1", "a-2")
	d := &Deliverer{Output: pluginOutput(t, "record", recordConfig{Path: path}), Store: s, Log: log}
	if err := d.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	pid := runningPID(t, text)
	goOn(t, d)
	flush(t, d)
	if diff := cmp.Diff([]string{"a-1", "a-2"}, lines(t, path)); diff != "" {
		t.Error(diff)
	}
	if n := strings.Count(text.String(), "the plugin is running"); n != 1 || syscall.Kill(pid, 0) != nil {
		t.Errorf("it was started %d times:\n%s", n, text)
	}
}

func TestARunThatIsOverEndsWhatStartStartedAndDeliversNothing(t *testing.T) {
	log, text := debugLog()
	s := &outlet{}
	s.raise("a-1")
	d := &Deliverer{Output: pluginOutput(t, "record", recordConfig{Path: filepath.Join(t.TempDir(), "out")}), Store: s, Log: log}
	if err := d.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	pid := runningPID(t, text)
	if err := d.Run(canceled()); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d is still there: %v", pid, err)
	}
	if waiting, _, _ := s.Next("", 0, 10, 1<<20); len(waiting) != 1 {
		t.Errorf("what waits: %v", waiting)
	}
}

func TestStartTellsWhatThePluginRefusesAndARunThatIsOverSaysNoMore(t *testing.T) {
	log, text := debugLog()
	d := &Deliverer{Output: pluginOutput(t, "record", map[string]any{"pth": "x"}), Store: &outlet{}, Log: log}
	var got sdk.Invalids
	if err := d.Start(t.Context()); !errors.As(err, &got) {
		t.Fatal(err)
	}
	want := sdk.Invalids{
		{Pointer: "/pth", Message: `unknown key "pth" (did you mean "path"?)`},
		{Pointer: "", Message: `"path" is missing`},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if err := d.Run(canceled()); err != nil || text.String() != "" {
		t.Error(err, text)
	}
}

func TestAPluginThatDidNotStartIsStartedAgainByRun(t *testing.T) {
	log, text := debugLog()
	d := &Deliverer{Output: pluginOutput(t, "dies", nil), Store: &outlet{}, Log: log}
	ctx, cancel := context.WithCancel(t.Context())
	err := d.Start(ctx)
	cancel() // is Start's alone
	if want := `the plugin ended before its handshake: exit status 7; its last words: "cannot find my licence"`; err == nil || err.Error() != want {
		t.Fatalf("got %v, want %s", err, want)
	}
	goOn(t, d)
	eventually(t, "it is told", func() bool { return strings.Contains(text.String(), "the output's plugin did not start") })
	eventually(t, "it is tried again", func() bool { return strings.Contains(text.String(), `level=WARN msg="the plugin did not start"`) })
}
