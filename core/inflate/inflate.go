// Package inflate uncompresses gzip objects that are in memory as a whole, in
// pure Go. Having all input and room for all output lets it take eight bytes at
// a time and look nothing up twice: about twice the speed of a streaming
// library. Without unsafe: what a stranger's bytes can do is fail.
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
	"math"
)

// ErrTooLarge is the answer to an object that inflates to more than its limit.
var ErrTooLarge = errors.New("the object inflates to more than its limit")

// errTruncated is the answer to an object that ends too early, the standard
// library's so that callers treat both alike.
var errTruncated = io.ErrUnexpectedEOF

// Corrupt says that an object is no gzip, or no intact one.
type Corrupt struct {
	Offset int    // in the compressed object, of a byte at or shortly behind the damage
	Detail string // what is wrong there
}

func (c *Corrupt) Error() string {
	return fmt.Sprintf("corrupt gzip data before byte %d: %s", c.Offset, c.Detail)
}

// Decoder inflates one object after another. The zero value is ready. It
// belongs to one goroutine, and allocates nothing but room for output.
type Decoder struct {
	src  []byte
	next int    // the first byte of src that is not in bits
	bits uint64 // read and not used, the lowest first; above have there are zeros
	have uint   // how many of bits count

	out   []byte // as far as it may be written
	end   int    // of what is inflated
	start int    // of the member's output: matches do not reach behind it
	sum   uint32 // CRC-32 of out[start:summed]
	done  int    // what of out is in sum
	limit int    // length out may reach

	lens  [maxLit + maxDist]uint8
	codes codes
}

// Gzip appends to dst what src, one or more gzip members, inflates to, and
// returns the extended slice. It may write anywhere between dst's length and
// its capacity; dst with room for all of it and [Slack] more bytes is not
// reallocated.
//
// The error is io.ErrUnexpectedEOF when src ends too early, [ErrTooLarge] when
// it inflates to more than limit bytes, and [*Corrupt] otherwise. What was
// inflated before is returned with it: exactly limit bytes for ErrTooLarge. Only
// a nil error says that checksums and lengths were right. As in the standard
// library, bytes behind the last member that begin no member are an error.
func (d *Decoder) Gzip(dst, src []byte, limit int) ([]byte, error) {
	d.src, d.next, d.bits, d.have = src, 0, 0, 0
	d.out, d.end = dst[:cap(dst)], len(dst)
	d.limit = len(dst) + max(limit, 0)
	if d.limit < 0 {
		d.limit = math.MaxInt
	}
	d.room(min(Size(src), soonRatio*len(src)))
	err := d.member()
	for err == nil && d.next < len(src) {
		err = d.member()
	}
	out := d.out[:d.end]
	d.src, d.out = nil, nil
	return out, err
}

// member inflates one member.
func (d *Decoder) member() error {
	if err := d.header(); err != nil {
		return err
	}
	d.start, d.done, d.sum = d.end, d.end, 0
	for last := false; !last; {
		var err error
		if last, err = d.block(); err != nil {
			return err
		}
		// Block by block, what is summed up is still in the processor's cache.
		d.sum = crc32.Update(d.sum, crc32.IEEETable, d.out[d.done:d.end])
		d.done = d.end
	}
	return d.trailer()
}

const (
	// Slack is how many bytes more than the output the fast loop needs. It writes
	// two literals, a match of 258 bytes and up to 31 behind it before it looks
	// again.
	Slack = 320

	maxRatio  = 1032 // two bits of input make 258 bytes at most
	soonRatio = 32   // trails have less; room for more is made when it is needed
	leastRoom = 4 << 10
)

// room sees to it that n more bytes, or as many as the limit leaves, can be
// written.
func (d *Decoder) room(n int) {
	n = min(n, d.limit-d.end)
	if n += Slack; len(d.out)-d.end >= n {
		return
	}
	out := make([]byte, d.end+n)
	copy(out, d.out[:d.end])
	d.out = out
}

// grow doubles the room when there is more output than the size said.
func (d *Decoder) grow() { d.room(max(d.end, leastRoom)) }

func (d *Decoder) corrupt(detail string) error {
	return &Corrupt{Offset: d.next - int(d.have/8), Detail: detail}
}
