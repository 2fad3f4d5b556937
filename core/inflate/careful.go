package inflate

// careful inflates the rest of a block symbol by symbol, and looks before each
// step whether there is input for it and room.
func (d *Decoder) careful(c *codes) error {
	for {
		e, err := d.symbol(c.lit[:], litBits)
		switch {
		case err != nil:
			return err
		case e&literal != 0:
			if d.end == d.limit {
				return ErrTooLarge
			}
			if d.end == len(d.out) {
				d.grow()
			}
			d.out[d.end] = byte(e >> valueShift)
			d.end++
			continue
		case e&endBlock != 0:
			return nil
		}
		dist, err := d.symbol(c.dist[:], distBits)
		if err == nil {
			err = d.match(int(e>>valueShift), int(dist>>valueShift))
		}
		if err != nil {
			return err
		}
	}
}

// symbol looks up the next code and uses it up. The value of the entry it
// returns includes the extra bits.
func (d *Decoder) symbol(table []uint32, primary uint) (uint32, error) {
	d.refill()
	e := table[d.bits&(1<<primary-1)]
	if e&second != 0 {
		size := e >> codeShift & 15
		at := uint64(e >> valueShift)
		e = table[at+d.bits>>primary&(1<<size-1)]
		if d.have < primary+uint(e&63) {
			return 0, errTruncated
		}
		d.drop(primary)
	}
	if e&(odd|endBlock) == odd {
		return 0, d.corrupt("no such code")
	}
	used, code := uint(e&63), uint(e>>codeShift&15)
	if d.have < used {
		return 0, errTruncated
	}
	e += uint32(d.bits>>code&(1<<(used-code)-1)) << valueShift
	d.drop(used)
	return e, nil
}

// match repeats length bytes of the output from dist bytes ago.
func (d *Decoder) match(length, dist int) error {
	if dist > d.end-d.start {
		return d.corrupt("a distance before the start")
	}
	n := min(length, d.limit-d.end)
	if len(d.out)-d.end < n {
		d.grow()
	}
	repeat(d.out[d.end-dist:d.end+n], dist)
	d.end += n
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
