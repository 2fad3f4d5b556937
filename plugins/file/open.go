package file

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// open opens or creates the file at path for appending, alone, and cuts off
// what follows the last newline: it was never acknowledged and comes again.
func open(path string, mode fs.FileMode) (*os.File, error) {
	_, err := os.Stat(path)
	isNew := errors.Is(err, fs.ErrNotExist)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE|unix.O_NONBLOCK, mode)
	if err != nil {
		return nil, err
	}
	if err := prepare(f, isNew, mode); err != nil {
		f.Close()
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	return f, nil
}

func prepare(f *os.File, isNew bool, mode fs.FileMode) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("it is not a regular file")
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return errors.New("another process writes to it: give each output a file of its own")
	}
	if isNew {
		// The process' umask has the last word when creating; the user's has it here.
		if err := f.Chmod(mode); err != nil {
			return err
		}
		return syncDir(filepath.Dir(f.Name()))
	}
	end, err := lastLineEnd(f, info.Size())
	if err != nil || end == info.Size() {
		return err
	}
	slog.Warn("the file's last line is torn and was cut off; it was not acknowledged and comes again",
		"path", f.Name(), "bytes", info.Size()-end)
	return f.Truncate(end)
}

// lastLineEnd returns the offset after the last newline before size.
func lastLineEnd(r io.ReaderAt, size int64) (int64, error) {
	buf := make([]byte, 64<<10)
	for size > 0 {
		n := min(size, int64(len(buf)))
		if _, err := r.ReadAt(buf[:n], size-n); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			return size - n + int64(i) + 1, nil
		}
		size -= n
	}
	return 0, nil
}

// rotated is the layout of the time in an old file's name; names sort by it.
const rotated = "20060102T150405.000000000Z"

// rotate gives the full file another name, and removes the oldest ones over
// the number to keep. The next ready opens a new one.
func (f *file) rotate() error {
	old := f.path + "." + time.Now().UTC().Format(rotated)
	if err := os.Rename(f.path, old); err != nil {
		return fmt.Errorf("rotating: %w", err)
	}
	f.Close()
	if err := f.prune(); err != nil {
		slog.Error("removing old files", "path", f.path, "error", err)
	}
	return syncDir(filepath.Dir(f.path))
}

// prune removes the oldest rotated files over the number to keep.
func (f *file) prune() error {
	if f.keep == 0 {
		return nil
	}
	entries, err := os.ReadDir(filepath.Dir(f.path))
	if err != nil {
		return err
	}
	prefix := filepath.Base(f.path) + "."
	var old []string
	for _, e := range entries {
		stamp, ok := strings.CutPrefix(e.Name(), prefix)
		if _, err := time.Parse(rotated, stamp); ok && err == nil {
			old = append(old, filepath.Join(filepath.Dir(f.path), e.Name()))
		}
	}
	slices.Sort(old)
	for len(old) > f.keep {
		if err := os.Remove(old[0]); err != nil {
			return err
		}
		old = old[1:]
	}
	return nil
}

// syncDir makes names in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
