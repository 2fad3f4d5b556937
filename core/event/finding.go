package event

import (
	"bytes"
	"strings"
	"time"

	"github.com/trailship/trailship/core/event/rawjson"
)

// Finding is one alert: what the rule says and what made it say so. It becomes
// an OCSF Detection Finding (class 2004). Severity is the rule's word.
type Finding struct {
	ID, Message, Severity                   string
	Title, Description, RuleID, RuleVersion string
	Owner, Runbook, Pack                    string
	Tags, Mitre, References, FalsePositives []string
	Meta                                    map[string]any
	Fields                                  []Field
	Source, Object                          string
	Record                                  int64
	Backfill                                bool
	Created                                 time.Time
	Window                                  *Window // of a rule that remembers, else nil
}

// Window is what a stateful rule saw when it raised an alert.
type Window struct {
	Key             string // of the group
	Count, Distinct int    // events; values, where they are counted
	First, Last     time.Time
	Events          []string // ids of the events that contributed, newest first
}

// Field is one named value a rule computed.
type Field struct {
	Name  string
	Value any
}

// The severities of rules, in OCSF's words and numbers.
var severities = map[string]struct {
	id      int64
	caption string
}{
	"info": {1, "Informational"}, "low": {2, "Low"}, "medium": {3, "Medium"}, "high": {4, "High"}, "critical": {5, "Critical"},
}

// The seams that Include cuts at.
const (
	findingHead = `{"evidences":[{`
	findingTail = `}}`
)

// What is the same in every finding.
const (
	findingProduct = `,"product":{"name":"trailship","vendor_name":"trailship"},"profiles":["cloud","host"]`
	findingClass   = `"category_uid":2,"category_name":"Findings","class_uid":2004,"class_name":"Detection Finding",` +
		`"activity_id":1,"activity_name":"Create","type_uid":200401,"type_name":"Detection Finding: Create"`
	findingStatus = `,"status_id":1,"status":"New"`
)

// Append appends the finding over ev as compact JSON without a newline. Its
// first member is evidences, its last unmapped, which Include relies on.
func (f *Finding) Append(dst []byte, ev *Event) []byte {
	_ = ev.Load(PartsClosed) // only open parts fail
	w := writer{append(dst, findingHead...)}
	call, resources := w.evidence(ev)
	w.b = append(w.b, '}', ']')
	w.findingMetadata(f, ev)
	w.int("time", ev.Time.UnixMilli())
	w.findingClass(f)
	w.string("message", either(f.Message, f.Title))
	w.bool("is_alert", true)
	w.findingInfo(f, ev)
	w.cloud(ev)
	w.again(call)
	w.again(resources)
	w.findingRest(f)
	w.b = append(w.b, '}')
	return w.b
}

// evidence writes what the event shows of itself. An insight about no call at
// all still needs one of the things OCSF asks for. It returns the two parts
// that a finding has by itself too: who called what, and upon what.
func (w *writer) evidence(ev *Event) (call, resources span) {
	from := len(w.b)
	if ev.ClassUID != ClassDetectionFinding {
		w.actor(ev)
	}
	if ev.API.Operation != "" {
		w.api(ev)
	}
	call = w.since(from)
	endpoint := ev.SrcEndpoint
	if endpoint == (Endpoint{}) {
		endpoint.Name = "unknown"
	}
	w.endpoint(endpoint)
	w.httpRequest(ev)
	from = len(w.b)
	w.resources(ev)
	return call, w.since(from)
}

func (w *writer) findingMetadata(f *Finding, ev *Event) {
	mark := w.open("metadata")
	w.string("version", OCSFVersion)
	w.string("uid", f.ID)
	w.string("original_time", ev.Metadata.OriginalTime)
	w.int("processed_time", f.Created.UnixMilli())
	w.string("log_provider", "trailship")
	w.string("correlation_uid", ev.Metadata.CorrelationUID)
	w.b = append(w.b, findingProduct...)
	w.close(mark)
}

func (w *writer) findingClass(f *Finding) {
	s, ok := severities[f.Severity]
	if !ok {
		s.id, s.caption = 99, "Other"
	}
	w.comma()
	w.b = append(w.b, findingClass...)
	w.int("severity_id", s.id)
	w.string("severity", s.caption)
	w.b = append(w.b, findingStatus...)
}

