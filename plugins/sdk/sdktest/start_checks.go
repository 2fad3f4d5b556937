package sdktest

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	pb "github.com/trailship/trailship/plugins/sdk/outputpb"
	"github.com/trailship/trailship/plugins/sdk/selfsigned"
)

// startedByHand runs the program without the daemon's cookie.
func startedByHand(ctx context.Context, s *suite) (string, error) {
	const must = "without TRAILSHIP_PLUGIN=output in the environment, print a sentence and exit 1"
	ctx, cancel := context.WithTimeout(ctx, s.patience.start)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.Program[0], s.Program[1:]...)
	cmd.Env = append(slices.Clone(s.Env), "PLUGIN_UNIX_SOCKET_DIR="+s.dir)
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("%s: it was still running after %s", must, s.patience.start)
	case err == nil:
		return "", fmt.Errorf("%s: it exited 0", must)
	case !errors.As(err, &exit):
		return "", fmt.Errorf("the program cannot be started: %w", err)
	case len(bytes.TrimSpace(out)) == 0:
		return "", fmt.Errorf("%s: it said nothing", must)
	}
	return "", nil
}

// shakesHands starts the program as the daemon does, with TLS, and without
// when that is not taken.
func shakesHands(ctx context.Context, s *suite) (string, error) {
	dir, err := s.folder()
	if err != nil {
		return "", err
	}
	s.tls = true
	p, err := s.launch(ctx, dir, true)
	if err == nil && p.cert == "" {
		p.kill()
		s.tls = false
	} else if err == nil {
		err = p.connect(ctx)
		p.kill()
	}
	if !s.tls || err != nil && ctx.Err() == nil {
		s.tls = false
		plain, plainErr := s.start(ctx, dir)
		if plainErr == nil {
			plain.kill()
			// A certificate that does not work is the next check's matter.
			s.starts = true
			return "", nil
		}
		if err == nil {
			err = plainErr
		}
	}
	s.starts = err == nil
	return "", err
}

// encrypts sees that TLS works, and that nobody else can talk to the plugin.
func encrypts(ctx context.Context, s *suite) (string, error) {
	dir, err := s.folder()
	if err != nil {
		return "", err
	}
	p, err := s.launch(ctx, dir, true)
	if err != nil {
		return "", skipf("the plugin does not start with TLS, so its users must write `tls: off`: %v", err)
	}
	defer p.kill()
	if p.cert == "" {
		return "", skipf("the plugin prints no certificate, so its users must write `tls: off`")
	}
	if err := p.connect(ctx); err != nil {
		return "", fmt.Errorf("speak TLS with the certificate of the handshake line: %w", err)
	}
	if p.without(ctx, nil) == nil {
		return "", errors.New("with PLUGIN_CLIENT_CERT, answer over TLS only: a call without TLS was answered")
	}
	stranger, err := selfsigned.New()
	if err != nil {
		return "", err
	}
	config, err := trusting(stranger, p.cert)
	if err != nil {
		return "", err
	}
	if p.without(ctx, config) == nil {
		return "", errors.New("trust no client certificate but the one of PLUGIN_CLIENT_CERT: another one was accepted")
	}
	config.Certificates = []tls.Certificate{}
	if p.without(ctx, config) == nil {
		return "", errors.New("demand the client certificate of PLUGIN_CLIENT_CERT: a call without one was answered")
	}
	return "", nil
}

// described runs f with a plugin that is not configured.
func (s *suite) described(ctx context.Context, f func(ctx context.Context, p *process) error) error {
	dir, err := s.folder()
	if err != nil {
		return err
	}
	p, err := s.start(ctx, dir)
	if err != nil {
		return err
	}
	defer p.kill()
	ctx, cancel := context.WithTimeout(ctx, s.call)
	defer cancel()
	return f(ctx, p)
}

func isHealthy(ctx context.Context, s *suite) (string, error) {
	return "", s.described(ctx, func(ctx context.Context, p *process) error {
		resp, err := grpc_health_v1.NewHealthClient(p.conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: "plugin"})
		switch {
		case status.Code(err) == codes.Unimplemented:
			return skipf("the plugin does not answer the gRPC health service; the daemon does without")
		case err != nil:
			return fmt.Errorf("answer the gRPC health service for the name \"plugin\" with SERVING: %w", p.failed(err))
		case resp.Status != grpc_health_v1.HealthCheckResponse_SERVING:
			return fmt.Errorf("answer the gRPC health service for the name \"plugin\" with SERVING: it is %s", resp.Status)
		}
		return nil
	})
}

