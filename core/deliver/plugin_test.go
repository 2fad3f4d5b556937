package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/trailship/trailship/plugins"
	"github.com/trailship/trailship/plugins/sdk"
)

// TestMain lets the test binary play the plugins, and the daemon that is
// killed: `deliver.test plugin NAME` and `deliver.test daemon DIR`.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "plugin" {
		if serve := plugins.Shipped[os.Args[2]]; serve != nil {
			serve()
		}
		testPlugins[os.Args[2]]()
		os.Exit(0)
	}
	if len(os.Args) == 3 && os.Args[1] == "daemon" {
		doomedDaemon(os.Args[2])
	}
	goleak.VerifyTestMain(m)
}

// plugin is an output of one of the plugins below, or of a shipped one.
func pluginOutput(t *testing.T, name string, config any) Output {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	return Output{
		Name: name, Program: []string{self, "plugin", name}, Config: text, TLS: true,
		Retry: Retry{Initial: 10 * time.Millisecond, Max: 50 * time.Millisecond},
	}
}

// testPlugins are the main functions of programs that do one thing wrong.
var testPlugins = map[string]func(){
	"record": func() { sdk.Serve("record", openRecord) },
	"liar":   func() { serveLies() },
	"silent": func() { select {} },
	"stuck": func() {
		sdk.Serve("stuck", func(context.Context, struct{}) (sdk.Output, error) { select {} })
	},
	"rigid": func() {
		sdk.Serve("rigid", func(context.Context, struct{}) (sdk.Output, error) { return rigid{}, nil })
	},
	"overlong": func() {
		fmt.Println("1|1|unix|" + strings.Repeat("x", 100<<10))
		select {}
	},
	"parent": func() { sdk.Serve("parent", openParent) },
	"flood":  func() { sdk.Serve("flood", openFlood) },
	"dies": func() {
		fmt.Fprintln(os.Stderr, "cannot find my licence")
		os.Exit(7)
	},
	"chatty": func() {
		fmt.Println("Warning: something of mine is deprecated")
		fmt.Println(`{"@message":1}`)
		fmt.Fprintln(os.Stderr, `{"@message":1}`)
		fmt.Fprintln(os.Stderr, `{"msg":1,"level":{}}`)
		fmt.Fprint(os.Stderr, strings.Repeat("x", 200<<10)+"\n\xff\x00\n{\n")
		sdk.Serve("chatty", func(ctx context.Context, c recordConfig) (sdk.Output, error) {
			fmt.Println("printed after the handshake")
			fmt.Fprintln(os.Stderr, "and so was this")
			syscall.Write(1, []byte(strings.Repeat("y", 200<<10)))
			return openRecord(ctx, c)
		})
	},
}

// rigid is an output that never reopens.
type rigid struct{}

func (rigid) Deliver(context.Context, []sdk.Alert) error { return nil }
func (rigid) Reopen() error                              { select {} }
func (rigid) Close() error                               { return nil }

// recordConfig is the configuration of the plugin that appends the ids it is
// given to a file and does as it is told by alerts' ids.
type recordConfig struct {
	Path  string     `json:"path" required:"true"`
	Token sdk.Secret `json:"token"`
	Mode  string     `json:"mode" enum:"easy,hard"`
}

func openRecord(_ context.Context, c recordConfig) (sdk.Output, error) {
	slog.Debug("opened", "token", string(c.Token))
	return sdk.Each(func(ctx context.Context, a sdk.Alert) error {
		verb, _, _ := strings.Cut(a.ID, "-")
		once := func() bool { // true for the first time only, across processes
			f, err := os.OpenFile(filepath.Join(filepath.Dir(c.Path), "seen-"+a.ID), os.O_CREATE|os.O_EXCL, 0o600)
			if err == nil {
				f.Close()
			}
			return err == nil
		}
		switch {
		case verb == "refused":
			return sdk.Permanent(errors.New("not for me"))
		case verb == "later" && once():
			return sdk.RetryAfter(errors.New("busy"), 150*time.Millisecond)
		case verb == "flaky" && once():
			return errors.New("try again, says " + string(c.Token))
		case verb == "panic" && once():
			panic("nobody told me about " + string(c.Token))
		case verb == "broken":
			panic("what is this")
		case verb == "crash" && once(), verb == "poison":
			os.Exit(3)
		case verb == "freeze" && once():
			select {}
		case verb == "hang" && once():
			syscall.Kill(os.Getpid(), syscall.SIGSTOP)
			select {} // another thread may take the signal
		}
		f, err := os.OpenFile(c.Path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = f.WriteString(a.ID + "\n")
		return err
	}), nil
}

// openParent starts two children that stay, one of them in a session of its
// own, and writes their pids.
func openParent(_ context.Context, c recordConfig) (sdk.Output, error) {
	var pids string
	for _, apart := range []bool{false, true} {
		cmd := exec.Command("/bin/sleep", "600")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: apart}
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		pids += fmt.Sprintln(cmd.Process.Pid)
	}
	return rigid{}, os.WriteFile(c.Path, []byte(pids), 0o600)
}

// openFlood writes 8 MiB to each of its streams for every alert.
func openFlood(ctx context.Context, c recordConfig) (sdk.Output, error) {
	out, err := openRecord(ctx, c)
	text := []byte(strings.Repeat(strings.Repeat("x", 1023)+"\n", 8<<10))
	return sdk.Each(func(ctx context.Context, a sdk.Alert) error {
		syscall.Write(1, text)
		os.Stderr.Write(text)
		fmt.Fprintln(os.Stderr, "the last words")
		return out.Deliver(ctx, []sdk.Alert{a})
	}), err
}

// lines returns the lines of a file, sorted or as they are.
func lines(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// run runs a Deliverer until the end of the test, and returns it.
func run(t *testing.T, o Output, s *outlet, log *slog.Logger) *Deliverer {
	t.Helper()
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	d := &Deliverer{Output: o, Store: s, Log: log}
	goOn(t, d)
	return d
}

// goOn lets a Deliverer Run until the end of the test.
func goOn(t *testing.T, d *Deliverer) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// flush waits until everything is delivered.
func flush(t *testing.T, d *Deliverer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := d.Flush(ctx); err != nil {
		t.Fatal(err)
	}
}

// doomedDaemon runs a plugin and waits to be killed; it prints the plugin's
// pid. The plugin has started children, whose pids are in the file out.
func doomedDaemon(dir string) {
	self, _ := os.Executable()
	config, _ := json.Marshal(recordConfig{Path: filepath.Join(dir, "out")})
	runDir, err := RunDir(dir)
	if err != nil {
		panic(err)
	}
	c, err := start(context.Background(), Output{Name: "doomed", Program: []string{self, "plugin", "parent"}, TLS: true, RunDir: runDir}, slog.New(slog.DiscardHandler))
	if err == nil {
		err = c.configure(context.Background(), Output{Config: config, Timeout: time.Minute})
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(c.proc.ID())
	select {}
}
