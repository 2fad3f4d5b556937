package replay

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"slices"
	"strings"
	"time"
)

// Report is what a Run found.
type Report struct {
	Objects  int64            `json:"objects"`
	Records  int64            `json:"records"`  // judged
	Rejected map[string]int64 `json:"rejected"` // records that are no events, by reason
	Failed   int64            `json:"failed"`   // objects that were not read to their end
	First    time.Time        `json:"first,omitzero"`
	Last     time.Time        `json:"last,omitzero"` // event times of what was judged

	Alerts int64  `json:"alerts"` // of rules that reach outputs
	Shadow int64  `json:"shadow"` // of rules in shadow
	Rules  []Rule `json:"rules"`  // of Rules, by id; those without alerts too

	Differences []Difference `json:"differences,omitempty"` // to Old, by rule id; nil without Old
}

// Rule is what one rule raised.
type Rule struct {
	ID       string  `json:"id"`
	Title    string  `json:"title"`
	Severity string  `json:"severity"`
	Shadow   bool    `json:"shadow,omitempty"`
	File     string  `json:"file"`
	Line     int     `json:"line"`
	Alerts   int64   `json:"alerts"`
	Days     []Day   `json:"days,omitempty"`   // with alerts, in order
	Groups   []Group `json:"groups,omitempty"` // with the most alerts, up to 5
	// Evicted events of sequences had no room: alerts may be missing.
	Evicted int `json:"evicted,omitempty"`
	// Errors is how often an expression failed: no match, each time.
	Errors uint64 `json:"errors,omitempty"`
}

// Day is a day of UTC.
type Day struct {
	Day    string `json:"day"` // 2026-01-31
	Alerts int64  `json:"alerts"`
}

// Group is a key with its alerts.
type Group struct {
	Key    string `json:"key"`
	Alerts int64  `json:"alerts"`
}

// Difference is how the alerts of a rule changed.
type Difference struct {
	Rule      string `json:"rule"`
	Added     int64  `json:"added"`
	Removed   int64  `json:"removed"`
	Unchanged int64  `json:"unchanged"`
	// The oldest of them, up to 3 each.
	AddedAlerts   []Alert `json:"added_alerts,omitempty"`
	RemovedAlerts []Alert `json:"removed_alerts,omitempty"`
}

func compare(a, b string) int { return strings.Compare(a, b) }

func (r *Report) saw(at time.Time) {
	r.Records++
	if r.First.IsZero() || at.Before(r.First) {
		r.First = at
	}
	if at.After(r.Last) {
		r.Last = at
	}
}

// add takes in what a reader did.
func (r *Report) add(o *Report) {
	n := r.Records + o.Records
	for _, at := range []time.Time{o.First, o.Last} {
		if !at.IsZero() {
			r.saw(at)
		}
	}
	r.Records = n
	for reason, n := range o.Rejected {
		r.Rejected[reason] += n
	}
}

// count counts the alerts, each id once.
func (r *Replay) count(ctx context.Context) error {
	r.sum.Rules = []Rule{}
	for _, t := range r.rules {
		if now := t.sets[sideNew]; now != nil {
			r.sum.Rules = append(r.sum.Rules, Rule{
				ID: now.ID, Title: now.Title, Severity: now.Severity, Shadow: now.Shadow, File: now.File, Line: now.Line,
				Evicted: t.tally.Evicted[t.id], Errors: now.EvalErrors(),
			})
		}
	}
	c := counting{Replay: r, days: map[string]int64{}}
	if err := r.sorters.alerts.each(func(b []byte) error { return c.add(ctx, b) }); err != nil {
		return err
	}
	if err := c.next(nil); err != nil {
		return err
	}
	c.endRule(len(r.rules))
	r.sorters.alerts.close()
	return r.groups()
}

// counting is at one alert of one rule.
type counting struct {
	*Replay
	key  []byte       // rule and id
	met  [sides]bool  // by which set
	show [sides]Alert // the oldest copies
	rule int
	at   int // of the rule in the report
	days map[string]int64
	diff Difference
	item item
}

// idSize is the part of an alert that says which one it is.
const idSize = 4 + 1 + 26

