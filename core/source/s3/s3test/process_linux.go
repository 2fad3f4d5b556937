package s3test

import "syscall"

// withTheTest makes a server die with the test that started it, even when
// that is killed.
func withTheTest() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
