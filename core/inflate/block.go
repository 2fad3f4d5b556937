package inflate

import "encoding/binary"

// Kinds of blocks (RFC 1951, 3.2.3).
const (
	stored = iota
	fixedBlock
	dynamicBlock
)

// preOrder is the order in which the lengths of the first code come.
var preOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// begin reads the head of a block.
func (r *Reader) begin() error {
	head, ok := r.take(3)
	if !ok {
		return r.short()
	}
	r.last = head&1 != 0
	r.state = inCodes
	switch head >> 1 {
	case stored:
		r.state = inStored
		return r.beginStored()
	case fixedBlock:
		r.block = fixed
		return nil
	case dynamicBlock:
		r.block = &r.codes
		return r.readCodes()
	}
	return r.corrupt("unknown kind of block")
}

// follow inflates a block by its codes, to its end or until the room is full.
func (r *Reader) follow(c *codes) (full bool, err error) {
	for {
		switch r.fast(c) {
		case atEnd:
			return false, nil
		case atNoCode:
			return false, r.corrupt("no such code")
		case atBadDistance:
			return false, r.corrupt("a distance before the start")
		}
		switch {
		case r.full():
			return true, nil
		case r.limit-r.end >= slack && len(r.src)-r.next < fastInput && r.fill():
			continue
		}
		return r.careful(c) // near the end of the input, or of what is allowed
	}
}

// full says that the caller should come with more room.
func (r *Reader) full() bool { return len(r.out)-r.end < slack && r.limit > len(r.out) }

// beginStored reads the length of a block that is not compressed.
func (r *Reader) beginStored() error {
	r.align()
	head, ok := r.bytes(4)
	if !ok {
		r.next = len(r.src)
		return r.short()
	}
	r.left = int(binary.LittleEndian.Uint16(head))
	if r.left != int(^binary.LittleEndian.Uint16(head[2:])) {
		return r.corrupt("the length of a stored block and its complement disagree")
	}
	return nil
}

// stored copies a block that is not compressed.
func (r *Reader) stored() (full bool, err error) {
	for r.left > 0 {
		switch {
		case r.end == len(r.out) && r.end < r.limit:
			return true, nil
		case !r.want(1):
			return false, r.short()
		case r.end == r.limit:
			return false, ErrTooLarge
		}
		n := copy(r.out[r.end:min(len(r.out), r.limit)], r.src[r.next:min(len(r.src), r.next+r.left)])
		r.end += n
		r.next += n
		r.left -= n
	}
	return false, nil
}

// readCodes reads the codes of a dynamic block (RFC 1951, 3.2.7).
func (r *Reader) readCodes() error {
	head, ok := r.take(5 + 5 + 4)
	if !ok {
		return r.short()
	}
	lits, dists, pres := int(head&31)+257, int(head>>5&31)+1, int(head>>10)+4
	if lits > maxLit || dists > maxDist {
		return r.corrupt("too many codes")
	}
	var lens [19]uint8
	for _, sym := range preOrder[:pres] {
		n, ok := r.take(3)
		if !ok {
			return r.short()
		}
		lens[sym] = uint8(n)
	}
	// The table of the first code is gone before the place is used again.
	pre := r.codes.dist[:1<<preBits]
	if !build(pre, preBits, lens[:], preSymbols[:]) {
		return r.corrupt("impossible lengths of the first code")
	}
	if err := r.readLens(lits+dists, pre); err != nil {
		return err
	}
	if !build(r.codes.lit[:], litBits, r.lens[:lits], litSymbols[:]) ||
		!build(r.codes.dist[:], distBits, r.lens[lits:lits+dists], distSymbols[:]) {
		return r.corrupt("impossible lengths of codes")
	}
	return nil
}

// readLens reads the lengths of the literals' and distances' codes, n in all.
func (r *Reader) readLens(n int, pre []uint32) error {
	for i := 0; i < n; {
		if r.have < preBits+7 {
			r.refill()
		}
		e := pre[r.bits&(1<<preBits-1)]
		if e&odd != 0 {
			return r.corrupt("no such code among the lengths")
		}
		used, sym := uint(e&63), e>>valueShift
		extra, least, again := uint(0), 1, uint8(sym)
		switch {
		case sym == 16:
			extra, least, again = 2, 3, r.lens[max(i-1, 0)]
		case sym == 17:
			extra, least, again = 3, 3, 0
		case sym == 18:
			extra, least, again = 7, 11, 0
		}
		if used+extra > r.have {
			return r.short()
		}
		count := least + int(r.bits>>used&(1<<extra-1))
		r.drop(used + extra)
		switch {
		case sym == 16 && i == 0:
			return r.corrupt("nothing to repeat among the lengths")
		case count > n-i:
			return r.corrupt("more lengths than codes")
		}
		for range count {
			r.lens[i] = again
			i++
		}
	}
	return nil
}

// take uses up n bits, 16 at most.
func (r *Reader) take(n uint) (v uint, ok bool) {
	if r.have < n {
		if r.refill(); r.have < n {
			return 0, false
		}
	}
	v = uint(r.bits & (1<<n - 1))
	r.drop(n)
	return v, true
}

func (r *Reader) drop(n uint) {
	r.bits >>= n & 63
	r.have -= n
}

// refill makes at least 56 bits available, or all there are.
func (r *Reader) refill() {
	if r.want(8) {
		n := (63 - r.have) >> 3
		r.bits |= binary.LittleEndian.Uint64(r.src[r.next:]) << (r.have & 63)
		r.next += int(n)
		r.have += n * 8
		r.bits &= 1<<(r.have&63) - 1
		return
	}
	for r.have <= 56 && r.next < len(r.src) {
		r.bits |= uint64(r.src[r.next]) << (r.have & 63)
		r.have += 8
		r.next++
	}
}

// align drops the rest of a byte and gives whole bytes back.
func (r *Reader) align() {
	r.next -= int(r.have / 8)
	r.bits, r.have = 0, 0
}
