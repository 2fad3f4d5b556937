// Package s3 is the source of objects in a bucket: of AWS, or of any store
// that speaks S3 (Alibaba OSS, MinIO and the like, by Endpoint).
//
// Objects of trails arrive late and out of order, so there is no position in a
// bucket before which all is read. What was read is in the ledger, under the
// object's key, and the question is how far back to list, how often:
//
//   - where a layout files objects by account, region and day (layout.go), each
//     poll lists the last hour of each such leaf, or further back if that still
//     is one request; every hour 36 hours are listed, every day 31 days
//     (folder.go);
//   - anything else is listed in full (all the rarer the longer it is) and its
//     last keys at each poll.
//
// Leaves are found by going down the layouts, again and again (discover.go).
// With a queue of notifications (queue.go) new objects are read as they are
// announced, and listings only find what was not.
//
// Objects are known by key and ETag: one that was replaced is read again.
package s3

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/trailship/trailship/core/source"
)

// Source is the objects of a bucket below a prefix. Set the fields, then use
// it as a source.Source and a source.Finisher; Scan and Wait must not overlap.
//
// The first Scan lists everything, later ones what is due. What listings have
// covered is kept in memory, except for the day before which all of a leaf is
// done and the Start that counts: those are notes in the ledger.
type Source struct {
	Name     string
	Bucket   string
	Prefix   string        // of the keys; "" is the whole bucket
	Region   string        // of the bucket; "" asks the bucket, or the environment with an Endpoint
	Endpoint string        // URL of an S3-compatible store; "" is AWS
	Include  []string      // doublestar globs of keys below Prefix; none means DefaultInclude
	Exclude  []string      // they win over Include
	Poll     time.Duration // between listings; zero is a minute
	// Start leaves out objects that were last modified before it; zero reads
	// all. The Start of the first Scan ever counts, whatever it is later.
	Start time.Time

	AssumeRole  AssumeRole
	Credentials Credentials
	SQS         SQS

	Log     *slog.Logger     // nil is silence
	Metrics *Metrics         // nil counts unseen
	Now     func() time.Time // the wall clock; nil is time.Now

	mu      sync.Mutex
	bucket  bucket      // once connected
	waiting *deliveries // what the queue announced; nil without a queue

	folders    map[string]*folder
	discovered time.Time
	start      time.Time // the Start that counts
	started    bool      // start is known
	pending    pending
	began      time.Time // the last Scan, by the wall clock
}

// AssumeRole is a role to take on before reading; the zero value is none.
type AssumeRole struct{ ARN, ExternalID string }

// Credentials is a static pair of keys; the zero value is the default chain of
// the SDK.
type Credentials struct{ AccessKeyID, SecretAccessKey, SessionToken string }

// SQS is a queue of notifications about new objects; the zero value is none.
type SQS struct {
	URL string
	// Endpoint is where the queue's service answers; "" is where URL points.
	Endpoint string
	// Visibility is for how long a received message is hidden from others; it
	// is extended while its objects are being read. Zero is 2 minutes.
	Visibility time.Duration
	// Wait is how long one receive waits for messages; zero is 20 s.
	Wait time.Duration
	// Workers is how many objects are read at a time. No more messages are
	// received than there are free ones; zero is always enough.
	Workers int
}

// DefaultInclude is what is read when Include is empty.
var DefaultInclude = []string{"**/*.json", "**/*.json.gz", "**/*.gz", "**/*.ndjson"}

const defaultPoll = time.Minute

// Scan implements source.Source. What it lists comes oldest first within a
// folder and, when a leaf is listed for the first time, about so among all of
// them. A part of the bucket that cannot be listed does not keep the others
// from being listed; Scan then returns the first such error.
func (s *Source) Scan(ctx context.Context, ledger source.Ledger, yield func(source.Object) error) error {
	s.began = time.Now()
	if err := ctx.Err(); err != nil {
		return err
	}
	b, err := s.connect(ctx)
	if err != nil {
		return err
	}
	c := &scan{Source: s, ctx: ctx, bucket: b, ledger: ledger, yield: yield, now: s.now()}
	if c.globs, err = s.globs(); err != nil {
		return err
	}
	return c.run()
}

