// Command trailship watches cloud audit trails and tells people what matters.
//
// Each verb of the command line is one file here; run.go wires the daemon.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	os.Exit(Main(os.Args[1:]))
}

// Main runs the program on the real terminal and returns the exit code. The
// first interrupt ends the context, the second the process.
func Main(args []string) int {
	if code, ok := pluginMain(args); ok {
		return code
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	p := &program{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	return p.exit(p.command().run(ctx, args))
}

// Exit codes, as --help prints them.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitInvalid     = 3
	exitTests       = 4
	exitInterrupted = 130
)

// exitError carries an exit code; the error inside, if any, is still to be
// printed.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usage marks an error of the command line.
func usage(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// exit prints what is left to say and returns the code.
func (p *program) exit(err error) int {
	if err == nil {
		return 0
	}
	var e *exitError
	if !errors.As(err, &e) {
		e = &exitError{exitFailed, err}
	}
	if e.err != nil {
		fmt.Fprintln(p.stderr, "trailship:", e.err)
	}
	return e.code
}
