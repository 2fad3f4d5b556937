package ingest

import (
	"sync"
	"sync/atomic"
)

const (
	// chunkBytes is how much memory for payloads of alerts is taken at a time.
	chunkBytes = 256 << 10
	// chunkRest is how much must be left of it for another alert.
	chunkRest = 8 << 10
)

// chunk is memory for payloads of alerts. The reader that fills it holds it,
// and each piece with an alert in it; it is used again when nobody does.
type chunk struct {
	b       []byte
	holders atomic.Int32
}

var chunks = sync.Pool{New: func() any { return &chunk{b: make([]byte, 0, chunkBytes)} }}

func (c *chunk) drop() {
	if c.holders.Add(-1) == 0 {
		c.b = c.b[:0]
		chunks.Put(c)
	}
}

// space returns where to put the payloads of the next alert of a piece, which
// holds them until it is freed.
func (r *reader) space(p *piece) *[]byte {
	if r.chunk != nil && cap(r.chunk.b)-len(r.chunk.b) < chunkRest {
		r.chunk.drop()
		r.chunk = nil
	}
	if r.chunk == nil {
		r.chunk = chunks.Get().(*chunk)
		r.chunk.holders.Add(1)
	}
	if n := len(p.chunks); n == 0 || p.chunks[n-1] != r.chunk {
		r.chunk.holders.Add(1)
		p.chunks = append(p.chunks, r.chunk)
	}
	return &r.chunk.b
}

// free gives up the payloads of a piece.
func (p *piece) free() {
	p.alerts = nil
	for _, c := range p.chunks {
		c.drop()
	}
	p.chunks = nil
}

// encode runs an appender over the rest of space, and returns what it appended:
// in space, or by itself if it is too much.
func encode(space *[]byte, appendTo func([]byte) []byte) []byte {
	rest := (*space)[len(*space):]
	out := appendTo(rest)
	if cap(out) == cap(rest) {
		*space = (*space)[:len(*space)+len(out)]
	}
	return out[:len(out):len(out)]
}
