//go:build !linux

package deliver

import (
	"os"
	"os/exec"
)

// startPrivately starts a program. That it ends with the daemon is left to its
// own watch over standard input.
func startPrivately(cmd *exec.Cmd) error { return cmd.Start() }

// awaitExit leaves the waiting to exec.Cmd.
func awaitExit(pid int) {
	if p, err := os.FindProcess(pid); err == nil {
		p.Wait()
	}
}

func killGroup(p *os.Process) { p.Kill() }
