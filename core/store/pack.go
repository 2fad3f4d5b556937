package store

import (
	"errors"
	"fmt"

	"github.com/klauspost/compress/s2"
)

// Pack is what the payloads of a few alerts became that were stored together:
// what one of them repeats of the others is gone, nine tenths of most. Not for
// several goroutines at once, and not to be changed.
type Pack struct {
	Alerts int    // how many there are
	JSON   []byte // their JSON, one behind the other, as an S2 block of github.com/klauspost/compress
	Rest   []byte // likewise of each the Event and the Raw

	json, rest []byte // unpacked
}

// Part is where in a Pack the payloads of one alert are. The zero Part is of an
// alert that has them itself.
type Part struct {
	Pack *Pack
	Size Size

	JSONAt, RestAt int // in bytes from the start
}

// Size is how many bytes the payloads of an alert have.
type Size struct{ JSON, Event, Raw int }

// Size is how many bytes the payloads of the alert have, packed or not.
func (q *Queued) Size() Size {
	if q.Part.Pack != nil {
		return q.Part.Size
	}
	return Size{len(q.JSON), len(q.Event), len(q.Raw)}
}

// Unpack gives alerts the payloads that are packed. Alerts of one Pack share
// their memory. The error says that a Pack does not hold what it should.
func Unpack(alerts []Queued) error {
	for i := range alerts {
		if err := alerts[i].Unpack(); err != nil {
			return fmt.Errorf("alert %s: %w", alerts[i].ID, err)
		}
	}
	return nil
}

// Unpack gives the alert the payloads that are packed.
func (q *Queued) Unpack() error {
	p := q.Part
	if p.Pack == nil {
		return nil
	}
	if err := p.Pack.open(); err != nil {
		return err
	}
	json, rest := p.Pack.json, p.Pack.rest
	if p.JSONAt+p.Size.JSON > len(json) || p.RestAt+p.Size.Event+p.Size.Raw > len(rest) {
		return errShort
	}
	q.JSON, _ = cut(json[p.JSONAt:], p.Size.JSON)
	q.Event, rest = cut(rest[p.RestAt:], p.Size.Event)
	q.Raw, _ = cut(rest, p.Size.Raw)
	q.Part = Part{}
	return nil
}

var errShort = errors.New("its payloads are not all there")

// cut splits the first n bytes off; none are nil.
func cut(b []byte, n int) (first, left []byte) {
	if n == 0 {
		return nil, b
	}
	return b[:n:n], b[n:]
}

// Size is how many bytes the blocks have unpacked.
func (p *Pack) Size() (json, rest int, err error) {
	if json, err = unpackedSize(p.JSON); err == nil {
		rest, err = unpackedSize(p.Rest)
	}
	return json, rest, err
}

func unpackedSize(block []byte) (int, error) {
	if len(block) == 0 {
		return 0, nil
	}
	return s2.DecodedLen(block)
}

func (p *Pack) open() (err error) {
	if p.json != nil {
		return nil
	}
	if p.json, err = unpacked(p.JSON); err != nil {
		return err
	}
	p.rest, err = unpacked(p.Rest)
	return err
}

// unpacked takes a block apart; of nothing it makes nothing, but not nil.
func unpacked(block []byte) ([]byte, error) {
	if len(block) == 0 {
		return []byte{}, nil
	}
	return s2.Decode(nil, block)
}
