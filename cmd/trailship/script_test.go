package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// The test binary is also the program: a script's `trailship` is this binary
// under another name, and so is a shipped plugin it starts.
func TestMain(m *testing.M) {
	testscript.Main(withBuildDir{m}, map[string]func(){
		"trailship": func() { os.Exit(Main(os.Args[1:])) },
	})
}

// Each script is one behaviour a user sees.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("NO_COLOR", "1")
			return nil
		},
	})
}

// withBuildDir runs the tests with a folder for the program they build.
type withBuildDir struct{ *testing.M }

func (m withBuildDir) Run() int {
	dir, err := os.MkdirTemp("", "trailship-test")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	built.dir = dir
	return m.M.Run()
}
