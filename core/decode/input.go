package decode

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
)

// maxLayers is how often gzip may be packed into gzip (Firehose does it once).
const maxLayers = 3

var (
	gzipMagic  = []byte{0x1f, 0x8b}
	base64Gzip = []byte("H4sI") // the same magic in base64
	errTooBig  = errors.New("the object inflates to more than its bound")
)

// input is the object inflated: it looks at the first bytes and peels off what
// compression it finds. Its errors are io.EOF, *Damage without a position, or
// the source's own.
type input struct {
	source source
	limit  int64
	plain  *bufio.Reader
	layers [maxLayers]layer
	top    io.Reader
}

type layer struct {
	gzip *gzip.Reader
	out  *bufio.Reader
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
	in.top = nil
	if in.plain == nil {
		in.plain = bufio.NewReaderSize(&in.source, 64<<10)
	}
	in.plain.Reset(&in.source)
}

func (in *input) Read(p []byte) (int, error) {
	if in.top == nil {
		top, err := in.open()
		if err != nil {
			return 0, in.classify(err)
		}
		in.top = top
	}
	n, err := in.top.Read(p)
	if err != nil {
		err = in.classify(err)
	}
	return n, err
}

// open peels layer after layer until the bytes are not compressed any more.
func (in *input) open() (io.Reader, error) {
	br := in.plain
	for n := 0; ; n++ {
		head, err := br.Peek(len(base64Gzip))
		if err != nil && err != io.EOF {
			return nil, err
		}
		zipped := bytes.HasPrefix(head, gzipMagic)
		if !zipped && !bytes.Equal(head, base64Gzip) {
			return br, nil
		}
		if n == maxLayers {
			return nil, fmt.Errorf("compressed more than %d times", maxLayers)
		}
		if !zipped {
			br = bufio.NewReader(base64.NewDecoder(base64.StdEncoding, br))
			continue
		}
		if br, err = in.layers[n].reset(br, in.limit); err != nil {
			return nil, err
		}
	}
}

// reset makes l inflate src, up to limit bytes.
func (l *layer) reset(src *bufio.Reader, limit int64) (*bufio.Reader, error) {
	if l.gzip == nil {
		l.gzip = new(gzip.Reader)
		l.out = bufio.NewReaderSize(nil, 4<<10)
	}
	if err := l.gzip.Reset(src); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	l.out.Reset(&bounded{l.gzip, limit})
	return l.out, nil
}

// bounded fails with errTooBig when r has more than left bytes.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.r.Read(p)
	if int64(n) > b.left {
		return int(b.left), errTooBig
	}
	b.left -= int64(n)
	return n, err
}

func (in *input) classify(err error) error {
	switch {
	case in.source.err != nil:
		return fmt.Errorf("reading: %w", in.source.err)
	case err == io.EOF:
		return err
	case err == io.ErrUnexpectedEOF:
		return &Damage{Reason: ReasonTruncated, Detail: "the compressed data ends too early"}
	case err == errTooBig:
		return &Damage{Reason: ReasonMaxObject, Detail: fmt.Sprintf("the object inflates to more than %d bytes", in.limit)}
	}
	return &Damage{Reason: ReasonCorrupt, Detail: err.Error()}
}
