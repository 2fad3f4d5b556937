package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"

	"github.com/trailship/trailship/core/decode"
	"github.com/trailship/trailship/core/event"
	"github.com/trailship/trailship/core/rule"
	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/store"
)

const (
	// A piece goes to the committer when its alerts reach this many bytes.
	pieceBytes = 1 << 20
	// So many bytes of alerts may wait for the committer; then readers wait.
	waitingBytes = 16 << 20
	// After so many records, which take some 0.3 ms, a reader lets others have their
	// turn, and looks whether the rules changed.
	recordsPerTurn = 128
	// So many records of one object are buried one by one; of an object with
	// more damage than that the rest is only counted.
	buriedPerObject = 100
)

// piece is what a reader made of (a part of) an object: everything that one
// transaction has to hold.
type piece struct {
	job
	entry   source.Entry
	alerts  []store.Alert
	dead    []store.DeadLetter
	bytes   int
	buried  int   // records of the object buried so far
	done    bool  // the object leaves: read to its end, or as far as it goes now
	failed  error // it could not be read on; tried again later
	givenUp bool  // it could not be read on, and is not tried again

	records  []ofFormat
	rejected map[string]int64 // by reason
	matches  map[string]int64 // by rule
	fresh    []bool           // per alert, known after the commit
	newest   time.Time        // newest event
	places   places           // newest event of each account and region

	contributions []rule.Contribution // to rules that remember
	chunks        []*chunk            // with the payloads of alerts
}

// reader is one worker of the loop: everything that is reused from object to
// object.
type reader struct {
	*Ingest
	decoder *decode.Reader
	event   event.Event
	set     *rule.Set
	matcher *rule.Matcher
	chunk   *chunk // for payloads of alerts
	records uint64 // read so far
}

func (in *Ingest) readAll(ctx context.Context) {
	r := &reader{Ingest: in, decoder: decode.NewReader(nil, in.Limits)}
	for j := range in.objects {
		r.read(ctx, j)
	}
}

// read turns one object into pieces. However it ends, the last piece says so.
func (r *reader) read(ctx context.Context, j job) {
	p := newPiece(j, j.object.Entry)
	if j.object.Open == nil {
		r.send(p.end(j.object.Done, nil))
		return
	}
	src, err := j.object.Open(ctx)
	if err != nil {
		r.send(r.fail(ctx, p, err))
		return
	}
	defer src.Close()
	r.decoder.Reset(src)
	r.look()

	for n := int64(0); ; n++ {
		if n > 0 && ctx.Err() != nil {
			r.send(p.end(p.entry, nil))
			return
		}
		if r.records++; r.records%recordsPerTurn == 0 {
			// Go would let us compute for 10 ms at a time, and each step of a
			// delivery or a commit wait as long.
			runtime.Gosched()
			r.look()
		}
		rec, err := r.decoder.Next()
		rejected, err := rejection(err)
		if err != nil {
			r.send(r.finish(ctx, p, err))
			return
		}
		if n < j.object.Entry.Records {
			continue // committed before the object was left in the middle
		}
		if rejected == nil {
			rejected = r.judge(p, rec)
		}
		if rejected != nil {
			r.reject(p, rejected)
		}
		p.entry.Records, p.entry.Failing = n+1, 0

		if p.bytes >= pieceBytes {
			r.send(p)
			buried := p.buried
			p = newPiece(j, p.entry)
			p.buried = buried
		}
	}
}

// rejection is err if it is about a record only, or err again.
func rejection(err error) (*decode.Reject, error) {
	if err == nil {
		return nil, nil // no memory for the common case
	}
	var rejected *decode.Reject
	if errors.As(err, &rejected) {
		return rejected, nil
	}
	return nil, err
}

// look takes over a changed rule set: records are judged by one set between
// two looks.
func (r *reader) look() {
	if set := r.Rules(); set != r.set {
		r.set, r.matcher = set, set.NewMatcher()
	}
}

// judge turns a record into an event and an event into alerts.
func (r *reader) judge(p *piece, rec decode.Record) *decode.Reject {
	if err := decode.Begin(&r.event, rec); err != nil {
		rejected, err := rejection(err)
		if err != nil {
			return &decode.Reject{Index: rec.Index, Offset: rec.Offset, Reason: "json", Detail: err.Error()}
		}
		return rejected
	}
	p.count(r.event.Format)
	if r.event.Time.After(p.newest) {
		p.newest = r.event.Time
	}
	p.places.saw(r.event.Account, r.event.Region, r.event.Time)
	for _, m := range r.matcher.Match(&r.event) {
		p.matches[m.Rule.ID]++
		if !m.Rule.Shadow {
			r.raise(p, m, rec)
		}
	}
	r.contribute(p, rec)
	return nil
}

