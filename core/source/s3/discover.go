package s3

import (
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Accounts and regions come and go. What is to be listed is found by going
// down the folders of the layouts. Above the layouts, and where there is none,
// only so many folders are looked into.
const (
	exploreDepth  = 3
	exploreBudget = 20
)

// discoverEvery is how often to look for new leaves: rarely enough not to
// matter beside the polls.
func (s *Source) discoverEvery() time.Duration { return min(30*s.poll(), 30*time.Minute) }

// discover finds the folders to be listed.
func (c *scan) discover() error {
	d := &discovery{scan: c, budget: exploreBudget}
	_, err := d.explore(c.Prefix, 0)
	if err == nil {
		err = d.descend()
	}
	if err != nil {
		return err
	}
	if c.folders == nil {
		c.folders = map[string]*folder{}
	}
	found := map[string]*folder{}
	fresh := 0
	for _, f := range d.found {
		id := fmt.Sprint(f.prefix, f.flat)
		if known := c.folders[id]; known != nil && known.leaf == f.leaf {
			f = known
		} else if err := c.begin(f); err != nil {
			return err
		} else {
			fresh++
		}
		found[id] = f
	}
	for id, f := range c.folders {
		if found[id] != f && d.partly {
			found[id] = f // it may still be there
		}
		f.gone = found[id] != f
	}
	if fresh > 0 {
		c.log().Info("found folders to list", "source", c.Name, "new", fresh, "all", len(found))
	}
	c.folders, c.discovered = found, c.now
	if d.partly {
		c.discovered = c.now.Add(rarely*c.poll() - c.discoverEvery())
	}
	return nil
}

// begin finds out from where on a folder that was not known is listed.
func (c *scan) begin(f *folder) error {
	if !f.dated() {
		return nil
	}
	e, ok, err := c.ledger.Entry(f.prefix + folderNote)
	if err != nil {
		return err
	}
	if ok {
		if f.mark, err = time.Parse(time.DateOnly, e.Version); err != nil {
			return fmt.Errorf("the note of how far %s is done is not readable: forget the source's state to begin anew", c.url(f.prefix))
		}
	}
	// An object is filed under the day it was delivered, about.
	if start := c.startsAt(); !start.IsZero() && f.mark.Before(start.Add(-24*time.Hour)) {
		f.mark = dayOf(start.Add(-24 * time.Hour))
	}
	return nil
}

// discovery is one look for folders.
type discovery struct {
	*scan
	found  []*folder
	inner  []string // folders of a layout to look into
	budget int
	partly bool // something could not be looked into
}

// explore looks into a path where there is no layout yet, and says whether
// there is one below.
func (d *discovery) explore(path string, depth int) (layout bool, err error) {
	switch at, leaf := locate(path); at {
	case within:
		d.found = append(d.found, &folder{prefix: path, leaf: leaf})
		return true, nil
	case above:
		d.inner = append(d.inner, path)
		return true, nil
	case foreign:
		return true, nil
	}
	plain := &folder{prefix: path}
	if depth >= exploreDepth || d.budget <= 0 {
		d.found = append(d.found, plain)
		return false, nil
	}
	d.budget--
	p, whole, err := d.first(path)
	if err != nil {
		if err = d.stopped(err); err == nil {
			d.partly = true
		}
		return false, err
	}
	if !whole { // too broad to be above a layout
		d.found = append(d.found, plain)
		return false, nil
	}
	before := len(d.found)
	for _, f := range p.folders {
		below, err := d.explore(f, depth+1)
		if err != nil {
			return false, err
		}
		layout = layout || below
	}
	if !layout {
		d.found = append(d.found[:before], plain)
	} else if len(p.objects) > 0 {
		d.found = append(d.found, &folder{prefix: path, flat: true})
	}
	return layout, nil
}

// first returns the first page of what is directly below a path, and whether
// that is all.
func (d *discovery) first(path string) (p page, whole bool, err error) {
	n := 0
	for next, err := range d.bucket.list(d.ctx, path, "", true) {
		if n++; n > 1 {
			return p, false, nil
		}
		if err != nil {
			return p, false, err
		}
		p = next
	}
	return p, true, nil
}

// descend looks into the folders of the layouts, a level at a time.
func (d *discovery) descend() error {
	for len(d.inner) > 0 {
		level := d.inner
		d.inner = nil
		if err := d.level(level); err != nil {
			return err
		}
	}
	return nil
}

func (d *discovery) level(paths []string) error {
	var (
		g  errgroup.Group
		mu sync.Mutex
	)
	g.SetLimit(parallel)
	for _, path := range paths {
		g.Go(func() error {
			for p, err := range d.bucket.list(d.ctx, path, "", true) {
				mu.Lock()
				err := d.into(path, p, err)
				mu.Unlock()
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// into takes what is directly below a folder of a layout.
func (d *discovery) into(path string, p page, err error) error {
	if err != nil {
		d.partly = true
		return d.stopped(err)
	}
	for _, f := range p.folders {
		switch at, leaf := locate(f); at {
		case within:
			d.found = append(d.found, &folder{prefix: f, leaf: leaf})
		case above:
			d.inner = append(d.inner, f)
		}
	}
	for _, o := range p.objects {
		if d.wanted(o.key) {
			d.found = append(d.found, &folder{prefix: path, flat: true})
			break
		}
	}
	return nil
}
