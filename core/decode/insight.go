package decode

import "github.com/trailship/trailship/core/event"

// insightWords are the source and the name of the calls an insight is about,
// nil for what its details do not say.
func insightWords(details []byte) (source, name []byte) {
	return two(details, "eventSource", "eventName")
}

func fillCloudTrailInsight(ev *event.Event, d *document) {
	source, name := insightWords(d.value(fInsight))
	ev.API.Service.Name = d.intern(source)
	ev.Service = awsService(ev.API.Service.Name)
	fillInsight(ev, d, name)
}

func fillActionTrailInsight(ev *event.Event, d *document) {
	source, name := insightWords(d.value(fInsight))
	if endpoint := d.intern(source); endpoint != "" {
		ev.API.Service.Name = host(endpoint)
		ev.Service = alibabaService(ev.API.Service.Name)
	}
	fillInsight(ev, d, name)
}

func fillInsight(ev *event.Event, d *document, name []byte) {
	ev.API.Operation = d.intern(name)
	ev.Action = or(ev.API.Operation, or(d.word(fEventType), "unknown"))
}

// insightOCSF makes a finding of what the cloud's own statistics found.
func insightOCSF(ev *event.Event, d *document) {
	details := d.value(fInsight)
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
