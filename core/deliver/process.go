package deliver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"sync"
	"time"
)

// pipeGrace is how long the pipes of a dead process are read on: only a
// descendant that left the process group can hold them longer.
const pipeGrace = 250 * time.Millisecond

// process is one run of a plugin's program. To go-plugin it is a
// runner.Runner, because go-plugin's own trusts what a child writes: a JSON
// line on standard error can panic it, and a long line on standard output
// makes it stop reading.
type process struct {
	cmd      *exec.Cmd
	who      *identity // nil for the daemon's user
	maxFiles uint64
	log      *slog.Logger
	redact   func(string) string

	stdin     *os.File       // our end; closing it asks the plugin to exit
	handshake *io.PipeReader // yields the handshake line and ends
	socketDir string
	plain     bool // nobody asked for a certificate
	certified bool // the handshake line has one; good once it was read

	exited chan struct{} // closed when the process is reaped and its pipes are read
	last   lastLine      // of standard error
	quota  quota         // of what is logged of both streams

	mu     sync.Mutex
	alive  bool // started and not reaped: its number still means it
	doomed bool // kill was called
}

// Start runs the program.
func (p *process) Start(context.Context) error {
	stdinR, stdinW, err := os.Pipe()
	if err != nil {
		return err
	}
	defer stdinR.Close()
	outR, outW, err := os.Pipe()
	if err != nil {
		stdinW.Close()
		return err
	}
	defer outW.Close()
	errR, errW, err := os.Pipe()
	if err != nil {
		stdinW.Close()
		outR.Close()
		return err
	}
	defer errW.Close()

	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = stdinR, outW, errW
	p.stdin = stdinW
	started := make(chan error)
	go p.live(started, outR, errR)
	return <-started
}

// live is the process' life: start it, read it, reap it, and with it whatever
// it started. It stays on one thread, because the kernel ends a child whose
// parent thread ends.
func (p *process) live(started chan<- error, outR, errR *os.File) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.exited)
	defer p.stdin.Close()
	defer outR.Close()
	defer errR.Close()

	handshake, toHost := io.Pipe()
	p.handshake = handshake
	if err := startPrivately(p.cmd, p.who); err != nil {
		toHost.Close()
		started <- err
		return
	}
	// Before anybody talks to it.
	if err := limit(p.cmd.Process.Pid, p.maxFiles); err != nil {
		p.log.Warn("the plugin's open files and core dumps are not limited", "error", err)
	}
	started <- nil
	p.born()

	var reading sync.WaitGroup
	reading.Go(func() { p.readStdout(outR, toHost) })
	reading.Go(func() { p.readLog(errR) })
	awaitExit(p.cmd.Process.Pid)
	p.buried()
	endRelatives(p.socketDir)
	p.cmd.Wait()
	until := time.Now().Add(pipeGrace)
	outR.SetReadDeadline(until)
	errR.SetReadDeadline(until)
	reading.Wait()
}

// maxHandshake bounds the handshake line: go-plugin stops reading, and we would
// never stop writing, at one that fills its buffer.
const maxHandshake = 16 << 10

// handshakeLine is what a line must look like to be offered to go-plugin.
var handshakeLine = regexp.MustCompile(`^\d+\|\d+\|[a-z]+\|`)

// readStdout passes on the handshake line. What is before and after it is not
// part of the protocol: it is logged.
func (p *process) readStdout(r io.Reader, toHost *io.PipeWriter) {
	defer toHost.Close()
	waiting := true
	eachLine(r, func(line []byte) {
		if waiting && len(line) <= maxHandshake && handshakeLine.Match(line) {
			waiting = false
			p.certified = certified(line)
			toHost.Write(append(line, '\n'))
			toHost.Close()
			return
		}
		if p.quota.take(len(line), time.Now(), p.log) {
			p.log.Warn("the plugin wrote to its standard output", "text", p.redact(string(line)))
		}
	})
}

// certified says whether go-plugin would look for a certificate in a handshake
// line: shorter text is something else.
func certified(line []byte) bool {
	fields := bytes.Split(line, []byte("|"))
	return len(fields) > 5 && len(fields[5]) > 50
}

// kill ends the process and all of its group. It may be called at any time:
// before the start it dooms the process, after the end it does nothing.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doomed = true
	if p.alive {
		killGroup(p.cmd.Process)
	}
}

func (p *process) born() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.alive = true
	if p.doomed {
		killGroup(p.cmd.Process)
	}
}

// buried ends what is left of the group while its number cannot have been
// given to another yet.
func (p *process) buried() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.alive = false
	killGroup(p.cmd.Process)
}

// words says how the process ended, for an error.
func (p *process) words() string {
	text := p.cmd.ProcessState.String()
	if last := p.last.get(); last != "" {
		text += "; its last words: " + strconv.Quote(last)
	}
	return text
}

// The rest is what go-plugin asks of a runner.

func (p *process) Wait(context.Context) error {
	<-p.exited
	return nil
}

func (p *process) Kill(context.Context) error {
	p.kill()
	return nil
}

func (p *process) Stdout() io.ReadCloser           { return p.handshake }
func (p *process) Stderr() io.ReadCloser           { return io.NopCloser(eof{}) }
func (p *process) Name() string                    { return p.cmd.Path }
func (p *process) Diagnose(context.Context) string { return "" }

func (p *process) ID() string {
	if p.cmd.Process == nil {
		return "" // it did not start
	}
	return strconv.Itoa(p.cmd.Process.Pid)
}

// PluginToHost checks the address a plugin says it listens on, and that there
// is no certificate where go-plugin would panic at one.
func (p *process) PluginToHost(network, address string) (string, string, error) {
	if p.plain && p.certified {
		return "", "", errors.New("the plugin prints a certificate and was not asked for encryption: it must do so only with PLUGIN_CLIENT_CERT, or needs `tls: on`")
	}
	if network != "unix" {
		return "", "", fmt.Errorf("the plugin listens on %s %s; it must be a unix socket in PLUGIN_UNIX_SOCKET_DIR", network, address)
	}
	if filepath.Dir(filepath.Clean(address)) != filepath.Clean(p.socketDir) {
		return "", "", fmt.Errorf("the plugin listens on %s; it must be in PLUGIN_UNIX_SOCKET_DIR, %s", address, p.socketDir)
	}
	return network, address, nil
}

func (p *process) HostToPlugin(network, address string) (string, string, error) {
	return "", "", errors.New("a plugin does not call the daemon")
}

// eof is an empty stream.
type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }
