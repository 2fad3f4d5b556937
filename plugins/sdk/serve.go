package sdk

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"reflect"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

// Handshake is what both sides of the protocol agree on before they talk.
var Handshake = plugin.HandshakeConfig{
	ProtocolVersion:  1,
	MagicCookieKey:   "TRAILSHIP_PLUGIN",
	MagicCookieValue: "output",
}

// MaxMessage is the size of the largest message a plugin made with Serve
// takes, in bytes.
const MaxMessage = 64 << 20

// window holds a whole batch and more; buffer is what is read at once.
const (
	window = 4 << 20
	buffer = 128 << 10
)

// Serve is the main function of a plugin: it serves the Output that open
// returns for the configuration, and ends the process when the daemon is done
// with it. It does not return.
//
// The configuration is decoded strictly into C, a struct whose fields carry
// the tags json (the key), doc (a sentence), required:"true",
// enum:"a,b" and default:"5s" (the value of an absent key). Durations are
// time.Duration and written "10s"; types with
// UnmarshalText or UnmarshalJSON decode themselves.
//
// open must not change anything at the destination, because `trailship check`
// calls it too: open files and connections with the first Deliver. An error it
// returns is shown to the user; Invalidf says which key it is about. The
// context is open's only.
//
// What the plugin logs with slog, log, or by printing goes to the daemon's
// log. The working directory is a private folder that survives restarts. A
// panic inside Deliver is logged and the batch is tried again.
func Serve[C any](name string, open func(ctx context.Context, config C) (Output, error)) {
	serve(&server{
		name:     name,
		schema:   schema(name, reflect.TypeFor[C]()),
		redactor: &hidden,
		open: func(ctx context.Context, config []byte, hide func([]string)) (Output, error) {
			var c C
			errs := decode(config, &c)
			hide(secrets(reflect.ValueOf(c)))
			if len(errs) > 0 {
				return nil, errs
			}
			return open(ctx, c)
		},
	})
}

func serve(s *server) {
	if os.Getenv(Handshake.MagicCookieKey) != Handshake.MagicCookieValue {
		fmt.Fprintf(os.Stderr, "%s is an output plugin of trailship %s. It is not run by hand:\nname it in trailship.yaml (outputs: [{name: …, plugin: %s}]) and trailship starts it.\n",
			os.Args[0], version(), s.name)
		os.Exit(1)
	}
	// A Ctrl-C is for the daemon, which drains its plugins in its own time.
	// The channel is never read: what is notified to it is thrown away.
	signal.Notify(make(chan os.Signal, 1), os.Interrupt, syscall.SIGTERM)
	watchDaemon()

	// This is the process' own standard error; go-plugin replaces os.Stderr.
	slog.SetDefault(slog.New(logHandler(&redactingWriter{os.Stderr, s.redactor})))
	s.turn = make(chan struct{}, 1)
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: Handshake,
		Plugins:         plugin.PluginSet{"output": &grpcPlugin{server: s}},
		TLSProvider:     encrypt,
		Logger:          hclog.New(&hclog.LoggerOptions{Level: hclog.Error, Output: os.Stderr, DisableTime: true}),
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			// A batch is sent in one go, without waiting for the window to open.
			return grpc.NewServer(append(opts, grpc.ForceServerCodecV2(newCodec()), grpc.MaxRecvMsgSize(MaxMessage),
				grpc.InitialWindowSize(window), grpc.InitialConnWindowSize(window), grpc.ReadBufferSize(buffer))...)
		},
	})
	os.Exit(0)
}

// watchDaemon ends the process when the daemon is gone: its end of standard
// input is closed, or the parent is another one.
func watchDaemon() {
	if info, err := os.Stdin.Stat(); err == nil && info.Mode()&os.ModeNamedPipe != 0 {
		go func() {
			io.Copy(io.Discard, os.Stdin)
			os.Exit(0)
		}()
	}
	parent := os.Getppid()
	go func() {
		for range time.Tick(time.Second) {
			if os.Getppid() != parent {
				os.Exit(0)
			}
		}
	}()
}

// logHandler writes the lines the daemon reads; it has its own clock.
func logHandler(w io.Writer) slog.Handler {
	return slog.NewJSONHandler(w, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	})
}

// redactingWriter takes secrets out of what is written, a whole line at a time.
type redactingWriter struct {
	w io.Writer
	r *redactor
}

func (w *redactingWriter) Write(line []byte) (int, error) {
	if _, err := io.WriteString(w.w, w.r.redact(string(line))); err != nil {
		return 0, err
	}
	return len(line), nil
}

// version is that of the plugin's main module.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
