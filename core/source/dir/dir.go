// Package dir is the source of files in a directory tree. Every Scan walks the
// whole tree (walk.go) and asks the ledger what of it is new; file system
// notifications only wake it early (watch.go).
//
// A file is one of two kinds, told by its name (names.go):
//
//   - growing, for .ndjson, .jsonl and .log: read in runs of whole lines, and
//     followed through rotation (growing.go);
//   - complete, for everything else: read as one object, and again when its
//     size or its modification time changed.
//
// When in doubt a file is read once more: alerts have ids, so what was read
// twice alerts once.
package dir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/trailship/trailship/core/source"
)

// Source is a directory tree. Set the fields, then use it as a source.Source
// and a source.Finisher; Scan and Wait must not overlap. It holds a file
// system watch from the first Scan until Scan or Wait return because their
// context ended, or Close.
//
// What is read twice: a complete file that was renamed, touched, or has a
// second hard link; the copy that copytruncate makes; a growing file after its
// tree moved to another file system. What is not read: a line that was cut off
// a growing file before any Scan saw it; a growing file that was moved, within
// one poll interval of being written, to where no include matches; bytes
// rewritten in place that leave size and modification time as they were.
type Source struct {
	Name    string
	Path    string        // the root; nothing outside is ever opened
	Include []string      // doublestar globs of slash paths below Path; none means DefaultInclude
	Exclude []string      // they win over Include; one that matches a directory closes it
	Poll    time.Duration // between scans; zero is 10 s
	OnDone  OnDone
	Log     *slog.Logger     // nil is silence
	Now     func() time.Time // the wall clock; nil is time.Now

	watch    *fsnotify.Watcher
	unwatch  bool          // the kernel gives no (more) watches
	more     bool          // the last scan left something it could have handed out
	took     time.Duration // the last scan
	refusals int           // of the last scan: symlinks that lead outside
	stuck    int           // of the last scan: finished files that cannot be put away
}

// OnDone is what becomes of a complete file that was read to its end. The zero
// value keeps it. Growing files are always kept.
type OnDone struct {
	Delete bool
	// Move is the directory below Path it is moved to, under the same relative
	// path; nothing in it is read.
	Move string
}

// settled is how long a file must rest before its end is taken for its end.
const settled = 10 * time.Minute

const defaultPoll = 10 * time.Second

// Scan implements source.Source. Within a directory it goes by name, which is
// by age for trails; directories of more than 65,536 entries are sorted in
// pieces. Its memory does not grow with the tree. An error that is not yield's
// or ctx's means that the listing is not complete: Path is missing, say, or a
// glob is wrong.
func (s *Source) Scan(ctx context.Context, ledger source.Ledger, yield func(source.Object) error) error {
	start := time.Now()
	w, err := s.newWalk(ctx, ledger, yield)
	if err != nil {
		return fmt.Errorf("listing source %s: %w", s.Name, err)
	}
	defer w.root.Close()
	s.openWatch()
	err = w.dir(w.root, place{})
	s.more, s.took = w.more, time.Since(start)
	if ctx.Err() != nil {
		s.Close()
	}
	if err == nil && w.refused != s.refusals {
		s.refusals = w.refused
		s.log().Warn("symlinks that lead outside of the directory are not followed", "source", s.Name, "links", w.refused, "one", w.refusedAt)
	}
	if err == nil && w.stuck != s.stuck {
		s.stuck = w.stuck
		s.log().Error("files that were read cannot be put away", "source", s.Name, "files", w.stuck, "error", w.stuckWhy)
	}
	return err
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

// completeFile returns a file to be read as a whole, unless the ledger covers
// it.
func (w *walk) completeFile(at place, info fs.FileInfo) (o source.Object, ok bool, err error) {
	version := appendVersion(make([]byte, 0, 32), info)
	e, known, err := w.ledger.Entry(at.real)
	if err != nil {
		return o, false, err
	}
	changed := known && e.Version != string(version)
	if known && !changed && e.Done {
		w.finishLate(at, e)
		return o, false, nil
	}
	if changed {
		e = source.Entry{}
	}
	age := w.now().Sub(info.ModTime())
	return source.Object{
		Key:     at.real,
		Name:    w.name(at.shown),
		Size:    info.Size(),
		Entry:   e,
		Done:    source.Entry{Version: string(version), Done: true},
		Growing: changed || age < settled && age > -settled,
		Open: func(context.Context) (io.ReadCloser, error) {
			f, err := w.open(at)
			if err != nil {
				return nil, err
			}
			return f, nil
		},
	}, true, nil
}

// versionOf tells one content of a complete file from another.
func versionOf(info fs.FileInfo) string { return string(appendVersion(nil, info)) }

func appendVersion(b []byte, info fs.FileInfo) []byte {
	b = append(strconv.AppendInt(b, info.Size(), 36), '-')
	return strconv.AppendInt(b, info.ModTime().UnixNano(), 36)
}

// open opens a regular file below Path.
func (s *Source) open(at place) (f *os.File, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("opening %s: %w", s.name(at.shown), bare(err))
		}
	}()
	f, err = openBelow(s.Path, at.real)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no regular file any more")
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// A named pipe must not make us wait for its writer.
const readOnly = os.O_RDONLY | syscall.O_NONBLOCK

// openStepwise opens the file at a path below dir folder by folder.
func openStepwise(dir, path string) (*os.File, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.OpenFile(path, readOnly, 0)
}

// name is what people call the file.
func (s *Source) name(shown string) string {
	return filepath.Join(s.Path, filepath.FromSlash(shown))
}

// bare takes off the relative path that os.Root puts around an error.
func bare(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