// Wait implements source.Source: it returns when the poll interval since the
// beginning of the last Scan is over, but not before a quarter of it.
func (s *Source) Wait(ctx context.Context) error {
	poll := s.poll()
	t := time.NewTimer(max(poll-time.Since(s.began), poll/4))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Source) poll() time.Duration {
	if s.Poll <= 0 {
		return defaultPoll
	}
	return s.Poll
}

func (s *Source) log() *slog.Logger {
	if s.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.Log
}

func (s *Source) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

// scan is one Scan.
type scan struct {
	*Source
	globs
	ctx    context.Context
	bucket bucket
	ledger source.Ledger
	yield  func(source.Object) error
	now    time.Time // when it began
	fresh  time.Time // when the last polls began

	failed   error // the first part of the bucket that could not be listed
	failures int
	nested   bool // polls within a sweep
}

// tooMany is how many parts of a bucket may fail before the others are not
// tried any more.
const tooMany = 10

func (c *scan) run() error {
	c.pending.round++
	if err := c.settleStart(); err != nil {
		return err
	}
	if over(c.now, c.discovered, c.discoverEvery()) {
		if err := c.discover(); err != nil {
			return err
		}
	}
	for _, step := range []func() error{c.polls, c.sweeps, c.again, c.notes} {
		if err := step(); err != nil {
			return err
		}
	}
	return c.failed
}

// stopped turns an error of a listing into nil when the others may go on.
func (c *scan) stopped(err error) error {
	if err == nil || c.ctx.Err() != nil {
		return err
	}
	c.failures++
	if c.failed == nil {
		c.failed = err
	}
	if everywhere(err) || c.failures >= tooMany {
		return c.failed
	}
	c.log().Warn("a part of the bucket could not be listed", "source", c.Name, "error", err)
	return nil
}

// settleStart finds out which Start counts: the first one ever.
func (c *scan) settleStart() error {
	e, ok, err := c.ledger.Entry(startNote)
	if err != nil || c.settled() {
		return err
	}
	start := c.Start.Truncate(time.Second) // as exact as the store's own times
	if ok {
		if start, err = time.Parse(time.RFC3339, e.Version); err != nil {
			return errors.New("the note of where reading began is not readable: forget the source's state to begin anew")
		}
	}
	c.mu.Lock()
	c.start, c.started = start, true
	c.mu.Unlock()
	if !ok && !start.IsZero() {
		return c.yield(note(startNote, start.UTC().Format(time.RFC3339)))
	}
	return nil
}

func (s *Source) settled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.started
}

// startsAt is the Start that counts.
func (s *Source) startsAt() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.start
}

// Notes are entries of the ledger that are no objects. Keys that end in a
// slash are folders in everybody's eyes, and never read.
const (
	startNote  = "start#/"
	folderNote = "#/" // behind the folder's prefix
)

// note is an object of which there is nothing to read: only its entry is
// committed.
func note(key, text string) source.Object {
	return source.Object{Key: key, Name: key, Done: source.Entry{Version: text, Done: true}}
}

// notes commits how far leaves are done. The note of a leaf that gets no
// further is looked up when the leaf was listed: the ledger drops what nobody
// asks for, and without the note all of the leaf would be new again.
func (c *scan) notes() error {
	for _, f := range c.folders {
		if !f.next.After(f.mark) {
			if f.dated() && f.daily.Equal(c.now) {
				if _, _, err := c.ledger.Entry(f.prefix + folderNote); err != nil {
					return err
				}
			}
			continue
		}
		if err := c.yield(note(f.prefix+folderNote, f.next.Format(time.DateOnly))); err != nil {
			return err
		}
		f.mark = f.next
	}
	return nil
}
