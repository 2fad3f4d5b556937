package sdktest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

// The test binary plays the plugins: `sdktest.test plugin NAME`.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "plugin" {
		for _, b := range broken {
			if b.name == os.Args[2] {
				r := keeping()
				b.change(r)
				r.serve()
			}
		}
		plugins[os.Args[2]]()
	}
	goleak.VerifyTestMain(m)
}

// played is a plugin this binary plays, with a file as its destination.
func played(t *testing.T, name string) Plugin {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "out")
	config, err := json.Marshal(map[string]string{"path": path, "token": "s3cr3t/\"token"})
	if err != nil {
		t.Fatal(err)
	}
	return Plugin{Program: []string{self, "plugin", name}, Config: config, ReadBack: func(context.Context) ([]string, error) {
		text, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil, nil
		}
		return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"), err
	}}
}

// outcomes makes all checks and returns those that did not pass.
func outcomes(t *testing.T, p Plugin) (got []string) {
	t.Helper()
	for r, err := range p.Check(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Status != Pass {
			got = append(got, fmt.Sprintf("%s %s: %s", r.Status, r.Check, r.Text))
		}
	}
	return got
}

func TestAPluginThatKeepsTheRulesPassesEveryCheck(t *testing.T) {
	t.Parallel()
	want := []string{
		"skip encryption: the plugin prints no certificate, so its users must write `tls: off`",
		"skip packs: the plugin does not describe itself with packs",
	}
	if diff := cmp.Diff(want, outcomes(t, played(t, "kept"))); diff != "" {
		t.Error(diff)
	}
}

func TestJunkOnTheStreamsIsTolerated(t *testing.T) {
	t.Parallel()
	for _, line := range outcomes(t, played(t, "chatty")) {
		if !strings.HasPrefix(line, "skip") {
			t.Error(line)
		}
	}
}

func TestWithoutAConfigurationTheRestIsSkipped(t *testing.T) {
	t.Parallel()
	p := played(t, "kept")
	p.Config = nil
	var want []string
	for _, c := range checks {
		if c.needs >= config {
			want = append(want, "skip "+c.name+": needs a configuration")
		}
	}
	got := outcomes(t, p)
	if diff := cmp.Diff(want, got[1:]); diff != "" {
		t.Error(diff)
	}
}

// before are the checks whose outcome others need.
var before = []string{"handshake", "describe", "configure", "delivery"}

func TestEveryBrokenPluginIsFound(t *testing.T) {
	for _, b := range broken {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			findsBroken(t, b.name, b.check, b.want)
		})
	}
	for name, want := range map[string]string{
		"silent": "print the handshake line 1|1|unix|PATH|grpc|CERT on standard output within",
		"dies":   `print the handshake line and keep running: the program ended before (exit status 7; its last words: "cannot find my licence")`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			findsBroken(t, name, "handshake", want)
		})
	}
}

// findsBroken makes one check, and those it needs.
func findsBroken(t *testing.T, name, check, want string) {
	t.Helper()
	s, err := newSuite(played(t, name))
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	needed := before
	if check == "secrets" {
		needed = append(slices.Clone(before), "busy destination")
	}
	for _, c := range checks {
		if c.name != check {
			if slices.Contains(needed, c.name) {
				if r := s.judge(t.Context(), c); r.Status == Fail {
					t.Fatalf("%s: %s", r.Check, r.Text)
				}
			}
			continue
		}
		// Nothing good is waited for from here on, but for starts.
		s.call, s.batch, s.slow, s.exit, s.arrive = 3*time.Second, 3*time.Second, 200*time.Millisecond, 3*time.Second, 500*time.Millisecond
		if slices.Contains([]string{"silent", "runs by hand"}, name) {
			s.patience.start = time.Second
		}
		r := s.judge(t.Context(), c)
		if r.Status != Fail || !strings.Contains(r.Text, want) {
			t.Errorf("%s %s: %s\nwant: %s", r.Status, r.Check, r.Text, want)
		}
		if strings.Contains(r.Text, "s3cr3t") {
			t.Errorf("the report tells the secret: %s", r.Text)
		}
		return
	}
}

func TestEveryCheckCanFail(t *testing.T) {
	for _, c := range checks {
		found := false
		for _, b := range broken {
			found = found || b.check == c.name
		}
		if !found {
			t.Errorf("no broken plugin fails the check %q", c.name)
		}
	}
}

func TestARunThatIsCutShortLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for r, err := range played(t, "short").Check(ctx) {
		if last = err; r.Check == "configure" {
			time.AfterFunc(50*time.Millisecond, cancel) // somewhere in the next check
		}
	}
	if last != context.Canceled {
		t.Errorf("it ends with %v", last)
	}
	programs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range programs {
		text, _ := os.ReadFile(path)
		if strings.HasSuffix(string(text), "\x00plugin\x00short\x00") {
			t.Errorf("%s is still there", path)
		}
	}
}

func TestSecretsAreFoundInAConfiguration(t *testing.T) {
	config := `{"url": "https://me:in-the-url@example.com", "headers": {"X-Api-Key": "under-a-key", "Accept": "in-a-marked-map"},
		"auth": {"password": ["in-a-list", "short"]}, "path": "/var/log/x"}`
	schema := `{"properties": {"headers": {"additionalProperties": {"type": "string", "writeOnly": true}}}}`
	want := []string{"in-a-marked-map", "under-a-key", "in-the-url", "in-a-list"}
	if diff := cmp.Diff(want, secretsOf(json.RawMessage(config), []byte(schema))); diff != "" {
		t.Error(diff)
	}
}

func TestAPointerResolvesWhereTheConfigurationHasSomething(t *testing.T) {
	var config any
	if err := json.Unmarshal([]byte(`{"a": {"b/c": [1, {"d~e": null}]}}`), &config); err != nil {
		t.Fatal(err)
	}
	for pointer, want := range map[string]bool{
		"": true, "/a": true, "/a/b~1c/0": true, "/a/b~1c/1/d~0e": true,
		"a": false, "/b": false, "/a/b/c": false, "/a/b~1c/2": false, "/a/b~1c/x": false, "/a/b~1c/0/x": false, "/": false,
	} {
		if got := resolves(config, pointer); got != want {
			t.Errorf("%q: %v", pointer, got)
		}
	}
}
