package sdktest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/trailship/trailship/plugins/sdk"
	pb "github.com/trailship/trailship/plugins/sdk/outputpb"
	"github.com/trailship/trailship/plugins/sdk/selfsigned"
)

// process is one run of a plugin's program, from the daemon's side.
type process struct {
	pb.OutputClient
	suite   *suite
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	conn    *grpc.ClientConn
	socket  string
	own     *tls.Certificate // of a run with TLS
	cert    string           // the plugin's, as it printed it
	stderr  *lines
	exited  chan struct{} // closed when it is reaped
	batches atomic.Int64
}

// start runs the program until there is a connection.
func (s *suite) start(ctx context.Context, stateDir string) (*process, error) {
	p, err := s.launch(ctx, stateDir, s.tls)
	if err != nil {
		return nil, err
	}
	if err := p.connect(ctx); err != nil {
		p.kill()
		return nil, err
	}
	return p, nil
}

// launch runs the program until its handshake line is read and found good.
func (s *suite) launch(ctx context.Context, stateDir string, encrypted bool) (*process, error) {
	sockets, err := os.MkdirTemp(s.dir, "s")
	if err != nil {
		return nil, err
	}
	p := &process{suite: s, exited: make(chan struct{})}
	p.cmd = exec.Command(s.Program[0], s.Program[1:]...)
	p.cmd.Dir = stateDir
	p.cmd.Env = append(slices.Clone(s.Env),
		sdk.Handshake.MagicCookieKey+"="+sdk.Handshake.MagicCookieValue,
		"PLUGIN_MIN_PORT=0", "PLUGIN_MAX_PORT=0", "PLUGIN_PROTOCOL_VERSIONS=1", "PLUGIN_UNIX_SOCKET_DIR="+sockets)
	if wd, err := os.Getwd(); err == nil {
		p.cmd.Env = append(p.cmd.Env, sdk.DirEnv+"="+wd)
	}
	if s.Stdout != nil {
		p.cmd.ExtraFiles = []*os.File{s.Stdout}
		p.cmd.Env = append(p.cmd.Env, sdk.StdoutEnv+"=3")
	}
	if encrypted {
		own, err := selfsigned.New()
		if err != nil {
			return nil, err
		}
		p.own = &own
		p.cmd.Env = append(p.cmd.Env, selfsigned.ClientCertEnv+"="+selfsigned.PEM(own))
	}
	line, err := p.run()
	if err != nil {
		return nil, fmt.Errorf("the program cannot be started: %w", err)
	}
	if err := p.shakeHands(ctx, line, sockets); err != nil {
		p.kill()
		return nil, err
	}
	return p, nil
}

// handshakeLine is what the daemon takes for the handshake.
var handshakeLine = regexp.MustCompile(`^\d+\|\d+\|[a-z]+\|`)

// run starts the program and the reading of its streams. The channel yields
// the handshake line.
func (p *process) run() (<-chan string, error) {
	found := make(chan string, 1)
	waiting := true
	said := &p.suite.said
	p.cmd.Stdout = &lines{each: func(line string) {
		if waiting && handshakeLine.MatchString(line) {
			waiting = false
			found <- line
			return
		}
		said.line(&said.stdout, line)
	}}
	p.stderr = &lines{each: func(line string) { said.line(&said.stderr, line) }}
	p.cmd.Stderr = p.stderr
	// What a child of the plugin holds open is not waited for.
	p.cmd.WaitDelay = 250 * time.Millisecond
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.exited)
		p.cmd.Wait()
	}()
	return found, nil
}

