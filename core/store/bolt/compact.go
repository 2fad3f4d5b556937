package bolt

import (
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
)

const (
	// compactAbove is up to which size a file stays as it is.
	compactAbove = 64 << 20
	// compactBelow is the most there may be to copy: opening must not take long.
	compactBelow = 2 << 30
	// compactStep is how much is copied in one transaction.
	compactStep = 16 << 20
)

// compact gives back the space of a file that is mostly free: bbolt's files only
// grow. What is in it is copied into another file, which takes its place once it
// is whole and on the disk. Whatever goes wrong before leaves the old file as it
// was, and is no reason not to open it.
func (s *Store) compact() error {
	if !s.worthwhile() {
		return nil
	}
	copied := s.path + ".compact"
	defer os.Remove(copied)
	if err := s.copyTo(copied); err != nil {
		return s.damaged(err)
	}
	if err := os.Rename(copied, s.path); err != nil {
		return nil
	}
	// From here on the lock is on a file without a name: who takes the new one
	// first has the store.
	if err := s.db.Close(); err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(s.path)); err != nil {
		return err
	}
	return s.openMap(s.path)
}

// worthwhile says that more than half of a large file is free.
func (s *Store) worthwhile() bool {
	info, err := s.file.Stat()
	if err != nil || info.Size() <= s.opt.CompactAbove {
		return false
	}
	// A transaction that is rolled back counts the free pages.
	t, err := s.db.Begin(true)
	if err != nil {
		return false
	}
	pages := t.Size() / pageSize
	if err := t.Rollback(); err != nil {
		return false
	}
	free := int64(s.db.Stats().FreePageN)
	return free > pages/2 && (pages-free)*pageSize <= compactBelow
}

// copyTo makes a compact copy and verifies it.
func (s *Store) copyTo(path string) error {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) { // of one that was killed
		return err
	}
	to, err := bbolt.Open(path, 0o600, &bbolt.Options{PageSize: pageSize, FreelistType: bbolt.FreelistMapType, NoSync: true})
	if err != nil {
		return fmt.Errorf("opening %s: %w", path, err)
	}
	copying := func(func(*bbolt.Tx) error) error { return bbolt.Compact(to, s.db, compactStep) }
	if err := s.guard(copying, nil); err != nil {
		to.Close()
		return err
	}
	if err := to.Sync(); err != nil {
		to.Close()
		return err
	}
	if err := to.Close(); err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return inspect(f, checkAtOpen)
}

// damaged passes on what no other copy will mend.
func (s *Store) damaged(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return err
	}
	return nil
}

func syncDir(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
