package replay

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/trailship/trailship/core/rule"
)

// errItem is what an item says that nobody wrote.
var errItem = errors.New("an item on disk is not what was written")

// item is written in parts: fixed ones, by which it is sorted, then others.
type item struct{ b []byte }

func (e *item) uint32(n int) { e.b = binary.BigEndian.AppendUint32(e.b, uint32(n)) }

// time is in milliseconds and sorts like the time, before 1970 too.
func (e *item) time(t time.Time) {
	e.b = binary.BigEndian.AppendUint64(e.b, uint64(t.UnixMilli())^1<<63)
}

func (e *item) byte(c byte)    { e.b = append(e.b, c) }
func (e *item) fixed(s []byte) { e.b = append(e.b, s...) }
func (e *item) int(n int64)    { e.b = binary.AppendVarint(e.b, n) }

func (e *item) text(s string) {
	e.int(int64(len(s)))
	e.b = append(e.b, s...)
}

// parts reads an item; after the first mistake only zeros.
type parts struct {
	b   []byte
	bad bool
}

func (d *parts) fixed(n int) []byte {
	if n > len(d.b) {
		d.b, d.bad = nil, true
		return make([]byte, n)
	}
	s := d.b[:n]
	d.b = d.b[n:]
	return s
}

func (d *parts) byte() byte  { return d.fixed(1)[0] }
func (d *parts) uint32() int { return int(binary.BigEndian.Uint32(d.fixed(4))) }

func (d *parts) time() time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(d.fixed(8)) ^ 1<<63)).UTC()
}

func (d *parts) int() int64 {
	n, size := binary.Varint(d.b)
	if size <= 0 {
		d.b, d.bad = nil, true
		return 0
	}
	d.b = d.b[size:]
	return n
}

func (d *parts) text() string {
	n := d.int()
	if n < 0 || n > int64(len(d.b)) {
		d.b, d.bad = nil, true
		return ""
	}
	return string(d.fixed(int(n)))
}

// groupSize is the part of a contribution that names its group: which set,
// which of its rules, and the hash of the key.
const groupSize = 1 + 4 + 16

// contribution writes what an event adds to rule n of a set, to be sorted by
// group, time, and where it was read.
func (e *item) contribution(side byte, n int, c rule.Contribution, object int) {
	e.byte(side)
	e.uint32(n)
	hash := c.GroupHash()
	e.fixed(hash[:])
	e.time(c.Time)
	e.uint32(object)
	e.uint32(int(c.Record.Index))
	e.text(c.Event)
	e.int(int64(len(c.Group)))
	for _, g := range c.Group {
		e.text(g)
	}
	e.text(c.Value)
	e.int(int64(c.Steps))
	e.text(c.Record.Object)
}

// contribution reads one back, after its group.
func (d *parts) contribution(r *rule.Rule) (rule.Contribution, error) {
	c := rule.Contribution{Rule: r, Time: d.time(), Record: &rule.Record{}}
	d.uint32()
	c.Record.Index = int64(d.uint32())
	c.Event = d.text()
	for range min(d.int(), int64(len(d.b))) {
		c.Group = append(c.Group, d.text())
	}
	c.Value = d.text()
	c.Steps = uint32(d.int())
	c.Record.Object = d.text()
	if d.bad {
		return c, errItem
	}
	return c, nil
}

// alert writes an alert of rule n, to be sorted by rule, id and time.
func (e *item) alert(side byte, n int, a Alert) {
	e.uint32(n)
	e.text(a.ID)
	e.time(a.Time)
	e.byte(side)
	for _, s := range []string{a.Key, a.Text, a.Object} {
		e.text(s)
	}
	e.int(a.Record)
}

// alert reads one back.
func (d *parts) alert(rules []*traced) (side byte, n int, a Alert, err error) {
	n = d.uint32()
	a.ID, a.Time = d.text(), d.time()
	side = d.byte()
	a.Key, a.Text, a.Object = d.text(), d.text(), d.text()
	a.Record = d.int()
	if d.bad || n >= len(rules) {
		return 0, 0, a, errItem
	}
	a.Rule = rules[n].id
	return side, n, a, nil
}
