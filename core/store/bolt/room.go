package bolt

import "sync"

// room is memory for the values of one transaction: bbolt holds what was put
// until the commit, and nobody after it. So another transaction may have it.
// The zero room is empty.
type room struct {
	chunks []*[roomChunk]byte
	used   int // of the last one
}

const roomChunk = 256 << 10

var roomChunks = sync.Pool{New: func() any { return new([roomChunk]byte) }}

// take returns an empty slice with room for n bytes, good until the next reset.
// What is larger than a chunk gets memory of its own.
func (r *room) take(n int) []byte {
	if n > roomChunk {
		return make([]byte, 0, n)
	}
	if len(r.chunks) == 0 || r.used+n > roomChunk {
		r.chunks, r.used = append(r.chunks, roomChunks.Get().(*[roomChunk]byte)), 0
	}
	b := r.chunks[len(r.chunks)-1][r.used : r.used : r.used+n]
	r.used += n
	return b
}

// reset takes everything back.
func (r *room) reset() {
	for _, chunk := range r.chunks {
		roomChunks.Put(chunk)
	}
	clear(r.chunks)
	r.chunks, r.used = r.chunks[:0], 0
}
