package rule

import (
	"fmt"

	"github.com/trailship/trailship/core/event"
	"github.com/trailship/trailship/core/event/rawjson"
)

// frame is what a closure sees: one event, and where a loop over its lists
// stands. It belongs to one goroutine and keeps its memory from event to event.
type frame struct {
	ev     *event.Event
	loaded event.Parts

	resource *event.Resource // the elements of the innermost loop
	policy   *event.Policy
	element  any

	open [3]opened // request, response, raw
	text []byte    // the last text that had escapes, without them
}

// opened is an open part that is read where it lies.
type opened struct {
	state   openState
	root    []byte
	members []rawjson.Member // of root, when it is an object
}

type openState uint8

const (
	unread openState = iota
	readable
	broken // no JSON: nothing is there
)

// look begins with another event.
func (f *frame) look(ev *event.Event) {
	f.ev, f.loaded = ev, 0
	for i := range f.open {
		f.open[i].state = unread
	}
}

// unreadable is the panic of a frame whose event cannot be loaded.
type unreadable struct{ err error }

// load makes the parts of the event that are wanted and not there.
func (f *frame) load(parts event.Parts) {
	if parts&^f.loaded == 0 {
		return
	}
	if err := f.tryLoad(parts); err != nil {
		panic(unreadable{err})
	}
}

func (f *frame) tryLoad(parts event.Parts) error {
	need := parts &^ f.loaded
	if need == 0 {
		return nil
	}
	if err := f.ev.Load(need); err != nil {
		return fmt.Errorf("reading the record: %w", err)
	}
	f.loaded |= need
	return nil
}

// part is an open part as JSON that was checked; state broken when it is none.
func (f *frame) part(p event.Parts) *opened {
	var o *opened
	var text []byte
	switch p {
	case event.PartRequest:
		o, text = &f.open[0], f.ev.RequestRaw
	case event.PartResponse:
		o, text = &f.open[1], f.ev.ResponseRaw
	default:
		o, text = &f.open[2], f.ev.RawJSON
	}
	if o.state == unread {
		o.read(text)
		if o.state == broken && len(text) > 0 {
			f.load(p) // says what is wrong with it
		}
	}
	return o
}

// read checks a text and notes the members it has.
func (o *opened) read(text []byte) {
	o.state, o.members, o.root = broken, o.members[:0], nil
	at := 0
	for at < len(text) && isSpace(text[at]) {
		at++
	}
	if at == len(text) {
		return
	}
	var end int
	var st rawjson.Status
	if text[at] == '{' {
		var n int
		o.members, n, st = rawjson.Object(text[at:], o.members, nil, nil)
		end = at + n
	} else {
		end, st = rawjson.Skip(text, at)
	}
	if st != rawjson.OK {
		return
	}
	for rest := end; rest < len(text); rest++ {
		if !isSpace(text[rest]) {
			return
		}
	}
	o.state, o.root = readable, text[at:end]
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// member is the value of a member of the part, nil for none; the last of
// several counts.
func (o *opened) member(name string) []byte {
	for i := len(o.members) - 1; i >= 0; i-- {
		if rawjson.Is(o.members[i].Name, name) {
			return o.members[i].Value
		}
	}
	return nil
}

// unquoted is the text of a JSON string, good until the next one.
func (f *frame) unquoted(value []byte) []byte {
	inner := value[1 : len(value)-1]
	if rawjson.Plain(inner) {
		return inner
	}
	f.text = rawjson.AppendText(f.text[:0], inner)
	return f.text
}
