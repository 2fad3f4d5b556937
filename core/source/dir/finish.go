package dir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/trailship/trailship/core/source"
)

// Finish implements source.Finisher: it deletes or moves the file if OnDone
// says so. It does nothing for growing files, for a file that is gone, and for
// one that changed since it was listed: that one is read again.
func (s *Source) Finish(ctx context.Context, o source.Object) (err error) {
	if !s.OnDone.Delete && s.OnDone.Move == "" || strings.HasPrefix(o.Key, "/") {
		return nil
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("putting away %s: %w", o.Name, err)
		}
	}()
	root, err := os.OpenRoot(s.Path)
	if err != nil {
		return err
	}
	defer root.Close()
	info, err := root.Lstat(o.Key)
	if errors.Is(err, fs.ErrNotExist) || err == nil && versionOf(info) != o.Done.Version {
		return nil
	}
	if err != nil {
		return err
	}
	if s.OnDone.Delete {
		err = root.Remove(o.Key)
	} else {
		err = move(root, o.Key, path.Join(filepath.ToSlash(s.OnDone.Move), o.Key))
	}
	if _, gone := root.Lstat(o.Key); errors.Is(gone, fs.ErrNotExist) {
		return nil // a Scan and ingest may both be at it
	}
	return err
}

// finishLate puts away a file that was read to its end and is still there: the
// program ended before Finish, it failed, or OnDone was not set then.
func (w *walk) finishLate(at place, e source.Entry) {
	if e.Buried {
		return
	}
	err := w.Finish(w.ctx, source.Object{Key: at.real, Name: w.name(at.shown), Done: e})
	if err != nil {
		w.stuck++
		w.stuckWhy = err
	}
}

// move renames a file, to a numbered name when the name is taken.
func move(root *os.Root, from, to string) error {
	if err := root.MkdirAll(path.Dir(to), 0o755); err != nil {
		return err
	}
	free := to
	for n := 1; ; n++ {
		if _, err := root.Lstat(free); errors.Is(err, fs.ErrNotExist) {
			return root.Rename(from, free)
		} else if err != nil {
			return err
		}
		free = fmt.Sprintf("%s.%d", to, n)
	}
}
