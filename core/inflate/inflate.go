// Package inflate uncompresses gzip, in pure Go and without unsafe: what a
// stranger's bytes can do is fail. It writes where the caller wants to read,
// takes input eight bytes at a time and looks nothing up twice, which makes it
// about twice as fast as a library.
//
// inflate.go is the way through an object, member.go reads a member's header
// and trailer, block.go its blocks, table.go makes the tables of a block's
// codes, fast.go and careful.go are the two loops that follow them.
package inflate

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// ErrTooLarge is the answer to an object that inflates to more than its limit.
var ErrTooLarge = errors.New("the object inflates to more than its limit")

// Corrupt says that an object is no gzip, or no intact one.
type Corrupt struct {
	Offset int64  // in the compressed object, of a byte at or shortly behind the damage
	Detail string // what is wrong there
}

func (c *Corrupt) Error() string {
	return fmt.Sprintf("corrupt gzip data before byte %d: %s", c.Offset, c.Detail)
}

const (
	// Window is how far back what is inflated may refer to what was before.
	Window = 32 << 10
	// Room is the least there must be for Inflate to write to.
	Room = 2 * slack

	slack     = 512      // bytes of room in which the fast loop does not start
	inputSize = 64 << 10 // of the input held
	maxInt    = int(^uint(0) >> 1)
)

// Reader inflates one object after another, each one or more members of gzip.
// Reset begins with one. It belongs to one goroutine, and allocates nothing
// after the first Reset.
type Reader struct {
	from  io.Reader
	ended error // of from
	input *[inputSize + 8]byte
	src   []byte // the part of input that is filled, inputSize at most
	next  int    // the first byte of src that is not in bits
	taken int64  // bytes of the object before src
	bits  uint64 // read and not used, the lowest first; above have there are zeros
	have  uint   // how many of bits count

	state  state
	err    error // the end
	last   bool  // the block is the member's last
	block  *codes
	left   int   // bytes of the stored block to come
	budget int64 // bytes the object may still inflate to

	out   []byte // as far as it may be written
	end   int    // of what is inflated
	start int    // of what the member may refer to
	limit int    // length out may reach
	sum   uint32 // CRC-32 of the member's output
	size  int64  // its length
	done  int    // where in out sum and size end

	lens  [maxLit + maxDist]uint8
	codes codes
}

// state is where in an object a Reader stands.
type state uint8

const (
	atHeader state = iota
	atBlock
	inStored
	inCodes
	atTrailer
)

// Reset makes r inflate the object src, as far as limit bytes.
func (r *Reader) Reset(src io.Reader, limit int64) {
	if r.input == nil {
		r.input = new([inputSize + 8]byte)
	}
	r.from, r.ended, r.src, r.next, r.taken, r.bits, r.have = src, nil, nil, 0, 0, 0, 0
	r.state, r.err, r.budget, r.size = atHeader, nil, max(limit, 0), 0
}

// Inflate writes what comes next to buf[at:], where there is room for [Room]
// bytes or more, and returns how much. It may write anywhere in buf[at:], and
// reads in buf[:at], which must end with the last [Window] bytes it wrote
// before, or all of them.
//
// The error is io.EOF at the end of an intact object, io.ErrUnexpectedEOF when
// it ends too early, [ErrTooLarge] when it inflates to more than the limit,
// [*Corrupt] when it is damaged, and otherwise the source's own. It comes with
// the last bytes before it, exactly the limit for ErrTooLarge, and then again
// and again. As in the standard library, bytes behind the last member that begin
// no member are an error.
func (r *Reader) Inflate(buf []byte, at int) (int, error) {
	r.out, r.end, r.done = buf, at, at
	r.start = at - int(min(r.size, int64(at)))
	r.limit = at + int(min(r.budget, int64(maxInt-at)))
	for full := false; r.err == nil && !full; {
		full, r.err = r.step()
	}
	r.settle()
	r.out = nil
	r.budget -= int64(r.end - at)
	return r.end - at, r.err
}

// step goes on as far as the next state. full says that there is no room left.
func (r *Reader) step() (full bool, err error) {
	switch r.state {
	case atHeader:
		if err := r.header(); err != nil {
			return false, err
		}
		r.start, r.done, r.sum, r.size = r.end, r.end, 0, 0
		r.state = atBlock
	case atBlock:
		return false, r.begin()
	case inStored:
		if full, err = r.stored(); full || err != nil {
			return full, err
		}
		r.over()
	case inCodes:
		if full, err = r.follow(r.block); full || err != nil {
			return full, err
		}
		r.over()
	case atTrailer:
		if err := r.trailer(); err != nil {
			return false, err
		}
		r.state = atHeader
		if !r.want(1) {
			return false, r.ended
		}
	}
	return false, nil
}

// over ends a block.
func (r *Reader) over() {
	if r.state = atBlock; r.last {
		r.state = atTrailer
	}
}

// settle takes what was inflated into the member's checksum and length.
func (r *Reader) settle() {
	r.sum = crc32.Update(r.sum, crc32.IEEETable, r.out[r.done:r.end])
	r.size += int64(r.end - r.done)
	r.done = r.end
}

// fill reads more input and reports whether there is any. What bits hold stays
// in front of it, to be given back.
func (r *Reader) fill() bool {
	keep := max(r.next-8, 0)
	n := copy(r.input[:], r.src[keep:])
	r.taken += int64(keep)
	r.next -= keep
	r.src = r.input[:n]
	for idle := 0; r.ended == nil; idle++ {
		m, err := r.from.Read(r.input[n:inputSize])
		r.ended = err
		if idle == 100 && err == nil {
			r.ended = io.ErrNoProgress
		}
		if m > 0 {
			r.src = r.input[:n+m]
			return true
		}
	}
	return false
}

// want reports whether there are n more bytes of input, and has them in src.
func (r *Reader) want(n int) bool {
	for len(r.src)-r.next < n {
		if !r.fill() {
			return false
		}
	}
	return true
}

// bytes uses up n bytes of input, good until the next look at it.
func (r *Reader) bytes(n int) ([]byte, bool) {
	if !r.want(n) {
		return nil, false
	}
	r.next += n
	return r.src[r.next-n : r.next], true
}

// short is the error of an object that ends here.
func (r *Reader) short() error {
	if r.ended == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return r.ended
}

func (r *Reader) corrupt(detail string) error {
	return &Corrupt{Offset: r.taken + int64(r.next) - int64(r.have/8), Detail: detail}
}
