package event

import (
	"fmt"

	"github.com/trailship/trailship/core/event/rawjson"
)

// LeaveOut says that these closed parts of an event that was begun are empty:
// Load asks nobody for them.
func (e *Event) LeaveOut(parts Parts) { e.empty |= parts & PartsClosed }

// Load makes the parts that are wanted and not made yet. An open part that is
// absent stays nil. The error says which open part is not JSON; the others are
// loaded all the same, and that part is not tried again.
func (e *Event) Load(parts Parts) error {
	if parts&PartUnmapped != 0 || parts&PartOCSF != 0 {
		parts |= PartsClosed
	}
	if parts&PartOutcome != 0 {
		parts |= PartError
	}
	if parts &^= e.loaded | e.empty; parts == 0 {
		return nil
	}
	e.loaded |= parts
	if closed := parts & PartsClosed; closed != 0 && e.Rest != nil {
		e.Rest.Fill(e, closed)
	}
	if parts&PartsOpen == 0 {
		return nil
	}
	return e.parse(parts)
}

// parse parses open parts: Request and Response (each also as API.….Data), Raw
// and Unmapped.
func (e *Event) parse(parts Parts) error {
	var failed error
	parse := func(part Parts, name string, text []byte) any {
		if parts&part == 0 || len(text) == 0 {
			return nil
		}
		v, err := rawjson.Parse(text)
		if err != nil && failed == nil {
			_ = e.Load(PartID)
			failed = fmt.Errorf("parsing the %s of event %s: %w", name, e.ID, err)
		}
		return v
	}
	if parts&PartRequest != 0 {
		e.Request = parse(PartRequest, "request", e.RequestRaw)
		e.API.Request.Data = e.Request
	}
	if parts&PartResponse != 0 {
		e.Response = parse(PartResponse, "response", e.ResponseRaw)
		e.API.Response.Data = e.Response
	}
	if parts&PartRaw != 0 {
		e.Raw = parse(PartRaw, "record", e.RawJSON)
	}
	if parts&PartUnmapped != 0 {
		unmapped := make(map[string]any, len(e.UnmappedRaw)+1)
		for _, p := range e.UnmappedRaw {
			unmapped[p.Name] = parse(PartUnmapped, p.Name, p.Value)
		}
		if e.hidesResources() {
			unmapped["resources"] = e.resourceMaps()
		}
		e.Unmapped = unmapped
	}
	return failed
}

// hidesResources reports that the class of e has no resources attribute, so
// that they stand in unmapped.
func (e *Event) hidesResources() bool {
	if e.ClassUID != ClassAuthentication && e.ClassUID != ClassAccountChange {
		return false
	}
	for _, r := range e.Resources {
		if !r.Asked {
			return true
		}
	}
	return false
}

// resourceMaps is the resources as they look in the output.
func (e *Event) resourceMaps() []any {
	var list []any
	for _, r := range e.Resources {
		if r.Asked {
			continue
		}
		var w writer
		w.resource(r)
		v, _ := rawjson.Parse(w.b)
		list = append(list, v)
	}
	return list
}
