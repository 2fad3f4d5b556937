package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/trailship/trailship/plugins/sdk"
	pb "github.com/trailship/trailship/plugins/sdk/outputpb"
)

const (
	// startTimeout is how long a program may take until its handshake line.
	startTimeout = 10 * time.Second
	// exitGrace is how long a drained plugin may take to exit by itself.
	exitGrace = time.Second
	// maxAnswer bounds what a plugin may send back in one message.
	maxAnswer = 4 << 20
	// writeBuffer is how much of a batch is written at once.
	writeBuffer = 128 << 10
	// socketBuffer is how much the program need not have read yet: a batch, so
	// that it is sent in one go and not in turns.
	socketBuffer = 1 << 20
	// maxReason bounds an error's text: it is kept with the dead letters.
	maxReason = 1 << 10
	// maxErrors bounds how many mistakes of a configuration are shown.
	maxErrors = 100
)

// client is one running plugin process. It is an sdk.Output.
type client struct {
	proc    *process
	session *plugin.Client
	addr    net.Addr // of its socket
	rpc     pb.OutputClient
	about   *pb.DescribeResponse
	tempDir string // of sockets; removed at the end

	batches atomic.Int64
	pause   atomic.Int64 // the last throttle_ms, at most maxAfter
}

// start runs an output's program up to its description. Nothing is left
// running when it fails or ctx ends before.
func start(ctx context.Context, o Output, log *slog.Logger) (*client, error) {
	o = o.withDefaults()
	if err := o.trust(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	who, err := o.identity()
	if err != nil {
		return nil, err
	}
	c := &client{}
	stateDir, err := c.makeDirs(o, who)
	if err != nil {
		os.RemoveAll(c.tempDir)
		return nil, fmt.Errorf("making the plugin's folders: %w", err)
	}
	c.proc = newProcess(o, stateDir, log)
	c.proc.who = who
	config := c.config(o, log)
	if o.TLS {
		if err := c.encrypt(config); err != nil {
			os.RemoveAll(c.tempDir)
			return nil, err
		}
	}
	c.session = plugin.NewClient(config)
	if err := c.connect(ctx); err != nil {
		c.close(canceled())
		return nil, err
	}
	return c, nil
}

// makeDirs makes the folder of this process, and the one that outlives it.
func (c *client) makeDirs(o Output, who *identity) (stateDir string, err error) {
	runDir := o.RunDir
	if runDir == "" {
		runDir = tempDir()
	} else if err := os.MkdirAll(runDir, 0o700); err != nil {
		return "", err
	}
	if c.tempDir, err = os.MkdirTemp(runDir, "p-"); err != nil {
		return "", err
	}
	if c.tempDir, err = filepath.Abs(c.tempDir); err != nil {
		return "", err
	}
	stateDir = o.StateDir
	if stateDir == "" {
		stateDir = filepath.Join(c.tempDir, "state")
	}
	// The plugin is told the path too, and works in another folder.
	if stateDir, err = filepath.Abs(stateDir); err != nil {
		return "", err
	}
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		return "", err
	}
	if who == nil {
		return stateDir, nil
	}
	// The folders in which we made these are ours, but for the system's.
	for _, ours := range []string{o.RunDir, filepath.Dir(stateDir)} {
		if ours == "" {
			continue
		}
		if err := os.Chmod(ours, 0o711); err != nil {
			return "", err
		}
	}
	return stateDir, errors.Join(who.takeOver(c.tempDir), who.takeOver(stateDir))
}

func newProcess(o Output, stateDir string, log *slog.Logger) *process {
	cmd := exec.Command(o.Program[0], o.Program[1:]...)
	cmd.Dir = stateDir
	cmd.Env = append(cmd.Env, o.Env...)
	if dir, err := filepath.Abs(o.Dir); err == nil {
		cmd.Env = append(cmd.Env, sdk.DirEnv+"="+dir)
	}
	if o.Stdout != nil {
		cmd.ExtraFiles = []*os.File{o.Stdout}
		cmd.Env = append(cmd.Env, sdk.StdoutEnv+"=3")
	}
	return &process{cmd: cmd, plain: !o.TLS, maxFiles: o.MaxFiles, log: log, redact: o.Redact, exited: make(chan struct{})}
}

