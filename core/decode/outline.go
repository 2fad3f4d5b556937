package decode

import (
	"math/bits"
	"sync/atomic"

	"github.com/trailship/trailship/core/event"
	"github.com/trailship/trailship/core/event/rawjson"
)

// outline is what was done, in the words of an event: a trail has a few hundred
// of them, whoever did it, and where.
type outline struct {
	number uint64          // the event's
	format *format         // of words, nil when nothing is remembered here
	ends   [saidWords]byte // of each of words
	words  [longestOutline]byte

	service, action, kind, access string
	operation                     string
	api                           event.APIService
}

// outlineGroup is where outlines are remembered whose hashes begin alike.
type outlineGroup struct {
	tags  [4]uint32 // more of each hash
	next  uint8     // to be forgotten
	known [4]outline
}

// What a document remembers: 0.3 MiB, and up to 4 more of events' texts when
// each of them is the last of its block (event.Text).
const (
	outlineBits    = 8   // of a hash: where it is remembered
	longestOutline = 143 // bytes in the record
	saidWords      = 8   // those of a format, and two of what an insight is about
)

// said are the words of a record that say what was done, and a hash of some.
type said struct {
	words [saidWords][]byte
	hash  uint64
}

var lastOutline atomic.Uint64 // number that was given away

// fillOutline says what was done. What is long, and what has escapes and would
// keep a big block alive, is not remembered.
func (d *document) fillOutline(ev *event.Event) {
	if d.outlines == nil {
		d.outlines = make([]outlineGroup, 1<<outlineBits)
	}
	var said said
	said.read(d)
	g, tag := &d.outlines[said.hash>>(64-outlineBits)], uint32(said.hash>>16)
	for i := range g.tags {
		if o := &g.known[i]; g.tags[i] == tag && o.format == d.format && o.says(&said) {
			o.fill(ev)
			return
		}
	}
	d.format.outline(ev, d)
	if said.short() {
		g.tags[g.next] = tag
		g.known[g.next].remember(ev, d.format, &said)
		g.next = (g.next + 1) % uint8(len(g.tags))
	}
}

// read finds the words. The first three tell most outlines of a format apart.
func (s *said) read(d *document) {
	for i, f := range d.format.words {
		s.words[i] = d.value(f)
	}
	for _, word := range s.words[:3] {
		s.hash = bits.RotateLeft64(s.hash, 11) ^ rawjson.Glance(word)
	}
	if d.has(fInsight) {
		source, name := insightWords(d.value(fInsight))
		s.words[saidWords-2], s.words[saidWords-1] = source, name
		s.hash = bits.RotateLeft64(s.hash, 11) ^ rawjson.Glance(source) ^ bits.RotateLeft64(rawjson.Glance(name), 11)
	}
}

// short reports that the words can be remembered.
func (s *said) short() bool {
	length := 0
	for _, word := range s.words {
		if length += len(word); length > longestOutline || !rawjson.Plain(word) {
			return false
		}
	}
	return true
}

// says reports that these are the words of the outline.
func (o *outline) says(s *said) bool {
	from := 0
	for i, word := range s.words {
		end := int(o.ends[i])
		if end-from != len(word) || len(word) > 0 && string(o.words[from:end]) != string(word) {
			return false
		}
		from = end
	}
	return true
}

func (o *outline) fill(ev *event.Event) {
	ev.Outline = o.number
	ev.Service, ev.Action, ev.Kind, ev.Access = o.service, o.action, o.kind, o.access
	ev.API.Service, ev.API.Operation = o.api, o.operation
}

func (o *outline) remember(ev *event.Event, f *format, s *said) {
	end := 0
	for i, word := range s.words {
		end += copy(o.words[end:], word)
		o.ends[i] = uint8(end)
	}
	o.number, o.format = lastOutline.Add(1), f
	o.service, o.action, o.kind, o.access = ev.Service, ev.Action, ev.Kind, ev.Access
	o.operation, o.api = ev.API.Operation, ev.API.Service
	ev.Outline = o.number
}
