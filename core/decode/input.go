package decode

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"

	"github.com/trailship/trailship/core/inflate"
)

// maxLayers is how often gzip may be packed into gzip (Firehose does it once).
const maxLayers = 3

var (
	gzipMagic  = []byte{0x1f, 0x8b}
	base64Gzip = []byte("H4sI") // the same magic in base64
)

// input is the object inflated: it looks at the first bytes and peels off what
// compression it finds. Its errors are io.EOF, *Damage without a position, or
// the source's own.
type input struct {
	source source
	limit  int64
	plain  *bufio.Reader
	layers [maxLayers]layer
	top    *layer // the innermost one, nil of an object that is not compressed
	opened bool
}

// source remembers the error of the reader it wraps, so that a failed read is
// not taken for damage.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

func (in *input) reset(src io.Reader, limit int64) {
	in.source = source{r: src}
	in.limit = limit
	in.top, in.opened = nil, false
	if in.plain == nil {
		in.plain = bufio.NewReader(&in.source)
	}
	in.plain.Reset(&in.source)
}

// read reads what comes next to buf[at:], where there is room for inflate.Room
// bytes. What it read before stands in front of at, inflate.Window bytes of it
// or all.
func (in *input) read(buf []byte, at int) (n int, err error) {
	if !in.opened {
		if in.plain, err = in.open(); err != nil {
			return 0, in.classify(err)
		}
		in.opened = true
	}
	if in.top != nil {
		n, err = in.top.readTo(buf, at)
	} else {
		n, err = in.plain.Read(buf[at:])
	}
	if err != nil {
		err = in.classify(err)
	}
	return n, err
}

// open peels layer after layer until the bytes are not compressed any more.
func (in *input) open() (*bufio.Reader, error) {
	br := in.plain
	var src io.Reader = br
	for n := 0; ; n++ {
		var head []byte
		var err error
		if in.top == nil {
			head, err = br.Peek(len(base64Gzip))
		} else {
			head, err = in.top.peek(len(base64Gzip))
		}
		if err != nil && err != io.EOF {
			return br, err
		}
		zipped := bytes.HasPrefix(head, gzipMagic)
		if !zipped && !bytes.Equal(head, base64Gzip) {
			return br, nil
		}
		if n == maxLayers {
			return br, fmt.Errorf("compressed more than %d times", maxLayers)
		}
		if !zipped {
			br, in.top = bufio.NewReader(base64.NewDecoder(base64.StdEncoding, src)), nil
			src = br
			continue
		}
		l := &in.layers[n]
		l.reset(src, in.limit)
		in.top, src = l, l
	}
}

// layer is a compression an object is in. What was inflated to see what it is
// lies in buf.
type layer struct {
	zip      inflate.Reader
	buf      []byte
	from, to int   // of buf: inflated and not read
	err      error // of zip
}

func (l *layer) reset(src io.Reader, limit int64) {
	l.zip.Reset(src, limit)
	l.from, l.to, l.err = 0, 0, nil
}

// peek returns the first n bytes, or as many as there are.
func (l *layer) peek(n int) ([]byte, error) {
	for l.to < n && l.err == nil {
		l.inflate()
	}
	if l.to < n {
		return l.buf[:l.to], l.err
	}
	return l.buf[:n], nil
}

func (l *layer) inflate() {
	if len(l.buf)-l.to < inflate.Room {
		size := inflate.Room
		if l.to > 0 {
			size = 2 * inflate.Window
		}
		buf, seen := l.buf, min(l.to, inflate.Window)
		if len(buf) < size {
			buf = make([]byte, size)
		}
		copy(buf, l.buf[l.to-seen:l.to])
		l.from -= l.to - seen
		l.buf, l.to = buf, seen
	}
	n, err := l.zip.Inflate(l.buf, l.to)
	l.to += n
	l.err = err
}

// Read is for a layer inside of another one.
func (l *layer) Read(p []byte) (int, error) {
	for l.from == l.to {
		if l.err != nil {
			return 0, l.err
		}
		l.inflate()
	}
	n := copy(p, l.buf[l.from:l.to])
	l.from += n
	return n, nil
}

// readTo is for the innermost layer: it inflates to where the bytes are wanted.
func (l *layer) readTo(buf []byte, at int) (int, error) {
	if l.from < l.to {
		n := copy(buf[at:], l.buf[l.from:l.to])
		l.from += n
		return n, nil
	}
	if l.err != nil {
		return 0, l.err
	}
	return l.zip.Inflate(buf, at)
}

func (in *input) classify(err error) error {
	switch {
	case in.source.err != nil:
		return fmt.Errorf("reading: %w", in.source.err)
	case err == io.EOF:
		return err
	case err == io.ErrUnexpectedEOF:
		return &Damage{Reason: ReasonTruncated, Detail: "the compressed data ends too early"}
	case err == inflate.ErrTooLarge:
		return &Damage{Reason: ReasonMaxObject, Detail: fmt.Sprintf("the object inflates to more than %d bytes", in.limit)}
	}
	return &Damage{Reason: ReasonCorrupt, Detail: err.Error()}
}