// shakeHands waits for the handshake line and reads it.
func (p *process) shakeHands(ctx context.Context, found <-chan string, sockets string) error {
	deadline := time.NewTimer(p.suite.patience.start)
	defer deadline.Stop()
	var line string
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-deadline.C:
		return fmt.Errorf("print the handshake line 1|1|unix|PATH|grpc|CERT on standard output within %s, and flush it: nothing came", p.suite.patience.start)
	case line = <-found:
	case <-p.exited:
		select {
		case line = <-found:
		default:
			return fmt.Errorf("print the handshake line and keep running: the program ended before (%s)", p.words())
		}
	}
	fields := strings.Split(line, "|")
	if len(fields) < 5 || len(fields) > 7 {
		return fmt.Errorf("print the handshake line as 1|1|unix|PATH|grpc|CERT: it is %q", line)
	}
	for i, want := range []string{"1", "1", "unix", fields[3], "grpc"} {
		if fields[i] != want {
			return fmt.Errorf("field %d of the handshake line must be %q: it is %q", i+1, want, fields[i])
		}
	}
	p.socket = fields[3]
	if filepath.Dir(filepath.Clean(p.socket)) != sockets {
		return fmt.Errorf("make the socket in the folder PLUGIN_UNIX_SOCKET_DIR, %s: it is %s", sockets, p.socket)
	}
	if info, err := os.Stat(p.socket); err != nil || info.Mode()&os.ModeSocket == 0 {
		return fmt.Errorf("listen on the socket before printing the handshake line: there is no socket %s", p.socket)
	}
	if len(fields) > 5 {
		p.cert = fields[5]
	}
	return nil
}

// connect makes the connection and sees that it works.
func (p *process) connect(ctx context.Context) error {
	creds := insecure.NewCredentials()
	if p.own != nil {
		config, err := trusting(*p.own, p.cert)
		if err != nil {
			return err
		}
		creds = credentials.NewTLS(config)
	}
	conn, err := p.dial(creds)
	if err != nil {
		return err
	}
	p.conn, p.OutputClient = conn, pb.NewOutputClient(conn)
	ctx, cancel := context.WithTimeout(ctx, p.suite.call)
	defer cancel()
	if _, err := p.Describe(ctx, &pb.DescribeRequest{}); err != nil {
		return fmt.Errorf("answer Describe after the handshake: %w", p.failed(err))
	}
	go readStdio(conn, &p.suite.said)
	return nil
}

func (p *process) dial(creds credentials.TransportCredentials) (*grpc.ClientConn, error) {
	return grpc.NewClient("unix:"+p.socket, grpc.WithTransportCredentials(creds),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(4<<20)))
}

// without tries the connection with credentials that must not do.
func (p *process) without(ctx context.Context, config *tls.Config) error {
	creds := insecure.NewCredentials()
	if config != nil {
		creds = credentials.NewTLS(config)
	}
	conn, err := p.dial(creds)
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, p.suite.call)
	defer cancel()
	_, err = pb.NewOutputClient(conn).Describe(ctx, &pb.DescribeRequest{})
	return err
}

// ended waits for the process to end by itself.
func (p *process) ended(within time.Duration) bool {
	select {
	case <-p.exited:
		return true
	case <-time.After(within):
		return false
	}
}

// kill ends the process with everything it started, and waits for it. It may
// be called again.
func (p *process) kill() {
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.exited
	if p.conn != nil {
		p.conn.Close()
	}
}

// children says whether something of the plugin's process group is alive after
// its end.
func (p *process) children() bool {
	return !errors.Is(syscall.Kill(-p.cmd.Process.Pid, 0), syscall.ESRCH)
}

// words says how the process ended.
func (p *process) words() string {
	text := p.cmd.ProcessState.String()
	if last := p.stderr.last; last != "" {
		text += "; its last words: " + strconv.Quote(shorten(last))
	}
	return text
}

// shorten bounds what a report quotes of a plugin's words.
func shorten(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) > 300 {
		text = strings.ToValidUTF8(text[:300], "") + "…"
	}
	return text
}

// lines calls each with every line written to it, without its end. A very long
// one comes in pieces.
type lines struct {
	each func(string)
	buf  []byte
	last string // that is not blank
}

// maxLine is where the daemon cuts a line.
const maxLine = 64 << 10

func (l *lines) Write(text []byte) (int, error) {
	l.buf = append(l.buf, text...)
	for {
		end := slices.Index(l.buf, '\n')
		if end < 0 && len(l.buf) < maxLine {
			return len(text), nil
		}
		if end < 0 {
			end = maxLine - 1
		}
		if line := strings.TrimSpace(string(l.buf[:end])); line != "" {
			l.last = line
			l.each(line)
		}
		l.buf = l.buf[end+1:]
	}
}
