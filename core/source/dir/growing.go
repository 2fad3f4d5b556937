package dir

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/trailship/trailship/core/source"
)

// A growing file is known by its inode, whatever it is called: a rename does
// not change what was read of it. Because inodes are given out again, the
// version that is remembered beside the position says what the bytes before it
// were: a fingerprint of the first KiB and one of the last. If the file does
// not have them any more it was truncated, or is another one, and is read from
// its start.

const (
	fingerprintSize = 1 << 10
	// maxRun bounds what one object holds of a growing file. Only a line that
	// is longer makes a longer run.
	maxRun = 16 << 20
	// maxTail is up to which size a last line without a newline is looked at.
	maxTail = 4 << 20
)

// growingKey is the ledger key of a growing file. No path begins with a slash.
// The device is left out where it can be: its number may change with a reboot.
func (w *walk) growingKey(info fs.FileInfo) string {
	id := idOf(info)
	if id.device == w.device {
		return "/inode/" + strconv.FormatUint(id.inode, 10)
	}
	return fmt.Sprintf("/device/%x/inode/%d", id.device, id.inode)
}

// growingFile returns the next run of whole lines of a file, if there is one.
func (w *walk) growingFile(at place, info fs.FileInfo) (o source.Object, ok bool, err error) {
	key := w.growingKey(info)
	e, _, err := w.ledger.Entry(key)
	if err != nil {
		return o, false, err
	}
	seen, _ := parseFingerprint(e.Version)
	if e.Records == 0 && e.Offset == info.Size() && seen.written == info.ModTime().UnixNano() {
		return o, false, nil // as it was when it was read to this end
	}
	o = source.Object{Key: key, Name: w.name(at.shown), Size: -1}
	f, failed := w.open(at)
	if failed != nil {
		o.Open = func(context.Context) (io.ReadCloser, error) { return nil, failed }
		return o, !errors.Is(failed, fs.ErrNotExist), nil // else renamed meanwhile
	}
	defer f.Close()
	if now, err := f.Stat(); err != nil || !os.SameFile(info, now) {
		return o, false, nil // rotated meanwhile
	}
	begin, end, more, err := w.run(f, e)
	if err != nil || end <= begin.Offset {
		return o, false, ignoreShrunk(err)
	}
	w.more = w.more || more
	print, err := takeFingerprint(f, end)
	if err != nil {
		return o, false, ignoreShrunk(err)
	}
	o.Size = end - begin.Offset
	o.More = more
	o.Entry = begin
	o.Done = source.Entry{Version: print.String(), Offset: end}
	o.Open = func(context.Context) (io.ReadCloser, error) { return w.openRun(at, print, begin.Offset) }
	return o, true, nil
}

// ignoreShrunk drops the error of a file that became shorter while it was
// looked at: the next scan sees what it is now.
func ignoreShrunk(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil
	}
	return err
}

// run finds the next whole lines of f: where they begin, which is where e ends
// if f still is what e is about, where they end, and whether there are more.
func (w *walk) run(f *os.File, e source.Entry) (begin source.Entry, end int64, more bool, err error) {
	info, err := f.Stat()
	if err != nil {
		return begin, 0, false, err
	}
	size := info.Size()
	if print, ok := parseFingerprint(e.Version); ok && print.fits(f, size) {
		begin, err = skipNewline(f, e, size)
	} else {
		begin.Offset, err = skipHole(f, size)
	}
	if err != nil {
		return begin, 0, false, err
	}
	limit := min(size, begin.Offset+maxRun)
	end, err = lastLine(f, begin.Offset, limit)
	if err == nil && end == begin.Offset && limit < size {
		end, err = firstLine(f, limit, size, begin.Offset)
	}
	if err != nil {
		return begin, 0, false, err
	}
	if end > begin.Offset && limit < size {
		return begin, end, true, nil
	}
	whole, err := w.tail(f, end, info)
	if whole {
		end = size
	}
	return begin, end, false, err
}

// tail says whether what follows the last newline is to be read too: it is a
// whole JSON value, or nobody writes to the file any more.
func (w *walk) tail(f *os.File, from int64, info fs.FileInfo) (bool, error) {
	size := info.Size() - from
	rests := w.now().Sub(info.ModTime()) >= settled
	if size == 0 || size > maxTail {
		return size > 0 && rests, nil
	}
	line := make([]byte, size)
	if _, err := f.ReadAt(line, from); err != nil {
		return false, err
	}
	line = bytes.TrimSpace(line)
	if len(line) == 0 {
		return false, nil
	}
	return rests || (line[0] == '{' || line[0] == '[') && json.Valid(line), nil
}

const chunk = 64 << 10

