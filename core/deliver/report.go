package deliver

import (
	"time"

	"github.com/trailship/trailship/core/event"
	"github.com/trailship/trailship/core/store"
	"github.com/trailship/trailship/plugins/sdk"
)

// report counts and logs what became of a batch, one line per backoff step.
func (d *Deliverer) report(v verdict) {
	d.Metrics.count(d.Name, len(v.done), len(v.dead), v.retried)
	d.Metrics.backlog(d.Name, d.Store)
	if v.answered() {
		d.setStatus(Status{Name: d.Name, Up: true})
	}
	for i, r := range v.dead {
		d.Log.Error("an alert was refused for good and is now a dead letter", "alert", v.buried[i].ID, "rule", v.buried[i].RuleID, "reason", r.Reason)
	}
	wait := time.Until(v.retry).Round(time.Millisecond)
	switch {
	case v.down:
		d.setStatus(Status{Name: d.Name, Error: d.Redact(v.failure.Error()), Retry: v.retry})
		d.Log.Warn("the output is down", "error", d.Redact(v.failure.Error()), "alerts", v.retried, "retry_in", wait)
	case v.retried > 0:
		d.Log.Warn("some alerts were not delivered", "error", d.Redact(v.failure.Error()), "alerts", v.retried, "retry_in", wait)
	}
}

func (d *Deliverer) setStatus(s Status) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.status.Up && s.Up {
		d.Log.Info("the output is up again")
	}
	d.status = s
}

// alert makes of a stored alert what the output gets.
func (d *Deliverer) alert(a store.Alert, try int) sdk.Alert {
	json := a.JSON
	var ev, raw []byte
	if d.IncludeEvent {
		ev = a.Event
	}
	if d.IncludeRaw {
		raw = a.Raw
	}
	if ev != nil || raw != nil {
		json = event.Include(json, ev, raw)
	}
	return sdk.Alert{
		ID: a.ID, RuleID: a.RuleID, Severity: a.Severity, Time: a.Time,
		Attempt: try, Key: a.Key, JSON: json,
	}
}
