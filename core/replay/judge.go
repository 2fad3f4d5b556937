package replay

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/trailship/trailship/core/rule"
)

// judgeAll judges the rules that remember, group by group.
func (r *Replay) judgeAll(ctx context.Context) error {
	j := judging{Replay: r}
	done := 0
	err := r.sorters.contributions.each(func(b []byte) error {
		if done++; done%recordsLook == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		return j.add(b)
	})
	if err == nil {
		err = j.end()
	}
	r.sorters.contributions.close()
	return err
}

// judging is at one group of one rule.
type judging struct {
	*Replay
	key     []byte // of the group
	side    byte
	place   int
	history *rule.History
	item    item
}

func (j *judging) add(b []byte) error {
	d := parts{b: b}
	if key := d.fixed(groupSize); j.history == nil || !bytes.Equal(key, j.key) {
		if err := j.end(); err != nil {
			return err
		}
		if err := j.begin(key); err != nil {
			return err
		}
	}
	c, err := d.contribution(j.history.Rule)
	if err != nil {
		return err
	}
	verdicts, err := j.history.Add(c)
	return j.raise(verdicts, err)
}

func (j *judging) begin(key []byte) error {
	j.key = append(j.key[:0], key...)
	d := parts{b: key}
	j.side, j.place = d.byte(), d.uint32()
	if d.bad || int(j.side) >= sides || j.place >= len(j.rules) {
		return errItem
	}
	t := j.rules[j.place]
	j.history = &rule.History{
		Set: j.sets()[j.side], Rule: t.sets[j.side], Oldest: time.UnixMilli(t.oldest[j.side].Load()),
	}
	return nil
}

func (j *judging) end() error {
	if j.history == nil {
		return nil
	}
	verdicts, err := j.history.End()
	if j.side == sideNew {
		j.rules[j.place].tally.Add(j.history.Tally)
	}
	return j.raise(verdicts, err)
}

func (j *judging) raise(verdicts []rule.Verdict, err error) error {
	if err != nil {
		return err
	}
	for _, v := range verdicts {
		j.item.b = j.item.b[:0]
		j.item.alert(j.side, j.place, Alert{
			ID: v.ID, Time: v.Window.Last, Key: v.Window.Key, Text: seen(v),
			Object: v.Record.Object, Record: v.Record.Index,
		})
		if err := j.sorters.alerts.add(j.item.b); err != nil {
			return err
		}
	}
	return nil
}

// seen is what a rule that remembers saw, in a line: its message would need
// the record, which is not kept.
func seen(v rule.Verdict) string {
	w := v.Window
	if v.Rule.Form() == "first_seen" {
		return fmt.Sprintf("%q is new", v.New())
	}
	what := fmt.Sprintf("%d events", w.Count)
	if w.Distinct > 0 {
		what = fmt.Sprintf("%d values", w.Distinct)
	}
	return fmt.Sprintf("%s in %s from %s", what, w.Last.Sub(w.First), w.First.Format(time.RFC3339))
}
