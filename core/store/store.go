// Package store says what the one durable place must do. Ingest commits the
// position of a source, the state of rules and the alerts they raised in one
// transaction; deliver takes alerts out and settles them. Nothing else in the
// program is remembered, so these two lines are the whole durability argument.
//
// bolt is the embedded store. Another one is a folder that passes storetest.
package store

import (
	"context"
	"errors"
	"time"

	"github.com/trailship/trailship/core/source"
)

// ErrFull is wrapped by errors of a store that has no room left. Waiting may
// help; everything committed before stands.
var ErrFull = errors.New("no space left for the store")

// ErrDamaged is wrapped by errors of a store whose bytes are not what was
// written. Nothing may be read past it.
var ErrDamaged = errors.New("the store is damaged")

// Store is the durable place. Safe for concurrent use.
type Store interface {
	Inlet
	Outlet
	Letters
	// Bound says how large an output's queue may become: an alert raised that
	// would make it larger becomes a dead letter of that output in the same
	// transaction, with the reason "backlog"; other outputs get it all the
	// same. 0 alerts or bytes are no bound. It holds until the store is closed.
	Bound(output string, most Backlog)
	// Queues says how much each output has queued that has anything, also those
	// nobody delivers to any more.
	Queues() (map[string]Backlog, error)
	// Maintain drops what retention no longer covers: alert ids, and ledger
	// entries that were neither written nor looked up for so long before their
	// source last committed anything. So a source that is not read forgets
	// nothing, however long. It also drops the oldest dead letters above
	// MaxLetters. now is the wall clock. Cheap when there is nothing to do; call
	// it every minute or so, once every source was listed: what is still there
	// was looked up then.
	Maintain(now time.Time) error
	Close() error
}

// MaxLetters is how many dead letters are kept.
const MaxLetters = 100_000

// Letters is what an operator does with dead letters. They stay until they are
// replayed or purged, or newer ones above MaxLetters take their place.
type Letters interface {
	// DeadLetters returns every dead letter, oldest first.
	DeadLetters() ([]DeadLetter, error)
	// Dropped is how many dead letters had to go above MaxLetters, ever.
	Dropped() (int64, error)
	// Refused returns the alert a dead letter of that id stands for; ok is
	// false when it stands for none.
	Refused(id string) (a Alert, ok bool, err error)
	// Replay takes dead letters back: an alert goes behind the queue of its
	// output under the id it had; an object is read again from where its letter
	// points, unless it already stands before that. Unknown ids are passed over;
	// letters that CanReplay denies stay, and alerts beyond the bound of their
	// output. It returns how many were taken back.
	Replay(ids []string) (int, error)
	// Purge drops dead letters for good, and returns how many there were.
	Purge(ids []string) (int, error)
}

// Inlet is the side ingest writes to.
type Inlet interface {
	// Commit runs fn in one transaction: all of it becomes durable, or none
	// and Commit returns an error (fn's own as it is). fn may run more than
	// once. It must not use the store but through its Tx.
	Commit(ctx context.Context, fn func(Tx) error) error
	// Ledger returns the entries of one source as they are committed.
	Ledger(sourceName string) source.Ledger
}

// Tx is one transaction of Commit; it is only good inside it.
type Tx interface {
	// PutEntry records how far an object was read.
	PutEntry(sourceName, key string, e source.Entry) error
	// Raise stores an alert for its outputs unless its id was stored before
	// within retention; fresh says whether it was new. It keeps no hold of the
	// alert's bytes.
	Raise(a Alert) (fresh bool, err error)
	// Bury stores a dead letter; the same ID again replaces it.
	Bury(d DeadLetter) error
	State
}

