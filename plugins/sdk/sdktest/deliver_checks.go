package sdktest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/s2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "github.com/trailship/trailship/plugins/sdk/outputpb"
)

// The daemon's bounds of a batch.
const (
	maxAlerts = 1000
	maxBytes  = 1 << 20
)

func delivers(ctx context.Context, s *suite) (string, error) {
	return "", s.during(ctx, func(p *process) error {
		one, some := s.alert("alone"), append(s.alerts(2, "among others"), s.alert(hostile))
		if err := p.mustDeliver(ctx, one); err != nil {
			return err
		}
		if err := p.mustDeliver(ctx, some...); err != nil {
			return err
		}
		_, err := s.arrived(ctx, append(some, one)...)
		s.delivers = err == nil
		return err
	})
}

// deliversPacked sends alerts of which some lie in packs, as they do when a
// batch ends among those that were stored together.
func deliversPacked(ctx context.Context, s *suite) (string, error) {
	if !s.about.GetPacks() {
		return "", skipf("the plugin does not describe itself with packs")
	}
	alerts := append(s.alerts(4, "packed"), s.alert(hostile))
	req := &pb.DeliverRequest{Packs: [][]byte{s2.Encode(nil, append(slices.Clone(alerts[0].Json), alerts[2].Json...)), s2.Encode(nil, alerts[4].Json)}}
	for i, a := range alerts {
		if i%2 == 0 {
			a = proto.CloneOf(a)
			a.Json, a.JsonSize = nil, uint32(len(a.Json))
		}
		req.Alerts = append(req.Alerts, a)
	}
	err := s.during(ctx, func(p *process) error {
		call, cancel := context.WithTimeout(ctx, s.call)
		defer cancel()
		failed, err := p.send(call, req)
		if err == nil && len(failed) > 0 {
			err = errors.New(failed.String())
		}
		if err == nil {
			_, err = s.arrived(ctx, alerts...)
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("take the JSON of alerts that have none out of packs, or do not describe the plugin with packs: %w", err)
	}
	return "", nil
}

func deliversNothing(ctx context.Context, s *suite) (string, error) {
	return "", s.during(ctx, func(p *process) error {
		call, cancel := context.WithTimeout(ctx, s.call)
		defer cancel()
		if _, err := p.deliver(call); err != nil {
			return fmt.Errorf("answer an empty batch with OK: %w", err)
		}
		return p.mustDeliver(ctx, s.alert("after an empty batch"))
	})
}

// deliversAFullBatch fills a batch to the daemon's bounds, or to what the
// plugin says it likes.
func deliversAFullBatch(ctx context.Context, s *suite) (remark string, err error) {
	n := maxAlerts
	if wish := int(s.about.GetMaxAlerts()); wish > 0 {
		n = min(n, wish)
	}
	alerts := s.alerts(n, strings.Repeat("x", max(0, maxBytes/maxAlerts-900)))
	err = s.during(ctx, func(p *process) error {
		began := time.Now()
		if err := p.mustDeliver(ctx, alerts...); err != nil {
			return err
		}
		remark = fmt.Sprintf("%d alerts in %s", n, time.Since(began).Round(time.Millisecond))
		_, err := s.arrived(ctx, alerts...)
		return err
	})
	return remark, err
}

// deliversALargeAlert sends one over gRPC's usual bound of 4 MiB.
func deliversALargeAlert(ctx context.Context, s *suite) (remark string, err error) {
	err = s.during(ctx, func(p *process) error {
		large := s.alert(strings.Repeat("large ", 1<<20))
		call, cancel := context.WithTimeout(ctx, s.batch)
		defer cancel()
		failed, err := p.deliver(call, large)
		code := status.Code(err)
		switch {
		case err == nil && len(failed) == 0:
			if _, err := s.arrived(ctx, large); err != nil {
				return err
			}
		case code == codes.ResourceExhausted || code == codes.InvalidArgument:
			remark = "an alert of 6 MiB is refused: accept messages of 64 MiB if you can"
		case err != nil:
			return fmt.Errorf("take an alert of 6 MiB, or refuse it for good (RESOURCE_EXHAUSTED, or a PERMANENT failure): %w", err)
		case failed[large.Id].Class != pb.Failure_PERMANENT:
			return fmt.Errorf("refuse an alert that is too large for good (PERMANENT), or it comes again for ever: %s", failed)
		default:
			remark = "an alert of 6 MiB is refused: " + shorten(failed[large.Id].Message)
		}
		return p.mustDeliver(ctx, s.alert("after a large one"))
	})
	return remark, err
}

func deliversConcurrently(ctx context.Context, s *suite) (string, error) {
	return "", s.during(ctx, func(p *process) error {
		var all []*pb.Alert
		var calls sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			batch := s.alerts(5, "at the same time as others")
			all = append(all, batch...)
			calls.Go(func() { errs[i] = p.mustDeliver(ctx, batch...) })
		}
		calls.Wait()
		for _, err := range errs {
			if err != nil {
				return fmt.Errorf("take calls at the same time, one after the other if need be: %w", err)
			}
		}
		_, err := s.arrived(ctx, all...)
		return err
	})
}

// deliversAgain sends the same alerts twice, as the daemon does when an answer
// was lost.
func deliversAgain(ctx context.Context, s *suite) (remark string, err error) {
	err = s.during(ctx, func(p *process) error {
		alerts := s.alerts(3, "twice")
		if err := p.mustDeliver(ctx, alerts...); err != nil {
			return err
		}
		mixed := append(again(alerts), s.alert("new among old ones"))
		if err := p.mustDeliver(ctx, mixed...); err != nil {
			return fmt.Errorf("take an alert that comes again under the same id: %w", err)
		}
		most, err := s.arrived(ctx, mixed...)
		if most > 1 {
			remark = "the destination holds such an alert twice, under one id"
		}
		return err
	})
	return remark, err
}

// survivesCancelling gives up calls before, while and shortly after they are
// made. What they carried comes again.
func survivesCancelling(ctx context.Context, s *suite) (string, error) {
	return "", s.during(ctx, func(p *process) error {
		alerts := s.alerts(20, "of a cancelled call")
		for _, after := range []time.Duration{0, time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond} {
			call, cancel := context.WithTimeout(ctx, after)
			p.deliver(call, alerts...)
			cancel()
		}
		alerts = append(again(alerts), s.alert("after a cancelled call"))
		if err := p.mustDeliver(ctx, alerts...); err != nil {
			return fmt.Errorf("keep working after a cancelled call: %w", err)
		}
		_, err := s.arrived(ctx, alerts...)
		return err
	})
}

// namesTheRefused sends a batch of which the destination refuses one alert.
func namesTheRefused(ctx context.Context, s *suite) (string, error) {
	return "", s.some(ctx, Refuse, func(failed answer, odd *pb.Alert) error {
		if failed[odd.Id].Class != pb.Failure_PERMANENT {
			return fmt.Errorf("say PERMANENT of an alert the destination refuses for good, or it comes again for ever: %s", failed)
		}
		return nil
	})
}

// namesTheLater sends a batch of which the destination takes one alert later.
func namesTheLater(ctx context.Context, s *suite) (string, error) {
	return "", s.some(ctx, Busy, func(failed answer, odd *pb.Alert) error {
		if failed[odd.Id].Class == pb.Failure_PERMANENT {
			return fmt.Errorf("say RETRYABLE of an alert the destination takes later, or it is lost: %s", failed)
		}
		return nil
	})
}

// some sends a batch with one alert that holds a word for the destination. The
// others must arrive, or be among the failed.
func (s *suite) some(ctx context.Context, word string, judge func(answer, *pb.Alert) error) error {
	return s.during(ctx, func(p *process) error {
		odd := s.alert(word)
		alerts := []*pb.Alert{s.alert("before it"), odd, s.alert("after it")}
		call, cancel := context.WithTimeout(ctx, s.call)
		defer cancel()
		failed, err := p.deliver(call, alerts...)
		if err != nil {
			return fmt.Errorf("name the alerts that failed, when only some of a batch did: %w", err)
		}
		if failed[odd.Id] == nil {
			if _, err := s.arrived(ctx, odd); err != nil {
				return err
			}
			return skipf("the destination took an alert that holds the word %s: let it act on the word", word)
		}
		if err := judge(failed, odd); err != nil {
			return err
		}
		var taken, left []*pb.Alert
		for _, a := range []*pb.Alert{alerts[0], alerts[2]} {
			if f := failed[a.Id]; f == nil {
				taken = append(taken, a)
			} else if f.Class == pb.Failure_PERMANENT {
				return fmt.Errorf("say PERMANENT of the alert that was refused alone: %s", failed)
			} else {
				left = append(left, next(a))
			}
		}
		if _, err := s.arrived(ctx, taken...); err != nil || len(left) == 0 {
			return err
		}
		return p.mustDeliver(ctx, left...)
	})
}

// survivesSlowness gives up a call the destination does not answer.
func survivesSlowness(ctx context.Context, s *suite) (string, error) {
	return "", s.during(ctx, func(p *process) error {
		slow := s.alert(Slow)
		call, cancel := context.WithTimeout(ctx, s.slow)
		defer cancel()
		failed, err := p.deliver(call, slow)
		switch {
		case err == nil && len(failed) == 0:
			return skipf("the destination took an alert that holds the word %s at once: let it act on the word", Slow)
		case err == nil && failed[slow.Id].Class == pb.Failure_PERMANENT:
			return fmt.Errorf("say RETRYABLE when the destination does not answer in time, or the alert is lost: %s", failed)
		}
		alert := s.alert("after a slow one")
		if err := p.mustDeliver(ctx, alert); err != nil {
			return fmt.Errorf("give up when the time of a call is over, and take the next: %w", err)
		}
		_, err = s.arrived(ctx, alert)
		return err
	})
}

// reopens asks the plugin to reopen its files between two alerts, and while it
// is busy with others.
func reopens(ctx context.Context, s *suite) (remark string, err error) {
	err = s.during(ctx, func(p *process) error {
		all := append(s.alerts(20, "before the reopening"), s.alert("after the reopening"))
		before, after := all[:20], all[20]
		delivered := make(chan error, 1)
		go func() { delivered <- p.mustDeliver(ctx, before...) }()
		call, cancel := context.WithTimeout(ctx, s.call)
		defer cancel()
		_, err := p.Reopen(call, &pb.ReopenRequest{})
		if err := <-delivered; err != nil {
			return fmt.Errorf("take Reopen at the same time as Deliver: %w", err)
		}
		if err == nil {
			_, err = p.Reopen(call, &pb.ReopenRequest{})
		}
		if status.Code(err) == codes.Unimplemented {
			remark = "Reopen is not implemented"
		} else if err != nil {
			return fmt.Errorf("answer Reopen with OK, or with UNIMPLEMENTED when there is nothing to reopen: %w", p.failed(err))
		}
		if err := p.mustDeliver(ctx, after); err != nil {
			return fmt.Errorf("go on after Reopen: %w", err)
		}
		_, err = s.arrived(ctx, all...)
		return err
	})
	return remark, err
}

// drains ends the plugin as the daemon does, during a call.
func drains(ctx context.Context, s *suite) (remark string, err error) {
	err = s.during(ctx, func(p *process) error {
		before, during := s.alerts(20, "before the drain"), s.alerts(20, "during the drain")
		if err := p.mustDeliver(ctx, before...); err != nil {
			return err
		}
		call, cancel := context.WithTimeout(ctx, s.call)
		defer cancel()
		lost := make(chan error, 1)
		go func() {
			failed, err := p.deliver(call, during...)
			if err == nil && len(failed) > 0 {
				err = errors.New(failed.String())
			}
			lost <- err
		}()
		_, err := p.Drain(call, &pb.DrainRequest{})
		if <-lost == nil {
			before = append(before, during...)
		}
		if status.Code(err) == codes.Unimplemented {
			remark = "Drain is not implemented"
		} else if err != nil {
			return fmt.Errorf("answer Drain when everything is flushed: %w", p.failed(err))
		} else if _, err := p.deliver(call, s.alert("after the drain")); status.Code(err) != codes.Unavailable {
			return fmt.Errorf("refuse Deliver after Drain with UNAVAILABLE: the answer was %s", status.Code(err))
		}
		if err := p.ends(); err != nil {
			return err
		}
		_, err = s.arrived(ctx, before...)
		return err
	})
	return remark, err
}

// survivesKilling kills the plugin during a call, at several moments, and
// starts it again in the same folder.
func survivesKilling(ctx context.Context, s *suite) (string, error) {
	dir, err := s.folder()
	if err != nil {
		return "", err
	}
	var all []*pb.Alert
	for _, after := range []time.Duration{0, 2 * time.Millisecond, 20 * time.Millisecond} {
		sent, err := s.killed(ctx, dir, after, again(all))
		if err != nil {
			return "", err
		}
		all = append(all, sent...)
	}
	p, err := s.opened(ctx, dir)
	if err != nil {
		return "", fmt.Errorf("start again in the same folder after kill -9: %w", err)
	}
	defer p.kill()
	if err := p.mustDeliver(ctx, again(all)...); err != nil {
		return "", fmt.Errorf("take again what was in flight at a kill -9: %w", err)
	}
	_, err = s.arrived(ctx, all...)
	return "", err
}

// killed runs a plugin, delivers what is left, and kills it after some time in
// the next call, whose alerts it returns. What was acknowledged must be there.
func (s *suite) killed(ctx context.Context, dir string, after time.Duration, left []*pb.Alert) ([]*pb.Alert, error) {
	p, err := s.opened(ctx, dir)
	if err != nil {
		return nil, fmt.Errorf("start again in the same folder after kill -9: %w", err)
	}
	defer p.kill()
	safe := append(left, s.alert("before the kill"))
	if err := p.mustDeliver(ctx, safe...); err != nil {
		return nil, err
	}
	flying := s.alerts(50, "in flight at a kill")
	call, cancel := context.WithTimeout(ctx, s.call)
	defer cancel()
	acknowledged := make(chan bool, 1)
	go func() {
		resp, err := p.Deliver(call, &pb.DeliverRequest{BatchId: "last", Alerts: flying})
		acknowledged <- err == nil && len(resp.Failed) == 0
	}()
	time.Sleep(after)
	p.kill()
	if <-acknowledged {
		safe = append(safe, flying...)
	}
	_, err = s.arrived(ctx, safe...)
	return flying, err
}
