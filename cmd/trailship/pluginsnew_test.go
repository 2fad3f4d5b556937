package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A new plugin compiles, its test passes, and the suite passes it, all of it
// as a stranger would do it; only the SDK comes from this checkout.
func TestANewPluginCompilesAndKeepsTheProtocol(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a module")
	}
	trailship := builtTrailship(t)
	parent := t.TempDir()
	run := func(dir, name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	run(parent, trailship, "plugins", "new", "my-hook")
	dir := filepath.Join(parent, "trailship-output-my-hook")
	if unformatted := run(dir, "gofmt", "-l", "."); unformatted != "" {
		t.Errorf("not gofmt-ed: %s", unformatted)
	}
	checkout, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	// What `go mod tidy` would fetch is taken from here.
	write(t, filepath.Join(dir, "go.sum"), readFile(t, filepath.Join(checkout, "go.sum")))
	run(dir, "go", "mod", "edit", "-replace=github.com/trailship/trailship="+checkout, "-require=github.com/trailship/trailship@v0.0.0")
	run(dir, "go", "vet", ".")
	run(dir, "go", "test", ".")
	run(dir, "go", "build", "-o", "trailship-output-my-hook", ".")
	if report := run(dir, trailship, "plugins", "test", "./trailship-output-my-hook"); !strings.HasSuffix(report, "\n8 passed, 0 failed, 16 skipped\n") {
		t.Error(report)
	}

	// The README names these commands.
	for _, command := range []string{"go mod tidy", "go test .", "go build -o trailship-output-my-hook .", "trailship plugins test ./trailship-output-my-hook "} {
		if !strings.Contains(readFile(t, filepath.Join(dir, "README.md")), "\n"+command) {
			t.Errorf("README.md does not say %q", command)
		}
	}
}
