package dir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/trailship/trailship/core/source"
)

// walk is one scan.
type walk struct {
	*Source
	globs
	ctx    context.Context // of this scan only
	ledger source.Ledger
	yield  func(source.Object) error
	root   *os.Root
	above  string // Path, absolute and without symlinks
	device uint64 // of the root

	// What was reached by a symlink or has several names, to hand it out once.
	followed map[fileID]bool

	more      bool
	refused   int
	refusedAt string
	stuck     int
	stuckWhy  error
}

// fileID is a file whatever its names.
type fileID struct{ device, inode uint64 }

// place is where the walk stands: two slash paths below the root, one without
// symlinks, which is what is remembered, and the one that globs and people
// see. They differ below a symlink.
type place struct{ real, shown string }

func (p place) join(name string) place {
	real := below(p.real, name)
	if p.real == p.shown {
		return place{real, real}
	}
	return place{real, below(p.shown, name)}
}

// below is the clean path of a name in a directory, itself a clean path.
func below(dir, name string) string {
	if dir == "" || dir == "." {
		return name
	}
	return dir + "/" + name
}

// dirBatch is how many names are held in memory at a time.
const dirBatch = 1 << 16

func (s *Source) newWalk(ctx context.Context, ledger source.Ledger, yield func(source.Object) error) (*walk, error) {
	g, err := s.globs()
	if err != nil {
		return nil, err
	}
	above, err := filepath.Abs(s.Path)
	if err == nil {
		above, err = filepath.EvalSymlinks(above)
	}
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(s.Path)
	if err != nil {
		return nil, err
	}
	info, err := root.Stat(".")
	if err != nil {
		root.Close()
		return nil, err
	}
	return &walk{
		Source: s, globs: g, ctx: ctx, ledger: ledger, yield: yield,
		root: root, above: above, device: idOf(info).device, followed: map[fileID]bool{},
	}, nil
}

func idOf(info fs.FileInfo) fileID {
	st := info.Sys().(*syscall.Stat_t)
	return fileID{uint64(st.Dev), uint64(st.Ino)}
}

// dir walks the directory d. Only errors of the ledger, of yield and of the
// context stop the walk; the root itself must be readable too.
func (w *walk) dir(d *os.Root, at place) error {
	w.watchDir(at)
	f, err := d.Open(".")
	if err != nil {
		return w.unreadable(at, err)
	}
	defer f.Close()
	for {
		names, err := f.Readdirnames(dirBatch)
		slices.Sort(names)
		for _, name := range names {
			if err := w.ctx.Err(); err != nil {
				return err
			}
			if err := w.entry(d, name, at.join(name)); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return w.unreadable(at, err)
		}
	}
}

// unreadable hands out what cannot be looked at, so that reading it says why.
func (w *walk) unreadable(at place, err error) error {
	if errors.Is(err, fs.ErrNotExist) && at.real != "" {
		return nil // it went away meanwhile
	}
	err = fmt.Errorf("looking at %s: %w", w.name(at.shown), bare(err))
	if at.real == "" {
		return err
	}
	return w.yield(source.Object{
		Key:  at.real + "/", // no file has such a name
		Name: w.name(at.shown),
		Size: -1,
		Open: func(context.Context) (io.ReadCloser, error) { return nil, err },
	})
}

// entry looks at one name in the directory d.
func (w *walk) entry(d *os.Root, name string, at place) error {
	info, err := d.Lstat(name)
	if err != nil {
		return w.unreadable(at, err)
	}
	switch info.Mode().Type() {
	case fs.ModeDir:
		return w.enter(d, name, at)
	case fs.ModeSymlink:
		return w.link(at)
	case 0:
		// Below a symlink: what a walk finds under its own name is not for us.
		if !w.file(at.shown) || at.real != at.shown && w.reached(at.real) {
			return nil
		}
		return w.found(at, info)
	}
	return nil // a device, a pipe, a socket
}

// enter walks the directory of that name in d.
func (w *walk) enter(d *os.Root, name string, at place) error {
	if !w.globs.dir(at.shown) {
		return nil
	}
	below, err := d.OpenRoot(name)
	if err != nil {
		return w.unreadable(at, err)
	}
	defer below.Close()
	return w.dir(below, at)
}

// found hands out a file that is to be read.
func (w *walk) found(at place, info fs.FileInfo) error {
	look := w.completeFile
	if isGrowing(at.shown) {
		if info.Sys().(*syscall.Stat_t).Nlink > 1 && w.again(info) {
			return nil
		}
		look = w.growingFile
	}
	o, ok, err := look(at, info)
	if err != nil || !ok {
		return err
	}
	return w.yield(o)
}

// again says whether the file was reached before, and notes that it was now.
func (w *walk) again(info fs.FileInfo) bool {
	id := idOf(info)
	before := w.followed[id]
	w.followed[id] = true
	return before
}

// link follows a symlink to a file or directory below the root, each target
// once.
func (w *walk) link(at place) error {
	if !w.file(at.shown) && !w.globs.dir(at.shown) {
		return nil
	}
	target, err := w.resolve(at.real)
	if err == nil {
		var info fs.FileInfo
		if info, err = w.root.Lstat(target); err == nil {
			return w.follow(place{target, at.shown}, info)
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ELOOP):
		return nil // it leads nowhere
	case errors.Is(err, errOutside):
		w.refused++
		w.refusedAt = w.name(at.shown)
		return nil
	}
	return w.unreadable(at, err)
}

// follow looks at the target of a symlink.
func (w *walk) follow(at place, info fs.FileInfo) error {
	switch {
	case info.IsDir() && w.globs.dir(at.shown):
		if w.again(info) {
			return nil
		}
		below, err := w.root.OpenRoot(path.Clean(at.real))
		if err != nil {
			return w.unreadable(at, err)
		}
		defer below.Close()
		return w.dir(below, at)
	case info.Mode().IsRegular() && w.file(at.shown):
		// What a walk finds under its own name is not for us.
		if w.reached(at.real) || w.again(info) {
			return nil
		}
		return w.found(at, info)
	}
	return nil
}

var errOutside = errors.New("it leads outside")

// resolve returns where a path below the root leads, itself free of symlinks.
func (w *walk) resolve(p string) (string, error) {
	at, rest := ".", strings.Split(p, "/")
	for hops := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		next := path.Join(at, name)
		if !filepath.IsLocal(next) {
			return "", errOutside
		}
		info, err := w.root.Lstat(next)
		if err != nil {
			return "", err
		}
		if info.Mode().Type() != fs.ModeSymlink {
			at = next
			continue
		}
		if hops++; hops > 40 {
			return "", syscall.ELOOP
		}
		target, err := w.root.Readlink(next)
		if err != nil {
			return "", err
		}
		if filepath.IsAbs(target) {
			if target, err = filepath.Rel(w.above, target); err != nil {
				return "", errOutside
			}
			at = "."
		}
		rest = append(strings.Split(filepath.ToSlash(target), "/"), rest...)
	}
	return at, nil
}
