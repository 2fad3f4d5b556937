package decode

import (
	"errors"
	"fmt"
	"io"

	"github.com/trailship/trailship/core/event/rawjson"
)

// Reader finds the records of one object. It belongs to one goroutine, is
// used again for the next object through Reset, and allocates nothing per
// record once its buffers have grown.
type Reader struct {
	limits Limits
	window
	state   state
	first   bool  // no element of the current array was seen
	object  bool  // the current array is a member of an object
	records bool  // the current array held an object, so it is one of records
	control bool  // the current array belongs to a CloudWatch control message
	index   int64 // of the next record
	failed  error // the end: io.EOF, *Damage or a read error, for ever
	doc     document
	record  Record    // that a step found
	scratch [2][]byte // texts of unwrapped strings
	nested  *Reader   // of an object inside a record (awslogs.data)
	depth   int       // nesting of this reader
	from    int64     // offset of the record nested is in
}

type state uint8

const (
	between state = iota // documents
	inArray
	inTail // members of an object after its array of records
	inNested
)

// errNone says that a step gave neither a record nor a reject.
var errNone = errors.New("go on")

// Reset makes r read the object src from its start. What r returned before is
// void.
func (r *Reader) Reset(src io.Reader) {
	r.window.reset(src, r.limits)
	r.state, r.index, r.failed = between, 0, nil
	r.doc.gen++
}

// Next returns the next record. The error is io.EOF at a clean end, *Reject
// when one record is lost and reading goes on, *Damage when the object is
// broken here, and otherwise the source's own; after any but *Reject it is
// returned again and again.
func (r *Reader) Next() (Record, error) {
	for r.failed == nil {
		switch err := r.step(); err.(type) {
		case nil:
			r.index++
			return r.record, nil
		case *Reject:
			r.index++
			return Record{}, err
		default:
			if err != errNone {
				return Record{}, err
			}
		}
	}
	return Record{}, r.failed
}

// step goes on to the next record, which then is in r.record, to its loss, or
// anywhere on the way.
func (r *Reader) step() error {
	switch r.state {
	case inArray:
		return r.element()
	case inTail:
		return r.tail(false)
	case inNested:
		return r.nestedRecord()
	}
	return r.between()
}

// between reads what starts between documents.
func (r *Reader) between() error {
	c, err := r.peek()
	switch {
	case err == io.EOF:
		r.failed = err
		return err
	case err != nil:
		return r.fail(err)
	case c == '{':
		return r.document()
	case c == '[':
		r.pos++
		r.enter(false)
		return errNone
	}
	return r.junk()
}

// enter starts an array of records.
func (r *Reader) enter(object bool) {
	r.state, r.first, r.object, r.records = inArray, true, object, object
}

// document reads a top-level object: a record, a wrapped record, or an
// envelope with an array of records, which then streams.
func (r *Reader) document() error {
	start := r.offset()
	end, st, err := r.scan(opener{&r.doc.people})
	switch {
	case err == errTooLarge:
		r.control = false
		return r.tail(true)
	case err == io.EOF && lineStart(r.text()) >= 0:
		r.resync()
		return r.reject(start, ReasonJSON, "the line ends inside an object")
	case err != nil:
		return r.fail(err)
	case st == rawjson.Stopped:
		r.control = r.doc.isControl()
		r.pos += end + 1
		r.enter(true)
		return errNone
	case st != rawjson.OK:
		detail := rawjson.Explain(r.text(), end, st).Error()
		r.resync()
		return r.reject(start, ReasonJSON, detail)
	}
	raw := r.text()[:end]
	r.pos += end
	if data := r.doc.awslogs(); data != nil {
		return r.openNested(data, start)
	}
	return r.admit(raw, start)
}

var errTooLarge = errors.New("larger than a record may be")

// scan reads the object that starts here into r.doc, as far as ask allows.
func (r *Reader) scan(ask rawjson.Asker) (end int, st rawjson.Status, err error) {
	for {
		text := r.text()
		end, st = r.doc.scan(text, ask)
		if st == rawjson.OK && int64(end) > r.limits.MaxRecord || st == rawjson.More && int64(len(text)) > r.limits.MaxRecord {
			return 0, st, errTooLarge
		}
		if st != rawjson.More {
			return end, st, nil
		}
		if err := r.more(); err != nil {
			return 0, st, err
		}
	}
}

// value scans the value that starts here, whatever it is. A value too large to
// hold is answered with More.
func (r *Reader) value() (end int, st rawjson.Status, err error) {
	for {
		text := r.text()
		end, st = rawjson.Skip(text, 0)
		if st != rawjson.More && end < len(text) || int64(len(text)) > r.limits.MaxRecord {
			return end, st, nil
		}
		if err := r.more(); err == io.EOF {
			return end, st, nil
		} else if err != nil {
			return 0, st, err
		}
	}
}

