package inflate

// careful inflates the rest of a block symbol by symbol, and looks before each
// step whether there is input for it and room.
func (r *Reader) careful(c *codes) (full bool, err error) {
	for !r.full() {
		e, err := r.symbol(c.lit[:], litBits)
		switch {
		case err != nil:
			return false, err
		case e&literal != 0:
			if r.end == r.limit {
				return false, ErrTooLarge
			}
			r.out[r.end] = byte(e >> valueShift)
			r.end++
			continue
		case e&endBlock != 0:
			return false, nil
		}
		dist, err := r.symbol(c.dist[:], distBits)
		if err == nil {
			err = r.match(int(e>>valueShift), int(dist>>valueShift))
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

// symbol looks up the next code and uses it up. The value of the entry it
// returns includes the extra bits; of two literals the first counts.
func (r *Reader) symbol(table []uint32, primary uint) (uint32, error) {
	r.refill()
	e := table[r.bits&(1<<primary-1)]
	if e&second != 0 {
		size := e >> codeShift & 15
		at := uint64(e >> valueShift)
		e = table[at+r.bits>>primary&(1<<size-1)]
		if r.have < primary+uint(e&63) {
			return 0, r.short()
		}
		r.drop(primary)
	}
	if e&(odd|endBlock) == odd {
		return 0, r.corrupt("no such code")
	}
	used, code := uint(e&63), uint(e>>codeShift&15)
	if e&pair != 0 {
		used = code
	}
	if r.have < used {
		return 0, r.short()
	}
	e += uint32(r.bits>>code&(1<<(used-code)-1)) << valueShift
	r.drop(used)
	return e, nil
}

// match repeats length bytes of the output from dist bytes ago.
func (r *Reader) match(length, dist int) error {
	if dist > r.end-r.start {
		return r.corrupt("a distance before the start")
	}
	n := min(length, r.limit-r.end)
	repeat(r.out[r.end-dist:r.end+n], dist)
	r.end += n
	if n < length {
		return ErrTooLarge
	}
	return nil
}

// repeat writes the first n bytes of p again and again over all of p.
func repeat(p []byte, n int) {
	for n < len(p) {
		n += copy(p[n:], p[:n])
	}
}
