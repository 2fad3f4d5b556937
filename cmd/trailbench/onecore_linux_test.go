package main

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// TestAProcessHasOneCoreUnlessItAsksForMore, and so have its children; we go on
// with as many as before.
func TestAProcessHasOneCoreUnlessItAsksForMore(t *testing.T) {
	count := func(cores int) string {
		out := filepath.Join(t.TempDir(), "out")
		// grep is a child of the shell.
		c := command{args: []string{"sh", "-c", "grep -E -c '^Cpus_allowed_list:.*[,-]' /proc/self/status || true; echo $GOMAXPROCS"}, cores: cores}
		if _, err := pipeline(t.Context(), out, c); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	t.Setenv("GOMAXPROCS", "")
	if got := count(0); got != "0\n\n" {
		t.Errorf("more than one core in the status, and GOMAXPROCS, for one: %q", got)
	}
	several := "1\n3\n"
	if runtime.NumCPU() == 1 {
		several = "0\n3\n"
	}
	if got := count(3); got != several {
		t.Errorf("more than one core in the status, and GOMAXPROCS, for three: %q", got)
	}
}
