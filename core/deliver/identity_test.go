package deliver

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// nobody is a user every machine has.
const nobody = "nobody"

// asRoot skips a test that only root can make.
func asRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can start a program as another user")
	}
}

func TestAPluginWithAUserOfItsOwnRunsAsThatUser(t *testing.T) {
	asRoot(t)
	data, err := os.MkdirTemp("/tmp", "deliver-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(data) })
	if err := os.Chmod(data, 0o755); err != nil {
		t.Fatal(err)
	}
	// A test's program is in a folder for root only.
	program := filepath.Join(data, "trailship-output-record")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, text, 0o755); err != nil {
		t.Fatal(err)
	}

	o := pluginOutput(t, "record", map[string]any{"path": "OUT"})
	o.Program[0], o.User = program, nobody
	o.StateDir, o.RunDir = filepath.Join(data, "outputs", "record"), filepath.Join(data, "run")
	path := filepath.Join(o.StateDir, "out")
	o.Config = fmt.Appendf(nil, `{"path": %q}`, path)
	log, said := debugLog()
	s := &outlet{}
	d := run(t, o, s, log)
	pid := runningPID(t, said)
	s.raise("a-1", "b-1", "a-2")
	flush(t, d)
	if diff := cmp.Diff([]string{"a-1", "b-1", "a-2"}, lines(t, path)); diff != "" {
		t.Error(diff)
	}

	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip(err)
	}
	who, err := Output{User: nobody}.identity()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		fmt.Sprintf("Uid:\t%[1]d\t%[1]d\t%[1]d\t%[1]d\n", who.uid), fmt.Sprintf("Gid:\t%[1]d\t%[1]d\t%[1]d\t%[1]d\n", who.gid),
	} {
		if !strings.Contains(string(status), want) {
			t.Errorf("%q is not in\n%s", want, status)
		}
	}
	for _, line := range strings.Split(string(status), "\n") {
		if groups, ok := strings.CutPrefix(line, "Groups:"); ok && strings.TrimSpace(groups) != "" {
			t.Errorf("it is in the groups %s", groups)
		}
	}
}

func TestAUserThatCannotBeIsRefused(t *testing.T) {
	asRoot(t)
	for name, test := range map[string]struct {
		change func(*Output)
		want   string
	}{
		"no such user": {func(o *Output) { o.User = "nobody-at-all" }, `there is no user "nobody-at-all" on this machine`},
		"no way in": {func(o *Output) {
			o.User, o.RunDir = nobody, filepath.Join(t.TempDir(), "run")
			if err := os.Chmod(filepath.Dir(o.RunDir), 0o700); err != nil {
				t.Fatal(err)
			}
		}, "chmod o+x it"},
	} {
		t.Run(name, func(t *testing.T) {
			o := pluginOutput(t, "record", map[string]any{"path": "x"})
			test.change(&o)
			if err := Check(t.Context(), o, nil); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v\nwant: %s", err, test.want)
			}
		})
	}
}

func TestAPluginHasFewFilesNoCoreDumpsAndAPrivateUmask(t *testing.T) {
	o := pluginOutput(t, "record", map[string]any{"path": filepath.Join(t.TempDir(), "out")})
	c, err := start(t.Context(), o, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer c.close(t.Context())
	limits, err := os.ReadFile("/proc/" + c.proc.ID() + "/limits")
	if err != nil {
		t.Skip(err)
	}
	got := map[string]string{}
	for _, line := range strings.Split(string(limits), "\n") {
		for _, name := range []string{"Max open files", "Max core file size"} {
			if rest, ok := strings.CutPrefix(line, name); ok {
				got[name] = strings.Join(strings.Fields(rest)[:2], " ")
			}
		}
	}
	want := map[string]string{"Max open files": "1024 1024", "Max core file size": "0 0"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	status, err := os.ReadFile("/proc/" + c.proc.ID() + "/status")
	if err != nil || !strings.Contains(string(status), "\nUmask:\t0077\n") {
		t.Errorf("%v\n%s", err, status)
	}
}
