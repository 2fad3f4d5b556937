package s3

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"golang.org/x/sync/errgroup"

	"github.com/trailship/trailship/core/source"
)

// parallel is how many listings are asked for at a time. One goroutine takes
// what they bring.
const parallel = 8

// arrival is a page of a listing, or its end.
type arrival struct {
	*listed
	page page
	err  error
	last bool
}

// lists makes listings and hands their objects out. Those that were complete
// are ended. The error is of the ledger, yield or the context, or one that the
// others will run into too.
func (c *scan) lists(all []*listed) (err error) {
	if len(all) == 0 {
		return nil
	}
	ctx, stop := context.WithCancel(c.ctx)
	arrivals := make(chan arrival)
	var asking sync.WaitGroup
	asking.Go(func() {
		defer close(arrivals)
		var g errgroup.Group
		g.SetLimit(parallel)
		for _, l := range all {
			g.Go(func() error { c.ask(ctx, l, arrivals); return nil })
		}
		_ = g.Wait()
	})
	defer func() {
		stop()
		for range arrivals {
		}
		asking.Wait()
	}()
	for a := range arrivals {
		if a.err == nil {
			a.err = c.take(a)
			if a.err != nil {
				return a.err
			}
		} else if err := c.stopped(a.err); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// ask asks for the pages of a listing.
func (c *scan) ask(ctx context.Context, l *listed, arrivals chan<- arrival) {
	send := func(a arrival) bool {
		select {
		case arrivals <- a:
			return a.err == nil
		case <-ctx.Done():
			return false
		}
	}
	if ctx.Err() != nil {
		return
	}
	for p, err := range c.bucket.list(ctx, l.prefix, l.after, l.flat) {
		p.folders = nil
		past := false
		if n := len(p.objects); l.until != "" && n > 0 && p.objects[n-1].key >= l.until {
			past = true
			p, l.beyond = p.before(l.until)
		}
		if n := len(p.objects); n > 0 {
			l.after = p.objects[n-1].key
		}
		if !send(arrival{listed: l, page: p, err: err}) {
			return
		}
		if past {
			break
		}
	}
	send(arrival{listed: l, last: true})
}

// before returns the part of a page before a key, and the first key after.
func (p page) before(key string) (page, string) {
	for i, o := range p.objects {
		if o.key >= key {
			return page{objects: p.objects[:i]}, o.key
		}
	}
	return p, ""
}

// take hands out what a page brought.
func (c *scan) take(a arrival) error {
	l := a.listed
	if a.last {
		l.complete = true
		return nil
	}
	l.pages++
	c.Metrics.saw(c.Name, len(a.page.objects))
	sum := a.page.sum()
	if l.skip && l.pages == 1 && sum == l.clean {
		return c.refresh() // nothing new, and everything done
	}
	hourAgo := l.anchor(l.began).Add(-recent)
	open := 0
	for _, o := range a.page.objects {
		stamp := l.learn(o)
		l.trail.add(o.key, stamp, hourAgo)
		done, err := c.offer(l.folder, o)
		if err != nil {
			return err
		}
		if done {
			continue
		}
		open++
		if !stamp.IsZero() && (l.oldest.IsZero() || stamp.Before(l.oldest)) {
			l.oldest = stamp
		}
	}
	if l.clean = 0; open == 0 {
		l.clean = sum
	}
	return c.refresh()
}

// learn notes what an object says about its folder.
func (f *folder) learn(o object) (stamp time.Time) {
	if o.modified.After(f.modified) {
		f.modified = o.modified
	}
	if !f.dated() {
		return stamp
	}
	stamp, ok := stampOf(f.leaf, o.key)
	if ok && stamp.After(f.newest) {
		f.newest = stamp
	}
	return stamp
}

// globs says which keys are read.
type globs struct {
	include, exclude []string
	cut              int // where keys begin to be matched
}

func (s *Source) globs() (globs, error) {
	g := globs{include: s.Include, exclude: s.Exclude, cut: strings.LastIndex(s.Prefix, "/") + 1}
	if len(g.include) == 0 {
		g.include = DefaultInclude
	}
	for _, list := range [][]string{g.include, g.exclude} {
		for _, pattern := range list {
			if !doublestar.ValidatePattern(pattern) {
				return g, errors.New("listing " + s.url(s.Prefix) + ": " + pattern + " is no glob")
			}
		}
	}
	return g, nil
}

// wanted says whether an object of that key is to be read.
func (g globs) wanted(key string) bool {
	at, _ := locate(key)
	return at != foreign && g.named(key)
}

// named says whether the globs want a key.
func (g globs) named(key string) bool {
	if strings.HasSuffix(key, "/") || len(key) <= g.cut || len(key) > maxKey {
		return false
	}
	return matches(g.include, key[g.cut:]) && !matches(g.exclude, key[g.cut:])
}

func matches(patterns []string, name string) bool {
	for _, p := range patterns {
		// Most globs only ask how names end, and most of the work is here.
		if end, ok := strings.CutPrefix(p, "**/*"); ok && !strings.ContainsAny(end, `*?[]{}\/`) {
			if strings.HasSuffix(name, end) {
				return true
			}
			continue
		}
		if ok, _ := doublestar.Match(p, name); ok {
			return true
		}
	}
	return false
}

// offer hands an object out unless there is nothing to read in it.
func (c *scan) offer(f *folder, o object) (done bool, err error) {
	wanted := c.wanted
	if f.dated() {
		wanted = c.named // it is of a trail: else it would not be here
	}
	if !wanted(o.key) || o.modified.Before(c.startsAt()) {
		return true, nil
	}
	unit, done, err := c.unit(o)
	if err != nil || done {
		return done, err
	}
	if !c.pending.has(o) && c.waiting.missed(o, c.now) {
		c.Metrics.miss(c.Name)
	}
	gone := c.pending.add(f, o, c.now, c.ledger)
	open := unit.Open
	unit.Open = func(ctx context.Context) (io.ReadCloser, error) {
		r, err := open(ctx)
		gone.Store(errors.Is(err, fs.ErrNotExist))
		return r, err
	}
	return false, c.yield(unit)
}

// unit is an object as a unit of reading; done says that it was read.
func (c *scan) unit(o object) (u source.Object, done bool, err error) {
	return c.Source.unit(c.bucket, c.ledger, o)
}

func (s *Source) unit(b bucket, ledger source.Ledger, o object) (u source.Object, done bool, err error) {
	e, known, err := ledger.Entry(o.key)
	if err != nil {
		return u, false, err
	}
	if known && e.Version == o.version && e.Done {
		return u, true, nil
	}
	if e.Version != o.version {
		e = source.Entry{}
	}
	return source.Object{
		Key: o.key, Name: s.url(o.key), Size: o.size, Entry: e,
		Done: source.Entry{Version: o.version, Done: true},
		Open: func(ctx context.Context) (io.ReadCloser, error) { return s.open(ctx, b, o) },
	}, false, nil
}
