package deliver

import (
	"time"

	"github.com/trailship/trailship/core/store"
)

// report counts and logs what became of a batch, one line per backoff step.
// open says that the circuit is open now, and pause is what the output asked
// for.
func (d *Deliverer) report(v verdict, open bool, pause time.Duration) {
	d.Metrics.count(d.Name, len(v.done), len(v.dead), v.retried)
	d.Metrics.circuit(d.Name, open)
	d.watchBacklog()
	if v.answered() {
		d.setStatus(Status{Name: d.Name, Up: true, Retry: after(pause)})
	}
	if pause >= longPause {
		d.Log.Warn("the output asked for a pause", "pause", pause)
	}
	for i, r := range v.dead {
		d.Log.Error("an alert was refused for good and is now a dead letter", "alert", v.buried[i].ID, "rule", v.buried[i].RuleID, "reason", r.Reason)
	}
	wait := time.Until(v.retry).Round(time.Millisecond)
	switch {
	case v.down:
		d.setStatus(Status{Name: d.Name, Error: d.Redact(v.failure.Error()), Retry: v.retry, Open: open})
		d.Log.Warn("the output is down", "error", d.Redact(v.failure.Error()), "alerts", v.retried, "retry_in", wait)
	case v.retried > 0:
		d.Log.Warn("some alerts were not delivered", "error", d.Redact(v.failure.Error()), "alerts", v.retried, "retry_in", wait)
	}
}

// longPause is a pause somebody may wonder about.
const longPause = time.Minute

// after is the end of a pause that begins now; zero for none.
func after(pause time.Duration) time.Time {
	if pause <= 0 {
		return time.Time{}
	}
	return time.Now().Add(pause)
}

func (d *Deliverer) setStatus(s Status) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.status.Up && s.Up {
		d.Log.Info("the output is up again")
	}
	if s.Open && !d.status.Open {
		d.Log.Warn("the circuit is open: until the output takes one again, a single alert is tried at each step")
	}
	d.status = s
}

// beginBacklog measures what there is at the start, which nobody is told of.
func (d *Deliverer) beginBacklog() {
	if b, err := d.Store.Backlog(d.Name); err == nil {
		d.spilled = b.Buried
	}
	d.Metrics.begin(d.Name, d.Store)
	d.watchBacklog()
}

// watchBacklog measures what waits, and says so once when it becomes much or
// too much.
func (d *Deliverer) watchBacklog() {
	b, err := d.Store.Backlog(d.Name)
	if err != nil {
		return // the loop meets the same error and returns it
	}
	filled := d.Backlog.filled(b)
	d.Metrics.backlog(d.Name, b, filled, b.Buried-d.spilled)
	switch {
	case b.Buried > d.spilled:
		d.Log.Error("the backlog is full: alerts became dead letters", "alerts", b.Buried-d.spilled, "waiting", b.Alerts)
		d.spilled, d.filling = b.Buried, true
	case filled >= alarmAt && !d.filling:
		d.Log.Warn("the backlog is filling up", "percent", int(100*filled), "alerts", b.Alerts, "bytes", b.Bytes)
		d.filling = true
	case filled < calmAt:
		d.filling = false
	}
}

// alarmAt is how full a backlog is when that is said, and calmAt when it may be
// said again.
const (
	alarmAt = 0.8
	calmAt  = 0.5
)

// filled is how much of the bounds is used: 1 is all of one.
func (b Backlog) filled(now store.Backlog) float64 {
	var filled float64
	if b.MaxAlerts > 0 {
		filled = float64(now.Alerts) / float64(b.MaxAlerts)
	}
	if b.MaxBytes > 0 {
		filled = max(filled, float64(now.Bytes)/float64(b.MaxBytes))
	}
	return filled
}
