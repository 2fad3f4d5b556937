package s3

import (
	"sync/atomic"
	"time"

	"github.com/trailship/trailship/core/source"
)

// pending is what was handed out and is not read to its end as far as is
// known: what failed is offered again at each Scan, for a little longer than
// ingest tries before it gives up. Its size is bounded; of what does not fit the
// sweeps remind.
type pending struct {
	objects map[string]*offered
	round   int
}

type offered struct {
	object
	folder *folder
	since  time.Time
	round  int
	gone   *atomic.Bool // opening it said that it is not there
}

const (
	maxPending = 4096
	pendingFor = 80 * time.Hour
)

func (p *pending) has(o object) bool {
	known := p.objects[o.key]
	return known != nil && known.version == o.version
}

// add notes that an object is handed out.
func (p *pending) add(f *folder, o object, now time.Time, ledger source.Ledger) *atomic.Bool {
	if p.has(o) {
		known := p.objects[o.key]
		known.round = p.round
		return known.gone
	}
	if p.objects == nil {
		p.objects = map[string]*offered{}
	}
	if len(p.objects) >= maxPending {
		p.purge(ledger)
	}
	gone := &atomic.Bool{}
	if len(p.objects) < maxPending {
		p.objects[o.key] = &offered{object: o, folder: f, since: now, round: p.round, gone: gone}
	}
	return gone
}

// purge makes room: it forgets what was read. When all the rest failed, the
// sweeps have to remember it.
func (p *pending) purge(ledger source.Ledger) {
	for key, o := range p.objects {
		if e, ok, err := ledger.Entry(key); err != nil || ok && e.Done && e.Version == o.version {
			delete(p.objects, key)
		}
	}
	if len(p.objects) > maxPending/2 {
		clear(p.objects)
	}
}

// again offers what was handed out in earlier scans, is not read, and was not
// met in this one.
func (c *scan) again() error {
	p := &c.pending
	for key, o := range p.objects {
		switch {
		case o.round == p.round:
			continue
		case o.gone.Load(), o.folder.gone, over(c.now, o.since, pendingFor), o.folder.covers(key, p.round):
			delete(p.objects, key)
			continue
		}
		done, err := c.offer(o.folder, o.object)
		if err != nil {
			return err
		}
		if done {
			delete(p.objects, key)
		}
	}
	return nil
}

// covers says that a listing of that round would have met the key.
func (f *folder) covers(key string, round int) bool {
	return f.round == round && key > f.after
}
