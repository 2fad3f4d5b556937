package main

import (
	"context"
	"errors"
	"time"
)

// flushTime is how long --once waits for an output that takes nothing. What is
// left stays in the store, and goes out with the next run.
const flushTime = 30 * time.Second

// flushAll waits until the outputs have taken everything.
func (d *daemon) flushAll(ctx context.Context) error {
	l := d.live.Load()
	var errs []error
	ends := make(chan error)
	for _, r := range l.outputs {
		go func() { ends <- d.flush(ctx, r) }()
	}
	for range l.outputs {
		errs = append(errs, <-ends)
	}
	return errors.Join(errs...)
}

// flush waits until an output has taken everything, as long as it takes
// anything.
func (d *daemon) flush(ctx context.Context, r *running) error {
	for {
		before, err := d.store.Backlog(r.config.Name)
		if err != nil {
			return err
		}
		late, cancel := context.WithTimeout(ctx, flushTime)
		err = r.Flush(late)
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
		if after, failed := d.store.Backlog(r.config.Name); failed != nil || after.Alerts >= before.Alerts {
			return err
		}
	}
}

// gateOnce is gate for --once, which does not wait for ever.
func (d *daemon) gateOnce(ctx context.Context, outputs []string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, flushTime, errNoRoom)
	defer cancel()
	return d.gate(ctx, outputs)
}

var errNoRoom = errors.New("its backlog is full and it takes no alerts; the next run goes on from here")