// describes asks what the plugin is, twice.
func describes(ctx context.Context, s *suite) (remark string, err error) {
	err = s.described(ctx, func(ctx context.Context, p *process) error {
		first, err := p.Describe(ctx, &pb.DescribeRequest{})
		if err != nil {
			return fmt.Errorf("answer Describe: %w", p.failed(err))
		}
		if err := s.isSane(first); err != nil {
			return err
		}
		second, err := p.Describe(ctx, &pb.DescribeRequest{})
		if err != nil || !proto.Equal(first, second) {
			return errors.New("answer Describe the same every time")
		}
		if err := p.leftNothing(); err != nil {
			return fmt.Errorf("have no side effects in Describe: %w", err)
		}
		s.about = first
		s.secrets = secretsOf(s.Config, first.ConfigSchema)
		remark = strings.TrimSpace(first.Name + " " + first.Version)
		return nil
	})
	return remark, err
}

// isSane says what is wrong with a description.
func (s *suite) isSane(d *pb.DescribeResponse) error {
	if d.Name == "" || strings.ContainsAny(d.Name, "/\\ \n") {
		return fmt.Errorf("say the plugin's name in Describe, as in trailship-output-NAME: it is %q", d.Name)
	}
	// The test binary of Go may play the plugin.
	file := strings.TrimSuffix(filepath.Base(s.Program[0]), ".test")
	if name, ok := strings.CutPrefix(file, "trailship-output-"); ok && name != d.Name {
		return fmt.Errorf("say the name of the program, %q, in Describe: it is %q", name, d.Name)
	}
	var schema map[string]any
	if len(d.ConfigSchema) > 0 && json.Unmarshal(d.ConfigSchema, &schema) != nil {
		return errors.New("config_schema must be a JSON Schema, an object, or empty: it is not a JSON object")
	}
	return nil
}

// leftNothing says what is in a process' folder.
func (p *process) leftNothing() error {
	entries, err := os.ReadDir(p.cmd.Dir)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("it made %s in its folder", entries[0].Name())
	}
	return nil
}

// survivesJunk sends what a newer daemon may send, and what is no protocol.
func survivesJunk(ctx context.Context, s *suite) (string, error) {
	err := s.described(ctx, func(ctx context.Context, p *process) error {
		alive := func(after string) error {
			if _, err := p.Describe(ctx, &pb.DescribeRequest{}); err != nil {
				return fmt.Errorf("keep answering after %s: %w", after, p.failed(err))
			}
			return nil
		}
		request := &pb.DescribeRequest{}
		request.ProtoReflect().SetUnknown([]byte{0xc2, 0x3e, 0x03, 'n', 'e', 'w'}) // field 1000, "new"
		if _, err := p.Describe(ctx, request); err != nil {
			return fmt.Errorf("ignore a field that is not known: %w", p.failed(err))
		}
		err := p.conn.Invoke(ctx, "/trailship.output.v1.Output/NotYetInvented", &emptypb.Empty{}, &emptypb.Empty{})
		if status.Code(err) != codes.Unimplemented {
			return fmt.Errorf("answer a call that is not known with UNIMPLEMENTED: %w", p.failed(err))
		}
		if err := alive("a call that is not known"); err != nil {
			return err
		}
		conn, err := net.Dial("unix", p.socket)
		if err != nil {
			return fmt.Errorf("take another connection: %w", err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n%s", strings.Repeat("\x00\xff", 1000))
		conn.(*net.UnixConn).CloseWrite()
		// It has read them when it hangs up.
		conn.SetReadDeadline(time.Now().Add(s.call))
		io.Copy(io.Discard, conn)
		return alive("bytes that are not gRPC")
	})
	remark := ""
	if stdout, _ := s.said.counts(); stdout > 0 {
		remark = fmt.Sprintf("%d lines on standard output that are not the handshake were taken for log", stdout)
	}
	return remark, err
}

// endsWithTheDaemon closes standard input, which is what is left of a daemon
// that was killed.
func endsWithTheDaemon(ctx context.Context, s *suite) (string, error) {
	return "", s.described(ctx, func(ctx context.Context, p *process) error {
		for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			p.cmd.Process.Signal(signal)
			if _, err := p.Describe(ctx, &pb.DescribeRequest{}); err != nil || p.ended(100*time.Millisecond) {
				return errors.New("ignore SIGINT and SIGTERM: a Ctrl-C is for the daemon, which drains its plugins")
			}
		}
		return p.ends()
	})
}

// ends closes standard input and waits for the process and its children to be
// gone.
func (p *process) ends() error {
	p.stdin.Close()
	if !p.ended(p.suite.exit) {
		return fmt.Errorf("exit when standard input ends: it was still running after %s", p.suite.exit)
	}
	for until := time.Now().Add(p.suite.exit); p.children(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			return errors.New("leave no process behind: one of the process group outlived the plugin")
		}
	}
	return nil
}
