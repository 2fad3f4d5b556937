package sdktest

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/trailship/trailship/plugins/sdk"
	pb "github.com/trailship/trailship/plugins/sdk/outputpb"
	"github.com/trailship/trailship/plugins/sdk/selfsigned"
)

// settings are the configuration of the plugins below, which append alerts to
// a file.
type settings struct{ Path, Token string }

const settingsSchema = `{"type": "object", "required": ["path"], "additionalProperties": false,
	"properties": {"path": {"type": "string"}, "token": {"type": "string", "writeOnly": true}}}`

// raw is a plugin without the SDK, so that it can break every rule. As it is
// it keeps them all, but for encryption; a broken one has other functions.
type raw struct {
	pb.UnimplementedOutputServer
	settings
	drained bool
	mu      sync.Mutex

	byHand   func()
	signals  func()
	line     func(socket string) string
	listen   func(socket string) net.Listener
	creds    credentials.TransportCredentials // nil without encryption
	options  []grpc.ServerOption
	health   grpc_health_v1.HealthCheckResponse_ServingStatus
	describe func(*pb.DescribeResponse)
	judge    func(config map[string]any) ([]*pb.ConfigError, error)
	opened   func()
	deliver  func(context.Context, []*pb.Alert) ([]*pb.Failure, error)
	reopen   func() error
	drain    func(context.Context) error
	end      func() // when standard input ends
}

// keeping returns a raw that keeps the rules.
func keeping() *raw {
	r := &raw{health: grpc_health_v1.HealthCheckResponse_SERVING}
	r.byHand = func() {
		fmt.Fprintln(os.Stderr, "I am a plugin.")
		os.Exit(1)
	}
	r.signals = func() { signal.Ignore(syscall.SIGINT, syscall.SIGTERM) }
	r.line = func(socket string) string { return "1|1|unix|" + socket + "|grpc|" }
	r.listen = func(socket string) net.Listener {
		l, err := net.Listen("unix", socket)
		if err != nil {
			panic(err)
		}
		return l
	}
	r.options = []grpc.ServerOption{grpc.MaxRecvMsgSize(64 << 20)}
	r.describe = func(*pb.DescribeResponse) {}
	r.judge = func(config map[string]any) ([]*pb.ConfigError, error) { return objections(config), nil }
	r.opened = func() {}
	r.deliver = r.write
	r.reopen = func() error { return nil }
	r.drain = func(context.Context) error { return nil }
	r.end = func() { os.Exit(0) }
	return r
}

// objections finds what is wrong with a configuration.
func objections(config map[string]any) (all []*pb.ConfigError) {
	for key, value := range config {
		if _, isText := value.(string); key != "path" && key != "token" {
			all = append(all, &pb.ConfigError{Pointer: "/" + key, Message: "is not known"})
		} else if !isText {
			all = append(all, &pb.ConfigError{Pointer: "/" + key, Message: "must be a string"})
		}
	}
	if config["path"] == nil {
		all = append(all, &pb.ConfigError{Message: "path is missing"})
	}
	return all
}

// serve is the main function.
func (r *raw) serve() {
	if os.Getenv("TRAILSHIP_PLUGIN") == "" {
		r.byHand()
	}
	r.signals()
	socket := filepath.Join(os.Getenv("PLUGIN_UNIX_SOCKET_DIR"), "s")
	l := r.listen(socket)
	server := grpc.NewServer(r.options...)
	pb.RegisterOutputServer(server, r)
	h := health.NewServer()
	h.SetServingStatus("plugin", r.health)
	grpc_health_v1.RegisterHealthServer(server, h)
	fmt.Println(r.line(socket))
	go server.Serve(l)
	io.Copy(io.Discard, os.Stdin)
	r.end()
}

func (r *raw) Describe(context.Context, *pb.DescribeRequest) (*pb.DescribeResponse, error) {
	d := &pb.DescribeResponse{Name: "raw", Version: "1.0", ConfigSchema: []byte(settingsSchema)}
	r.describe(d)
	return d, nil
}