// config is what go-plugin needs to know.
func (c *client) config(o Output, log *slog.Logger) *plugin.ClientConfig {
	return &plugin.ClientConfig{
		HandshakeConfig:  sdk.Handshake,
		Plugins:          plugin.PluginSet{"output": stub{}},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		SkipHostEnv:      true,
		StartTimeout:     startTimeout,
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: c.tempDir},
		Logger:           hclog.New(&hclog.LoggerOptions{Level: hclog.Off, Output: io.Discard}),
		SyncStdout:       &logWriter{log: log, redact: o.Redact, quota: &c.proc.quota, text: "the plugin printed"},
		SyncStderr:       &logWriter{log: log, redact: o.Redact, quota: &c.proc.quota, text: "the plugin printed"},
		GRPCDialOptions: []grpc.DialOption{
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer)), grpc.WithWriteBufferSize(writeBuffer),
			grpc.WithContextDialer(c.dial),
		},
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, socketDir string) (runner.Runner, error) {
			// go-plugin's variables come last: they win over the user's.
			c.proc.cmd.Env = append(c.proc.cmd.Env, cmd.Env...)
			c.proc.socketDir = socketDir
			if err := c.proc.who.takeOver(socketDir); err != nil {
				return nil, err
			}
			if len(socketDir) > maxSocketPath-len("/plugin1234567890") {
				return nil, fmt.Errorf("the socket folder's path is too long: %s", socketDir)
			}
			return c.proc, nil
		},
	}
}

// dial connects to the program, with as much room as the system allows.
func (c *client) dial(ctx context.Context, _ string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, c.addr.Network(), c.addr.String())
	if socket, ok := conn.(*net.UnixConn); ok {
		_ = socket.SetWriteBuffer(socketBuffer) // with less it takes longer
	}
	return conn, err
}

// stub makes go-plugin hand out the typed client of the connection.
type stub struct{ plugin.NetRPCUnsupportedPlugin }

func (stub) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error {
	return errors.New("this is the daemon's side")
}

func (stub) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return pb.NewOutputClient(conn), nil
}

// connect starts the process, shakes hands, and asks what it is.
func (c *client) connect(ctx context.Context) error {
	// go-plugin's calls know no context: ending the process ends them.
	ctx, cancel := context.WithTimeout(ctx, 2*startTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, c.proc.kill)
	defer stop()
	addr, err := c.session.Start()
	if err != nil {
		return c.startError(ctx, err)
	}
	c.addr = addr // for dial, while go-plugin holds its own lock
	protocol, err := c.session.Client()
	if err != nil {
		return c.startError(ctx, err)
	}
	rpc, err := protocol.Dispense("output")
	if err != nil {
		return err
	}
	c.rpc = rpc.(pb.OutputClient)
	if c.about, err = c.rpc.Describe(ctx, &pb.DescribeRequest{}); err != nil {
		return fmt.Errorf("asking the plugin to describe itself: %w", c.callError(err))
	}
	c.about.Name, c.about.Version = shorten(c.about.Name), shorten(c.about.Version)
	return nil
}

// startError says in plain words why there was no handshake.
func (c *client) startError(ctx context.Context, err error) error {
	if c.proc.cmd.Process == nil {
		return fmt.Errorf("starting the plugin: %w", err)
	}
	said := err.Error()
	switch {
	case ctx.Err() != nil, strings.Contains(said, "timeout while waiting"):
		return errors.New("the plugin did not print its handshake line in time")
	case strings.Contains(said, "plugin exited before"), strings.Contains(said, "Failed to read any lines"):
		<-c.proc.exited
		return fmt.Errorf("the plugin ended before its handshake: %s", c.proc.words())
	}
	return fmt.Errorf("starting the plugin: %w", err)
}

// configure hands over the user's configuration. sdk.Invalids is what is wrong
// with it.
func (c *client) configure(ctx context.Context, o Output) error {
	ctx, cancel := context.WithTimeout(ctx, o.withDefaults().Timeout)
	defer cancel()
	config := o.Config
	if len(config) == 0 {
		config = []byte("{}")
	}
	resp, err := c.rpc.Configure(ctx, &pb.ConfigureRequest{Config: config, Instance: o.Name, StateDir: c.proc.cmd.Dir})
	if err != nil {
		return fmt.Errorf("configuring the plugin: %w", c.callError(err))
	}
	var all sdk.Invalids
	for _, e := range resp.Errors[:min(len(resp.Errors), maxErrors)] {
		all = append(all, sdk.Invalid{Pointer: shorten(e.GetPointer()), Message: shorten(e.GetMessage())})
	}
	if len(all) > 0 {
		return all
	}
	return nil
}

// close drains the plugin and ends its process, by force when ctx ends. It
// returns what draining failed with.
func (c *client) close(ctx context.Context) error {
	var err error
	if c.rpc != nil && ctx.Err() == nil {
		if _, err = c.rpc.Drain(ctx, &pb.DrainRequest{}); status.Code(err) == codes.Unimplemented {
			err = nil
		}
	}
	if c.proc.cmd.Process != nil {
		c.proc.stdin.Close()
		wait, cancel := context.WithTimeout(ctx, exitGrace)
		select {
		case <-c.proc.exited:
		case <-wait.Done():
		}
		cancel()
		c.proc.kill()
		<-c.proc.exited
	}
	// The process is gone; this ends go-plugin's goroutines and its socket folder.
	c.session.Kill()
	os.RemoveAll(c.tempDir)
	return err
}

// canceled returns a context that is over: closing with it does not drain.
func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
