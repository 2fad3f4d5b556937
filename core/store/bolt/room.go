package bolt

// room is memory for the values of one transaction: bbolt holds what was put
// until the commit, and nobody after it. So the next transaction may have it.
// The zero room is empty.
type room struct {
	chunks [][]byte // all of roomChunk bytes
	at     int      // the chunk in use
	used   int      // of it
}

const (
	roomChunk = bundleBytes
	roomKept  = 8 // chunks that are kept between transactions
)

// take returns an empty slice with room for n bytes, good until the next reset.
// What is larger than a chunk gets memory of its own.
func (r *room) take(n int) []byte {
	if n > roomChunk {
		return make([]byte, 0, n)
	}
	if r.used+n > roomChunk {
		r.at, r.used = r.at+1, 0
	}
	if r.at == len(r.chunks) {
		r.chunks = append(r.chunks, make([]byte, roomChunk))
	}
	b := r.chunks[r.at][r.used : r.used : r.used+n]
	r.used += n
	return b
}

// reset takes everything back.
func (r *room) reset() {
	if len(r.chunks) > roomKept {
		r.chunks = r.chunks[:roomKept:roomKept]
	}
	r.at, r.used = 0, 0
}
