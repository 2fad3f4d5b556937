package ingest

import (
	"time"

	"github.com/trailship/trailship/core/event"
	"github.com/trailship/trailship/core/rule"
	"github.com/trailship/trailship/core/store"
)

// origin is where the event of an alert was read.
type origin struct {
	source, object string
	record         int64
	raw            []byte
	maxAge         time.Duration
}

// alertOf encodes the alert of a match over its event, in space if there is
// enough.
func (in *Ingest) alertOf(m rule.Match, ev *event.Event, at origin, space *[]byte) store.Alert {
	now := in.Now()
	// Of a window its newest event counts, whichever came last.
	newest := ev.Time
	if m.Window != nil {
		newest = m.Window.Last
	}
	backfill := at.maxAge > 0 && newest.Before(now.Add(-at.maxAge))

	f := m.Finding()
	f.Source, f.Object, f.Record = at.source, at.object, at.record
	f.Backfill, f.Created = backfill, now
	a := store.Alert{
		ID: m.ID, Hour: m.Hour, RuleID: m.Rule.ID, Severity: m.Rule.Severity,
		Time: ev.Time, Key: m.Key,
		Outputs: in.Routes.to(m, ev, at.source, backfill),
	}
	a.JSON = encode(space, func(b []byte) []byte { return f.Append(b, ev) })
	wantEvent, wantRaw := in.Routes.include(a.Outputs)
	if wantEvent {
		a.Event = encode(space, ev.AppendOCSF)
	}
	if wantRaw {
		a.Raw = encode(space, func(b []byte) []byte { return append(b, at.raw...) })
	}
	return a
}
