// Package file is the output that appends alerts to a file, one JSON object a
// line. A batch is acknowledged when it is written and synced to the disk.
package file

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/dustin/go-humanize"
	"golang.org/x/sys/unix"

	"github.com/trailship/trailship/plugins/sdk"
)

// Serve is the plugin's main function.
func Serve() {
	sdk.Serve("file", func(_ context.Context, c config) (sdk.Output, error) { return c.open() })
}

type config struct {
	Path    string `json:"path" required:"true" doc:"The file; its folder must exist. A relative path is meant from the folder of the configuration"`
	MaxSize size   `json:"max_size" doc:"Begin a new file before this size is exceeded, such as 100MiB; the old one gets the time appended to its name. Default: never"`
	Keep    int    `json:"keep" default:"0" doc:"How many old files to keep; 0 keeps all"`
	Mode    string `json:"mode" default:"0600" doc:"The permissions of new files, in octal"`
}

// size is a number of bytes, written 1048576 or 1MiB.
type size uint64

func (s *size) UnmarshalText(text []byte) error {
	n, err := humanize.ParseBytes(string(text))
	if err != nil {
		return errors.New("must be a size such as 100MiB")
	}
	*s = size(n)
	return nil
}

// open checks that the file can be written, without touching it.
func (c config) open() (sdk.Output, error) {
	mode := uint64(0o600)
	if c.Mode != "" {
		var err error
		if mode, err = strconv.ParseUint(c.Mode, 8, 9); err != nil {
			return nil, sdk.Invalidf("/mode", "must be permissions in octal, such as \"0640\"")
		}
	}
	if c.Keep < 0 {
		return nil, sdk.Invalidf("/keep", "must not be negative")
	}
	f := &file{path: sdk.Abs(c.Path), maxSize: int64(c.MaxSize), keep: c.Keep, mode: fs.FileMode(mode)}
	if err := f.check(); err != nil {
		return nil, sdk.Invalidf("/path", "%v", err)
	}
	return f, nil
}

// check says why the file cannot be written, if it cannot.
func (f *file) check() error {
	dir := filepath.Dir(f.path)
	switch info, err := os.Stat(dir); {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the folder %s does not exist: create it", dir)
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is not a folder", dir)
	}
	info, err := os.Stat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if unix.Access(dir, unix.W_OK) != nil {
			return fmt.Errorf("files cannot be created in %s: it is not writable for this user", dir)
		}
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s is a folder: name a file in it", f.path)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file", f.path)
	case unix.Access(f.path, unix.W_OK) != nil:
		return fmt.Errorf("%s is not writable for this user", f.path)
	}
	return nil
}

// file is the Output. The file is opened with the first batch, and again
// whenever the one at path is not the open one any more.
type file struct {
	path    string
	maxSize int64
	keep    int
	mode    fs.FileMode

	f    *os.File
	text []byte // of a batch, kept for the next
}

// maxKept bounds the memory that is kept between batches; one is about 1 MiB.
const maxKept = 4 << 20

// Deliver writes the batch with one write and one sync. When that fails
// nothing of it stays in the file.
func (f *file) Deliver(_ context.Context, alerts []sdk.Alert) error {
	text := f.text[:0]
	for _, a := range alerts {
		text = append(appendLine(text, a.JSON), '\n')
	}
	if cap(text) <= maxKept {
		f.text = text
	}
	before, err := f.ready(int64(len(text)))
	if err != nil {
		return err
	}
	_, err = f.f.Write(text)
	if err == nil {
		err = f.f.Sync()
	}
	if err != nil {
		f.f.Truncate(before)
		f.Close()
	}
	return err
}

// KeepsNothing makes file an sdk.Borrower: a batch is on the disk when Deliver
// returns.
func (f *file) KeepsNothing() {}

// appendLine appends JSON on one line.
func appendLine(dst []byte, alert json.RawMessage) []byte {
	if bytes.IndexByte(alert, '\n') >= 0 || bytes.IndexByte(alert, '\r') >= 0 {
		var line bytes.Buffer
		if json.Compact(&line, alert) == nil {
			alert = line.Bytes()
		}
	}
	return append(dst, alert...)
}

// ready makes sure that f.f is the file at path with room for more bytes, and
// returns its size.
func (f *file) ready(more int64) (int64, error) {
	if f.f != nil && f.moved() {
		f.Close()
	}
	for {
		if f.f == nil {
			opened, err := open(f.path, f.mode)
			if err != nil {
				return 0, err
			}
			f.f = opened
		}
		info, err := f.f.Stat()
		if err != nil {
			return 0, err
		}
		if f.maxSize == 0 || info.Size() == 0 || info.Size()+more <= f.maxSize {
			return info.Size(), nil
		}
		if err := f.rotate(); err != nil {
			return 0, err
		}
	}
}

// moved says whether somebody renamed or removed the open file: what is
// written to it would not be found.
func (f *file) moved() bool {
	mine, err := f.f.Stat()
	if err != nil {
		return true
	}
	there, err := os.Stat(f.path)
	return err != nil || !os.SameFile(mine, there)
}

// Reopen lets go of the file; the next batch opens the one at path.
func (f *file) Reopen() error { return f.Close() }

// Close closes the file. Everything acknowledged is on the disk already.
func (f *file) Close() error {
	if f.f == nil {
		return nil
	}
	err := f.f.Close()
	f.f = nil
	return err
}
