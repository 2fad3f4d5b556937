package deliver

import (
	"context"
	"fmt"
	"time"

	"github.com/trailship/trailship/core/store"
)

// rest is a moment at which the loop had nothing to do.
type rest struct {
	asked int       // how many Flush calls it had heard of before it looked
	until time.Time // when something is due again; zero when nothing is left
}

// Flush returns nil once the output's queue is empty; meanwhile no batch waits
// for company. It returns an error that says what is left when ctx ends, and
// already before when nothing of it is due before ctx's deadline: the output is
// down and waiting is no use. Run must have been called; an error of its own
// ends Flush too.
func (d *Deliverer) Flush(ctx context.Context) error {
	d.prepare()
	defer d.hurry()()
	d.mu.Lock()
	d.asked++
	asked := d.asked
	d.mu.Unlock()
	d.Wake()
	for {
		d.mu.Lock()
		rested, resting := d.rested, d.resting
		d.mu.Unlock()
		backlog, err := d.Store.Backlog(d.Name)
		if err != nil {
			return fmt.Errorf("output %s: %w", d.Name, err)
		}
		if backlog.Alerts == 0 {
			return nil
		}
		// Only a rest that began after this call has seen all there is.
		deadline, ok := ctx.Deadline()
		if ok && rested.asked >= asked && rested.until.After(deadline) {
			return d.left(backlog)
		}
		select {
		case <-resting:
		case <-d.ended:
			return d.left(backlog)
		case <-ctx.Done():
			return d.left(backlog)
		}
	}
}

// hurry ends the waiting for company until the function it returns is called.
func (d *Deliverer) hurry() (calm func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.flushes++; d.flushes == 1 {
		close(d.hurried)
	}
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.flushes--; d.flushes == 0 {
			d.hurried = make(chan struct{})
		}
	}
}

// linger waits for more alerts to come, unless somebody wants the queue empty.
func (d *Deliverer) linger(ctx context.Context) {
	d.mu.Lock()
	hurried := d.hurried
	d.mu.Unlock()
	t := time.NewTimer(d.Linger)
	defer t.Stop()
	select {
	case <-t.C:
	case <-hurried:
	case <-ctx.Done():
	}
}

// left says what a Flush did not see delivered, and why.
func (d *Deliverer) left(b store.Backlog) error {
	if s := d.Status(); s.Error != "" {
		return fmt.Errorf("output %s: %d alerts are not delivered yet: %s", d.Name, b.Alerts, s.Error)
	}
	return fmt.Errorf("output %s: %d alerts are not delivered yet", d.Name, b.Alerts)
}

func (d *Deliverer) asks() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked
}

// rest waits until something may be due, and tells Flush that there is nothing
// to do before.
func (d *Deliverer) rest(ctx context.Context, asked int, until time.Time) {
	d.mu.Lock()
	d.rested = rest{asked: asked, until: until}
	close(d.resting)
	d.resting = make(chan struct{})
	d.mu.Unlock()

	var due <-chan time.Time
	if !until.IsZero() {
		t := time.NewTimer(time.Until(until))
		defer t.Stop()
		due = t.C
	}
	select {
	case <-ctx.Done():
	case <-due:
	case <-d.wake:
	}
}
