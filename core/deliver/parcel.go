package deliver

import (
	"github.com/trailship/trailship/core/event"
	"github.com/trailship/trailship/core/store"
	"github.com/trailship/trailship/plugins/sdk"
	pb "github.com/trailship/trailship/plugins/sdk/outputpb"
)

// parcel is a batch on its way out of the store to an output.
type parcel struct {
	*Output
	alerts []store.Queued
	tries  func(seq uint64) int
}

// includes says that alerts are not sent as they lie in the store.
func (p parcel) includes() bool { return p.IncludeEvent || p.IncludeRaw }

// labels are the alerts without their JSON.
func (p parcel) labels() []sdk.Alert {
	labels := make([]sdk.Alert, len(p.alerts))
	for i, a := range p.alerts {
		labels[i] = sdk.Alert{ID: a.ID, RuleID: a.RuleID, Severity: a.Severity, Time: a.Time, Attempt: p.tries(a.Seq) + 1, Key: a.Key}
	}
	return labels
}

// contents are the alerts as the output gets them.
func (p parcel) contents() ([]sdk.Alert, error) {
	if err := store.Unpack(p.alerts); err != nil {
		return nil, err
	}
	alerts := p.labels()
	for i, a := range p.alerts {
		alerts[i].JSON = p.include(a.Alert)
	}
	return alerts, nil
}

// load puts the JSON of the alerts into the request: packs that are all of this
// batch as they are, the rest unpacked.
func (p parcel) load(req *pb.DeliverRequest) error {
	left, to := p.alerts, req.Alerts
	for len(left) > 0 {
		if n := whole(left); n > 0 {
			req.Packs = append(req.Packs, left[0].Part.Pack.JSON)
			for i, a := range left[:n] {
				to[i].JsonSize = uint32(a.Part.Size.JSON)
			}
			left, to = left[n:], to[n:]
			continue
		}
		if err := store.Unpack(left[:1]); err != nil {
			return err
		}
		to[0].Json = left[0].JSON
		left, to = left[1:], to[1:]
	}
	return nil
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
// pack, and otherwise 0: an output gets nothing that is not its own.
func whole(alerts []store.Queued) int {
	pack := alerts[0].Part.Pack
	if pack == nil || pack.Alerts > len(alerts) || len(pack.JSON) == 0 {
		return 0
	}
	for _, a := range alerts[:pack.Alerts] {
		if a.Part.Pack != pack {
			return 0
		}
	}
	return pack.Alerts
}