func (r *raw) Configure(_ context.Context, req *pb.ConfigureRequest) (*pb.ConfigureResponse, error) {
	var config map[string]any
	if err := json.Unmarshal(req.Config, &config); err != nil {
		return nil, err
	}
	json.Unmarshal(req.Config, &r.settings)
	errs, err := r.judge(config)
	if len(errs) == 0 && err == nil {
		r.opened()
	}
	return &pb.ConfigureResponse{Errors: errs}, err
}

func (r *raw) Deliver(ctx context.Context, req *pb.DeliverRequest) (*pb.DeliverResponse, error) {
	if r.isDrained() {
		return nil, status.Error(codes.Unavailable, "drained")
	}
	failed, err := r.deliver(ctx, req.Alerts)
	return &pb.DeliverResponse{Failed: failed}, err
}

func (r *raw) Reopen(context.Context, *pb.ReopenRequest) (*pb.ReopenResponse, error) {
	return &pb.ReopenResponse{}, r.reopen()
}

func (r *raw) isDrained() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.drained
}

func (r *raw) Drain(ctx context.Context, _ *pb.DrainRequest) (*pb.DrainResponse, error) {
	r.mu.Lock()
	r.drained = true
	r.mu.Unlock()
	return &pb.DrainResponse{}, r.drain(ctx)
}

// write is what Deliver should do.
func (r *raw) write(ctx context.Context, alerts []*pb.Alert) (failed []*pb.Failure, err error) {
	f, err := os.OpenFile(r.Path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for _, a := range alerts {
		switch odd := oddity(a); odd {
		case Slow:
			<-ctx.Done()
			failed = append(failed, &pb.Failure{Id: a.Id, Message: "slow"})
		case Busy:
			failed = append(failed, &pb.Failure{Id: a.Id, Message: "busy"})
		case Refuse:
			failed = append(failed, &pb.Failure{Id: a.Id, Message: "refused", Class: pb.Failure_PERMANENT})
		default:
			if _, err := f.Write(append(a.Json, '\n')); err != nil {
				return nil, err
			}
		}
	}
	return failed, nil
}

// oddity is the word for the destination an alert holds.
func oddity(a *pb.Alert) string {
	for _, word := range []string{Refuse, Busy, Slow} {
		if strings.Contains(string(a.Json), word) {
			return word
		}
	}
	return ""
}

// failing fails every alert, all in the same way, when one is odd.
func (r *raw) failing(word string, fail func(*pb.Alert) *pb.Failure) {
	r.deliver = func(ctx context.Context, alerts []*pb.Alert) (failed []*pb.Failure, err error) {
		for _, a := range alerts {
			if oddity(a) == word {
				failed = append(failed, fail(a))
				continue
			}
			more, err := r.write(ctx, []*pb.Alert{a})
			if err != nil {
				return nil, err
			}
			failed = append(failed, more...)
		}
		return failed, nil
	}
}

// lazy acknowledges alerts and writes them a little later.
func (r *raw) lazy() {
	var waiting sync.Mutex
	var kept []*pb.Alert
	go func() {
		for range time.Tick(100 * time.Millisecond) {
			waiting.Lock()
			if len(kept) > 0 && !r.isDrained() {
				r.write(context.Background(), kept)
				kept = nil
			}
			waiting.Unlock()
		}
	}()
	r.deliver = func(_ context.Context, alerts []*pb.Alert) ([]*pb.Failure, error) {
		waiting.Lock()
		defer waiting.Unlock()
		kept = append(kept, alerts...)
		return nil, nil
	}
}

// plugins are the main functions this test binary can play: raw ones with
// something changed, and two of the SDK.
var plugins = map[string]func(){
	"kept":   func() { keeping().serve() },
	"short":  func() { keeping().serve() }, // for a run that is cut short
	"chatty": chatty,
	"dies": func() {
		fmt.Fprintln(os.Stderr, "cannot find my licence")
		os.Exit(7)
	},
	"silent": func() { select {} },
}

// chatty is a good plugin that writes junk wherever it can.
func chatty() {
	junk := func() {
		fmt.Println("Warning: deprecated")
		fmt.Println(`{"@message":1}`)
		fmt.Fprint(os.Stderr, `{"@message":1}`+"\n\xff\x00\n{\n")
		fmt.Fprintln(os.Stderr, strings.Repeat("x", 200<<10))
		syscall.Write(1, []byte(strings.Repeat("y", 200<<10)+"\n"))
		fmt.Println(strings.Repeat("z", 200<<10))
	}
	if os.Getenv("TRAILSHIP_PLUGIN") != "" {
		junk()
	}
	sdk.Serve("chatty", func(_ context.Context, c struct {
		Path  string     `json:"path" required:"true"`
		Token sdk.Secret `json:"token"`
	}) (sdk.Output, error) {
		junk()
		return sdk.Each(func(_ context.Context, a sdk.Alert) error {
			f, err := os.OpenFile(c.Path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.Write(append(a.JSON, '\n'))
			return err
		}), nil
	})
}

// change makes a broken plugin of one that keeps the rules.
type change func(r *raw)

// encrypted makes a plugin speak TLS with a config of its own.
func encrypted(r *raw, config *tls.Config) {
	if os.Getenv("PLUGIN_CLIENT_CERT") == "" {
		return
	}
	own, err := selfsigned.New()
	if err != nil {
		panic(err)
	}
	config.Certificates = []tls.Certificate{own}
	r.creds = credentials.NewTLS(config)
	r.options = append(r.options, grpc.Creds(r.creds))
	r.line = func(socket string) string {
		return "1|1|unix|" + socket + "|grpc|" + base64.RawStdEncoding.EncodeToString(own.Certificate[0])
	}
}

// daemonsCertificate is the pool of the one client that may call.
func daemonsCertificate() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(os.Getenv("PLUGIN_CLIENT_CERT")))
	return pool
}