func (w *writer) findingInfo(f *Finding, ev *Event) {
	first, last := ev.Time.UnixMilli(), ev.Time.UnixMilli()
	if f.Window != nil {
		first, last = f.Window.First.UnixMilli(), f.Window.Last.UnixMilli()
	}
	mark := w.open("finding_info")
	w.name("uid")
	w.text(f.ID)
	w.string("title", f.Title)
	w.string("desc", f.Description)
	w.strings("types", f.Tags)
	w.int("created_time", f.Created.UnixMilli())
	w.int("first_seen_time", first)
	w.int("last_seen_time", last)
	if ev.Metadata.Product.Name != "" {
		w.openList("data_sources")
		w.text(ev.Metadata.Product.Name)
		w.b = append(w.b, ']')
	}
	analytic := w.open("analytic")
	w.int("type_id", 1)
	w.string("type", "Rule")
	w.string("uid", f.RuleID)
	w.string("name", either(f.Title, f.RuleID))
	w.string("version", f.RuleVersion)
	w.close(analytic)
	w.attacks(f.Mitre)
	w.relatedEvents(f, ev)
	w.close(mark)
}

// attacks writes ATT&CK ids: TA… is a tactic, T….nnn a sub-technique together
// with its technique.
func (w *writer) attacks(ids []string) {
	mark := w.openList("attacks")
	for _, id := range ids {
		technique, _, sub := strings.Cut(id, ".")
		w.comma()
		w.b = append(w.b, '{')
		if strings.HasPrefix(id, "TA") {
			w.uid("tactic", id)
		} else {
			w.uid("technique", technique)
			if sub {
				w.uid("sub_technique", id)
			}
		}
		w.b = append(w.b, '}')
	}
	w.closeList(mark)
}

// uid writes the object called name with nothing but its uid.
func (w *writer) uid(name, uid string) {
	w.name(name)
	w.b = append(w.b, `{"uid":`...)
	w.text(uid)
	w.b = append(w.b, '}')
}

// relatedEvents writes the events behind the finding. Of those the window
// names, only the finding's own is known by more than its id.
func (w *writer) relatedEvents(f *Finding, ev *Event) {
	mark := w.openList("related_events")
	if f.Window == nil {
		w.relatedEvent(ev)
		w.closeList(mark)
		return
	}
	for _, id := range f.Window.Events {
		if id == ev.Metadata.UID {
			w.relatedEvent(ev)
			continue
		}
		w.comma()
		w.b = append(w.b, `{"uid":`...)
		w.text(id)
		w.b = append(w.b, '}')
	}
	w.closeList(mark)
}

func (w *writer) relatedEvent(ev *Event) {
	w.comma()
	w.b = append(w.b, '{')
	w.name("uid")
	w.text(ev.Metadata.UID)
	w.int("type_uid", int64(ev.TypeUID))
	w.string("type", ev.TypeName)
	w.product(Product{Name: ev.Metadata.Product.Name, VendorName: ev.Metadata.Product.VendorName})
	w.b = append(w.b, '}')
}

// window writes what a stateful rule saw.
func (w *writer) window(v *Window) {
	mark := w.open("window")
	w.string("key", v.Key)
	w.int("count", int64(v.Count))
	if v.Distinct > 0 {
		w.int("distinct", int64(v.Distinct))
	}
	w.int("first", v.First.UnixMilli())
	w.int("last", v.Last.UnixMilli())
	w.close(mark)
}

// findingRest writes unmapped: what OCSF has no place for.
func (w *writer) findingRest(f *Finding) {
	w.name("unmapped")
	w.b = append(w.b, '{')
	w.name("rule_severity")
	w.text(f.Severity)
	w.string("owner", f.Owner)
	w.string("runbook", f.Runbook)
	w.string("pack", f.Pack)
	w.strings("tags", f.Tags)
	w.strings("references", f.References)
	w.strings("false_positives", f.FalsePositives)
	if len(f.Meta) > 0 {
		w.value("meta", f.Meta)
	}
	fields := w.open("fields")
	for _, field := range f.Fields {
		w.value(field.Name, field.Value)
	}
	w.close(fields)
	if f.Window != nil {
		w.window(f.Window)
	}
	w.string("source", f.Source)
	w.string("object", f.Object)
	w.int("record", f.Record)
	w.bool("backfill", f.Backfill)
	w.b = append(w.b, '}')
}

// Include returns a copy of a finding made by Append with the event under
// unmapped.event and the raw record under evidences[0].data, each only when
// not nil. Anything that was not made by Append is returned as it is.
func Include(finding, ev, raw []byte) []byte {
	if !bytes.HasPrefix(finding, []byte(findingHead)) || !bytes.HasSuffix(finding, []byte(findingTail)) {
		return bytes.Clone(finding)
	}
	body := finding[len(findingHead) : len(finding)-len(findingTail)]
	out := make([]byte, 0, len(finding)+len(ev)+len(raw)+32)
	out = append(out, findingHead...)
	if raw != nil {
		out = append(out, `"data":`...)
		out = append(rawjson.AppendCompact(out, raw), ',')
	}
	out = append(out, body...)
	if ev != nil {
		out = append(out, `,"event":`...)
		out = rawjson.AppendCompact(out, ev)
	}
	return append(out, findingTail...)
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
