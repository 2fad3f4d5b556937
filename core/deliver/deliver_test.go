package deliver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailship/trailship/core/store"
	"github.com/trailship/trailship/plugins/sdk"
)

// fake is a destination that does what answer says, and remembers each call
// with the time since it was made.
type fake struct {
	began  time.Time
	answer func(call int, alerts []sdk.Alert) error

	mu    sync.Mutex
	calls []call
}

type call struct {
	at  time.Duration
	ids []string
}

func (f *fake) Deliver(ctx context.Context, alerts []sdk.Alert) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := call{at: time.Since(f.began)}
	for _, a := range alerts {
		c.ids = append(c.ids, fmt.Sprintf("%s/%d", a.ID, a.Attempt))
	}
	f.calls = append(f.calls, c)
	if f.answer == nil {
		return nil
	}
	return f.answer(len(f.calls), alerts)
}

func (f *fake) Close() error { return nil }

// sent returns what each call held.
func (f *fake) sent() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for _, c := range f.calls {
		all = append(all, strings.Join(c.ids, " "))
	}
	return all
}

// pass lets time pass in a bubble, and what is due by then be done.
func pass(d time.Duration) {
	<-time.After(d) // by the clock of the bubble
	synctest.Wait()
}

// bubble runs a test of a Deliverer in a bubble of fake time, in which an hour
// takes no time.
func bubble(t *testing.T, o Output, answer func(int, []sdk.Alert) error, test func(t *testing.T, d *Deliverer, s *outlet, f *fake)) {
	synctest.Test(t, func(t *testing.T) {
		s := &outlet{}
		f := &fake{began: time.Now(), answer: answer}
		o.Name = "out"
		logger, _ := debugLog()
		d := &Deliverer{Output: o, Store: s, Destination: f, Log: logger, Metrics: NewMetrics(prometheus.NewRegistry())}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- d.Run(ctx) }()
		test(t, d, s, f)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestAlertsAreSentInOrderInBatches(t *testing.T) {
	bubble(t, Output{MaxBatch: 2}, nil, func(t *testing.T, d *Deliverer, s *outlet, f *fake) {
		s.raise("a", "b", "c")
		d.Wake()
		synctest.Wait()
		if diff := cmp.Diff([]string{"a/1 b/1", "c/1"}, f.sent()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestABatchStaysBelowAMebibyteUnlessOneAlertIsLarger(t *testing.T) {
	bubble(t, Output{IncludeRaw: true}, nil, func(t *testing.T, d *Deliverer, s *outlet, f *fake) {
		s.raise("a", "b", "c", "d", "e")
		s.mu.Lock()
		for i, size := range []int{400 << 10, 400 << 10, 400 << 10, 3 << 20, 1} {
			s.queue[i].Raw = make([]byte, size)
		}
		s.mu.Unlock()
		d.Wake()
		synctest.Wait()
		if diff := cmp.Diff([]string{"a/1 b/1", "c/1", "d/1", "e/1"}, f.sent()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestABatchThatIsNotFullWaitsForCompany(t *testing.T) {
	bubble(t, Output{Linger: time.Second, MaxBatch: 3}, nil, func(t *testing.T, d *Deliverer, s *outlet, f *fake) {
		s.raise("a")
		d.Wake()
		synctest.Wait()
		s.raise("b")
		d.Wake()
		pass(2 * time.Second)
		s.raise("c", "d", "e")
		d.Wake()
		synctest.Wait() // a full batch does not wait
		if diff := cmp.Diff([]string{"a/1 b/1", "c/1 d/1 e/1"}, f.sent()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAnOutputThatIsDownIsTriedEverMoreSlowly(t *testing.T) {
	down := func(int, []sdk.Alert) error { return errors.New("connection refused") }
	bubble(t, Output{}, down, func(t *testing.T, d *Deliverer, s *outlet, f *fake) {
		s.raise("a", "b")
		d.Wake()
		pass(time.Hour)
		f.mu.Lock()
		defer f.mu.Unlock()
		for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300} {
			gap := f.calls[i+1].at - f.calls[i].at
			if want *= time.Second; gap < want*3/4 || gap > want*5/4 {
				t.Errorf("try %d came after %s, want %s give or take a quarter", i+2, gap, want)
			}
		}
		if st := d.Status(); st.Up || st.Error != "connection refused" || !st.Retry.After(time.Now()) {
			t.Errorf("%+v", st)
		}
	})
}

func TestWhileAnOutputIsDownNewAlertsWaitWithoutBeingTried(t *testing.T) {
	answer := func(call int, _ []sdk.Alert) error {
		if call == 1 {
			return sdk.RetryAfter(errors.New("maintenance"), time.Minute)
		}
		return nil
	}
	bubble(t, Output{}, answer, func(t *testing.T, d *Deliverer, s *outlet, f *fake) {
		s.raise("a")
		d.Wake()
		pass(time.Second)
		s.raise("b")
		d.Wake()
		pass(58 * time.Second)
		if diff := cmp.Diff([]string{"a/1"}, f.sent()); diff != "" {
			t.Error(diff)
		}
		pass(2 * time.Second)
		if diff := cmp.Diff([]string{"a/1", "a/2 b/1"}, f.sent()); diff != "" {
			t.Error(diff)
		}
		if !d.Status().Up {
			t.Error(d.Status())
		}
	})
}

func TestAnAlertThatKeepsFailingDoesNotHoldUpTheOthers(t *testing.T) {
	answer := func(_ int, alerts []sdk.Alert) error {
		failed := sdk.Failed{}
		for _, a := range alerts {
			if a.ID == "bad" {
				failed[a.ID] = errors.New("no")
			}
		}
		if len(failed) == 0 {
			return nil
		}
		return failed
	}
	bubble(t, Output{}, answer, func(t *testing.T, d *Deliverer, s *outlet, f *fake) {
		s.raise("bad", "a")
		d.Wake()
		pass(time.Minute) // bad is tried several times alone
		s.raise("b")
		d.Wake()
		synctest.Wait()
		sent := f.sent()
		if first, last := sent[0], sent[len(sent)-1]; first != "bad/1 a/1" || last != "b/1" {
			t.Errorf("%q", sent)
		}
	})
}

func TestTheOnlyAlertThatFailsDoesNotHoldUpTheNext(t *testing.T) {
	answer := func(_ int, alerts []sdk.Alert) error {
		if alerts[0].ID == "bad" {
			return errors.New("no")
		}
		return nil
	}
	bubble(t, Output{}, answer, func(t *testing.T, d *Deliverer, s *outlet, f *fake) {
		s.raise("bad")
		d.Wake()
		pass(time.Hour)
		s.raise("a")
		d.Wake()
		synctest.Wait()
		if sent := f.sent(); sent[len(sent)-1] != "a/1" {
			t.Errorf("%q", sent)
		}
	})
}

func TestWhatIsRefusedForGoodOrTooLongIsBuried(t *testing.T) {
	answer := func(_ int, alerts []sdk.Alert) error {
		return sdk.Failed{"never": sdk.Permanent(errors.New("malformed")), "slow": errors.New("busy")}
	}
	bubble(t, Output{Retry: Retry{GiveUp: time.Hour}}, answer, func(t *testing.T, d *Deliverer, s *outlet, f *fake) {
		s.raise("never", "slow")
		d.Wake()
		pass(59 * time.Minute)
		if diff := cmp.Diff(map[string]string{"never": "malformed"}, s.buried()); diff != "" {
			t.Error(diff)
		}
		pass(10 * time.Minute)
		if got := s.buried()["slow"]; !strings.HasPrefix(got, "gave up after ") || !strings.HasSuffix(got, ": busy") {
			t.Error(got)
		}
	})
}

func TestFlush(t *testing.T) {
	within := func(t *testing.T, d time.Duration) context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), d)
		t.Cleanup(cancel)
		return ctx
	}
	t.Run("returns when everything is delivered", func(t *testing.T) {
		bubble(t, Output{}, nil, func(t *testing.T, d *Deliverer, s *outlet, f *fake) {
			s.raise(ids(t, 2500)...)
			if err := d.Flush(within(t, time.Minute)); err != nil || len(f.sent()) != 3 {
				t.Error(err, len(f.sent()))
			}
		})
	})
	t.Run("does not wait for company, nor when it waited already", func(t *testing.T) {
		bubble(t, Output{Linger: time.Hour}, nil, func(t *testing.T, d *Deliverer, s *outlet, f *fake) {
			s.raise("a")
			d.Wake()
			synctest.Wait()
			for _, id := range []string{"b", "c"} {
				s.raise(id)
				if err := d.Flush(within(t, time.Minute)); err != nil {
					t.Error(err)
				}
			}
			if diff := cmp.Diff([]string{"a/1 b/1", "c/1"}, f.sent()); diff != "" {
				t.Error(diff)
			}
		})
	})
	t.Run("waits for a retry that is due in time", func(t *testing.T) {
		answer := func(call int, _ []sdk.Alert) error {
			if call < 3 {
				return errors.New("not yet")
			}
			return nil
		}
		bubble(t, Output{}, answer, func(t *testing.T, d *Deliverer, s *outlet, f *fake) {
			s.raise("a")
			if err := d.Flush(within(t, time.Minute)); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("does not wait for one that is not", func(t *testing.T) {
		answer := func(int, []sdk.Alert) error { return sdk.RetryAfter(errors.New("closed today"), time.Hour) }
		bubble(t, Output{}, answer, func(t *testing.T, d *Deliverer, s *outlet, f *fake) {
			s.raise("a", "b")
			began := time.Now()
			err := d.Flush(within(t, time.Minute))
			if err == nil || err.Error() != "output out: 2 alerts are not delivered yet: closed today" || time.Since(began) > time.Second {
				t.Errorf("%v after %s", err, time.Since(began))
			}
		})
	})
}

func TestAFullStoreIsWaitedForAndAnyOtherErrorEndsTheLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &outlet{fail: fmt.Errorf("settling: %w", store.ErrFull)}
		f := &fake{began: time.Now()}
		logger, _ := debugLog()
		d := &Deliverer{Output: Output{Name: "out"}, Store: s, Destination: f, Log: logger}
		done := make(chan error, 1)
		go func() { done <- d.Run(t.Context()) }()
		s.raise("a")
		d.Wake()
		pass(10 * time.Second)
		s.mu.Lock()
		if s.failed < 5 {
			t.Errorf("%d tries", s.failed)
		}
		s.fail = store.ErrDamaged
		s.mu.Unlock()
		if err := <-done; !errors.Is(err, store.ErrDamaged) {
			t.Error(err)
		}
		if diff := cmp.Diff([]string{"a/1"}, f.sent()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestTheBatchInFlightMayFinishWhenTheContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &outlet{}
		s.raise("a", "b")
		slow := destination(func(ctx context.Context, alerts []sdk.Alert) error {
			sleep(ctx, 3*time.Second)
			return ctx.Err()
		})
		d := &Deliverer{Output: Output{Name: "out", MaxBatch: 1, Drain: 5 * time.Second}, Store: s, Destination: slow, Log: slog.New(slog.DiscardHandler)}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- d.Run(ctx) }()
		pass(time.Second)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if len(s.queue) != 1 || s.queue[0].ID != "b" {
			t.Errorf("left: %v", s.queue)
		}
	})
}

type destination func(context.Context, []sdk.Alert) error

func (d destination) Deliver(ctx context.Context, alerts []sdk.Alert) error { return d(ctx, alerts) }
func (d destination) Close() error                                          { return nil }

func TestMetrics(t *testing.T) {
	answer := func(call int, alerts []sdk.Alert) error {
		if call == 1 {
			return sdk.Failed{"b": errors.New("later"), "c": sdk.Permanent(errors.New("never"))}
		}
		return nil
	}
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		s := &outlet{}
		s.raise("a", "b", "c")
		logger, _ := debugLog()
		d := &Deliverer{Output: Output{Name: "out"}, Store: s, Destination: &fake{answer: answer}, Log: logger, Metrics: NewMetrics(reg)}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- d.Run(ctx) }()
		pass(time.Minute)
		cancel()
		<-done
		want := []string{
			"trailship_dead_letters{out} 1",
			"trailship_outbox_alerts{out} 0",
			"trailship_outbox_filled_ratio{out} 0",
			"trailship_output_alerts_total{out,dead} 1",
			"trailship_output_alerts_total{out,delivered} 2",
			"trailship_output_alerts_total{out,overflow} 0",
			"trailship_output_alerts_total{out,retried} 1",
			"trailship_output_circuit_open{out} 0",
			"trailship_output_latency_seconds{out} 2",
			"trailship_plugin_restarts_total{out} 0",
		}
		if diff := cmp.Diff(want, gathered(t, reg)); diff != "" {
			t.Error(diff)
		}
	})
}

// gathered lists every series with its value, a histogram with its count.
func gathered(t *testing.T, reg *prometheus.Registry) []string {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, f := range families {
		for _, m := range f.Metric {
			var labels []string
			for _, l := range m.Label {
				labels = append(labels, l.GetValue())
			}
			value := m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			all = append(all, fmt.Sprintf("%s{%s} %v", f.GetName(), strings.Join(labels, ","), value))
		}
	}
	return all
}
