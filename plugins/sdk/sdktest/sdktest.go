// Package sdktest is the conformance suite of output plugins: it starts a
// plugin's program as the daemon does, calls it, ends it, kills it, and says
// for every promise of the protocol (../outputpb/output.proto) whether the
// plugin keeps it. `trailship plugins test PROGRAM` is the same suite.
//
// A test of a plugin in Go is its program, a configuration, and a function
// that reads back what the destination holds:
//
//	func TestConformance(t *testing.T) {
//		sdktest.Run(t, []string{program}, `{"url": "…"}`, readBack)
//	}
package sdktest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"testing"
)

// The destination of a test may act on these words, wherever it finds them in
// an alert. Without such a destination the checks of failures are skipped.
const (
	// Refuse asks the destination to refuse the alert for good.
	Refuse = "sdktest-refuse"
	// Busy asks it to say that it is busy and takes the alert later.
	Busy = "sdktest-busy"
	// Slow asks it not to answer for half a minute, or until the request ends.
	Slow = "sdktest-slow"
)

// ReadBack returns what the destination holds now, in any order: each item the
// line, message or request body of one alert. It is called often, and never
// twice at the same time. What others put there does no harm.
type ReadBack func(ctx context.Context) ([]string, error)

// Plugin is a plugin under test.
type Plugin struct {
	// Program is the plugin's program and its arguments. A relative path
	// starts at the current folder.
	Program []string
	// Config is a good configuration, of a destination that may be filled with
	// test alerts. Nil skips every check that needs one.
	Config json.RawMessage
	// ReadBack is nil when the destination cannot be read: then what the
	// plugin acknowledges is believed.
	ReadBack ReadBack
	// Env is what the user's `env:` would list, as NAME=value.
	Env []string
	// Stdout is passed on as the daemon's standard output when it is not nil.
	Stdout *os.File
}

// Status is the outcome of a check.
type Status string

// The outcomes. Skip is a check that could not be made.
const (
	Pass Status = "pass"
	Fail Status = "fail"
	Skip Status = "skip"
)

// Result is what one check found.
type Result struct {
	Check  string `json:"check"`
	Status Status `json:"status"`
	// Text says what the plugin must do and did instead, or why the check was
	// skipped, or is a remark. It holds no secret of the configuration.
	Text string `json:"text,omitempty"`
}

// Run holds a plugin against the protocol, each check as a subtest. config is
// JSON; with "" the checks that need one are skipped. readBack may be nil.
func Run(t *testing.T, program []string, config string, readBack ReadBack) {
	t.Helper()
	p := Plugin{Program: program, ReadBack: readBack}
	if config != "" {
		p.Config = json.RawMessage(config)
	}
	p.Run(t)
}

// Run makes every check, each as a subtest.
func (p Plugin) Run(t *testing.T) {
	t.Helper()
	s, err := newSuite(p)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			switch r := s.judge(t.Context(), c); r.Status {
			case Fail:
				t.Error(r.Text)
			case Skip:
				t.Skip(r.Text)
			default:
				t.Log(r.Text)
			}
		})
	}
}

// Check makes every check, one after the other, and yields what it found. It
// ends early when ctx does. No process is left behind, also when the loop is
// left early. The error is one of the suite itself, and the last thing yielded.
func (p Plugin) Check(ctx context.Context) iter.Seq2[Result, error] {
	return func(yield func(Result, error) bool) {
		s, err := newSuite(p)
		if err != nil {
			yield(Result{}, err)
			return
		}
		defer s.close()
		for _, c := range checks {
			r := s.judge(ctx, c)
			if ctx.Err() != nil {
				yield(Result{}, ctx.Err())
				return
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

// check is one promise. make returns a remark, or an error that says what the
// plugin must do; a skipped says why the promise could not be tried.
type check struct {
	name  string
	needs need
	make  func(context.Context, *suite) (remark string, err error)
}

// need is what a check needs before it can be made.
type need int

const (
	nothing need = iota
	handshake
	config        // one is given
	configuration // one the plugin accepts
	delivery      // one alert arrives when all is well
)

// checks are in the order they are made: later ones need what earlier ones
// found, and the last looks at everything the plugin said until then.
var checks = []check{
	{"started by hand", nothing, startedByHand},
	{"handshake", nothing, shakesHands},
	{"encryption", handshake, encrypts},
	{"health", handshake, isHealthy},
	{"describe", handshake, describes},
	{"config errors", handshake, refusesBadConfig},
	{"junk", handshake, survivesJunk},
	{"shutdown", handshake, endsWithTheDaemon},

	{"configure", config, configures},
	{"delivery", configuration, delivers},
	{"packs", delivery, deliversPacked},
	{"empty batch", delivery, deliversNothing},
	{"full batch", delivery, deliversAFullBatch},
	{"large alert", delivery, deliversALargeAlert},
	{"concurrent calls", delivery, deliversConcurrently},
	{"redelivery", delivery, deliversAgain},
	{"cancelled call", delivery, survivesCancelling},
	{"partial failure", delivery, namesTheRefused},
	{"busy destination", delivery, namesTheLater},
	{"slow destination", delivery, survivesSlowness},
	{"reopen", delivery, reopens},
	{"drain", delivery, drains},
	{"kill -9", delivery, survivesKilling},
	{"secrets", config, keepsSecrets},
}

// skipped is why a check could not be made.
type skipped string

func (s skipped) Error() string { return string(s) }

func skipf(format string, args ...any) error { return skipped(fmt.Sprintf(format, args...)) }

// judge makes one check.
func (s *suite) judge(ctx context.Context, c check) Result {
	remark, err := "", s.lacks(c.needs)
	if err == nil {
		remark, err = c.make(ctx, s)
	}
	r := Result{Check: c.name, Status: Pass, Text: s.redact(remark)}
	var skip skipped
	switch {
	case errors.As(err, &skip):
		r.Status, r.Text = Skip, s.redact(err.Error())
	case err != nil:
		r.Status, r.Text = Fail, s.redact(err.Error())
	}
	return r
}

// lacks says why a check cannot be made.
func (s *suite) lacks(n need) error {
	switch {
	case n >= handshake && !s.starts:
		return skipf("the plugin does not start: see handshake")
	case n >= config && s.Config == nil:
		return skipf("needs a configuration")
	case n >= configuration && !s.configures:
		return skipf("the plugin is not configured: see configure")
	case n >= delivery && !s.delivers:
		return skipf("not even plain alerts are delivered: see delivery")
	}
	return nil
}