// junk passes over something at top level that is no object and no array.
func (r *Reader) junk() error {
	start := r.offset()
	end, st, err := r.value()
	switch {
	case err != nil:
		return r.fail(err)
	case st == rawjson.OK:
		r.pos += end
		return r.reject(start, ReasonForeign, "not a JSON object")
	}
	detail := rawjson.Explain(r.text(), end, st).Error()
	r.resync()
	return r.reject(start, ReasonJSON, detail)
}

// element reads the next element of an array of records, or the array's end.
func (r *Reader) element() error {
	c, err := r.peek()
	if err != nil {
		return r.fail(err)
	}
	if c == ']' {
		r.pos++
		if r.state = between; r.object {
			r.state = inTail
		}
		return errNone
	}
	if !r.first {
		if c != ',' {
			return r.broken(fmt.Sprintf("unexpected %q between records", c))
		}
		r.pos++
		if c, err = r.peek(); err != nil {
			return r.fail(err)
		}
	}
	r.first = false
	if c != '{' {
		return r.oddElement()
	}
	r.records = true
	return r.objectElement()
}

func (r *Reader) objectElement() error {
	start := r.offset()
	end, st, err := r.scan(&r.doc.people)
	switch {
	case err == errTooLarge:
		if err := r.skip(); err == errBroken {
			return r.broken("broken inside a record")
		} else if err != nil {
			return r.fail(err)
		}
		return r.reject(start, ReasonTooLarge, fmt.Sprintf("larger than %d bytes", r.limits.MaxRecord))
	case err != nil:
		return r.fail(err)
	case st != rawjson.OK:
		return r.invalidElement(start, rawjson.Explain(r.text(), end, st).Error(), int64(end))
	}
	raw := r.text()[:end]
	r.pos += end
	if r.control {
		return r.reject(start, reasonControl, "a CloudWatch Logs control message")
	}
	return r.admit(raw, start)
}

// oddElement passes over an element that is no object.
func (r *Reader) oddElement() error {
	start := r.offset()
	if c := r.buf[r.pos]; c == ']' || c == ',' || c == '}' || c == ':' {
		return r.broken(fmt.Sprintf("unexpected %q where a record should be", c))
	}
	_, st, err := r.value()
	if err == nil {
		err = r.skip()
	}
	if err == errBroken {
		return r.broken("broken inside an element")
	} else if err != nil {
		return r.fail(err)
	}
	if st == rawjson.Bad || st == rawjson.Deep {
		return r.reject(start, ReasonJSON, "not JSON")
	}
	return r.reject(start, ReasonForeign, "not a JSON object")
}

// invalidElement decides about an element that is not JSON: when its brackets
// balance and an element may follow, only it is lost.
func (r *Reader) invalidElement(start int64, detail string, at int64) error {
	err := r.skip()
	if err == nil {
		if c, err := r.peek(); err != nil || c == ',' || c == ']' {
			return r.reject(start, ReasonJSON, detail)
		}
	}
	if !r.records {
		return r.broken(detail)
	}
	return r.damage(start+at, ReasonJSON, detail)
}

// broken is the end of an array whose syntax is lost. When it was an array of
// records the object is damaged; a line of text that happens to start with a
// bracket costs only itself.
func (r *Reader) broken(detail string) error {
	if r.records {
		return r.damage(r.offset(), ReasonJSON, detail)
	}
	start := r.offset()
	r.resync()
	r.state = between
	return r.reject(start, ReasonJSON, detail)
}

// opensRecords reports whether a member is an array of records to stream.
func opensRecords(name []byte, c byte) bool {
	if c != '[' {
		return false
	}
	switch string(name) {
	case "Records", "Events", "logEvents":
		return true
	}
	return false
}

// opener stops a scan at an array of records.
type opener struct{ *people }

func (o opener) Ask(name, rest []byte) int {
	if opensRecords(name, rest[0]) {
		return rawjson.Stop
	}
	return o.people.Ask(name, rest)
}

func (r *Reader) reject(offset int64, reason, detail string) error {
	return &Reject{Index: r.index, Offset: offset, Reason: reason, Detail: detail}
}

func (r *Reader) damage(offset int64, reason, detail string) error {
	r.failed = &Damage{Index: r.index, Offset: offset, Reason: reason, Detail: detail}
	return r.failed
}

// fail ends the object inside a value because of a read error.
func (r *Reader) fail(err error) error {
	end := r.base + int64(r.end)
	if err == io.EOF {
		return r.damage(end, ReasonTruncated, "the object ends inside a value")
	}
	if d, ok := err.(*Damage); ok {
		return r.damage(end, d.Reason, d.Detail)
	}
	r.failed = err
	return err
}
