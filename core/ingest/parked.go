package ingest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/trailship/trailship/core/source"
)

// GiveUpAfter is for how long an object may be unreadable before it becomes a
// dead letter: a permission that is lost on a Friday evening is mended before.
// What counts is the time between tries, over restarts too, but of one that is
// longer than a day only a day: a program that was switched off did not try.
const GiveUpAfter = 72 * time.Hour

// longestGap is what counts at most between two tries: the rarest scans are
// daily.
const longestGap = 25 * time.Hour

// Unreadable is the reason of the dead letter of an object that was given up.
const Unreadable = "unreadable"

// fail ends an object that could not be read on because of err: for now, or
// for good if that has been so for too long.
func (r *reader) fail(ctx context.Context, p *piece, err error) *piece {
	if ctx.Err() != nil || p.object.Done == (source.Entry{}) || !r.stays(p, err) {
		if p.entry.Records == p.object.Entry.Records {
			return p.end(p.object.Entry, err) // nothing was read
		}
		return p.end(p.entry, err)
	}
	p.entry.Failing = r.failing(p)
	if p.entry.Failing < GiveUpAfter {
		return p.end(p.entry, err)
	}
	p.dead = append(p.dead, r.deadLetter(p, -1, 0, Unreadable, fmt.Sprintf("%v; given up after %d hours of trying; %d records before it were evaluated",
		err, int(p.entry.Failing.Hours()), p.entry.Records)))
	p.givenUp = true
	whole := p.whole()
	whole.Buried = true
	return p.end(whole, nil)
}

// stays says whether an error is about the object that was listed. One that is
// gone when it is opened was deleted or replaced, unless it is listed again and
// again. Runs of growing files are rotated away.
func (r *reader) stays(p *piece, err error) bool {
	if !errors.Is(err, fs.ErrNotExist) {
		return true
	}
	return p.object.Done.Offset == 0 && r.inflight.tries(r.key(p.job), versionOf(p.object)) > 0
}

// failing is for how long an object fails, this try included.
func (r *reader) failing(p *piece) time.Duration {
	before := p.object.Entry
	if before.Failing == 0 || p.entry.Records > before.Records {
		return time.Second // it just began, or had come on
	}
	return before.Failing + min(max(r.Now().Sub(before.Seen), 0), longestGap)
}

// whole is the entry of an object that is done with.
func (p *piece) whole() source.Entry {
	whole := p.object.Done
	whole.Done = whole.Done || whole.Offset == 0
	whole.Buried = p.entry.Buried
	if whole.Offset > 0 {
		whole.Before = p.object.Entry.Before + p.entry.Records
	}
	return whole
}

// park takes an object out of the works that could not be read to its end.
func (in *Ingest) park(p *piece) {
	s, now := in.Sources[p.source], in.Now()
	how := parking{version: versionOf(p.object)}
	switch {
	case errors.Is(p.failed, fs.ErrNotExist) && p.entry.Failing == 0:
		// It went away after it was listed; under another name it is another
		// object. A source that lists it again is not believed at once.
		in.inflight.park(in.key(p.job), how, now, in.Once)
		in.Log.Info("object is gone", "source", s.Name, "object", p.object.Name, "records_read", p.entry.Records)
	case errors.Is(p.failed, errGrowing):
		in.inflight.park(in.key(p.job), how, now, in.Once)
		in.Log.Debug("object ends early and may still be growing", "source", s.Name, "object", p.object.Name, "records_read", p.entry.Records)
	default:
		in.total.failed.Add(1)
		in.Metrics.readErrors.WithLabelValues(s.Name).Inc()
		how.trouble = trouble{object: p.object.Name, why: p.failed.Error(), since: p.entry.Failing}
		tries, pause := in.inflight.park(in.key(p.job), how, now, in.Once)
		args := []any{"source", s.Name, "object", p.object.Name, "error", p.failed, "records_read", p.entry.Records,
			"tries", tries, "failing_for", p.entry.Failing}
		if !in.Once {
			args = append(args, "retry_in", pause)
		}
		in.Log.Warn("object could not be read to its end and is parked", args...)
	}
}

// SourceStatus says how reading a source goes.
type SourceStatus struct {
	Name   string
	Listed bool   // in full, once
	Error  string // of its last listing; "" when it was complete
	Parked int    // objects that could not be read and are tried again
	// Of the one that fails for the longest time, while the others are read:
	Object  string
	Why     string
	Failing time.Duration
}

// Status says how each source is, in the order of Sources. Safe to call before
// and while Run runs.
func (in *Ingest) Status() []SourceStatus {
	var all []SourceStatus
	for i, s := range in.Sources {
		failed := in.listed.failure(i)
		if n := indexOf(all, s.Name); n >= 0 {
			all[n].Listed = all[n].Listed && in.listed.has(i)
			if all[n].Error == "" {
				all[n].Error = failed
			}
			continue
		}
		all = append(all, SourceStatus{Name: s.Name, Listed: in.listed.has(i), Error: failed})
	}
	in.inflight.mu.Lock()
	defer in.inflight.mu.Unlock()
	for k, p := range in.inflight.parked {
		n := indexOf(all, k.source)
		if n < 0 || p.trouble == (trouble{}) {
			continue
		}
		if all[n].Parked++; all[n].Parked == 1 || p.since > all[n].Failing || p.since == all[n].Failing && p.object < all[n].Object {
			all[n].Object, all[n].Why, all[n].Failing = p.object, p.why, p.since
		}
	}
	return all
}

func indexOf(all []SourceStatus, name string) int {
	for n := range all {
		if all[n].Name == name {
			return n
		}
	}
	return -1
}

// key names the object of a job.
func (in *Ingest) key(j job) key { return key{in.Sources[j.source].Name, j.object.Key} }

// versionOf tells one content of an object from another. Of a growing file
// every line would change it.
func versionOf(o source.Object) string {
	if o.Done.Offset > 0 {
		return ""
	}
	return o.Done.Version
}
