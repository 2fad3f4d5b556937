//go:build linux

package deliver

import (
	"bufio"
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// children returns the pids a parent plugin has written.
func children(t *testing.T, path string) (pids []int) {
	t.Helper()
	for _, line := range lines(t, path) {
		pid, err := strconv.Atoi(line)
		if err != nil || isGone(pid) {
			t.Fatalf("child %s: %v, gone %v", line, err, err == nil)
		}
		pids = append(pids, pid)
	}
	if len(pids) != 2 {
		t.Fatalf("the plugin has the children %v, want two", pids)
	}
	return pids
}

func allGone(pids []int) bool {
	for _, pid := range pids {
		if !isGone(pid) {
			return false
		}
	}
	return true
}

func TestWhatAPluginStartedEndsWithIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pids")
	o := pluginOutput(t, "parent", recordConfig{Path: path})
	c, err := start(t.Context(), o, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.configure(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	pids := children(t, path)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	c.close(ctx)
	eventually(t, "its children are gone", func() bool { return allGone(pids) })
}

func TestWhatAPluginOfAKilledDaemonStartedEndsAtTheNextStart(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	daemon := exec.Command(self, "daemon", dir)
	stdout, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	pids := children(t, filepath.Join(dir, "out"))
	daemon.Process.Kill()
	daemon.Wait()
	runDir, err := RunDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(runDir)
	eventually(t, "the children of its plugin are gone", func() bool { return allGone(pids) })
}
