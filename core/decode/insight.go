package decode

import "github.com/trailship/trailship/core/event"

func fillCloudTrailInsight(ev *event.Event, d *document) {
	details := d.value(fInsight)
	ev.API.Operation = d.intern(member(details, "eventName"))
	ev.API.Service.Name = d.intern(member(details, "eventSource"))
	ev.Service = awsService(ev.API.Service.Name)
	fillInsight(ev, d, details)
}

// fillInsight makes a finding of what the cloud's own statistics found.
func fillInsight(ev *event.Event, d *document, details []byte) {
	ev.Action = or(ev.API.Operation, or(ev.Metadata.EventCode, "unknown"))
	ev.Metadata.LogName = "Insight"
	kind := or(d.intern(member(details, "insightType")), "unknown")
	ev.FindingInfo = event.FindingInfo{
		UID:      or(ev.Metadata.CorrelationUID, ev.ID),
		Title:    kind,
		Analytic: event.Analytic{Name: kind, Type: "Statistical", TypeID: 3},
	}
	ev.Metadata.CorrelationUID = ev.FindingInfo.UID
	activity := 1
	ev.StatusID, ev.Status = 1, "New"
	if string(inner(member(details, "state"))) == "End" {
		activity = 3
		ev.StatusID, ev.Status = 4, "Resolved"
	}
	setClass(ev, event.ClassDetectionFinding, activity)
}

func fillActionTrailInsight(ev *event.Event, d *document) {
	details := d.value(fInsight)
	ev.API.Operation = d.intern(member(details, "eventName"))
	if source := d.intern(member(details, "eventSource")); source != "" {
		ev.API.Service.Name, ev.Service = host(source), alibabaService(host(source))
	}
	fillInsight(ev, d, details)
}
