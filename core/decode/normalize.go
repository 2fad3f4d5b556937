package decode

import (
	"crypto/sha256"
	"encoding/hex"
	"math/bits"
	"sync"

	"github.com/trailship/trailship/core/event"
	"github.com/trailship/trailship/core/event/rawjson"
)

// format is a trail format: how to know its records and how to make events of
// them. mapped are the members that have a place of their own in the event;
// all others go to unmapped.
type format struct {
	name    string
	is      func(d *document) bool
	words   [6]field                           // that say what was done
	outline func(ev *event.Event, d *document) // is made of words, and of those in an insight's details
	begin   func(ev *event.Event, d *document) // what else no part names, after the outline
	fill    [closedParts]filling               // in the order of the parts: each may use those before it
	mapped  fieldSet
}

// closedParts is how many there are; a number that is wrong does not compile.
const closedParts = 8

var _ = [1]struct{}{}[event.PartsClosed-(event.PartID<<closedParts-event.PartID)]

// filling makes one closed part of an event that was begun.
type filling func(ev *event.Event, d *document)

// formats is the table of formats, in the order they are tried.
var formats = [...]format{
	{event.ActionTrail, isActionTrail, actionTrailWords, outlineActionTrail, beginActionTrail, [...]filling{
		setID, setIP, setUserAgent, fillActionTrailError, fillActionTrailOutcome, fillActionTrailPrincipal, fillActionTrailResources, fillActionTrailOCSF,
	}, actionTrailMapped},
	{event.CloudTrail, isCloudTrail, cloudTrailWords, outlineCloudTrail, beginCloudTrail, [...]filling{
		setID, setIP, setUserAgent, fillCloudTrailError, fillCloudTrailOutcome, fillCloudTrailPrincipal, fillCloudTrailResources, fillCloudTrailOCSF,
	}, cloudTrailMapped},
}

// documents are for records that do not come from a Reader.
var documents = sync.Pool{New: func() any { return new(document) }}

// Normalize empties ev and fills it from the record, which is a trail record
// without an envelope; rec.Raw alone is enough. ev holds slices of rec.Raw.
// The error is a *Reject: the record is not JSON, not a trail record, or its
// time cannot be read.
func Normalize(ev *event.Event, rec Record) error {
	d := rec.doc
	if !rec.fresh() {
		d = documents.Get().(*document)
		defer documents.Put(d)
		if err := d.parse(rec.Raw); err != nil {
			ev.Reset()
			return &Reject{rec.Index, rec.Offset, ReasonJSON, err.Error()}
		}
	}
	err := d.begin(ev, &rec)
	_ = ev.Load(event.PartsClosed) // only open parts fail
	ev.Rest = nil
	return err
}

// Begin is Normalize that leaves the closed parts of the event to its Load,
// which is good until the reader's next Next. A record of no reader is
// normalized at once.
func Begin(ev *event.Event, rec Record) error {
	if !rec.fresh() {
		return Normalize(ev, rec)
	}
	return rec.doc.begin(ev, &rec)
}

// fresh reports that the reader still holds what it found out about rec.
func (rec *Record) fresh() bool {
	return rec.doc != nil && rec.doc.gen == rec.gen && same(rec.doc.raw, rec.Raw)
}

// begin empties ev and makes of it what no part names.
func (d *document) begin(ev *event.Event, rec *Record) error {
	ev.Reset()
	if d.format == nil {
		if reason := d.recognize(); d.format == nil {
			if reason == "" {
				reason = d.foreign()
			}
			return &Reject{rec.Index, rec.Offset, reason, details[reason]}
		}
	}
	d.text = ev.Text
	t, ok := parseTime(d.plain(d.value(fEventTime)))
	if !ok {
		return &Reject{rec.Index, rec.Offset, ReasonTime, "cannot read the event time " + quote(d.str(fEventTime))}
	}
	ev.Time = t
	ev.Format = d.format.name
	ev.RawJSON = d.raw
	ev.RequestRaw = d.value(fRequest)
	ev.ResponseRaw = d.value(fResponse)
	ev.Rest = d
	if !d.has(fErrorCode) && !d.has(fErrorMessage) {
		ev.LeaveOut(event.PartError)
	}
	d.fillOutline(ev)
	d.format.begin(ev, d)
	return nil
}

