package store

import (
	"fmt"

	"github.com/klauspost/compress/s2"
)

// Pack is what the payloads of alerts became that were stored together: what one
// repeats of those before it is gone. Not for several goroutines at once, and
// not to be changed.
type Pack struct {
	Alerts int    // how many there are
	JSON   []byte // of all of them, one behind the other: an S2 block of github.com/klauspost/compress
	Rest   []byte // another, of each the Event and the Raw; empty when there are none

	json, rest []byte // unpacked
}

// Part is where in a Pack the payloads of one alert are. The zero Part is of an
// alert that has them itself.
type Part struct {
	Pack           *Pack
	Size           Size
	JSONAt, RestAt int // in the unpacked blocks
}

// Size is how many bytes the payloads of an alert have.
type Size struct{ JSON, Event, Raw int }

// Total is all of them.
func (s Size) Total() int { return s.JSON + s.Event + s.Raw }

// Size is how many bytes the payloads of the alert have, packed or not.
func (q *Queued) Size() Size {
	if q.Part.Pack != nil {
		return q.Part.Size
	}
	return Size{len(q.JSON), len(q.Event), len(q.Raw)}
}

// Unpack gives alerts the payloads that are packed; those of one Pack share
// memory. Its error wraps ErrDamaged.
func Unpack(alerts []Queued) error {
	for i := range alerts {
		q := &alerts[i]
		p := q.Part.Pack
		if p == nil {
			continue
		}
		if p.json == nil {
			var err error
			if p.json, p.rest, err = p.Unpack(nil, nil); err != nil {
				return fmt.Errorf("%w: the pack of alert %s: %v", ErrDamaged, q.ID, err)
			}
		}
		q.JSON, q.Event, q.Raw = q.Part.Payloads(p.json, p.rest)
		q.Part = Part{}
	}
	return nil
}

// Unpack returns both blocks unpacked, in the memory given if it is enough.
func (p *Pack) Unpack(json, rest []byte) ([]byte, []byte, error) {
	json, err := unpack(json, p.JSON)
	if err == nil {
		rest, err = unpack(rest, p.Rest)
	}
	return json, rest, err
}

func unpack(memory, block []byte) ([]byte, error) {
	if len(block) == 0 {
		return memory[:0], nil
	}
	return s2.Decode(memory, block)
}

// Payloads cuts those of the alert out of the unpacked blocks, which must be as
// long as the Part says; an empty one is nil.
func (p Part) Payloads(json, rest []byte) (JSON, Event, Raw []byte) {
	cut := func(from []byte, n int) []byte {
		if n == 0 {
			return nil
		}
		return from[:n:n]
	}
	rest = rest[p.RestAt:]
	return cut(json[p.JSONAt:], p.Size.JSON), cut(rest, p.Size.Event), cut(rest[p.Size.Event:], p.Size.Raw)
}
