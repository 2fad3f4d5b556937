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

// block inflates one block. It reports whether it was the last of the member.
func (d *Decoder) block() (last bool, err error) {
	head, ok := d.take(3)
	if !ok {
		return false, errTruncated
	}
	last = head&1 != 0
	switch head >> 1 {
	case stored:
		return last, d.stored()
	case fixedBlock:
		return last, d.follow(fixed)
	case dynamicBlock:
		if err := d.readCodes(); err != nil {
			return false, err
		}
		return last, d.follow(&d.codes)
	}
	return false, d.corrupt("unknown kind of block")
}

// follow inflates a block by its codes.
func (d *Decoder) follow(c *codes) error {
	for {
		switch d.fast(c) {
		case atEnd:
			return nil
		case atNoCode:
			return d.corrupt("no such code")
		case atBadDistance:
			return d.corrupt("a distance before the start")
		}
		// Near the end of the input or of the room there is.
		if len(d.src)-d.next < fastInput || d.end+Slack > d.limit {
			return d.careful(c)
		}
		d.grow()
	}
}

// stored copies a block that is not compressed.
func (d *Decoder) stored() error {
	d.align()
	src := d.src[d.next:]
	if len(src) < 4 {
		d.next = len(d.src)
		return errTruncated
	}
	size := int(binary.LittleEndian.Uint16(src))
	d.next += 4
	if size != int(^binary.LittleEndian.Uint16(src[2:])) {
		return d.corrupt("the length of a stored block and its complement disagree")
	}
	src = src[4:]
	have := min(size, len(src), d.limit-d.end)
	if len(d.out)-d.end < have {
		d.room(max(have, d.end))
	}
	copy(d.out[d.end:], src[:have])
	d.end += have
	d.next += have
	switch {
	case have == size:
		return nil
	case have == len(src):
		return errTruncated
	}
	return ErrTooLarge
}

// readCodes reads the codes of a dynamic block (RFC 1951, 3.2.7).
func (d *Decoder) readCodes() error {
	head, ok := d.take(5 + 5 + 4)
	if !ok {
		return errTruncated
	}
	lits, dists, pres := int(head&31)+257, int(head>>5&31)+1, int(head>>10)+4
	if lits > maxLit || dists > maxDist {
		return d.corrupt("too many codes")
	}
	var lens [19]uint8
	for _, sym := range preOrder[:pres] {
		n, ok := d.take(3)
		if !ok {
			return errTruncated
		}
		lens[sym] = uint8(n)
	}
	// The table of the first code is gone before the place is used again.
	pre := d.codes.dist[:1<<preBits]
	if !build(pre, preBits, lens[:], preSymbols[:]) {
		return d.corrupt("impossible lengths of the first code")
	}
	if err := d.readLens(lits+dists, pre); err != nil {
		return err
	}
	if !build(d.codes.lit[:], litBits, d.lens[:lits], litSymbols[:]) ||
		!build(d.codes.dist[:], distBits, d.lens[lits:lits+dists], distSymbols[:]) {
		return d.corrupt("impossible lengths of codes")
	}
	return nil
}

// readLens reads the lengths of the literals' and distances' codes, n in all.
func (d *Decoder) readLens(n int, pre []uint32) error {
	for i := 0; i < n; {
		d.refill()
		e := pre[d.bits&(1<<preBits-1)]
		if e&odd != 0 {
			return d.corrupt("no such code among the lengths")
		}
		used := uint(e & 63)
		sym := e >> valueShift
		extra, least := uint(0), 0
		switch sym {
		case 16:
			extra, least = 2, 3
		case 17:
			extra, least = 3, 3
		case 18:
			extra, least = 7, 11
		}
		if used+extra > d.have {
			return errTruncated
		}
		count := least + int(d.bits>>used&(1<<extra-1))
		d.drop(used + extra)
		if sym < 16 {
			d.lens[i] = uint8(sym)
			i++
			continue
		}
		again := uint8(0)
		if sym == 16 {
			if i == 0 {
				return d.corrupt("nothing to repeat among the lengths")
			}
			again = d.lens[i-1]
		}
		if count > n-i {
			return d.corrupt("more lengths than codes")
		}
		for range count {
			d.lens[i] = again
			i++
		}
	}
	return nil
}

// take uses up n bits, 16 at most.
func (d *Decoder) take(n uint) (v uint, ok bool) {
	if d.have < n {
		if d.refill(); d.have < n {
			return 0, false
		}
	}
	v = uint(d.bits & (1<<n - 1))
	d.drop(n)
	return v, true
}

func (d *Decoder) drop(n uint) {
	d.bits >>= n & 63
	d.have -= n
}

// refill makes at least 56 bits available, or all there are.
func (d *Decoder) refill() {
	if len(d.src)-d.next >= 8 {
		n := (63 - d.have) >> 3
		d.bits |= binary.LittleEndian.Uint64(d.src[d.next:]) << (d.have & 63)
		d.next += int(n)
		d.have += n * 8
		d.bits &= 1<<(d.have&63) - 1
		return
	}
	for d.have <= 56 && d.next < len(d.src) {
		d.bits |= uint64(d.src[d.next]) << (d.have & 63)
		d.have += 8
		d.next++
	}
}

// align drops the rest of a byte and gives whole bytes back.
func (d *Decoder) align() {
	d.next -= int(d.have / 8)
	d.bits, d.have = 0, 0
}
