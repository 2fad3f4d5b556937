package s3

import (
	"hash/maphash"
	"time"
)

const (
	recent   = time.Hour           // what every poll lists again
	wide     = 36 * time.Hour      // what every hour lists again
	deep     = 31 * 24 * time.Hour // what every day lists again
	idle     = time.Hour           // without news, after which a leaf is polled less often
	rarely   = 5                   // polls of others for one of an idle leaf
	pageKeys = 1000                // objects a service lists at a time
	tailFull = pageKeys * 9 / 10   // a poll that lists more than this lists less next time
	tailKeep = pageKeys * 6 / 10   // namely about this much
)

// folder is a part of the bucket that is listed by itself: a leaf of a layout,
// or any other prefix. What is remembered of it does not grow with the number
// of its objects.
type folder struct {
	prefix string // what is listed
	leaf   string // the leaf that prefix is, or is in; "" when there are no days
	flat   bool   // only what is directly below prefix, not in folders
	gone   bool   // it is not there any more

	swept  bool      // it was listed as far back as needed, once
	polled time.Time // when last listed, however far
	hourly time.Time // when last listed wide
	daily  time.Time // when last listed deep, or all of it
	from   string    // a poll lists the keys after this one

	round int    // of the last listing, with what it
	after string // listed after

	newest   time.Time // delivered
	modified time.Time // the newest
	pages    int       // of the last listing of everything
	clean    uint64    // the hash of a page of which everything was done
	mark     time.Time // everything filed under days before is done; committed
	next     time.Time // the mark to commit
}

func (f *folder) dated() bool { return f.leaf != "" }

// anchor is the moment listings reach back from: now or, if the newest object
// is older or the clock is ahead, the newest object.
func (f *folder) anchor(now time.Time) time.Time {
	if !f.newest.IsZero() && f.newest.Before(now) {
		return f.newest
	}
	return now
}

// over says whether a time has passed; a clock that was set back counts.
func over(now, last time.Time, every time.Duration) bool {
	return last.IsZero() || now.Sub(last) >= every || now.Before(last)
}

// sweep returns the key after which a listing that goes further back than a
// poll is due, if it is.
func (f *folder) sweep(now time.Time, poll time.Duration) (after string, daily, due bool) {
	switch {
	case !f.dated():
		every := poll * time.Duration(min(max(f.pages/10, 1), 60))
		return "", true, every == poll || over(now, f.daily, every)
	case !f.swept || over(now, f.daily, 24*time.Hour):
		return f.floor(), true, true
	case over(now, f.hourly, time.Hour):
		return max(f.floor(), dayKey(f.leaf, f.anchor(now).Add(-wide))), false, true
	}
	return "", false, false
}

// floor is the key after which keys count.
func (f *folder) floor() string {
	if f.mark.IsZero() {
		return ""
	}
	return dayKey(f.leaf, f.mark)
}

// due says whether the folder is to be polled. A leaf without news is polled
// less often.
func (f *folder) due(now time.Time, poll time.Duration) bool {
	if !f.swept {
		return false
	}
	if f.dated() && now.Sub(f.modified) > idle {
		return over(now, f.polled, rarely*poll-poll/2)
	}
	return true
}

// listed is a listing of a folder under way, and what is learned by it.
type listed struct {
	*folder
	after string // it lists the keys after this one
	until string // and before this one; "" is the end
	began time.Time
	deep  bool // as far back as needed
	wide  bool
	skip  bool // a page that is as clean as before need not be looked at

	start    string // after when it began
	trail    trail
	pages    int
	oldest   time.Time // filed, of what is not done
	beyond   string    // the first key after until
	complete bool      // up to until
}

// end takes over what a complete listing found.
func (l *listed) end(round int) {
	f := l.folder
	f.polled, f.round, f.after = l.began, round, l.start
	if from := l.trail.cut(f.anchor(l.began).Add(-recent)); from != "" {
		f.from = from
	} else if l.deep || l.start < f.from {
		f.from = l.start // all of it is little
	}
	if l.wide || l.deep {
		f.hourly = l.began
	}
	if !l.deep {
		return
	}
	f.daily, f.swept, f.pages = l.began, true, l.pages
	if f.dated() {
		f.next = dayOf(f.anchor(l.began).Add(-deep))
		if !l.oldest.IsZero() && l.oldest.Before(f.next) {
			f.next = dayOf(l.oldest)
		}
	}
}

// trail remembers a few of the keys that were listed, to find the one from
// which the next poll lists: so far back that it covers the last hour, and
// further as long as it is one page.
type trail struct {
	marks []milestone
	n     int
}

type milestone struct {
	key   string
	stamp time.Time
	n     int
}

// every is how many keys lie between two milestones.
const every = 50

// add takes the next key.
func (t *trail) add(key string, stamp time.Time, hourAgo time.Time) {
	t.n++
	if t.n%every != 0 {
		return
	}
	t.marks = append(t.marks, milestone{key, stamp, t.n})
	for len(t.marks) > 1 && t.fits(t.marks[1], hourAgo) {
		t.marks = t.marks[1:]
	}
}

// fits says whether what follows a milestone is enough to list.
func (t *trail) fits(m milestone, hourAgo time.Time) bool {
	return t.n-m.n >= tailKeep && m.stamp.Before(hourAgo)
}

// cut returns the key after which to list next time, or "" when there is
// nothing to cut off.
func (t *trail) cut(hourAgo time.Time) (key string) {
	if t.n <= tailFull {
		return ""
	}
	for _, m := range t.marks {
		if t.fits(m, hourAgo) {
			key = m.key
		}
	}
	return key
}

var seed = maphash.MakeSeed()

// sum is the same for the same objects.
func (p page) sum() uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	for _, o := range p.objects {
		h.WriteString(o.key)
		h.WriteByte(0)
		h.WriteString(o.version)
		h.WriteByte(0)
	}
	return h.Sum64() | 1
}