// State is where rules remember: text keys in order under a rule's id. Keys
// are 1 to 1000 bytes of anything; rule ids are not empty.
type State interface {
	// Get returns the value under key, nil when there is none. It is good
	// until the next call.
	Get(rule, key string) ([]byte, error)
	// Put stores a value; nil takes the key away, anything else, an empty one
	// too, is there. It keeps no hold of value.
	Put(rule, key string, value []byte) error
	// Keys returns up to max keys of a rule from the given one on, in order.
	Keys(rule, from string, max int) ([]string, error)
	// Remembered returns the ids under which anything was stored and not
	// forgotten, in order.
	Remembered() ([]string, error)
	// Forget drops everything under a rule's id.
	Forget(rule string) error
}

// Outlet is the side deliver reads from. Each output has its own queue over
// shared alerts.
type Outlet interface {
	// Next returns the oldest queued alerts of an output that come after seq,
	// at most max alerts and about maxBytes of payload (at least one). It ends
	// before alerts that were stored together and do not all fit, unless they are
	// the first. more says that there are others, for which there was no room.
	Next(output string, after uint64, max, maxBytes int) (list []Queued, more bool, err error)
	// Settle removes from an output's queue the alerts it acknowledged (done)
	// and those it refused for good (dead, which become dead letters), in one
	// transaction. An alert no output waits for any more is deleted.
	Settle(output string, done []uint64, dead []Refusal) error
	// Backlog says how much an output has queued.
	Backlog(output string) (Backlog, error)
	// DeadLetters returns every dead letter, oldest first.
	DeadLetters() ([]DeadLetter, error)
}

// Alert is a match on its way out. Its payload is encoded once, however many
// outputs there are.
type Alert struct {
	ID       string    `json:"id"`   // rules.md 5: content and event time only
	Hour     uint32    `json:"hour"` // hours since the epoch of the event (or bucket start): where the id is filed
	RuleID   string    `json:"rule"`
	Severity string    `json:"severity"`
	Time     time.Time `json:"time"` // of the event
	Key      string    `json:"key"`  // what the alert is about, for outputs that group
	JSON     []byte    `json:"-"`    // the OCSF Detection Finding
	Event    []byte    `json:"-"`    // the OCSF event, when an output includes it
	Raw      []byte    `json:"-"`    // the record, when an output includes it
	Outputs  []string  `json:"-"`    // may be empty: the id is remembered, nothing is sent
}

// Queued is an alert in an output's queue. Seq grows with every alert stored.
// As long as its payloads are packed, JSON, Event and Raw are nil: see Unpack.
type Queued struct {
	Seq uint64
	Alert
	Part Part
}

// Refusal is an alert an output will never take.
type Refusal struct {
	Seq    uint64
	Reason string
}

// Backlog is the size of an output's queue.
type Backlog struct {
	Alerts int64
	Bytes  int64
	Buried int64 // alerts that found it full, since the store was opened: see Store.Bound
}

// DeadLetter is something that could not be read or delivered: an object, a
// record, or an alert.
type DeadLetter struct {
	ID     string    `json:"id"`               // unique; the same trouble again has the same id
	Source string    `json:"source,omitempty"` // of an object or record
	Object string    `json:"object,omitempty"` // its name
	Record int64     `json:"record"`           // its index in the object; -1 for the object itself
	Offset int64     `json:"offset,omitempty"` // in inflated bytes, where the trouble is
	Output string    `json:"output,omitempty"` // of an alert
	Alert  string    `json:"alert,omitempty"`  // its id
	Reason string    `json:"reason"`           // short and countable: "json", "time", "truncated", "unreadable", …
	Detail string    `json:"detail,omitempty"` // a sentence
	Time   time.Time `json:"time"`             // when it was buried

	// Of an object or record: its key in the ledger, and the entry with which
	// it is read again from there. Letters of the first versions have none.
	Key  string       `json:"key,omitempty"`
	From source.Entry `json:"from,omitzero"`
}

// CanReplay says whether Replay can take the letter back: it knows where.
func (d DeadLetter) CanReplay() bool { return d.Output != "" || d.Key != "" }
