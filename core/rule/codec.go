package rule

import (
	"cmp"
	"encoding/binary"
	"errors"
	"slices"
)

// mark is one contribution as a state keeps it.
type mark struct {
	at    int64 // event time in milliseconds
	id    string
	steps uint32 // of a sequence
}

// order is that of event time and id.
func (m mark) order(o mark) int {
	if c := cmp.Compare(m.at, o.at); c != 0 {
		return c
	}
	return cmp.Compare(m.id, o.id)
}

// find is where m stands among sorted marks.
func find(marks []mark, m mark) (int, bool) {
	return slices.BinarySearchFunc(marks, m, mark.order)
}

// upTo is how many of the sorted marks are at or before a time.
func upTo(marks []mark, at int64) int {
	n, _ := slices.BinarySearchFunc(marks, at, func(m mark, at int64) int {
		if m.at <= at {
			return -1
		}
		return 1
	})
	return n
}

// errState is what a stored value says that is not what was written. Behind
// the store's checksum it means that a newer program wrote it.
var errState = errors.New("the state of a rule has a form this program does not know")

// stateVersion begins every value.
const stateVersion = 1

// encoder appends values; decoder reads them in the same order.
type encoder struct{ b []byte }

func newEncoder() *encoder { return &encoder{[]byte{stateVersion}} }

func (e *encoder) uint(v uint64) { e.b = binary.AppendUvarint(e.b, v) }
func (e *encoder) int(v int64)   { e.b = binary.AppendVarint(e.b, v) }

func (e *encoder) text(s string) {
	e.uint(uint64(len(s)))
	e.b = append(e.b, s...)
}

func (e *encoder) flag(v bool) {
	if v {
		e.uint(1)
	} else {
		e.uint(0)
	}
}

// decoder reads what an encoder wrote; after the first mistake only zeros.
type decoder struct {
	b   []byte
	err error
}

func newDecoder(b []byte) *decoder {
	if len(b) == 0 || b[0] != stateVersion {
		return &decoder{err: errState}
	}
	return &decoder{b: b[1:]}
}

func (d *decoder) skip(n int) {
	if n <= 0 || d.err != nil {
		d.b, d.err = nil, errState
		return
	}
	d.b = d.b[n:]
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	d.skip(n)
	return v
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.b)
	d.skip(n)
	return v
}

func (d *decoder) flag() bool { return d.uint() == 1 }

func (d *decoder) text() string {
	n := d.uint()
	if d.err != nil || n > uint64(len(d.b)) {
		d.err = errState
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

// length reads the number of items that follow, each a byte at least.
func (d *decoder) length() int {
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.err = errState
		return 0
	}
	return int(n)
}

// marks are written as differences: they are sorted.
func (e *encoder) marks(marks []mark, steps bool) {
	e.uint(uint64(len(marks)))
	last := int64(0)
	for _, m := range marks {
		e.int(m.at - last)
		e.text(m.id)
		if steps {
			e.uint(uint64(m.steps))
		}
		last = m.at
	}
}

func (d *decoder) marks(steps bool) []mark {
	marks := make([]mark, d.length())
	last := int64(0)
	for i := range marks {
		marks[i].at = last + d.int()
		marks[i].id = d.text()
		if steps {
			marks[i].steps = uint32(d.uint())
		}
		last = marks[i].at
	}
	return marks
}

// ordered is a number as text that sorts like the number.
func ordered(n int64) string {
	return string(binary.BigEndian.AppendUint64(nil, uint64(n)^1<<63))
}

func unordered(s string) int64 {
	return int64(binary.BigEndian.Uint64([]byte(s)) ^ 1<<63)
}
