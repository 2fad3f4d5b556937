package inflate

import "encoding/binary"

// Where the fast loop stopped.
type stop int

const (
	atMargin      stop = iota // near the end of the input or of the room
	atEnd                     // behind the end of the block
	atNoCode                  // at bits that are no code
	atBadDistance             // at a match from before the member
)

// fastInput is how much input a round of the fast loop may look at: it takes up
// to 7 bytes out of 8, twice.
const fastInput = 16

// fast inflates as much of a block as it can without looking at every step
// whether there is input and room. It is one long function so that the state
// stays in registers. Bits of n above the lowest six are noise: only n modulo 64
// is ever used, which saves masking what is subtracted. Bits of b above n are
// those of in, so taking in a byte twice does no harm.
func (d *Decoder) fast(c *codes) stop {
	room := min(len(d.out), d.limit)
	if len(d.src)-d.next < fastInput || room-d.end < Slack {
		return atMargin
	}
	in, out, end := d.src[d.next:], d.out[d.start:room], d.end-d.start
	b, n, in := more(d.bits, d.have, in)
	why, e := atMargin, c.lit[b&(1<<litBits-1)]
	for len(in) >= fastInput && end <= len(out)-Slack {
		// Here are at least 56 bits, and e is the entry of the first ones. Up to
		// two literals and the longest code of a length take 42 of them.
		if e&literal != 0 {
			b, n = b>>(e&63), n-uint(e)
			out[end] = byte(e >> valueShift)
			end++
			e = c.lit[b&(1<<litBits-1)]
			if e&literal != 0 {
				b, n = b>>(e&63), n-uint(e)
				out[end] = byte(e >> valueShift)
				end++
				e = c.lit[b&(1<<litBits-1)]
				if e&literal != 0 {
					b, n = b>>(e&63), n-uint(e)
					out[end] = byte(e >> valueShift)
					end++
					b, n, in = more(b, n, in)
					e = c.lit[b&(1<<litBits-1)]
					continue
				}
			}
		}
		if e&odd != 0 {
			if e&second != 0 {
				b, n = b>>litBits, n-litBits
				e = c.lit[(uint64(e>>valueShift)+b&(1<<(e>>codeShift&15)-1))%uint64(len(c.lit))]
			}
			if e&literal != 0 {
				b, n = b>>(e&63), n-uint(e)
				out[end] = byte(e >> valueShift)
				end++
				b, n, in = more(b, n, in)
				e = c.lit[b&(1<<litBits-1)]
				continue
			}
			if e&endBlock != 0 {
				b, n = b>>(e&63), n-uint(e)
				why = atEnd
				break
			}
			if e&odd != 0 {
				why = atNoCode
				break
			}
		}
		length := int(e>>valueShift) + int(b&(1<<(e&63)-1)>>(e>>codeShift&15))
		b, n = b>>(e&63), n-uint(e)

		// A distance has up to 28 bits.
		e = c.dist[b&(1<<distBits-1)]
		if n&63 < 28 {
			b, n, in = more(b, n, in)
		}
		if e&second != 0 {
			b, n = b>>distBits, n-distBits
			e = c.dist[(uint64(e>>valueShift)+b&(1<<(e>>codeShift&15)-1))%uint64(len(c.dist))]
		}
		if e&odd != 0 {
			why = atNoCode
			break
		}
		dist := int(e>>valueShift) + int(b&(1<<(e&63)-1)>>(e>>codeShift&15))
		b, n = b>>(e&63), n-uint(e)
		from := end - dist
		if from < 0 {
			why = atBadDistance
			break
		}

		// Load the next entry before the match is copied: they do not wait for
		// each other.
		b, n, in = more(b, n, in)
		e = c.lit[b&(1<<litBits-1)]

		// Whole words are copied, beyond the end of the match too. A word must
		// have been written before it is read, so the nearer, the shorter.
		stop := end + length
		switch {
		case dist >= length && length > 64:
			copy(out[end:stop], out[from:])
		case dist >= 16:
			for ; end < stop; end, from = end+32, from+32 {
				to, of := (*[32]byte)(out[end:]), (*[32]byte)(out[from:])
				*(*[16]byte)(to[:16]) = *(*[16]byte)(of[:16])
				*(*[16]byte)(to[16:]) = *(*[16]byte)(of[16:])
			}
		case dist >= 8:
			for ; end < stop; end, from = end+8, from+8 {
				*(*[8]byte)(out[end:]) = *(*[8]byte)(out[from:])
			}
		default:
			repeat(out[from:stop], dist)
		}
		end = stop
	}
	n &= 63
	d.bits, d.have = b&(1<<n-1), n
	d.next = len(d.src) - len(in)
	d.end = d.start + end
	return why
}

// more fills the bits b, of which n count, up to at least 56, and returns what
// is left of in.
func more(b uint64, n uint, in []byte) (uint64, uint, []byte) {
	return b | binary.LittleEndian.Uint64(in)<<(n&63), n | 56, in[(63-n)>>3&7:]
}

// repeat writes the first n bytes of p again and again over all of p.
func repeat(p []byte, n int) {
	for n < len(p) {
		n += copy(p[n:], p[:n])
	}
}
