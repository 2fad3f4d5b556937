package dir

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// openBelow opens the file at the slash path below the directory dir, and
// nothing outside of it. The kernel walks the path in one call; one that
// cannot is helped out.
func openBelow(dir, path string) (*os.File, error) {
	root, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	defer unix.Close(root)
	how := unix.OpenHow{Flags: uint64(readOnly | unix.O_CLOEXEC), Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS}
	for {
		fd, err := unix.Openat2(root, path, &how)
		switch {
		case err == nil:
			return os.NewFile(uintptr(fd), path), nil
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, fs.ErrNotExist):
			return nil, &fs.PathError{Op: "open", Path: path, Err: err}
		default: // no such call, forbidden here, a rename on the way, …
			return openStepwise(dir, path)
		}
	}
}
