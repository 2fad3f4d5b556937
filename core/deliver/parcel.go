package deliver

import (
	"github.com/trailship/trailship/core/event"
	"github.com/trailship/trailship/core/store"
	"github.com/trailship/trailship/plugins/sdk"
)

// parcel is a batch on its way out of the store to an output.
type parcel struct {
	*Output
	alerts []store.Queued
	tries  func(seq uint64) int
}

// includes says that alerts are not sent as they lie in the store.
func (p parcel) includes() bool { return p.IncludeEvent || p.IncludeRaw }

// heads are the alerts without their JSON.
func (p parcel) heads() []sdk.Alert {
	heads := make([]sdk.Alert, len(p.alerts))
	for i, a := range p.alerts {
		heads[i] = sdk.Alert{ID: a.ID, RuleID: a.RuleID, Severity: a.Severity, Time: a.Time, Attempt: p.tries(a.Seq) + 1, Key: a.Key}
	}
	return heads
}

// open takes the alerts out, with what the output includes.
func (p parcel) open() ([]sdk.Alert, error) {
	if err := store.Unpack(p.alerts); err != nil {
		return nil, err
	}
	alerts := p.heads()
	for i, a := range p.alerts {
		alerts[i].JSON = p.include(a.Alert)
	}
	return alerts, nil
}

// include is the JSON of an alert as the output gets it.
func (p parcel) include(a store.Alert) []byte {
	var ev, raw []byte
	if p.IncludeEvent {
		ev = a.Event
	}
	if p.IncludeRaw {
		raw = a.Raw
	}
	if ev == nil && raw == nil {
		return a.JSON
	}
	return event.Include(a.JSON, ev, raw)
}

// whole is how many alerts the first ones are, if they are all there is in one
// pack, and otherwise 0: an output gets nothing that is not its own. A single
// alert is not worth packing, and may be too large to be unpacked elsewhere.
func whole(alerts []store.Queued) int {
	pack := alerts[0].Part.Pack
	if pack == nil || pack.Alerts == 1 || pack.Alerts > len(alerts) {
		return 0
	}
	for _, a := range alerts[:pack.Alerts] {
		if a.Part.Pack != pack {
			return 0
		}
	}
	return pack.Alerts
}
