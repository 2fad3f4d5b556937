package deliver

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"

	"github.com/hashicorp/go-plugin"
	"golang.org/x/sys/unix"
)

// umask guards the umask, which belongs to the whole process.
var umask sync.Mutex

// startPrivately starts a program in a process group of its own, with files
// for its user only, so that it does not outlive the calling thread.
func startPrivately(cmd *exec.Cmd, who *identity) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if who != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: who.uid, Gid: who.gid}
	}
	umask.Lock()
	defer umask.Unlock()
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	return cmd.Start()
}

// awaitExit returns when a child has exited. It is not reaped yet, so its
// number still means it and its group.
func awaitExit(pid int) {
	for errors.Is(unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
	}
}

func killGroup(p *os.Process) { syscall.Kill(-p.Pid, syscall.SIGKILL) }

// endRelatives kills what plugins with sockets below dir have started and left
// behind: each process that has the socket folder in its environment. It finds
// also those that left the process group, and those of a daemon that was
// killed and so could end nobody.
func endRelatives(dir string) {
	if dir == "" {
		return
	}
	mark := []byte("\x00" + plugin.EnvUnixSocketDir + "=" + dir)
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		// Found first and read then: whoever gets the number after that is safe.
		p, err := os.FindProcess(pid)
		if err != nil {
			continue
		}
		environ, _ := os.ReadFile("/proc/" + e.Name() + "/environ")
		if _, rest, ok := bytes.Cut(append([]byte{0}, environ...), mark); ok && (len(rest) == 0 || rest[0] == 0 || rest[0] == '/') {
			p.Kill()
		}
		p.Release()
	}
}

// limit bounds what a process may have open, and keeps its memory, which holds
// secrets, from becoming a file when it crashes.
func limit(pid int, files uint64) error {
	for resource, most := range map[int]uint64{unix.RLIMIT_NOFILE: files, unix.RLIMIT_CORE: 0} {
		if err := unix.Prlimit(pid, resource, &unix.Rlimit{Cur: most, Max: most}, nil); err != nil {
			return err
		}
	}
	return nil
}