// lastLine returns the offset behind the last newline in [from, to), or from.
func lastLine(f *os.File, from, to int64) (int64, error) {
	buf := make([]byte, chunk)
	for to > from {
		start := max(from, to-chunk)
		part := buf[:to-start]
		if _, err := f.ReadAt(part, start); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(part, '\n'); i >= 0 {
			return start + int64(i) + 1, nil
		}
		to = start
	}
	return from, nil
}

// firstLine returns the offset behind the first newline in [from, to), or none.
func firstLine(f *os.File, from, to, none int64) (int64, error) {
	buf := make([]byte, chunk)
	for ; from < to; from += chunk {
		part := buf[:min(chunk, to-from)]
		if _, err := f.ReadAt(part, from); err != nil {
			return 0, err
		}
		if i := bytes.IndexByte(part, '\n'); i >= 0 {
			return from + int64(i) + 1, nil
		}
	}
	return none, nil
}

// skipNewline moves behind the newline of a last line that was read without it.
func skipNewline(f *os.File, e source.Entry, size int64) (source.Entry, error) {
	if e.Records > 0 || e.Offset >= size {
		return e, nil
	}
	var next [1]byte
	_, err := f.ReadAt(next[:], e.Offset)
	if next[0] == '\n' {
		e.Offset++
	}
	return e, err
}

// skipHole returns where the zeros at the start of a file end. A writer that
// does not append leaves them when its file is truncated under it.
func skipHole(f *os.File, size int64) (int64, error) {
	buf := make([]byte, chunk)
	for from := int64(0); from < size; from += chunk {
		part := buf[:min(chunk, size-from)]
		if _, err := f.ReadAt(part, from); err != nil {
			return 0, err
		}
		if i := bytes.IndexFunc(part, func(r rune) bool { return r != 0 }); i >= 0 {
			return from + int64(i), nil
		}
	}
	return size, nil
}

// fingerprint says what a growing file held before an offset.
type fingerprint struct {
	end        int64 // the offset
	head, tail string
	written    int64 // modification time in ns
}

func takeFingerprint(f *os.File, end int64) (fingerprint, error) {
	info, err := f.Stat()
	if err != nil {
		return fingerprint{}, err
	}
	p := fingerprint{end: end, written: info.ModTime().UnixNano()}
	n := min(end, fingerprintSize)
	if p.head, err = hashAt(f, 0, n); err != nil {
		return fingerprint{}, err
	}
	p.tail, err = hashAt(f, end-n, n)
	return p, err
}

func hashAt(f *os.File, from, size int64) (string, error) {
	buf := make([]byte, size)
	if _, err := f.ReadAt(buf, from); err != nil {
		return "", err
	}
	sum := sha256.Sum256(buf)
	return hex.EncodeToString(sum[:8]), nil
}

// fits says whether f still holds what the fingerprint was taken of.
func (p fingerprint) fits(f *os.File, size int64) bool {
	if p.end > size {
		return false
	}
	now, err := takeFingerprint(f, p.end)
	return err == nil && now.head == p.head && now.tail == p.tail
}

func (p fingerprint) String() string {
	return fmt.Sprintf("%d-%s-%s-%d", p.end, p.head, p.tail, p.written)
}

func parseFingerprint(version string) (p fingerprint, ok bool) {
	parts := strings.Split(version, "-")
	if len(parts) != 4 {
		return p, false
	}
	end, err := strconv.ParseInt(parts[0], 10, 64)
	written, err2 := strconv.ParseInt(parts[3], 10, 64)
	return fingerprint{end, parts[1], parts[2], written}, err == nil && err2 == nil && end > 0
}

// errRotated says that the bytes that were listed are not there any more.
type errRotated struct{ name string }

func (e errRotated) Error() string {
	return e.name + " was rotated or truncated after it was listed; the next scan finds what is there now"
}

// Is makes it a file that does not exist.
func (e errRotated) Is(target error) bool { return target == fs.ErrNotExist }

// openRun opens the bytes from begin to where the fingerprint was taken.
func (s *Source) openRun(at place, print fingerprint, begin int64) (io.ReadCloser, error) {
	f, err := s.open(at)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !print.fits(f, info.Size()) {
		err = errRotated{s.name(at.shown)}
	}
	if err == nil {
		_, err = f.Seek(begin, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &run{File: f, name: s.name(at.shown), left: print.end - begin}, nil
}

// run reads a part of a file; that it ends early is an error.
type run struct {
	*os.File
	name string
	left int64
}

func (r *run) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n, err := r.File.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	if err == io.EOF {
		err = errRotated{r.name}
	}
	return n, err
}

// WriteTo hides that of os.File, which knows no end.
func (r *run) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{r})
}
