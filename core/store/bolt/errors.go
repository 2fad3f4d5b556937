package bolt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	berrors "go.etcd.io/bbolt/errors"

	"github.com/trailship/trailship/core/store"
)

// explain gives an error of bbolt or of ours the class callers branch on, and
// remembers damage.
func (s *Store) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrDamaged):
		return s.condemn(err)
	case errors.Is(err, store.ErrFull):
		return err
	case errors.Is(err, berrors.ErrDatabaseNotOpen):
		return errClosed
	case isFull(err):
		return fmt.Errorf("%w: writing %s: %w", store.ErrFull, s.path, err)
	}
	return err
}

// condemn makes damage the answer of every later call.
func (s *Store) condemn(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken == nil {
		s.broken = fmt.Errorf("%s: %w; restore the file from a backup, or move it away to begin anew: what the sources still hold is then read again and its alerts leave again under the same ids", s.path, err)
	}
	return s.broken
}

// isFull says whether err is the system's "no room". bbolt passes some of them
// on as text only.
func isFull(err error) bool {
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, errno) || strings.Contains(err.Error(), errno.Error()) {
			return true
		}
	}
	return false
}

// lock takes the file for this process. One that is just being killed gets
// half a second to let go.
func lock(f *os.File) error {
	for deadline := time.Now().Add(500 * time.Millisecond); ; time.Sleep(20 * time.Millisecond) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return fmt.Errorf("locking %s: %w", f.Name(), err)
		}
		if time.Now().After(deadline) {
			return inUse(f.Name())
		}
	}
}

// ErrInUse is wrapped by the error of Open when another process has the store
// open.
var ErrInUse = errors.New("in use by another trailship")

func inUse(path string) error {
	return fmt.Errorf("data_dir %s is %w; stop that one or give this one its own data_dir", filepath.Dir(path), ErrInUse)
}

// present returns an error when the file is no longer where it was opened:
// commits to a deleted file would be lost without a sign.
func (s *Store) present() error {
	opened, err := s.file.Stat()
	if err != nil {
		return fmt.Errorf("looking at the store: %w", err)
	}
	there, err := os.Stat(s.path)
	if err != nil {
		return fmt.Errorf("the store is gone: %w", err)
	}
	if !os.SameFile(opened, there) {
		return fmt.Errorf("the store is gone: another file was put at %s", s.path)
	}
	return nil
}