// optional encrypts the connections that begin like TLS.
type optional struct {
	credentials.TransportCredentials
}

func (o optional) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	first := make([]byte, 1)
	if _, err := io.ReadFull(c, first); err != nil {
		return nil, nil, err
	}
	c = begun{c, io.MultiReader(bytes.NewReader(first), c)}
	if first[0] == 0x16 {
		return o.TransportCredentials.ServerHandshake(c)
	}
	return c, nil, nil
}

// begun is a connection of which something was read.
type begun struct {
	net.Conn
	all io.Reader
}

func (b begun) Read(p []byte) (int, error) { return b.all.Read(p) }

// fragile dies of whoever does not speak gRPC.
type fragile struct {
	credentials.TransportCredentials
}

func (f fragile) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	first := make([]byte, 3)
	if _, err := io.ReadFull(c, first); err == nil && string(first) != "PRI" {
		os.Exit(9)
	}
	return begun{c, io.MultiReader(bytes.NewReader(first), c)}, nil, nil
}

var errBroken = errors.New("something is broken")

// broken are plugins each of which breaks one rule: the check that finds it,
// and what it says.
var broken = []struct {
	name   string
	change change
	check  string
	want   string
}{
	{"runs by hand", func(r *raw) { r.byHand = func() { select {} } }, "started by hand", "print a sentence and exit 1: it was still running"},
	{"ends by hand as if well", func(r *raw) { r.byHand = func() { os.Exit(0) } }, "started by hand", "it exited 0"},
	{"says nothing by hand", func(r *raw) { r.byHand = func() { os.Exit(1) } }, "started by hand", "it said nothing"},

	{"prints another line", func(r *raw) { r.line = func(s string) string { return "1|1|tcp|" + s + "|grpc|" } }, "handshake", `field 3 of the handshake line must be "unix": it is "tcp"`},
	{"speaks another version", func(r *raw) { r.line = func(s string) string { return "1|2|unix|" + s + "|grpc|" } }, "handshake", `field 2 of the handshake line must be "1"`},
	{"prints half a line", func(r *raw) { r.line = func(s string) string { return "1|1|unix|" + s } }, "handshake", "print the handshake line as 1|1|unix|PATH|grpc|CERT"},
	{"listens elsewhere", func(r *raw) { r.line = func(s string) string { return "1|1|unix|/tmp/s|grpc|" } }, "handshake", "make the socket in the folder PLUGIN_UNIX_SOCKET_DIR"},
	{"prints too early", func(r *raw) {
		listen := r.listen
		r.listen = func(s string) net.Listener {
			fmt.Println(r.line(s))
			io.Copy(io.Discard, os.Stdin) // until the daemon is gone
			return listen(s)
		}
	}, "handshake", "listen on the socket before printing"},

	{"trusts every daemon", func(r *raw) { encrypted(r, &tls.Config{ClientAuth: tls.RequireAnyClientCert}) }, "encryption", "trust no client certificate but the one of PLUGIN_CLIENT_CERT"},
	{"demands no certificate", func(r *raw) {
		encrypted(r, &tls.Config{ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: daemonsCertificate()})
	}, "encryption", "demand the client certificate of PLUGIN_CLIENT_CERT: a call without one was answered"},
	{"encrypts when it is asked to", func(r *raw) {
		encrypted(r, &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: daemonsCertificate()})
		if r.creds != nil {
			r.options = append(r.options, grpc.Creds(optional{r.creds}))
		}
	}, "encryption", "answer over TLS only: a call without TLS was answered"},
	{"prints junk for a certificate", func(r *raw) {
		if os.Getenv("PLUGIN_CLIENT_CERT") != "" {
			r.line = func(s string) string { return "1|1|unix|" + s + "|grpc|%%%" }
		}
	}, "encryption", "field 6 of the handshake line must be the certificate"},

	{"is not healthy", func(r *raw) { r.health = grpc_health_v1.HealthCheckResponse_NOT_SERVING }, "health", "with SERVING: it is NOT_SERVING"},

	{"has no name", func(r *raw) { r.describe = func(d *pb.DescribeResponse) { d.Name = "" } }, "describe", "say the plugin's name"},
	{"has a schema that is none", func(r *raw) { r.describe = func(d *pb.DescribeResponse) { d.ConfigSchema = []byte("yes") } }, "describe", "config_schema must be a JSON Schema"},
	{"changes its mind", func(r *raw) {
		r.describe = func(d *pb.DescribeResponse) { d.Version = fmt.Sprint(time.Now().UnixNano()) }
	}, "describe", "answer Describe the same every time"},
	{"writes when described", func(r *raw) {
		r.describe = func(*pb.DescribeResponse) { os.WriteFile("described", nil, 0o600) }
	}, "describe", "have no side effects in Describe: it made described in its folder"},

	{"asks for packs and reads none", func(r *raw) { r.describe = func(d *pb.DescribeResponse) { d.Packs = true } }, "packs", "out of packs, or do not describe the plugin with packs: acknowledge an alert only when it is safe at the destination: 3 of 5"},
	{"accepts every configuration", func(r *raw) {
		r.judge = func(map[string]any) ([]*pb.ConfigError, error) { return nil, nil }
	}, "config errors", "refuse a configuration with mistakes"},
	{"breaks off Configure", func(r *raw) {
		r.judge = func(c map[string]any) ([]*pb.ConfigError, error) {
			if len(objections(c)) > 0 {
				return nil, errBroken
			}
			return nil, nil
		}
	}, "config errors", "never with a gRPC status"},
	{"reports one mistake at a time", func(r *raw) {
		r.judge = func(c map[string]any) ([]*pb.ConfigError, error) {
			all := objections(c)
			return all[:min(1, len(all))], nil
		}
	}, "config errors", "report every mistake of a configuration in one answer"},
	{"points nowhere", func(r *raw) {
		r.judge = func(c map[string]any) ([]*pb.ConfigError, error) {
			all := objections(c)
			for _, e := range all {
				e.Pointer = strings.TrimPrefix(e.Pointer, "/")
			}
			return all, nil
		}
	}, "config errors", "point at a mistake with a JSON pointer"},
	{"does not say what is wrong", func(r *raw) {
		r.judge = func(c map[string]any) ([]*pb.ConfigError, error) {
			all := objections(c)
			for _, e := range all {
				e.Message = ""
			}
			return all, nil
		}
	}, "config errors", "has no message"},
	{"misses no key", func(r *raw) {
		r.judge = func(c map[string]any) ([]*pb.ConfigError, error) {
			all := objections(c)
			for _, e := range all {
				if e.Pointer == "" {
					e.Message = "something is missing"
				}
			}
			return all, nil
		}
	}, "config errors", "report a missing key as an error of the object it is missing from"},

	{"dies of a new call", func(r *raw) {
		r.options = append(r.options, grpc.UnknownServiceHandler(func(_ any, call grpc.ServerStream) error {
			if method, _ := grpc.MethodFromServerStream(call); strings.HasPrefix(method, "/trailship.") {
				os.Exit(5)
			}
			return status.Error(codes.Unimplemented, "unknown")
		}))
	}, "junk", "answer a call that is not known with UNIMPLEMENTED: the process ended (exit status 5"},

	{"dies of strangers", func(r *raw) {
		r.options = append(r.options, grpc.Creds(fragile{insecure.NewCredentials()}))
	}, "junk", "keep answering after bytes that are not gRPC: the process ended (exit status 9"},
	{"refuses a new field", func(r *raw) {
		r.options = append(r.options, grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			if len(req.(proto.Message).ProtoReflect().GetUnknown()) > 0 {
				return nil, errBroken
			}
			return next(ctx, req)
		}))
	}, "junk", "ignore a field that is not known"},

	{"dies of SIGTERM", func(r *raw) { r.signals = func() { signal.Ignore(syscall.SIGINT) } }, "shutdown", "ignore SIGINT and SIGTERM"},
	{"outlives the daemon", func(r *raw) { r.end = func() { select {} } }, "shutdown", "exit when standard input ends: it was still running"},
	{"leaves a child", func(r *raw) {
		r.end = func() {
			exec.Command("/bin/sleep", "600").Start()
			os.Exit(0)
		}
	}, "shutdown", "leave no process behind"},

	{"does not like its configuration", func(r *raw) {
		r.judge = func(map[string]any) ([]*pb.ConfigError, error) { return []*pb.ConfigError{{Message: "no"}}, nil }
	}, "configure", "accept the configuration of this test, or mend it: no"},
	{"sends when configured", func(r *raw) {
		r.opened = func() { r.write(context.Background(), []*pb.Alert{{Json: []byte("hello")}}) }
	}, "configure", "send nothing in Configure"},
	{"writes when configured", func(r *raw) { r.opened = func() { os.WriteFile("opened", nil, 0o600) } }, "configure", "write nothing in Configure"},

	{"delivers nothing", func(r *raw) {
		r.deliver = func(context.Context, []*pb.Alert) ([]*pb.Failure, error) { return nil, nil }
	}, "delivery", "acknowledge an alert only when it is safe at the destination: 4 of 4 acknowledged ones are not there"},
	{"fails strangers", func(r *raw) {
		r.deliver = func(context.Context, []*pb.Alert) ([]*pb.Failure, error) {
			return []*pb.Failure{{Id: "who", Message: "x"}}, nil
		}
	}, "delivery", `name only alerts of the batch as failed: "who" is none`},
	{"fails without a word", func(r *raw) {
		r.deliver = func(_ context.Context, alerts []*pb.Alert) ([]*pb.Failure, error) {
			return []*pb.Failure{{Id: alerts[0].Id}}, nil
		}
	}, "delivery", "say in the message of a failure what went wrong"},
	{"fails twice", func(r *raw) {
		r.deliver = func(_ context.Context, alerts []*pb.Alert) ([]*pb.Failure, error) {
			return []*pb.Failure{{Id: alerts[0].Id, Message: "x"}, {Id: alerts[0].Id, Message: "x"}}, nil
		}
	}, "delivery", "name a failed alert once"},
	{"asks for a negative pause", func(r *raw) {
		r.deliver = func(_ context.Context, alerts []*pb.Alert) ([]*pb.Failure, error) {
			return []*pb.Failure{{Id: alerts[0].Id, Message: "x", RetryAfterMs: -1}}, nil
		}
	}, "delivery", "retry_after_ms must not be negative"},
	{"is down", func(r *raw) {
		r.deliver = func(context.Context, []*pb.Alert) ([]*pb.Failure, error) { return nil, errBroken }
	}, "delivery", "deliver an alert: the answer was Unknown: something is broken"},

	{"dislikes nothing", func(r *raw) {
		r.deliver = func(ctx context.Context, alerts []*pb.Alert) ([]*pb.Failure, error) {
			if len(alerts) == 0 {
				return nil, errBroken
			}
			return r.write(ctx, alerts)
		}
	}, "empty batch", "answer an empty batch with OK"},
	{"takes the first 500", func(r *raw) {
		r.deliver = func(ctx context.Context, alerts []*pb.Alert) ([]*pb.Failure, error) {
			return r.write(ctx, alerts[:min(500, len(alerts))])
		}
	}, "full batch", "500 of 1000 acknowledged ones are not there"},
	{"dies of a large alert", func(r *raw) {
		r.deliver = func(ctx context.Context, alerts []*pb.Alert) ([]*pb.Failure, error) {
			if len(alerts[0].Json) > 4<<20 {
				os.Exit(6)
			}
			return r.write(ctx, alerts)
		}
	}, "large alert", "the process ended (exit status 6"},
	{"tries a large alert for ever", func(r *raw) {
		r.deliver = func(ctx context.Context, alerts []*pb.Alert) ([]*pb.Failure, error) {
			if len(alerts[0].Json) > 4<<20 {
				return []*pb.Failure{{Id: alerts[0].Id, Message: "too large"}}, nil
			}
			return r.write(ctx, alerts)
		}
	}, "large alert", "refuse an alert that is too large for good"},
	{"does one thing at a time", func(r *raw) {
		busy, met := make(chan struct{}, 1), make(chan struct{})
		meet := sync.OnceFunc(func() { close(met) })
		r.deliver = func(ctx context.Context, alerts []*pb.Alert) ([]*pb.Failure, error) {
			select {
			case busy <- struct{}{}:
			default:
				meet()
				return nil, status.Error(codes.Aborted, "not now")
			}
			defer func() { <-busy }()
			// Calls that come at the same time meet, however slow the machine is.
			if len(alerts) > 0 && bytes.Contains(alerts[0].GetJson(), []byte("at the same time as others")) {
				select {
				case <-met:
				case <-ctx.Done():
				}
			}
			return r.write(ctx, alerts)
		}
	}, "concurrent calls", "take calls at the same time"},
	{"refuses what it knows", func(r *raw) {
		seen := map[string]bool{}
		r.deliver = func(ctx context.Context, alerts []*pb.Alert) (failed []*pb.Failure, err error) {
			for _, a := range alerts {
				if seen[a.Id] {
					failed = append(failed, &pb.Failure{Id: a.Id, Message: "twice", Class: pb.Failure_PERMANENT})
				}
				seen[a.Id] = true
			}
			r.write(ctx, alerts)
			return failed, nil
		}
	}, "redelivery", "take an alert that comes again under the same id"},
	{"never lets go of a cancelled call", func(r *raw) {
		var mu sync.Mutex
		r.deliver = func(ctx context.Context, alerts []*pb.Alert) ([]*pb.Failure, error) {
			mu.Lock()
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(time.Duration(len(alerts)/20) * 500 * time.Millisecond):
			}
			defer mu.Unlock()
			return r.write(ctx, alerts)
		}
	}, "cancelled call", "keep working after a cancelled call"},

	{"fails all for one", func(r *raw) {
		r.deliver = func(ctx context.Context, alerts []*pb.Alert) ([]*pb.Failure, error) {
			for _, a := range alerts {
				if oddity(a) == Refuse {
					return nil, errBroken
				}
			}
			return r.write(ctx, alerts)
		}
	}, "partial failure", "name the alerts that failed"},
	{"refuses all for one", func(r *raw) {
		r.deliver = func(ctx context.Context, alerts []*pb.Alert) (failed []*pb.Failure, err error) {
			if len(alerts) < 3 || oddity(alerts[1]) != Refuse {
				return r.write(ctx, alerts)
			}
			for _, a := range alerts {
				failed = append(failed, &pb.Failure{Id: a.Id, Message: "no", Class: pb.Failure_PERMANENT})
			}
			return failed, nil
		}
	}, "partial failure", "say PERMANENT of the alert that was refused alone"},
	{"tries the refused for ever", func(r *raw) {
		r.failing(Refuse, func(a *pb.Alert) *pb.Failure { return &pb.Failure{Id: a.Id, Message: "no"} })
	}, "partial failure", "say PERMANENT of an alert the destination refuses for good"},
	{"swallows a refusal", func(r *raw) {
		r.deliver = func(ctx context.Context, alerts []*pb.Alert) ([]*pb.Failure, error) {
			r.write(ctx, alerts)
			return nil, nil
		}
	}, "partial failure", "1 of 1 acknowledged ones are not there"},
	{"gives up on the busy", func(r *raw) {
		r.failing(Busy, func(a *pb.Alert) *pb.Failure {
			return &pb.Failure{Id: a.Id, Message: "no", Class: pb.Failure_PERMANENT}
		})
	}, "busy destination", "say RETRYABLE of an alert the destination takes later"},
	{"gives up on the slow", func(r *raw) {
		r.failing(Slow, func(a *pb.Alert) *pb.Failure {
			return &pb.Failure{Id: a.Id, Message: "no", Class: pb.Failure_PERMANENT}
		})
	}, "slow destination", "say RETRYABLE when the destination does not answer in time"},
	{"waits for ever", func(r *raw) {
		var mu sync.Mutex
		r.deliver = func(ctx context.Context, alerts []*pb.Alert) ([]*pb.Failure, error) {
			mu.Lock()
			defer mu.Unlock()
			if oddity(alerts[0]) == Slow {
				select {}
			}
			return r.write(ctx, alerts)
		}
	}, "slow destination", "give up when the time of a call is over, and take the next: deliver an alert: there was no answer in time"},

	{"cannot reopen", func(r *raw) { r.reopen = func() error { return errBroken } }, "reopen", "answer Reopen with OK, or with UNIMPLEMENTED when there is nothing to reopen: the answer was Unknown: something is broken"},
	{"dies of a reopening", func(r *raw) {
		r.reopen = func() error { os.Exit(8); return nil }
	}, "reopen", "the process ended (exit status 8"},
	{"writes into the void once reopened", func(r *raw) {
		r.reopen = func() error { r.Path = os.DevNull; return nil }
	}, "reopen", "acknowledge an alert only when it is safe at the destination"},

	{"loses what it kept when drained", (*raw).lazy, "drain", "acknowledge an alert only when it is safe"},
	{"never ends draining", func(r *raw) {
		r.drain = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	}, "drain", "answer Drain when everything is flushed: there was no answer in time"},
	{"takes alerts after the drain", func(r *raw) {
		r.drain = func(context.Context) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.drained = false
			return nil
		}
	}, "drain", "refuse Deliver after Drain with UNAVAILABLE: the answer was OK"},
	{"loses what it kept when killed", (*raw).lazy, "kill -9", "acknowledge an alert only when it is safe"},
	{"trips over its own lock", func(r *raw) {
		r.deliver = func(ctx context.Context, alerts []*pb.Alert) ([]*pb.Failure, error) {
			os.WriteFile("lock", nil, 0o600)
			return r.write(ctx, alerts)
		}
		r.judge = func(c map[string]any) ([]*pb.ConfigError, error) {
			if _, err := os.Stat("lock"); err == nil {
				return []*pb.ConfigError{{Message: "another process holds the lock"}}, nil
			}
			return objections(c), nil
		}
	}, "kill -9", "start again in the same folder after kill -9"},

	{"logs its token", func(r *raw) { r.opened = func() { fmt.Fprintln(os.Stderr, "token is", r.Token) } }, "secrets", "keep the secrets of the configuration out of every error and every line of log"},
	{"tells its token", func(r *raw) {
		r.failing(Busy, func(a *pb.Alert) *pb.Failure { return &pb.Failure{Id: a.Id, Message: "cannot log in with " + r.Token} })
	}, "secrets", "keep the secrets of the configuration out of every error and every line of log"},
	{"quotes what is wrong", func(r *raw) {
		r.judge = func(c map[string]any) ([]*pb.ConfigError, error) {
			all := objections(c)
			for _, e := range all {
				e.Message += fmt.Sprintf(": %v", c["token"])
			}
			return all, nil
		}
	}, "secrets", "an objection or the log quotes one"},
}