func (c *counting) add(ctx context.Context, b []byte) error {
	if len(b) < idSize {
		return errItem
	}
	if !bytes.Equal(b[:idSize], c.key) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := c.next(b[:idSize]); err != nil {
			return err
		}
	}
	side, _, a, err := (&parts{b: b}).alert(c.rules)
	if err == nil && int(side) < sides && !c.met[side] { // the oldest comes first
		c.met[side], c.show[side] = true, a
	}
	return err
}

// next counts the alert it was at, and goes on to another.
func (c *counting) next(key []byte) error {
	for side, a := range c.show { // the first copy says when it was raised
		c.met[side] = c.met[side] && !a.Time.Before(c.Since)
	}
	if err := c.counted(); err != nil {
		return err
	}
	c.met, c.key = [sides]bool{}, append(c.key[:0], key...)
	if len(key) == 0 {
		return nil
	}
	if n := int(binary.BigEndian.Uint32(key)); n != c.rule {
		c.endRule(n)
	}
	return nil
}

func (c *counting) counted() error {
	if c.met[sideNew] {
		if err := c.raised(c.show[sideNew]); err != nil {
			return err
		}
	}
	switch {
	case c.met[sideNew] && c.met[sideOld]:
		c.diff.Unchanged++
	case c.met[sideNew]:
		c.diff.Added++
		c.diff.AddedAlerts = keep(c.diff.AddedAlerts, c.show[sideNew])
	case c.met[sideOld]:
		c.diff.Removed++
		c.diff.RemovedAlerts = keep(c.diff.RemovedAlerts, c.show[sideOld])
	}
	return nil
}

// raised counts an alert of the rules there are.
func (c *counting) raised(a Alert) error {
	of := c.rules[c.rule].sets[sideNew]
	a.Shadow = of.Shadow
	if a.Shadow {
		c.sum.Shadow++
	} else {
		c.sum.Alerts++
	}
	c.days[a.Time.UTC().Format(time.DateOnly)]++
	c.item.b = c.item.b[:0]
	c.item.uint32(c.rule)
	c.item.fixed([]byte(a.Key))
	if err := c.sorters.keys.add(c.item.b); err != nil {
		return err
	}
	if c.Alert != nil {
		return c.Alert(a)
	}
	return nil
}

// endRule ends a rule, and those before n that raised nothing.
func (c *counting) endRule(n int) {
	for ; c.rule < n; c.rule++ {
		t := c.rules[c.rule]
		if t.sets[sideNew] != nil {
			out := &c.sum.Rules[c.at]
			c.at++
			for day, alerts := range c.days {
				out.Days = append(out.Days, Day{day, alerts})
				out.Alerts += alerts
			}
			slices.SortFunc(out.Days, func(a, b Day) int { return compare(a.Day, b.Day) })
		}
		if c.Old != nil {
			c.diff.Rule = t.id
			c.sum.Differences = append(c.sum.Differences, c.diff)
		}
		clear(c.days)
		c.diff = Difference{}
	}
}

// keep keeps the oldest alerts.
func keep(kept []Alert, a Alert) []Alert {
	i, _ := slices.BinarySearchFunc(kept, a, func(a, b Alert) int {
		return cmp.Or(a.Time.Compare(b.Time), compare(a.ID, b.ID))
	})
	if i == keepAlerts {
		return kept
	}
	return slices.Insert(kept, i, a)[:min(len(kept)+1, keepAlerts)]
}

// groups finds the groups with the most alerts.
func (r *Replay) groups() error {
	at := map[int]*Rule{}
	for i := range r.sum.Rules {
		at[r.place[r.sum.Rules[i].ID]] = &r.sum.Rules[i]
	}
	var last []byte
	n := int64(0)
	end := func() {
		if n > 0 {
			of := at[int(binary.BigEndian.Uint32(last))]
			of.Groups = most(of.Groups, Group{string(last[4:]), n})
		}
		n = 0
	}
	err := r.sorters.keys.each(func(b []byte) error {
		if !bytes.Equal(b, last) {
			end()
			last = append(last[:0], b...)
		}
		n++
		return nil
	})
	end()
	return err
}

// most keeps the groups with the most alerts.
func most(kept []Group, g Group) []Group {
	i, _ := slices.BinarySearchFunc(kept, g, func(a, b Group) int {
		return cmp.Or(-cmp.Compare(a.Alerts, b.Alerts), compare(a.Key, b.Key))
	})
	if i == keepGroups {
		return kept
	}
	return slices.Insert(kept, i, g)[:min(len(kept)+1, keepGroups)]
}
