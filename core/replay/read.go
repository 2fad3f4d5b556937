package replay

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/trailship/trailship/core/decode"
	"github.com/trailship/trailship/core/event"
	"github.com/trailship/trailship/core/rule"
)

// reader is one worker, with everything it uses again and again.
type reader struct {
	*Replay
	decoder  *decode.Reader
	event    event.Event
	matchers [sides]*rule.Matcher
	item     item
	did      Report // since it last told
}

func (r *Replay) newReader() *reader {
	w := &reader{Replay: r, decoder: decode.NewReader(nil, r.Limits)}
	for side, set := range r.sets() {
		if set != nil {
			w.matchers[side] = set.NewMatcher()
		}
	}
	return w
}

// all reads objects until there are no more. Errors are of ctx and the disk.
func (w *reader) all(ctx context.Context, objects <-chan numbered) error {
	for o := range objects {
		err := w.object(ctx, o)
		w.tell(o)
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// tell adds what was done to what all readers did.
func (w *reader) tell(o numbered) {
	w.Progress.Objects.Add(1)
	w.Progress.Bytes.Add(max(o.Size, 0))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sum.Objects++
	w.Progress.Records.Add(w.did.Records)
	w.sum.add(&w.did)
	w.did = Report{}
}

func (w *reader) object(ctx context.Context, o numbered) error {
	src, err := o.Open(ctx)
	if err != nil {
		w.fail(o.Name, err)
		return nil
	}
	defer src.Close()
	w.decoder.Reset(src)
	for n := 0; n%recordsLook != 0 || ctx.Err() == nil; n++ {
		rec, err := w.decoder.Next()
		if err == nil {
			if err = decode.Begin(&w.event, rec); err == nil {
				if err := w.judge(o, rec); err != nil {
					return err
				}
				continue
			}
		}
		var rejected *decode.Reject
		switch {
		case errors.As(err, &rejected):
			w.reject(rejected.Reason)
		case errors.Is(err, io.EOF):
			return nil
		default:
			w.fail(o.Name, err)
			return nil
		}
	}
	return ctx.Err()
}

func (w *reader) reject(reason string) {
	if w.did.Rejected == nil {
		w.did.Rejected = map[string]int64{}
	}
	w.did.Rejected[reason]++
}

// judge matches an event against the rules.
func (w *reader) judge(o numbered, rec decode.Record) error {
	at := w.event.Time
	if !w.Until.IsZero() && !at.Before(w.Until) {
		return nil
	}
	w.did.saw(at)
	for side, m := range w.matchers {
		if m == nil {
			continue
		}
		for _, match := range m.Match(&w.event) {
			if err := w.match(byte(side), match, o, rec); err != nil {
				return err
			}
		}
		for _, c := range m.Contributions() {
			c.Record = &rule.Record{Object: o.Name, Index: o.Entry.Before + rec.Index}
			if err := w.contribute(byte(side), c, o); err != nil {
				return err
			}
		}
	}
	return nil
}

// match notes the alert of a plain rule. Of a rule with dedup the first event
// of a bucket counts, also when it is of before Since.
func (w *reader) match(side byte, m rule.Match, o numbered, rec decode.Record) error {
	n, counts := w.place[m.Rule.ID]
	if !counts || m.Rule.Dedup == nil && w.event.Time.Before(w.Since) {
		return nil
	}
	a := Alert{ID: m.ID, Time: w.event.Time, Key: m.Key, Text: m.Message, Object: o.Name, Record: o.Entry.Before + rec.Index}
	if a.Key == "" {
		_ = w.event.Load(event.PartsClosed) // only open parts fail
		a.Key = who(&w.event)
	}
	w.item.b = w.item.b[:0]
	w.item.alert(side, n, a)
	return w.sorters.alerts.add(w.item.b)
}

// who acted, for rules that group by nothing.
func who(ev *event.Event) string {
	p := ev.Principal
	for _, name := range []string{p.Name, p.Role, p.ID, ev.IP} {
		if name != "" {
			return strings.Clone(name)
		}
	}
	return ev.Account
}

func (w *reader) contribute(side byte, c rule.Contribution, o numbered) error {
	n, counts := w.place[c.Rule.ID]
	if !counts {
		return nil
	}
	w.rules[n].saw(int(side), c.Time)
	w.item.b = w.item.b[:0]
	w.item.contribution(side, n, c, o.n)
	return w.sorters.contributions.add(w.item.b)
}

// saw notes the oldest event of a rule, at 1 ms past 1970 at the earliest.
func (t *traced) saw(side int, at time.Time) {
	ms := max(at.UnixMilli(), 1)
	for {
		old := t.oldest[side].Load()
		if old != 0 && old <= ms || t.oldest[side].CompareAndSwap(old, ms) {
			return
		}
	}
}
