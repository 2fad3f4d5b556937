package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// watch looks at the memory of a process and its children until stop is closed
// and returns the most they had together. The kernel keeps the peak of each, so
// only what grows in the last moment is missed.
func watch(pid int, stop <-chan struct{}) (peak int64) {
	// Looking takes half a millisecond, of a core the process may need.
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		peak = max(peak, family(pid))
		select {
		case <-stop:
			return peak
		case <-tick.C:
		}
	}
}

// family is the sum of the peaks of a process and its children; 0 where there
// is no /proc, or when it ended.
func family(pid int) int64 {
	sum := highest(pid)
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // the pattern is fine
	for _, path := range tasks {
		text, _ := os.ReadFile(path) // the thread may have ended
		for _, child := range strings.Fields(string(text)) {
			// Until it becomes another program a child is its parent, memory and all.
			if child, err := strconv.Atoi(child); err == nil && arguments(child) != arguments(pid) {
				sum += highest(child)
			}
		}
	}
	return sum
}

// highest is the peak of resident memory of a process.
func highest(pid int) int64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)) // it may have ended
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10
		}
	}
	return 0
}

func arguments(pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // it may have ended
	return string(text)
}
