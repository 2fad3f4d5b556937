// Package bolt is the embedded store: one bbolt file. Its buckets are
//
//	about    what the file is: its format, the last sequence number
//	ids      a bucket per event day: event hour and 128 bits of the alert id
//	alerts   alerts of one transaction, once however many outputs, under the
//	         sequence number of what was the last when they were stored (bundle.go)
//	queue    a bucket per output: the same key → which of these alerts wait,
//	         and their sizes; alerts live as long as a queue names them
//	dead     dead letters by id; refused: the alerts some of them stand for
//	ledger   a bucket per source: object key → entry
//	state    a bucket per rule that remembers: what core/rule puts there; made
//	         when the first one does
//
// bbolt vouches for its two meta pages only, so every value carries a checksum
// over bucket, key and value (bucket.go), and the file is inspected page by
// page before it is mapped (inspect.go).
package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"go.etcd.io/bbolt"

	"github.com/trailship/trailship/core/store"
)

// Store is a store.Store in one file. Safe for concurrent use; it starts no
// goroutines. After the first store.ErrDamaged every call returns that error.
type Store struct {
	path string
	opt  Options
	file *os.File // bbolt's own, for the lock, the inspection and the stat
	db   *bbolt.DB

	fresh   bool       // the file was not there before
	writing sync.Mutex // one writing transaction and its bookkeeping at a time
	room    room       // of its values
	bundle  bundle     // that it fills
	moved   int64      // bytes of alerts since the last unmap

	mu      sync.Mutex
	backlog map[string]store.Backlog
	bounds  map[string]store.Backlog // see Bound
	touched map[touch]struct{}       // ledger entries that were looked up and grow old
	writes  uint64                   // transactions that were or may have been committed
	swept   time.Time                // when Maintain last went through the ledger
	broken  error                    // the damage that was found
	closed  bool
}

// Options change how a store keeps things. The zero value is good.
type Options struct {
	// Retention is how long alert ids live in event time, and ledger entries in
	// the time their source is read; zero is 35 days.
	Retention time.Duration
	// Now is the wall clock; nil is time.Now.
	Now func() time.Time
	// MaxLetters is how many dead letters are kept; zero is store.MaxLetters.
	MaxLetters int
	// CompactAbove is the size in bytes above which Open makes a file smaller
	// of which more than half is free; zero is 64 MiB.
	CompactAbove int64
}

const defaultRetention = 35 * 24 * time.Hour

// checkAtOpen is up to which size every page and value is verified at Open.
const checkAtOpen = 256 << 20

// errClosed is returned by calls after Close.
var errClosed = errors.New("the store is closed")

// Open opens the store in the file at path and creates it, and its directory,
// when there is none. Only one process may have it open: a second one is
// refused with an error that names the directory. It wraps store.ErrDamaged
// when the file is not what was written, and store.ErrFull when there is no
// room for a new one.
func Open(path string, o Options) (s *Store, err error) {
	if o.Retention == 0 {
		o.Retention = defaultRetention
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MaxLetters == 0 {
		o.MaxLetters = store.MaxLetters
	}
	if o.CompactAbove == 0 {
		o.CompactAbove = compactAbove
	}
	s = &Store{path: path, opt: o, touched: map[touch]struct{}{}, bounds: map[string]store.Backlog{}}
	defer func() {
		if err != nil {
			s.Close()
			s, err = nil, fmt.Errorf("opening the store: %w", s.explain(err))
		}
	}()
	if err := s.open(); err != nil {
		return s, err
	}
	return s, s.recount()
}

// open maps the file, a new one if there is none.
func (s *Store) open() error {
	if _, err := os.Stat(s.path); !errors.Is(err, fs.ErrNotExist) {
		if err := s.openMap(s.path); err != nil {
			return err
		}
		if err := s.guard(s.db.View, checkFormat); err != nil {
			return err
		}
		return s.compact()
	}
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return err
	}
	// It gets its name once it is whole: an empty file under it is one that
	// was truncated.
	s.fresh = true
	if err := s.openMap(s.path + ".new"); err != nil {
		return err
	}
	if err := s.guard(s.db.Update, makeBuckets); err != nil {
		return err
	}
	if err := publish(s.path+".new", s.path); err != nil {
		return err
	}
	// Errors are to speak of the name it has now.
	s.fresh = false
	if err := s.db.Close(); err != nil {
		return err
	}
	return s.openMap(s.path)
}

// openMap locks, inspects and maps the file of that name.
func (s *Store) openMap(name string) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer recovered(&err)
	s.db, err = bbolt.Open(name, 0o600, &bbolt.Options{
		// Between locking and mapping: another process's half-written pages
		// are no damage, and a damaged file must not be mapped.
		OpenFile: s.openFile,
		PageSize: pageSize,
		// Pages freed after a backlog drains are many; the default list
		// would be searched for every page of every commit.
		FreelistType: bbolt.FreelistMapType,
		// Address space, not memory: the file grows to this size without
		// waiting for readers to let go of the old map.
		InitialMmapSize: 1 << 30,
	})
	return err
}

// openFile is what bbolt opens its file with.
func (s *Store) openFile(name string, flag int, mode os.FileMode) (*os.File, error) {
	f, err := os.OpenFile(name, flag, mode)
	if err != nil {
		return nil, err
	}
	s.file = f // closed by Close, also when the rest fails
	if err := lock(f); err != nil {
		return nil, err
	}
	if s.fresh {
		return f, f.Truncate(0) // what an earlier attempt left
	}
	return f, inspect(f, checkAtOpen)
}

// publish gives a new file its name, unless another process was quicker, and
// makes that durable.
func publish(from, to string) error {
	err := os.Link(from, to)
	switch {
	case errors.Is(err, fs.ErrExist):
		return inUse(to)
	case err != nil: // a file system without links
		err = os.Rename(from, to)
	default:
		err = os.Remove(from)
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

// Check verifies every page and value, whatever the size of the file. Commits
// wait while it runs. Its error wraps store.ErrDamaged and names the first
// damage.
func (s *Store) Check() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.usable(); err != nil {
		return err
	}
	return s.explain(inspect(s.file, 1<<62))
}

// Close closes the file and gives up its lock. A second Close does nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	done, broken := s.closed, s.broken
	s.closed = true
	s.mu.Unlock()
	if done {
		return nil
	}
	// A transaction that met damage may have left bbolt's own locks held.
	if s.db != nil && broken == nil {
		return s.db.Close()
	}
	if s.file != nil {
		// Its map, which may stay, holds the lock as long as the file does. If
		// bbolt refused the file it is closed already.
		syscall.Flock(int(s.file.Fd()), syscall.LOCK_UN)
		s.file.Close()
	}
	return nil
}

// usable says whether the store may still be used.
func (s *Store) usable() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	if s.closed {
		return errClosed
	}
	return nil
}
