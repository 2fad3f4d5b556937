// Package source says what a source of trail objects is: something that can
// list what may hold unread records and knows when to look again. The reading,
// the remembering and the retrying are core/ingest's; a source never marks
// anything done by itself.
//
// A new kind of source is one folder here that passes sourcetest.
package source

import (
	"context"
	"io"
	"time"
)

// Source finds objects. Scan and Wait are called in turn by one goroutine.
type Source interface {
	// Scan makes one complete listing and hands every object that may hold
	// records its entry in the ledger does not cover to yield, oldest first
	// where the source can tell. It returns once the listing is complete or
	// yield returned an error, which it returns unchanged. Objects it could
	// not look at go to yield too: their Open fails and says why.
	Scan(ctx context.Context, ledger Ledger, yield func(Object) error) error
	// Wait returns nil when it is time to scan again: the poll interval is
	// over or something hinted at news. It returns ctx.Err() when ctx ends.
	Wait(ctx context.Context) error
}

// Finisher is a source that wants to hear that an object was read to its end
// and committed (to delete or move it).
type Finisher interface {
	// Finish is called at least once per finished object, after the commit.
	Finish(ctx context.Context, o Object) error
}

// Ledger is what is remembered of a source's objects: the committed entries,
// by key. Safe for concurrent use.
type Ledger interface {
	// Entry returns the entry under key; ok is false when there is none.
	Entry(key string) (e Entry, ok bool, err error)
}

// Object is one unit of reading: a whole file or S3 object, or a run of whole
// lines of a growing file.
type Object struct {
	Key   string // of the ledger; unique in its source
	Name  string // for people: a path, a URL
	Size  int64  // bytes as stored, -1 when unknown
	Entry Entry  // where to begin: the ledger's entry, or the zero Entry

	// Done is the entry to commit when every record was read. One that is zero
	// makes the object a place that cannot be looked at: it is tried for ever,
	// for there is nothing to commit that would say which one was given up.
	Done Entry
	// Growing says that a damaged end may still be mended by waiting: a gzip
	// file under upload. Ingest then commits what it has and tries again
	// later instead of burying the object.
	Growing bool
	// More says that what was there at this Scan goes on behind Done: the next
	// Scan hands that out.
	More bool
	// Open opens the bytes that begin at Entry.Offset and end at Done.Offset
	// (at the end, when that is 0). A reader that was opened is closed by the
	// caller. An error of Open or of the reader that is fs.ErrNotExist says
	// that the object went away after it was listed: the next Scan tells what
	// is there now.
	//
	// A nil Open makes the object a note of the source to itself: there is
	// nothing to read, and Done is committed for a later Scan to find.
	Open func(ctx context.Context) (io.ReadCloser, error)
}

// Entry is what the ledger keeps of one object. It is written in the same
// transaction as the alerts of the records it covers.
type Entry struct {
	Version string    `json:"v,omitempty"` // ETag or fingerprint: another version under the key is another object
	Offset  int64     `json:"o,omitempty"` // bytes consumed of a growing file
	Before  int64     `json:"n,omitempty"` // records in those bytes, kept by ingest
	Records int64     `json:"r,omitempty"` // records consumed after Offset of an object read in part
	Done    bool      `json:"d,omitempty"` // nothing of this version is left to read
	Buried  bool      `json:"b,omitempty"` // dead letters point into this version: it is not to be put away
	Seen    time.Time `json:"t,omitzero"`  // when the entry was last written
	// Failing is for how long reading on has failed, from try to try; 0: it
	// has not. Kept by ingest, which gives up at a bound.
	Failing time.Duration `json:"f,omitempty"`
}
