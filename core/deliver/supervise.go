package deliver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/trailship/trailship/plugins/sdk"
)

// The waits before a plugin that died is started again.
const (
	firstRestart = 500 * time.Millisecond
	maxRestart   = time.Minute
)

// supervisor is the output of a plugin's program: it starts the program when
// it is needed and not running, and starts it again when it died, ever more
// slowly until it delivers something.
type supervisor struct {
	Output
	Log     *slog.Logger
	Metrics *Metrics

	mu       sync.Mutex
	running  *client
	failures int       // starts and lives in a row that ended badly
	earliest time.Time // of the next start
	last     error     // why the plugin is not running
}

// Deliver hands the batch to the plugin. While the plugin may not be started
// yet the error is a RetryAfter.
func (s *supervisor) Deliver(ctx context.Context, alerts []sdk.Alert) error {
	if err := s.start(ctx); err != nil {
		return s.later(err)
	}
	s.mu.Lock()
	c := s.running
	s.mu.Unlock()
	// The deadline is the call's alone: on a busy machine a start takes long.
	call, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	err := c.Deliver(call, alerts)
	switch {
	case errors.Is(err, errOverdue):
		// Whatever it is doing, it is not going to tell us: it may be stopped.
		s.Log.Warn("the plugin did not answer in time and is started again")
		return s.later(s.bury(err))
	case errors.Is(err, errCrashed):
		return s.later(s.bury(err))
	}
	s.mu.Lock()
	s.failures = 0
	s.mu.Unlock()
	return err
}

// start makes sure that the plugin runs and is configured.
func (s *supervisor) start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil {
		select {
		case <-s.running.proc.exited:
			s.failed(fmt.Errorf("the plugin ended: %s", s.running.proc.words()))
			s.Log.Error("the plugin ended", "error", s.last)
		default:
			return nil
		}
	}
	if wait := time.Until(s.earliest); wait > 0 {
		// Not %w: this is no crash of the batch at hand.
		return fmt.Errorf("%v; it is started again in %s", s.last, wait.Round(time.Millisecond))
	}
	if s.failures > 0 {
		s.Metrics.restarted(s.Name)
	}
	c, err := start(ctx, s.Output, s.Log)
	if err != nil {
		s.failed(err)
		return err
	}
	s.running = c
	if err := c.configure(ctx, s.Output); err != nil {
		err = s.explain(err)
		s.failed(err)
		return err
	}
	s.Log.Info("the plugin is running", "plugin", c.about.Name, "version", c.about.Version, "pid", c.proc.ID())
	return nil
}

// explain makes one sentence of the plugin's objections.
func (s *supervisor) explain(err error) error {
	var invalid sdk.Invalids
	if errors.As(err, &invalid) {
		return fmt.Errorf("the plugin refuses its configuration: %w", invalid)
	}
	return err
}

// bury ends a process that failed a call.
func (s *supervisor) bury(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed(err)
	return err
}

// failed ends what is left of the process and plans the next start. s.mu is
// held.
func (s *supervisor) failed(err error) {
	if s.running != nil {
		s.running.close(canceled())
		s.running = nil
	}
	s.failures++
	s.last = err
	s.earliest = time.Now().Add(backoff(firstRestart, maxRestart, s.failures))
}

// later adds to an error when the plugin may be started again.
func (s *supervisor) later(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if wait := time.Until(s.earliest); wait > 0 {
		return sdk.RetryAfter(err, wait)
	}
	return err
}

// throttle is the pause the plugin asked for with its last answer.
func (s *supervisor) throttle() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == nil {
		return 0
	}
	return min(time.Duration(s.running.pause.Load())*time.Millisecond, maxAfter)
}

func (s *supervisor) reopen(ctx context.Context) error {
	s.mu.Lock()
	c := s.running
	s.mu.Unlock()
	if c == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	return c.reopen(ctx)
}

// stop drains and ends the plugin; at the end of ctx by force.
func (s *supervisor) stop(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == nil {
		return
	}
	if err := s.running.close(ctx); err != nil {
		s.Log.Error("draining the plugin", "error", err)
	}
	s.running = nil
}

// Close drains and ends the plugin within the drain deadline.
func (s *supervisor) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.Drain)
	defer cancel()
	s.stop(ctx)
	return nil
}
