package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trailship/trailship/core/config"
	"github.com/trailship/trailship/core/deliver"
	"github.com/trailship/trailship/core/store"
	"github.com/trailship/trailship/core/store/bolt"
	"github.com/trailship/trailship/plugins/sdk"
)

// onceDaemon is a daemon with one output and alerts queued for it.
func onceDaemon(t *testing.T, alerts int, out sdk.Output) (*daemon, *running) {
	t.Helper()
	s, err := bolt.Open(filepath.Join(t.TempDir(), "trailship.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	err = s.Commit(t.Context(), func(tx store.Tx) error {
		for n := range alerts {
			if _, err := tx.Raise(store.Alert{ID: fmt.Sprint(n), JSON: []byte("{}"), Outputs: []string{"pager"}}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	r := &running{
		Deliverer: &deliver.Deliverer{Output: deliver.Output{Name: "pager", MaxBatch: 1}, Store: s, Log: log, Destination: out},
		config:    config.Output{Name: "pager", Backlog: config.Backlog{MaxAlerts: 5, MaxBytes: 1 << 20}},
	}
	d := &daemon{log: log, store: s}
	d.live.Store(&live{outputs: map[string]*running{"pager": r}})
	return d, r
}

// pager takes every alert after a while, or none.
type pager struct {
	takes time.Duration
	err   error
}

func (p pager) Deliver(ctx context.Context, _ []sdk.Alert) error {
	select {
	case <-time.After(p.takes):
		return p.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p pager) Close() error { return nil }

func TestOnceDoesNotWaitForEverForRoomInABacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _ := onceDaemon(t, 5, nil)
		if err := d.gateOnce(t.Context(), []string{"pager"}); !errors.Is(err, errNoRoom) {
			t.Errorf("got %v, want %v", err, errNoRoom)
		}
	})
}

func TestOnceWaitsForASlowOutputAndNotForADeadOne(t *testing.T) {
	for name, test := range map[string]struct {
		pager pager
		left  int64
	}{
		"slow": {pager{takes: 10 * time.Second}, 0},
		"dead": {pager{err: errors.New("connection refused")}, 20},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, r := onceDaemon(t, 20, test.pager)
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error)
				go func() { done <- r.Run(ctx) }()
				err := d.flushAll(t.Context())
				cancel()
				if failed := <-done; failed != nil {
					t.Error(failed)
				}
				b, _ := d.store.Backlog("pager")
				if b.Alerts != test.left || (err != nil) != (test.left > 0) {
					t.Errorf("%d alerts are left and the error is %v, want %d left", b.Alerts, err, test.left)
				}
			})
		})
	}
}

func TestSignalsOfAnEarlierMomentAreHeededOnceItRuns(t *testing.T) {
	d := &daemon{}
	defer d.listen(false)()
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR1} {
		if err := self.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	<-d.hup
	<-d.usr1
}
