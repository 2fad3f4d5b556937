package deliver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trailship/trailship/plugins/sdk"
	pb "github.com/trailship/trailship/plugins/sdk/outputpb"
)

// The waits before a plugin that died is started again.
const (
	firstRestart = 500 * time.Millisecond
	maxRestart   = time.Minute
)

// supervisor is the output of a plugin's program: it starts the program, and
// starts it again when it died, ever more slowly until it delivers something
// or lives for a while. Safe for concurrent use.
type supervisor struct {
	Output
	Log     *slog.Logger
	Metrics *Metrics

	changed chan struct{} // holds a token when what keep waits for may be another

	// What others read while a start takes long.
	about  atomic.Pointer[pb.DescribeResponse] // of the last process that started
	broken atomic.Pointer[trouble]             // nil while the plugin runs

	mu       sync.Mutex // held during a start
	running  *client
	began    time.Time // of the running process
	failures int       // starts and lives in a row that ended badly
	earliest time.Time // of the next start
	last     error     // why the plugin is not running
}

// trouble is why a plugin is not running, and when it is started again.
type trouble struct {
	err   error
	until time.Time
}

// carry hands the batch to the plugin. While the plugin may not be started yet
// the error is a RetryAfter.
func (s *supervisor) carry(ctx context.Context, p parcel) error {
	c, err := s.start(ctx)
	if err != nil {
		return s.later(err)
	}
	// The deadline is the call's alone: on a busy machine a start takes long.
	call, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	err = c.carry(call, p)
	switch {
	case errors.Is(err, errOverdue):
		// Whatever it is doing, it is not going to tell us: it may be stopped.
		s.Log.Warn("the plugin did not answer in time and is started again")
		return s.later(s.bury(c, err))
	case errors.Is(err, errCrashed):
		return s.later(s.bury(c, err))
	}
	s.mu.Lock()
	s.failures = 0
	s.mu.Unlock()
	return err
}

// keep starts the plugin again whenever it ended, also while there is nothing
// to deliver, until ctx ends.
func (s *supervisor) keep(ctx context.Context) {
	for {
		exited, wait := s.watched()
		due := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			due.Stop()
			return
		case <-s.changed:
			due.Stop()
			continue
		case <-exited:
		case <-due.C:
		}
		due.Stop()
		if _, err := s.start(ctx); err != nil && exited == nil && ctx.Err() == nil {
			s.Log.Warn("the plugin did not start", "error", err)
		}
	}
}

// watched returns what closes when the running process ends. Without one it is
// nil, and wait is how long until the next start.
func (s *supervisor) watched() (exited <-chan struct{}, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil {
		return s.running.proc.exited, maxAfter
	}
	return nil, max(0, time.Until(s.earliest))
}

// start makes sure that the plugin runs and is configured.
func (s *supervisor) start(ctx context.Context) (*client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil {
		select {
		case <-s.running.proc.exited:
			s.failed(fmt.Errorf("the plugin ended: %s", s.running.proc.words()))
			s.Log.Error("the plugin ended", "error", s.last)
		default:
			return s.running, nil
		}
	}
	if wait := time.Until(s.earliest); wait > 0 {
		// Not %w: this is no crash of the batch at hand.
		return nil, fmt.Errorf("%v; it is started again in %s", s.last, wait.Round(time.Millisecond))
	}
	if s.failures > 0 {
		s.Metrics.restarted(s.Name)
	}
	c, err := start(ctx, s.Output, s.Log)
	if err != nil {
		s.failed(err)
		return nil, err
	}
	s.running, s.began = c, time.Now()
	if err := c.configure(ctx, s.Output); err != nil {
		err = s.explain(err)
		s.failed(err)
		return nil, err
	}
	s.about.Store(c.about)
	s.broken.Store(nil)
	s.notify()
	s.Log.Info("the plugin is running", "plugin", c.about.Name, "version", c.about.Version, "pid", c.proc.ID())
	return c, nil
}

func (s *supervisor) notify() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// explain makes one sentence of the plugin's objections.
func (s *supervisor) explain(err error) error {
	var invalid sdk.Invalids
	if errors.As(err, &invalid) {
		return fmt.Errorf("the plugin refuses its configuration: %w", invalid)
	}
	return err
}

// bury ends a process that failed a call, unless that was noticed already.
func (s *supervisor) bury(c *client, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == c {
		s.failed(err)
	}
	return err
}

// failed ends what is left of the process and plans the next start. s.mu is
// held.
func (s *supervisor) failed(err error) {
	if s.running != nil {
		s.running.close(canceled())
		s.running = nil
		if time.Since(s.began) > maxRestart {
			s.failures = 0
		}
	}
	s.failures++
	s.last = err
	s.earliest = time.Now().Add(backoff(firstRestart, maxRestart, s.failures))
	s.broken.Store(&trouble{err, s.earliest})
	s.notify()
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
	return time.Duration(s.running.pause.Load()) * time.Millisecond
}

// limits is the largest batch the plugin likes; 0 is no wish.
func (s *supervisor) limits() (alerts, bytes uint32) {
	about := s.about.Load()
	return about.GetMaxAlerts(), about.GetMaxBytes()
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
