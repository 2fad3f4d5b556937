package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

// broken is a bucket of one object, whose streams come from open.
type broken struct {
	open  func(ctx context.Context, offset int64) (io.ReadCloser, error)
	calls int
}

func (b *broken) get(ctx context.Context, _ object, offset int64) (io.ReadCloser, error) {
	b.calls++
	return b.open(ctx, offset)
}
func (b *broken) list(context.Context, string, string, bool) iter.Seq2[page, error] { return nil }
func (b *broken) head(context.Context, string) (object, error)                      { return object{}, nil }

// readAll reads the object to its end.
func (b *broken) readAll(size int) (string, error) {
	s := &Source{Bucket: "trails"}
	r, err := s.open(context.Background(), b, object{key: "a.json", size: int64(size)})
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(r)
	return string(text), errors.Join(err, r.Close())
}

var content = strings.Repeat("0123456789", 50_000)

func TestReadingGoesOnWhereAConnectionBroke(t *testing.T) {
	reset := errors.New("connection reset")
	for name, cut := range map[string]func(rest string) io.Reader{
		"reset":        func(rest string) io.Reader { return io.MultiReader(strings.NewReader(rest), iotest.ErrReader(reset)) },
		"an early end": func(rest string) io.Reader { return strings.NewReader(rest) },
		"data with the error": func(rest string) io.Reader {
			return iotest.DataErrReader(io.MultiReader(strings.NewReader(rest), iotest.ErrReader(reset)))
		},
		"a few bytes at a time": func(rest string) io.Reader { return iotest.HalfReader(strings.NewReader(rest)) },
	} {
		b := &broken{}
		b.open = func(_ context.Context, offset int64) (io.ReadCloser, error) {
			rest := content[offset:]
			return io.NopCloser(cut(rest[:min(len(rest), 100_000)])), nil
		}
		if got, err := b.readAll(len(content)); err != nil || got != content {
			t.Errorf("%s: %d bytes and %v, want all %d", name, len(got), err, len(content))
		}
	}
}

func TestReadingGivesUp(t *testing.T) {
	b := &broken{}
	b.open = func(_ context.Context, offset int64) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(content[offset:min(100, len(content))])), nil
	}
	got, err := b.readAll(len(content))
	want := "reading s3://trails/a.json: the connection broke 5 times, at last after 100 of 500000 bytes: unexpected EOF"
	if err == nil || err.Error() != want || len(got) != 100 {
		t.Errorf("%d bytes and %v, want 100 and %s", len(got), err, want)
	}
	if b.calls != 1+resumes {
		t.Errorf("%d requests, want %d", b.calls, 1+resumes)
	}
}

func TestTheObjectGoesAwayWhileItIsRead(t *testing.T) {
	b := &broken{}
	b.open = func(_ context.Context, offset int64) (io.ReadCloser, error) {
		if offset > 0 {
			return nil, fmt.Errorf("opening: %w", fs.ErrNotExist)
		}
		return io.NopCloser(strings.NewReader(content[:1000])), nil
	}
	if _, err := b.readAll(len(content)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
}

// slow gives bytes each so often, until its request ends.
type slow struct {
	ctx   context.Context
	pause time.Duration
	n     int
	rest  *strings.Reader
}

func (s slow) Read(p []byte) (int, error) {
	select {
	case <-time.After(s.pause):
		return s.rest.Read(p[:min(len(p), s.n)])
	case <-s.ctx.Done():
		return 0, s.ctx.Err()
	}
}

func (slow) Close() error { return nil }

func TestASlowConnectionIsReplaced(t *testing.T) {
	for name, s := range map[string]slow{
		"silence": {pause: time.Hour},
		"a drip":  {pause: time.Second, n: 10},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := &broken{}
			b.open = func(ctx context.Context, offset int64) (io.ReadCloser, error) {
				if b.calls == 1 {
					return slow{ctx, s.pause, s.n, strings.NewReader(content[offset:])}, nil
				}
				return io.NopCloser(strings.NewReader(content[offset:])), nil
			}
			start := time.Now()
			if got, err := b.readAll(len(content)); err != nil || got != content {
				t.Errorf("%s: %d bytes and %v, want all %d", name, len(got), err, len(content))
			}
			if took := time.Since(start); took > patience+time.Second {
				t.Errorf("%s: took %s", name, took)
			}
		})
	}
}

func TestASlowReaderIsNoSlowConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &broken{open: func(_ context.Context, offset int64) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(content[offset:])), nil
		}}
		r, err := (&Source{}).open(context.Background(), b, object{size: int64(len(content))})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for p := make([]byte, 100); err == nil; {
			_, err = r.Read(p)
			<-time.After(time.Minute) // of the bubble
		}
		if err != io.EOF {
			t.Error(err)
		}
		if b.calls != 1 {
			t.Errorf("%d requests, want 1", b.calls)
		}
	})
}
