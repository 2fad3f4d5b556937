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
// whether there is input and room. It is one long function with its steps
// written out, because functions for them, though inlined, cost up to 5 %.
//
// b is the bit buffer, n how many of its bits count. It is filled by eight bytes
// at once, of which as many whole ones are taken as fit; bits above n are those
// that follow in the input, so taking them again does no harm. n is only ever
// used modulo 64: what is above its lowest six bits is what the other fields of
// the entries left there when they were subtracted with the count of bits.
func (r *Reader) fast(c *codes) stop {
	room := min(len(r.out), r.limit)
	if len(r.src)-r.next < fastInput || room-r.end < slack {
		return atMargin
	}
	in, next, lastIn := r.input, uint(r.next), uint(len(r.src)-fastInput)
	out, end := r.out[r.start:room], r.end-r.start
	lastOut := len(out) - slack
	b, n := r.bits, r.have
	b |= binary.LittleEndian.Uint64(in[next%inputSize:]) << (n & 63)
	next += ^n >> 3 & 7
	n |= 56
	e := uint(c.lit[b&(1<<litBits-1)])
	why := atMargin
loop:
	for next <= lastIn && end <= lastOut {
		// Here n is 56 or more, and e is the entry of the first bits: it is always
		// fetched before more bits are, so as not to wait for them. Two entries of
		// literals and the longest code of a length take 42 bits, three entries 33.
		if e&literal != 0 {
			b >>= e & 63
			n -= e
			binary.LittleEndian.PutUint16(out[end:], uint16(e>>valueShift))
			end += 1 + int(e>>pairShift&1)
			e = uint(c.lit[b&(1<<litBits-1)])
			if e&literal != 0 {
				b >>= e & 63
				n -= e
				binary.LittleEndian.PutUint16(out[end:], uint16(e>>valueShift))
				end += 1 + int(e>>pairShift&1)
				e = uint(c.lit[b&(1<<litBits-1)])
				if e&literal != 0 {
					b >>= e & 63
					n -= e
					binary.LittleEndian.PutUint16(out[end:], uint16(e>>valueShift))
					end += 1 + int(e>>pairShift&1)
					e = uint(c.lit[b&(1<<litBits-1)])
					b |= binary.LittleEndian.Uint64(in[next%inputSize:]) << (n & 63)
					next += ^n >> 3 & 7
					n |= 56
					continue
				}
			}
		}
		if e&odd != 0 {
			if e&second != 0 {
				b >>= litBits
				n -= litBits
				e = uint(c.lit[(uint64(e>>valueShift)+b&(1<<(e>>codeShift&15)-1))%uint64(len(c.lit))])
			}
			if e&literal != 0 {
				b >>= e & 63
				n -= e
				binary.LittleEndian.PutUint16(out[end:], uint16(e>>valueShift))
				end += 1 + int(e>>pairShift&1)
				e = uint(c.lit[b&(1<<litBits-1)])
				b |= binary.LittleEndian.Uint64(in[next%inputSize:]) << (n & 63)
				next += ^n >> 3 & 7
				n |= 56
				continue
			}
			if e&odd != 0 {
				why = atNoCode
				if e&endBlock != 0 {
					why = atEnd
					b >>= e & 63
					n -= e
				}
				break loop
			}
		}
		length := int(e>>valueShift) + int(b&(1<<(e&63)-1)>>(e>>codeShift&15))
		b >>= e & 63
		n -= e

		// A distance takes up to 28 bits, its entry is in what is left.
		e = uint(c.dist[b&(1<<distBits-1)])
		b |= binary.LittleEndian.Uint64(in[next%inputSize:]) << (n & 63)
		next += ^n >> 3 & 7
		n |= 56
		if e&odd != 0 {
			if e&second == 0 {
				why = atNoCode
				break
			}
			b >>= distBits
			n -= distBits
			e = uint(c.dist[(uint64(e>>valueShift)+b&(1<<(e>>codeShift&15)-1))%uint64(len(c.dist))])
		}
		dist := int(e>>valueShift) + int(b&(1<<(e&63)-1)>>(e>>codeShift&15))
		b >>= e & 63
		n -= e
		from := end - dist
		if from < 0 {
			why = atBadDistance
			break
		}

		// The match is copied after the next entry is fetched: neither waits for
		// the other.
		e = uint(c.lit[b&(1<<litBits-1)])
		b |= binary.LittleEndian.Uint64(in[next%inputSize:]) << (n & 63)
		next += ^n >> 3 & 7
		n |= 56

		// Words are copied whole, beyond the end of the match too. A word must be
		// written before it is read: what is near is copied by smaller ones.
		stop := end + length
		switch {
		case dist >= 16:
			if length > 64 && dist >= length {
				copy(out[end:stop], out[from:])
				break
			}
			for {
				to, of := (*[32]byte)(out[end:]), (*[32]byte)(out[from:])
				*(*[16]byte)(to[:16]) = *(*[16]byte)(of[:16])
				*(*[16]byte)(to[16:]) = *(*[16]byte)(of[16:])
				end += 32
				from += 32
				if end >= stop {
					break
				}
			}
		case dist >= 8:
			for {
				*(*[8]byte)(out[end:]) = *(*[8]byte)(out[from:])
				end += 8
				from += 8
				if end >= stop {
					break
				}
			}
		default:
			for end < stop {
				out[end] = out[from]
				end++
				from++
			}
		}
		end = stop
	}
	n &= 63
	r.bits, r.have = b&(1<<n-1), n
	r.next = int(next)
	r.end = r.start + end
	return why
}
