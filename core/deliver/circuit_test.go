package deliver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailship/trailship/core/store"
	"github.com/trailship/trailship/plugins/sdk"
)

func TestAfterThreeFailedCallsOneAlertIsTriedAtEachStepUntilOneGetsThrough(t *testing.T) {
	answer := func(call int, _ []sdk.Alert) error {
		if call <= 6 {
			return errors.New("connection refused")
		}
		return nil
	}
	bubble(t, Output{MaxBatch: 3}, answer, func(t *testing.T, d *Deliverer, s *outlet, f *fake) {
		s.raise("a", "b", "c", "d", "e")
		d.Wake()
		pass(10 * time.Second) // 1 s, 2 s, 4 s: three calls failed
		if st := d.Status(); !st.Open || st.Up {
			t.Errorf("%+v, want an open circuit", st)
		}
		pass(time.Hour)
		want := []string{
			"a/1 b/1 c/1", "a/2 b/2 c/2", "a/3 b/3 c/3",
			"a/4", "b/4", "c/4", // others each time: it may be one alert's own fault
			"a/5", "b/5 c/5 d/1", "e/1",
		}
		if diff := cmp.Diff(want, f.sent()); diff != "" {
			t.Error(diff)
		}
		if st := d.Status(); st.Open || !st.Up {
			t.Errorf("%+v, want a closed circuit", st)
		}
	})
}

func TestAnOpenCircuitIsShownByTheMetricsAndOnceInTheLog(t *testing.T) {
	var healthy atomic.Bool
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		log, text := debugLog()
		s := &outlet{}
		s.raise("a", "b")
		d := &Deliverer{Output: Output{Name: "out"}, Store: s, Log: log, Metrics: NewMetrics(reg), Destination: destination(func(context.Context, []sdk.Alert) error {
			if healthy.Load() {
				return nil
			}
			return errors.New("no")
		})}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- d.Run(ctx) }()
		pass(time.Minute)
		if got := gathered(t, reg); !strings.Contains(strings.Join(got, "\n"), "trailship_output_circuit_open{out} 1") {
			t.Errorf("%q", got)
		}
		healthy.Store(true)
		pass(10 * time.Minute)
		cancel()
		<-done
		if got := gathered(t, reg); !strings.Contains(strings.Join(got, "\n"), "trailship_output_circuit_open{out} 0") {
			t.Errorf("%q", got)
		}
		for _, once := range []string{"the circuit is open", "the output is up again"} {
			if n := strings.Count(text.String(), once); n != 1 {
				t.Errorf("%q was logged %d times:\n%s", once, n, text)
			}
		}
	})
}

func TestAlertsAreGivenUpAlsoWhileTheCircuitIsOpen(t *testing.T) {
	down := func(int, []sdk.Alert) error { return errors.New("connection refused") }
	bubble(t, Output{Retry: Retry{GiveUp: time.Hour}}, down, func(t *testing.T, d *Deliverer, s *outlet, f *fake) {
		s.raise("a", "b", "c")
		d.Wake()
		pass(59 * time.Minute)
		if got := s.buried(); len(got) > 0 {
			t.Errorf("given up too early: %v", got)
		}
		pass(10 * time.Minute)
		if got := s.buried(); len(got) != 3 || !strings.HasPrefix(got["b"], "gave up after ") {
			t.Errorf("given up: %v", got)
		}
	})
}

func TestABatchIsNotLargerThanThePluginLikes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &outlet{}
		s.raise("a", "b", "c", "d")
		size := len(s.queue[0].JSON)
		f := &fake{began: time.Now()}
		for _, test := range []struct {
			alerts, bytes uint32
			want          []string
		}{
			{0, 0, []string{"a/1 b/1 c/1", "d/1"}},
			{2, 0, []string{"a/1 b/1", "c/1 d/1"}},
			{5000, uint32(2*size + 1), []string{"a/1 b/1", "c/1 d/1"}},
			{1, 1, []string{"a/1", "b/1", "c/1", "d/1"}},
		} {
			f.calls = nil
			queued := append([]store.Queued(nil), s.queue...)
			d := &Deliverer{Output: Output{Name: "out", MaxBatch: 3}, Store: s, Destination: choosy{f, test.alerts, test.bytes}, Log: slog.New(slog.DiscardHandler)}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- d.Run(ctx) }()
			synctest.Wait()
			cancel()
			<-done
			if diff := cmp.Diff(test.want, f.sent()); diff != "" {
				t.Errorf("%d alerts, %d bytes: %s", test.alerts, test.bytes, diff)
			}
			s.queue = queued
		}
	})
}

// choosy is a destination that does not like large batches.
type choosy struct {
	*fake
	alerts, bytes uint32
}

func (c choosy) limits() (alerts, bytes uint32) { return c.alerts, c.bytes }

func TestABacklogThatFillsUpIsToldOfOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		log, text := debugLog()
		s := &outlet{}
		d := &Deliverer{
			Output: Output{Name: "out", Backlog: Backlog{MaxAlerts: 10, MaxBytes: 1 << 20}}, Store: s, Log: log, Metrics: NewMetrics(reg),
			Destination: destination(func(context.Context, []sdk.Alert) error { return sdk.RetryAfter(errors.New("closed"), time.Minute) }),
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- d.Run(ctx) }()
		for n := range 10 {
			s.raise(fmt.Sprint(n))
			d.Wake()
			synctest.Wait()
			if n == 6 && strings.Contains(text.String(), "filling up") {
				t.Errorf("told of too early:\n%s", text)
			}
		}
		s.mu.Lock()
		s.spilled = 3
		s.mu.Unlock()
		d.Wake()
		synctest.Wait()
		cancel()
		<-done
		for _, once := range []string{
			`msg="the backlog is filling up" output=out percent=80 alerts=8`,
			`msg="the backlog is full: alerts became dead letters" output=out alerts=3 waiting=10`,
		} {
			if n := strings.Count(text.String(), once); n != 1 {
				t.Errorf("%s was logged %d times:\n%s", once, n, text)
			}
		}
		all := strings.Join(gathered(t, reg), "\n")
		for _, want := range []string{"trailship_outbox_filled_ratio{out} 1", "trailship_output_alerts_total{out,overflow} 3", "trailship_dead_letters{out} 3"} {
			if !strings.Contains(all, want) {
				t.Errorf("%s is not among\n%s", want, all)
			}
		}
	})
}