// raise adds the alert of a match to the piece.
func (r *reader) raise(p *piece, m rule.Match, rec decode.Record) {
	s := r.Sources[p.source]
	_ = r.event.Load(event.PartsClosed) // routes look at it too; only open parts fail
	a := r.alertOf(m, &r.event, origin{
		source: s.Name, object: p.object.Name, record: p.object.Entry.Before + rec.Index, raw: rec.Raw, maxAge: s.MaxAge,
	}, r.space(p))
	p.alerts = append(p.alerts, a)
	p.bytes += len(a.JSON) + len(a.Event) + len(a.Raw)
}

// reject counts a record that is no event, and buries it unless it is simply
// something else than a trail record.
func (r *reader) reject(p *piece, why *decode.Reject) {
	p.rejected[why.Reason]++
	if !lost(why.Reason) || p.buried > buriedPerObject {
		return
	}
	d := r.deadLetter(p, why.Index, why.Offset, why.Reason, why.Detail)
	if p.buried == buriedPerObject {
		d.Detail += fmt.Sprintf(" (more than %d such records in this object: the others are only counted)", buriedPerObject)
	}
	p.dead = append(p.dead, d)
	p.buried++
	p.entry.Buried = true
}

// lost tells a trail record that could not be evaluated from something that
// was never one.
func lost(reason string) bool { return reason == "json" || reason == "time" || reason == "too_large" }

// finish ends an object whose reader returned err: io.EOF, damage, or a
// failure of the place it is read from.
func (r *reader) finish(ctx context.Context, p *piece, err error) *piece {
	var damage *decode.Damage
	switch {
	case errors.Is(err, io.EOF):
		return p.end(p.whole(), nil)
	case !errors.As(err, &damage):
		return r.fail(ctx, p, err)
	case p.object.Growing && damage.Reason == "truncated" && !r.Once:
		return p.end(p.entry, errGrowing)
	}
	p.rejected[damage.Reason]++
	p.dead = append(p.dead, r.deadLetter(p, -1, damage.Offset, damage.Reason,
		fmt.Sprintf("%s; %d records before it were evaluated", damage.Detail, p.entry.Records)))
	whole := p.whole()
	whole.Buried = true
	return p.end(whole, nil)
}

// errGrowing says that an object ends early and may still be growing.
var errGrowing = errors.New("ends early, and may still be growing")

// deadLetter is about a record of what was opened, or with -1 about all of it;
// its position is that in the whole file.
func (r *reader) deadLetter(p *piece, record, offset int64, reason, detail string) store.DeadLetter {
	s := r.Sources[p.source]
	from := p.entry // before the record
	from.Failing, from.Seen = 0, time.Time{}
	offset += p.object.Entry.Offset
	if record >= 0 {
		record += p.object.Entry.Before
	}
	id := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %d %s", s.Name, p.object.Key, p.object.Done.Version, record, reason))
	return store.DeadLetter{
		ID: hex.EncodeToString(id[:8]), Source: s.Name, Object: p.object.Name,
		Record: record, Offset: offset, Reason: reason, Detail: detail, Time: r.Now(),
		Key: p.object.Key, From: from,
	}
}

// send hands a piece to the committer, which outlives the readers, as soon as
// there is room for it.
func (r *reader) send(p *piece) {
	_ = r.room.Acquire(context.Background(), p.weight())
	r.pieces <- p
}

// weight is what the piece takes of waitingBytes.
func (p *piece) weight() int64 { return int64(min(p.bytes, waitingBytes)) }

func newPiece(j job, from source.Entry) *piece {
	from.Version = j.object.Done.Version
	return &piece{
		job: j, entry: from,
		rejected: map[string]int64{}, matches: map[string]int64{},
	}
}

// ofFormat is how many records of a format there are.
type ofFormat struct {
	format  string
	records int64
}

// count counts a record. There are few formats, and mostly one in an object.
func (p *piece) count(format string) {
	i := slices.IndexFunc(p.records, func(n ofFormat) bool { return n.format == format })
	if i < 0 {
		i, p.records = len(p.records), append(p.records, ofFormat{format: format})
	}
	p.records[i].records++
}

// end makes p the last piece of its object.
func (p *piece) end(e source.Entry, failed error) *piece {
	p.entry, p.done, p.failed = e, true, failed
	return p
}
