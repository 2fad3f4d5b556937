package file

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/plugins/sdk"
)

// opened returns an output over a file that ends with the test.
func opened(t *testing.T, c config) sdk.Output {
	t.Helper()
	out, err := c.open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	return out
}

// deliver writes alerts with these payloads as one batch.
func deliver(t *testing.T, out sdk.Output, texts ...string) {
	t.Helper()
	var alerts []sdk.Alert
	for _, text := range texts {
		alerts = append(alerts, sdk.Alert{ID: text, JSON: []byte(text)})
	}
	if err := out.Deliver(t.Context(), alerts); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAlertsAreAppendedOneALine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alerts")
	write(t, path, "{\"old\":1}\n")
	out := opened(t, config{Path: path})
	deliver(t, out, `{"a":1}`, "{\n\"b\": 2}")
	deliver(t, out, `{"c":3}`)
	if got := content(t, path); got != "{\"old\":1}\n{\"a\":1}\n{\"b\":2}\n{\"c\":3}\n" {
		t.Errorf("%q", got)
	}
}

func TestATornLastLineIsCutOffWhenTheFileIsOpened(t *testing.T) {
	for before, after := range map[string]string{
		"":                                 "new\n",
		"whole\n":                          "whole\nnew\n",
		"whole\n{\"tor":                    "whole\nnew\n",
		"torn from the start":              "new\n",
		"w\n" + strings.Repeat("x", 3e5):   "w\nnew\n",
		"w\n\n":                            "w\n\nnew\n",
		strings.Repeat("y", 1<<16) + "\nz": strings.Repeat("y", 1<<16) + "\nnew\n",
	} {
		path := filepath.Join(t.TempDir(), "alerts")
		write(t, path, before)
		out := opened(t, config{Path: path})
		if got := content(t, path); got != before {
			t.Errorf("%.20q was touched before the first batch", before)
		}
		deliver(t, out, "new")
		if got := content(t, path); got != after {
			t.Errorf("%.20q became %.40q", before, got)
		}
	}
}

func TestWritingGoesOnInTheFileThatIsThere(t *testing.T) {
	for name, disturb := range map[string]func(path string, out sdk.Output) error{
		"renamed": func(path string, _ sdk.Output) error { return os.Rename(path, path+".1") },
		"removed": func(path string, _ sdk.Output) error { return os.Remove(path) },
		"renamed and told": func(path string, out sdk.Output) error {
			os.Rename(path, path+".1")
			return out.(sdk.Reopener).Reopen()
		},
		"truncated in place": func(path string, _ sdk.Output) error { return os.Truncate(path, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "alerts")
			out := opened(t, config{Path: path})
			deliver(t, out, "a")
			if err := disturb(path, out); err != nil {
				t.Fatal(err)
			}
			deliver(t, out, "b")
			if got := content(t, path); got != "b\n" {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestRotationKeepsWholeBatchesAndTheNewestFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "alerts")
	write(t, path+".notes", "mine")
	out := opened(t, config{Path: path, MaxSize: 10, Keep: 2})
	for i := range 8 {
		deliver(t, out, fmt.Sprintf("aaa%d", i))
	}
	deliver(t, out, "larger than the limit")
	files, err := filepath.Glob(path + "*")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	var got []string
	for _, f := range files {
		got = append(got, content(t, f))
	}
	want := []string{"larger than the limit\n", "aaa4\naaa5\n", "aaa6\naaa7\n", "mine"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff, files)
	}
}

func TestNobodyElseMayWriteToTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alerts")
	deliver(t, opened(t, config{Path: path}), "a")
	err := opened(t, config{Path: path}).Deliver(t.Context(), []sdk.Alert{{JSON: []byte("b")}})
	if want := "opening " + path + ": another process writes to it: give each output a file of its own"; err == nil || err.Error() != want {
		t.Error(err)
	}
}

func TestNewFilesHaveTheModeAskedFor(t *testing.T) {
	for mode, want := range map[string]os.FileMode{"": 0o600, "0644": 0o644, "640": 0o640} {
		path := filepath.Join(t.TempDir(), "alerts")
		deliver(t, opened(t, config{Path: path, Mode: mode}), "a")
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%q: %v %v", mode, info.Mode(), err)
		}
	}
}

func TestAFailedBatchLeavesNothingBehind(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alerts")
	out := opened(t, config{Path: path})
	deliver(t, out, "a")
	// A handle that cannot be written to stands for a full disk.
	f := out.(*file)
	f.f.Close()
	var err error
	if f.f, err = os.Open(path); err != nil {
		t.Fatal(err)
	}
	if err := out.Deliver(t.Context(), []sdk.Alert{{JSON: []byte("b")}}); err == nil {
		t.Error("no error")
	}
	deliver(t, out, "c")
	if got := content(t, path); got != "a\nc\n" {
		t.Errorf("%q", got)
	}
}

func TestWhatCannotBeWrittenIsSaidBefore(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(sdk.DirEnv, dir)
	write(t, filepath.Join(dir, "plain"), "")
	for _, test := range []struct {
		c    config
		want string
	}{
		{config{Path: "no/alerts"}, "/path: the folder DIR/no does not exist: create it"},
		{config{Path: "plain/alerts"}, "/path: DIR/plain is not a folder"},
		{config{Path: dir}, "/path: DIR is a folder: name a file in it"},
		{config{Path: "/dev/null"}, "/path: /dev/null is not a regular file"},
		{config{Path: "x", Mode: "rw"}, `/mode: must be permissions in octal, such as "0640"`},
		{config{Path: "x", Keep: -1}, "/keep: must not be negative"},
		{config{Path: "x"}, "<nil>"},
	} {
		_, err := test.c.open()
		if got := strings.ReplaceAll(fmt.Sprint(err), dir, "DIR"); got != test.want {
			t.Errorf("%+v: %s", test.c, got)
		}
	}
}
