package s3

import (
	"sync"
	"time"
)

// deliveries is what is known of the messages that were received: which
// objects they announced, and which of those are committed. Safe for
// concurrent use.
type deliveries struct {
	mu    sync.Mutex
	since time.Time // the queue is read since
	held  map[*delivery]struct{}
	byKey map[string]map[*delivery]struct{}
	done  []string      // receipts of messages to delete
	news  chan struct{} // has something in it when done has
	freed chan struct{} // has something in it when an object may not be read any more
}

// delivery is a message.
type delivery struct {
	receipt string
	hidden  time.Time // until when others do not see it
	left    map[string]*announced
}

// announced is an object of a message.
type announced struct {
	version string
	state   state
	until   time.Time // it is taken to be at work, unless it is for certain
}

// state is what is known of an announced object.
type state int

const (
	queued state = iota // it will be handed out
	given               // it was handed out, or somebody else has it
	open                // it is being read
	closed              // it was read, and should be committed soon
	failed              // it could not be read
)

func newDeliveries() *deliveries {
	return &deliveries{held: map[*delivery]struct{}{}, byKey: map[string]map[*delivery]struct{}{}, news: make(chan struct{}, 1), freed: make(chan struct{}, 1)}
}

// hold takes on a message that announces objects.
func (d *deliveries) hold(m *delivery, objects []object) {
	d.mu.Lock()
	defer d.mu.Unlock()
	m.left = map[string]*announced{}
	for _, o := range objects {
		m.left[o.key] = &announced{version: o.version}
		if d.byKey[o.key] == nil {
			d.byKey[o.key] = map[*delivery]struct{}{}
		}
		d.byKey[o.key][m] = struct{}{}
	}
	d.held[m] = struct{}{}
	d.settle(m)
}

// moved says that an object is in another state, which may last until then.
func (d *deliveries) moved(key string, to state, until time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for m := range d.byKey[key] {
		if a := m.left[key]; to != given || a.state == queued { // else its reader was faster
			a.state, a.until = to, until
		}
	}
	signal(d.freed)
}

// reading is how many announced objects are being read.
func (d *deliveries) reading() (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for key, messages := range d.byKey {
		for m := range messages {
			if m.left[key].state == open {
				n++
				break // however many announced it
			}
		}
	}
	return n
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// finish says that there is nothing left to do for a version of an object.
func (d *deliveries) finish(key, version string) {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for m := range d.byKey[key] {
		if m.left[key].version == version {
			d.strike(m, key)
			d.settle(m)
		}
	}
}

func (d *deliveries) strike(m *delivery, key string) {
	delete(m.left, key)
	delete(d.byKey[key], m)
	if len(d.byKey[key]) == 0 {
		delete(d.byKey, key)
	}
	signal(d.freed)
}

// settle lets a message go that has nothing left.
func (d *deliveries) settle(m *delivery) {
	if len(m.left) > 0 {
		return
	}
	delete(d.held, m)
	d.done = append(d.done, m.receipt)
	signal(d.news)
}

// settled returns the receipts of messages to delete, once.
func (d *deliveries) settled() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	done := d.done
	d.done = nil
	return done
}

// extend returns the messages that must stay hidden for longer, and takes them
// to be hidden until then. Those nobody works on are let go: they are received
// again.
func (d *deliveries) extend(now, until time.Time) (receipts []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for m := range d.held {
		if m.working(now) {
			m.hidden = until
			receipts = append(receipts, m.receipt)
		} else if m.hidden.Before(now) {
			for key := range m.left {
				d.strike(m, key)
			}
			delete(d.held, m)
		}
	}
	return receipts
}

func (m *delivery) working(now time.Time) bool {
	for _, a := range m.left {
		switch a.state {
		case queued, open:
			return true
		case given, closed:
			if a.until.After(now) {
				return true
			}
		}
	}
	return false
}

// late is how old an object is that a notification should have announced.
const late = 5 * time.Minute

// missed says that a listing met an object that should have been announced and
// was not.
func (d *deliveries) missed(o object, now time.Time) bool {
	if d == nil {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.byKey[o.key] == nil && !d.since.IsZero() && o.modified.After(d.since) && now.Sub(o.modified) > late
}
