//go:build !linux

package deliver

import (
	"errors"
	"os"
	"os/exec"
)

// startPrivately starts a program. That it ends with the daemon is left to its
// own watch over standard input.
func startPrivately(cmd *exec.Cmd, who *identity) error {
	if who != nil {
		return errors.New("a plugin with a user of its own runs on Linux only")
	}
	return cmd.Start()
}

// endRelatives leaves what a plugin started to the plugin.
func endRelatives(string) {}

func limit(int, uint64) error { return nil }

// awaitExit leaves the waiting to exec.Cmd.
func awaitExit(pid int) {
	if p, err := os.FindProcess(pid); err == nil {
		p.Wait()
	}
}

func killGroup(p *os.Process) { p.Kill() }
