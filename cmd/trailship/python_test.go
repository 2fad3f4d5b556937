package main

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// examplePlugin is the example of an output in another language.
const examplePlugin = "../../examples/output-python"

// pythonPlugin makes the scaffold in Python and returns its folder. Without
// Python's gRPC the test is skipped.
func pythonPlugin(t *testing.T) (dir string) {
	t.Helper()
	if out, err := exec.Command("/usr/bin/python3", "-c", "import grpc, google.protobuf").CombinedOutput(); err != nil {
		skip := t.Skipf
		if os.Getenv("TRAILSHIP_CI") != "" {
			skip = t.Fatalf
		}
		skip("needs Debian's python3-grpcio and python3-protobuf: %v\n%s", err, out)
	}
	return newScaffold(t, "python")
}

// newScaffold makes a plugin called folder.
func newScaffold(t *testing.T, lang string) (dir string) {
	t.Helper()
	cmd := exec.Command(builtTrailship(t), "plugins", "new", "folder", "--lang", lang)
	cmd.Dir = t.TempDir()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return filepath.Join(cmd.Dir, "trailship-output-folder")
}

// Were they copies, one of them would go stale.
func TestTheExampleInPythonIsTheScaffoldAndWhatTheDocumentationShows(t *testing.T) {
	want, got := filesOf(t, newScaffold(t, "python")), filesOf(t, examplePlugin)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("examples/output-python is not what `trailship plugins new folder --lang python` makes (-want +got):\n%s", diff)
	}
	program := got["trailship-output-folder"]
	if !strings.Contains(readFile(t, "../../docs/plugins.md"), "```python\n"+program+"```\n") {
		t.Error("docs/plugins.md does not show examples/output-python/trailship-output-folder as it is")
	}
}

// filesOf reads a folder, but for what Python leaves behind.
func filesOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.Name() == "__pycache__" {
			return filepath.SkipDir
		}
		if !e.IsDir() {
			files[e.Name()] = readFile(t, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestANewPluginInPythonPassesItsTestAndKeepsTheProtocol(t *testing.T) {
	if testing.Short() {
		t.Skip("takes many starts of Python")
	}
	dir := pythonPlugin(t)
	run := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		return string(out)
	}
	run("/usr/bin/python3", "-m", "unittest")
	alerts := filepath.Join(t.TempDir(), "alerts")
	report := run(builtTrailship(t), "plugins", "test", "./trailship-output-folder",
		"--config", fmt.Sprintf(`{"folder": %q}`, alerts), "--read-back", fmt.Sprintf("cat %s/*.json", alerts))
	if !strings.Contains(report, " passed, 0 failed, 7 skipped\n") {
		t.Error(report)
	}

	for _, command := range []string{"sudo apt-get install python3-grpcio python3-protobuf ", "/usr/bin/python3 -m unittest", "trailship plugins test ./trailship-output-folder "} {
		if !strings.Contains(readFile(t, filepath.Join(dir, "README.md")), "\n"+command) {
			t.Errorf("README.md does not say %q", command)
		}
	}
}

func TestAnOutputInPythonGetsEveryAlertOnceThoughItIsKilled(t *testing.T) {
	dir := pythonPlugin(t)
	var first, second []string
	for n := range 200 {
		first, second = append(first, fmt.Sprintf("a%d", n)), append(second, fmt.Sprintf("b%d", n))
	}
	output := fmt.Sprintf("plugin_dirs: [%q]\noutputs: [{name: files, plugin: folder, tls: off, config: {folder: alerts}, batch: {max: 20, wait: 0s}}, ", dir)
	d := newDaemonTest(t, map[string]string{
		"trailship.yaml": strings.Replace(daemonConfig, "outputs: [", output, 1),
		"rules/r.yaml":   ruleFile("any"), "trails/a.json": trail(first...),
	})
	written := func() int {
		files, err := filepath.Glob(d.path("alerts/*.json"))
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	d.start()
	d.hears("the plugin is running", 2)
	d.eventually("some of the alerts are there", func() bool { return written() > 20 })
	d.kill("plugin=folder")
	d.eventually("the first alerts are there", func() bool { return written() == len(first) })
	d.rename("trails/b.json", trail(second...))
	d.eventually("all alerts are there", func() bool { return written() == len(first)+len(second) })
	d.hears("the plugin is running", 3)
	if code := d.stop(); code != 0 {
		t.Errorf("exit code %d; it said:\n%s", code, d.output())
	}

	// The other output has the same alerts: each file is one of them, whole.
	want, got := slices.Sorted(strings.Lines(readFile(t, d.path("alerts.ndjson")))), slices.Sorted(maps.Values(filesOf(t, d.path("alerts"))))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// kill ends the plugin whose start the daemon told of with these words.
func (d *daemonTest) kill(words string) {
	d.Helper()
	for line := range strings.Lines(d.output()) {
		_, after, ok := strings.Cut(line, " pid=")
		if !ok || !strings.Contains(line, words) {
			continue
		}
		pid, err := strconv.Atoi(strings.TrimSpace(after))
		if err == nil {
			err = syscall.Kill(pid, syscall.SIGKILL)
		}
		if err != nil {
			d.Fatal(err)
		}
		return
	}
	d.Fatalf("no line with %s and a pid:\n%s", words, d.output())
}
