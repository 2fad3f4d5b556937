// Package decode turns the bytes of trail objects into events.
//
// A [Reader] finds the records in whatever a cloud wrapped them in: gzip (by
// its magic bytes, several members, nested), an S3 object's Records, a bare
// array or object, objects one after another, EventBridge and CloudEvents
// envelopes, CloudWatch Logs subscriptions, LookupEvents answers, SLS rows. It
// streams: memory is bounded by the largest record it may return, whatever the
// object's size. [Normalize] makes the event of a record; [Explain] says which
// part of the record fed what.
//
// A cloud format is one file (cloudtrail.go, actiontrail.go) and one line in
// the table of formats.
package decode

import (
	"fmt"
	"io"
)

// Limits bounds what one object may cost. The zero value means the defaults.
type Limits struct {
	MaxObject int64 // bytes a compressed object may inflate to; default 2 GiB
	MaxRecord int64 // bytes of one record; default 4 MiB
}

func (l Limits) withDefaults() Limits {
	if l.MaxObject <= 0 {
		l.MaxObject = 2 << 30
	}
	if l.MaxRecord <= 0 {
		l.MaxRecord = 4 << 20
	}
	return l
}

// Record is one trail record as the cloud wrote it.
type Record struct {
	Raw    []byte // the record's JSON, without its envelope; good until the next Next
	Index  int64  // counts every record of the object from 0, rejected ones too
	Offset int64  // where its outermost element starts in the inflated object
	Format string // event.CloudTrail or event.ActionTrail

	doc *document // what the reader found out about Raw
	gen uint64    // doc is about Raw only while its own gen says the same
}

// The reasons of rejects and damage that callers may want to name.
const (
	ReasonJSON      = "json"        // the record, or the rest of the object, is not JSON
	ReasonTime      = "time"        // the event time cannot be read
	ReasonTooLarge  = "too_large"   // over MaxRecord
	ReasonForeign   = "not_a_trail" // JSON, but no trail record and nothing we know
	ReasonTruncated = "truncated"   // the object ends too early
	ReasonCorrupt   = "corrupt"     // the compressed data is damaged
	ReasonMaxObject = "max_object"  // the object inflates to more than MaxObject
)

// Reject is the loss of one record: it is no trail record, or not readable.
// The reader goes on after it. Reasons come from a fixed, small set.
type Reject struct {
	Index  int64
	Offset int64
	Reason string
	Detail string
}

func (r *Reject) Error() string {
	return fmt.Sprintf("record %d at byte %d rejected (%s): %s", r.Index, r.Offset, r.Reason, r.Detail)
}

// Damage is the end of an object that is broken: all records before it were
// returned, nothing more can be read. Reading the same bytes again gives the
// same Damage.
type Damage struct {
	Index  int64 // of the record that could not be read
	Offset int64 // in the inflated object
	Reason string
	Detail string
}

func (d *Damage) Error() string {
	return fmt.Sprintf("object damaged after %d records at byte %d (%s): %s", d.Index, d.Offset, d.Reason, d.Detail)
}

// NewReader returns a Reader of the object src. It reads nothing yet.
func NewReader(src io.Reader, l Limits) *Reader {
	r := &Reader{limits: l.withDefaults()}
	r.Reset(src)
	return r
}
