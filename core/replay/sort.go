package replay

import (
	"bufio"
	"bytes"
	"container/heap"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
)

// sorter takes in items in any order and gives them back in that of their
// bytes. Of more than limit bytes the rest is on disk, in one file that has no
// name any more and goes with the process however it ends. add is safe for
// concurrent use; each comes after the last add.
type sorter struct {
	dir   string // of the file; "" is that of the system
	limit int

	mu    sync.Mutex
	text  []byte
	items []span // of text
	file  *os.File
	runs  []io.Reader // sorted parts of the file
	size  int64
}

type span struct{ from, to int }

func (s *sorter) add(item []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	from := len(s.text)
	s.text = append(s.text, item...)
	s.items = append(s.items, span{from, len(s.text)})
	if len(s.text) < s.limit {
		return nil
	}
	return s.spill()
}

func (s *sorter) sort() {
	slices.SortFunc(s.items, func(a, b span) int { return bytes.Compare(s.at(a), s.at(b)) })
}

func (s *sorter) at(p span) []byte { return s.text[p.from:p.to] }

// spill writes what is in memory as one more run.
func (s *sorter) spill() (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("sorting on disk (in $TMPDIR): %w", err)
		}
	}()
	if s.file == nil {
		if s.file, err = os.CreateTemp(s.dir, "trailship-replay-*"); err != nil {
			return err
		}
		if err := os.Remove(s.file.Name()); err != nil {
			return err
		}
	}
	s.sort()
	w := bufio.NewWriterSize(s.file, 256<<10)
	start := s.size
	var head []byte
	for _, p := range s.items {
		head = binary.AppendUvarint(head[:0], uint64(p.to-p.from))
		w.Write(head)
		w.Write(s.at(p))
		s.size += int64(len(head) + p.to - p.from)
	}
	s.runs = append(s.runs, io.NewSectionReader(s.file, start, s.size-start))
	s.text, s.items = s.text[:0], s.items[:0]
	return w.Flush()
}

// each calls fn with every item in order. The slice is good until fn returns.
func (s *sorter) each(fn func(item []byte) error) error {
	s.sort()
	if len(s.runs) == 0 {
		for _, p := range s.items {
			if err := fn(s.at(p)); err != nil {
				return err
			}
		}
		return nil
	}
	if err := s.spill(); err != nil {
		return err
	}
	return s.merge(fn)
}

func (s *sorter) merge(fn func(item []byte) error) error {
	size := min(max(s.limit/len(s.runs), 4<<10), 256<<10)
	s.text, s.items = nil, nil
	var h cursors
	for _, r := range s.runs {
		c := &cursor{in: bufio.NewReaderSize(r, size)}
		if err := c.next(); err == nil {
			h = append(h, c)
		} else if err != io.EOF {
			return err
		}
	}
	heap.Init(&h)
	for len(h) > 0 {
		if err := fn(h[0].item); err != nil {
			return err
		}
		err := h[0].next()
		switch {
		case err == io.EOF:
			heap.Pop(&h)
		case err != nil:
			return fmt.Errorf("reading back what was sorted: %w", err)
		default:
			heap.Fix(&h, 0)
		}
	}
	return nil
}

// close gives up memory and disk.
func (s *sorter) close() {
	s.text, s.items, s.runs = nil, nil, nil
	if s.file != nil {
		s.file.Close()
	}
}

// cursor stands at an item of a run.
type cursor struct {
	in   *bufio.Reader
	item []byte
}

func (c *cursor) next() error {
	n, err := binary.ReadUvarint(c.in)
	if err != nil {
		return err
	}
	c.item = slices.Grow(c.item[:0], int(n))[:n]
	if _, err := io.ReadFull(c.in, c.item); err != nil {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// cursors is a heap, the smallest item first.
type cursors []*cursor

func (h cursors) Len() int           { return len(h) }
func (h cursors) Less(i, j int) bool { return bytes.Compare(h[i].item, h[j].item) < 0 }
func (h cursors) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *cursors) Push(x any)        { *h = append(*h, x.(*cursor)) }
func (h *cursors) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
