package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"
)

// An object's bytes come over a network. The reader here goes on where a
// connection broke off or fell silent, and does not take an early end for the
// end.
const (
	resumes  = 4                // in a row that bring no slice
	slice    = 64 << 10         // bytes that are progress
	patience = 30 * time.Second // for a slice
)

// body is an object being read.
type body struct {
	ctx    context.Context
	bucket bucket
	object object
	name   string

	stream io.ReadCloser
	cancel context.CancelFunc // ends stream's request
	offset int64              // bytes returned
	mark   int64              // the offset when progress was last seen
	waited time.Duration      // for bytes after mark
	tries  int                // streams since mark
}

// open opens an object. ctx is for all the reading.
func (s *Source) open(ctx context.Context, b bucket, o object) (io.ReadCloser, error) {
	r := &body{ctx: ctx, bucket: b, object: o, name: s.url(o.key)}
	if err := r.connect(); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *body) connect() error {
	ctx, cancel := context.WithCancel(r.ctx)
	stream, err := r.bucket.get(ctx, r.object, r.offset)
	if err != nil {
		cancel()
		return err
	}
	r.stream, r.cancel = stream, cancel
	return nil
}

func (r *body) Read(p []byte) (int, error) {
	for r.stream != nil {
		n, err := r.read(p)
		r.offset += int64(n)
		if r.offset-r.mark >= slice {
			r.mark, r.waited, r.tries = r.offset, 0, 0
		}
		switch {
		case err == nil || r.object.size < 0:
		case r.offset == r.object.size:
			err = io.EOF // whatever became of the connection after the last byte
		case err == io.EOF && r.offset < r.object.size:
			err = io.ErrUnexpectedEOF
		}
		if err == nil || err == io.EOF {
			return n, err
		}
		if err := r.resume(err); err != nil {
			return n, err
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, fmt.Errorf("reading %s: %w", r.name, fs.ErrClosed)
}

// read reads from the stream, which it ends when nothing or too little comes.
// Only the time spent in here counts: our reader may be as slow as it likes.
func (r *body) read(p []byte) (int, error) {
	start := time.Now()
	alarm := time.AfterFunc(patience-r.waited, r.cancel)
	n, err := r.stream.Read(p)
	r.waited += time.Since(start)
	if !alarm.Stop() || r.waited >= patience {
		r.cancel()
		if err == nil || errors.Is(err, context.Canceled) {
			err = fmt.Errorf("less than %d bytes came within %s", slice, patience)
		}
	}
	return n, err
}

// resume opens the stream again after it failed because of why.
func (r *body) resume(why error) error {
	r.drop()
	if err := r.ctx.Err(); err != nil {
		return err
	}
	r.tries++
	failed := fmt.Errorf("reading %s: the connection broke %d times, at last after %d of %d bytes: %w", r.name, r.tries, r.offset, r.object.size, why)
	if r.tries > resumes || r.object.size >= 0 && r.offset >= r.object.size {
		return failed
	}
	r.waited = 0
	err := r.connect()
	if errors.Is(err, fs.ErrNotExist) && r.offset > 0 {
		return fmt.Errorf("reading %s: it changed or went away while it was read: %w", r.name, err)
	}
	return err
}

func (r *body) drop() {
	if r.stream != nil {
		r.cancel()
		r.stream.Close()
		r.stream = nil
	}
}

func (r *body) Close() error {
	r.drop()
	return nil
}
