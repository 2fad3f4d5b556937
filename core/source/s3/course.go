package s3

import (
	"fmt"
	"slices"
	"strings"
)

// standstill is how many pages in a row may bring nothing that comes later.
// Where many old versions were deleted some are empty.
const standstill = 10_000

// maxKey is longer than keys can be: S3 allows 1024 bytes. The ledger would
// not take one that is much longer.
const maxKey = 4096

// course watches over the pages of a listing: a store that lists in circles
// must not keep us for ever, and one that lists something else than was asked
// for must not pass for a bucket in which there is nothing.
type course struct {
	prefix string
	before page
	last   string // the greatest key or folder so far
	still  int    // pages since
}

// next checks and orders the next page.
func (c *course) next(p page) (page, error) {
	p.objects = slices.DeleteFunc(p.objects, func(o object) bool { return o.key == "" })
	for _, o := range p.objects {
		if !strings.HasPrefix(o.key, c.prefix) {
			return p, c.strayed(o.key)
		}
	}
	for _, f := range p.folders {
		if !strings.HasPrefix(f, c.prefix) || len(f) == len(c.prefix) || !strings.HasSuffix(f, "/") {
			return p, c.strayed(f)
		}
	}
	byKey := func(a, b object) int { return strings.Compare(a.key, b.key) }
	if !slices.IsSortedFunc(p.objects, byKey) {
		slices.SortFunc(p.objects, byKey) // as S3 promises it
	}
	return p, c.move(p)
}

func (c *course) strayed(name string) error {
	return fmt.Errorf("the store lists %q where %q was asked for: it does not do what S3 does; check endpoint", name[:min(len(name), 200)], c.prefix)
}

// move says when the listing does not get on.
func (c *course) move(p page) error {
	c.still++
	for _, o := range p.objects {
		c.reach(o.key)
	}
	for _, f := range p.folders {
		c.reach(f)
	}
	again := len(p.objects)+len(p.folders) > 0 && slices.Equal(p.objects, c.before.objects) && slices.Equal(p.folders, c.before.folders)
	c.before = p
	if again || c.still >= standstill {
		return fmt.Errorf("the listing does not get beyond %q: the store sends the same pages again and again", c.last)
	}
	return nil
}

func (c *course) reach(key string) {
	if key > c.last {
		c.last, c.still = key, 0
	}
}