// Fill makes these closed parts of the event that was begun from d. An insight has
// nothing but an id, a user agent and its OCSF form.
func (d *document) Fill(ev *event.Event, parts event.Parts) {
	if ev.Kind == "insight" {
		parts &= event.PartID | event.PartUserAgent | event.PartOCSF
	}
	for ; parts != 0; parts &= parts - 1 {
		d.format.fill[bits.TrailingZeros16(uint16(parts/event.PartID))](ev, d)
	}
}

// operation is the name of what was done, or else its type.
func (d *document) operation() string {
	if name := d.word(fEventName); name != "" {
		return name
	}
	return or(d.word(fEventType), "unknown")
}

// same reports whether a and b are the same bytes of memory.
func same(a, b []byte) bool { return len(a) == len(b) && len(a) > 0 && &a[0] == &b[0] }

// fillCommon sets what of the OCSF form both clouds spell alike.
func (d *document) fillCommon(ev *event.Event) {
	ev.SeverityID = 1
	m := &ev.Metadata
	m.UID = ev.ID
	m.OriginalTime = d.str(fEventTime)
	m.Version = event.OCSFVersion
	m.EventCode = d.word(fEventType)
	m.LogName = or(d.word(fEventCategory), "Management")
	m.LogVersion = d.word(fEventVersion)
	m.CorrelationUID = d.str(fSharedID)
	m.Product.Version = m.LogVersion
	ev.API.Version = d.word(fAPIVersion)
	ev.HTTPRequest.UserAgent = ev.UserAgent
	setStatus(ev)
}

// setID takes the record's id, or makes one.
func setID(ev *event.Event, d *document) {
	if ev.ID = d.str(fEventID); ev.ID == "" {
		ev.ID = contentID(d.raw)
	}
}

// contentID identifies a record without an event id by what it says.
func contentID(raw []byte) string {
	sum := sha256.Sum256(rawjson.AppendTokens(make([]byte, 0, len(raw)), raw))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// fieldSet is a set of fields.
type fieldSet uint64

func fields(list ...field) (s fieldSet) {
	for _, f := range list {
		s |= 1 << f
	}
	return s
}

func (s fieldSet) has(f field) bool { return s>>f&1 == 1 }

// shaped are the mapped members that are no scalars, with the bracket they
// open with. Request and response may be anything.
func shaped(f field) (bracket byte) {
	switch f {
	case fIdentity, fReferenced, fInsight:
		return '{'
	case fResources:
		return '['
	}
	return 0
}

// fillUnmapped collects the members of the record that have no place of their
// own, or whose value does not fit the place. Of several with the same name
// the last wins.
func (d *document) fillUnmapped(ev *event.Event) {
	for i, m := range d.members {
		if d.hasPlace(i) {
			continue
		}
		name := d.text.Intern(d.name(m.Name))
		if n := find(ev.UnmappedRaw, name); n >= 0 {
			ev.UnmappedRaw[n].Value = m.Value
		} else if m.Value[0] != 'n' {
			ev.UnmappedRaw = append(ev.UnmappedRaw, event.Pair{Name: name, Value: m.Value})
		}
	}
	if ev.API.Request.UID == "" && ev.RequestRaw != nil {
		ev.UnmappedRaw = append(ev.UnmappedRaw, event.Pair{Name: "requestParameters", Value: ev.RequestRaw})
	}
}

// hasPlace reports whether member i went into the event by itself.
func (d *document) hasPlace(i int) bool {
	known := fieldNumbered[d.members[i].Number]
	if !d.format.mapped.has(known) {
		return false
	}
	value := d.members[d.at[known]-1]
	if int(d.at[known]) != i+1 {
		return string(value.Name) == string(d.members[i].Name) // repeated: the last has the place
	}
	switch bracket := shaped(known); {
	case known == fRequest || known == fResponse:
		return true
	case bracket != 0:
		return value.Value[0] == bracket
	}
	return value.Value[0] != '{' && value.Value[0] != '['
}

// name is a member's name as valid text.
func (d *document) name(name []byte) []byte {
	if rawjson.Plain(name) {
		return name
	}
	d.buf = rawjson.AppendText(d.buf[:0], name)
	return d.buf
}

func find(pairs []event.Pair, name string) int {
	for i := range pairs {
		if pairs[i].Name == name {
			return i
		}
	}
	return -1
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func quote(s string) string { return string(rawjson.AppendString(nil, s)) }
