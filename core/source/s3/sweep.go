package s3

import (
	"cmp"
	"slices"
	"time"
)

// polls lists the newest part of every folder that is due and of which the
// rest is known.
func (c *scan) polls() error {
	c.fresh = c.Source.now()
	var all []*listed
	for _, f := range c.sorted() {
		if _, _, sweep := f.sweep(c.fresh, c.poll()); sweep && !c.nested || !f.due(c.fresh, c.poll()) {
			continue
		}
		after := max(f.from, f.floor())
		all = append(all, &listed{folder: f, after: after, start: after, began: c.fresh, skip: f.dated()})
	}
	if err := c.lists(all); err != nil {
		return err
	}
	for _, l := range all {
		if l.complete {
			l.end(c.pending.round)
		}
	}
	return nil
}

// refresh polls between the pages of a sweep that takes longer than the poll
// interval, so that a long backfill does not delay what is new elsewhere.
func (c *scan) refresh() error {
	if c.nested || !over(c.Source.now(), c.fresh, c.poll()) {
		return nil
	}
	c.nested = true
	err := c.polls()
	c.nested = false
	return err
}

func (c *scan) sorted() []*folder {
	all := make([]*folder, 0, len(c.folders))
	for _, f := range c.folders {
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b *folder) int { return cmp.Compare(a.prefix, b.prefix) })
	return all
}

// step is how far first listings of several leaves go before the others catch
// up: events of one time are then read at about the same time.
const step = 7 * 24 * time.Hour

// sweeps lists the folders of which a listing that goes further back is due.
func (c *scan) sweeps() error {
	var known, first []*listed
	for _, f := range c.sorted() {
		after, deep, due := f.sweep(c.now, c.poll())
		if !due {
			continue
		}
		l := &listed{folder: f, after: after, start: after, began: c.now, deep: deep, wide: !deep}
		if f.swept || !f.dated() {
			known = append(known, l)
		} else {
			first = append(first, l)
		}
	}
	if err := c.lists(known); err != nil {
		return err
	}
	if err := c.inSteps(first); err != nil {
		return err
	}
	for _, l := range slices.Concat(known, first) {
		if l.complete {
			l.end(c.pending.round)
		}
	}
	return nil
}

// inSteps makes the first listings of leaves side by side.
func (c *scan) inSteps(all []*listed) error {
	if len(all) > 1 {
		// Where each begins is only known when its first key is.
		for _, l := range all {
			l.until = max(l.after, l.prefix)
		}
	}
	for active := all; len(active) > 0; active = nextStep(all) {
		if err := c.lists(active); err != nil {
			return err
		}
	}
	return nil
}

// nextStep returns those of the listings that go on now, each up to the end of
// the next step.
func nextStep(all []*listed) []*listed {
	var waiting, active []*listed
	var earliest time.Time
	for _, l := range all {
		if !l.complete || l.beyond == "" {
			continue // it failed, or is at its end
		}
		waiting = append(waiting, l)
		if at, _ := stampOf(l.leaf, l.beyond); len(waiting) == 1 || at.Before(earliest) {
			earliest = at
		}
	}
	horizon := dayOf(earliest).Add(step)
	for _, l := range waiting {
		if at, _ := stampOf(l.leaf, l.beyond); !at.Before(horizon) {
			continue
		}
		l.until, l.beyond, l.complete = dayKey(l.leaf, horizon), "", false
		if len(waiting) == 1 || earliest.IsZero() {
			l.until = ""
		}
		active = append(active, l)
	}
	return active
}
