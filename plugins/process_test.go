package plugins_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/trailship/trailship/plugins/sdk"
	pb "github.com/trailship/trailship/plugins/sdk/outputpb"
	"github.com/trailship/trailship/plugins/sdk/sdktest"
)

// process is a shipped output, run as the daemon runs it.
type process struct {
	pb.OutputClient
	cmd  *exec.Cmd
	log  *words // what it wrote on its standard error
	stop func()
}

// startOutput runs an output until stop, or until the test is over.
func startOutput(t *testing.T, name string, stdout *os.File) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(self, "plugin", name), log: newWords()}
	p.cmd.Dir = t.TempDir()
	if stdout != nil {
		p.cmd.ExtraFiles = []*os.File{stdout}
		p.cmd.Env = []string{sdk.StdoutEnv + "=3"}
	}
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: sdk.Handshake, Plugins: plugin.PluginSet{"output": daemon{}}, Cmd: p.cmd, SkipHostEnv: true, AutoMTLS: true,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC}, Logger: hclog.NewNullLogger(), Stderr: p.log, SyncStdout: p.log, SyncStderr: p.log,
	})
	p.stop = sync.OnceFunc(client.Kill)
	t.Cleanup(p.stop)
	protocol, err := client.Client()
	if err != nil {
		t.Fatal(err)
	}
	output, err := protocol.Dispense("output")
	if err != nil {
		t.Fatal(err)
	}
	p.OutputClient = output.(pb.OutputClient)
	return p
}

// configured is startOutput with a configuration that must be good.
func configured(t *testing.T, name string, d sdktest.Plugin) *process {
	t.Helper()
	p := startOutput(t, name, d.Stdout)
	resp, err := p.Configure(t.Context(), &pb.ConfigureRequest{Config: d.Config, Instance: "test"})
	if err != nil || len(resp.Errors) > 0 {
		t.Fatalf("%v %v", err, resp)
	}
	return p
}

// daemon is the daemon's side of go-plugin.
type daemon struct{ plugin.NetRPCUnsupportedPlugin }

func (daemon) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error {
	return errors.New("this is the daemon's side")
}

func (daemon) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return pb.NewOutputClient(conn), nil
}

func newWords() *words {
	l := &words{}
	l.more.L = &l.mu
	return l
}

// words is a buffer for many writers.
type words struct {
	mu   sync.Mutex
	more sync.Cond
	text bytes.Buffer
}

// wait waits until a text was written, or d is over.
func (l *words) wait(text string, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	over := false
	defer time.AfterFunc(d, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		over = true
		l.more.Broadcast()
	}).Stop()
	for !over && !bytes.Contains(l.text.Bytes(), []byte(text)) {
		l.more.Wait()
	}
}

func (l *words) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.more.Broadcast()
	return l.text.Write(text)
}

func (l *words) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
