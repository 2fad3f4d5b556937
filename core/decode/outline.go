package decode

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/trailship/trailship/core/event"
	"github.com/trailship/trailship/core/event/rawjson"
)

// outline is what was done, in the words of an event: a trail has a few hundred
// of them, whoever did it, and where.
type outline struct {
	number uint64  // the event's
	format *format // of key, nil when nothing is remembered here
	length uint8   // of key
	key    [longestOutline]byte

	service, action, kind, access string
	api                           event.APIService
}

// What a document remembers, in places by hash where the last one stays: 0.3
// MiB, and up to 4 more of events' texts when each of them is the last of its
// block (event.Text).
const (
	outlinesKept   = 1024
	longestOutline = 143 // bytes in the record
)

var (
	outlineSeed = maphash.MakeSeed()
	lastOutline atomic.Uint64 // number that was given away
)

// fillOutline says what was done. What is long, and what has escapes and would
// keep a big block alive, is not remembered, nor are insights, which read more.
func (d *document) fillOutline(ev *event.Event) {
	key := d.outlineKey()
	if d.outlines == nil {
		d.outlines = make([]outline, outlinesKept)
	}
	o := &d.outlines[maphash.Bytes(outlineSeed, key)%outlinesKept]
	if o.format == d.format && string(o.key[:o.length]) == string(key) {
		o.fill(ev)
		return
	}
	d.format.outline(ev, d)
	if ev.Kind != "insight" && len(key) > 0 && rawjson.Plain(key) {
		o.remember(ev, d.format, key)
	}
}

// outlineKey is the words that say what was done, as the record has them; nil
// when they are too long. It is good until the next call.
func (d *document) outlineKey() []byte {
	key := d.key[:0]
	for _, f := range d.format.words {
		word := d.value(f)
		if len(key)+len(word) >= len(d.key) {
			return nil
		}
		key = append(append(key, word...), ',')
	}
	return key
}

func (o *outline) fill(ev *event.Event) {
	ev.Outline = o.number
	ev.Service, ev.Action, ev.Kind, ev.Access = o.service, o.action, o.kind, o.access
	ev.API.Service, ev.API.Operation = o.api, o.action
}

func (o *outline) remember(ev *event.Event, f *format, key []byte) {
	o.number, o.format, o.length = lastOutline.Add(1), f, uint8(copy(o.key[:], key))
	o.service, o.action, o.kind, o.access, o.api = ev.Service, ev.Action, ev.Kind, ev.Access, ev.API.Service
	ev.Outline = o.number
}
