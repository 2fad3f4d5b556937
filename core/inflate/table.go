package inflate

import "math/bits"

// A table answers the next bits of the stream with an entry, at once for codes
// of up to its primary bits and over a second table for longer ones:
//
//	bits 16-31  the literal (of two the first is the lower byte), the base of a
//	            length or distance, or where in the table the second table starts
//	bit  15     a literal
//	bit  14     out of the ordinary: one of the next two, or no code at all
//	bit  13     the code goes on in a second table
//	bit  12     the end of the block
//	bits 8-11   bits of the (first) code, without extra bits; or bits of the
//	            second table
//	bit  6      two literals
//	bits 0-5    bits of the code and its extra bits, or of both literals' codes:
//	            what to take from the stream
//
// Bits of a code count from the table it is looked up in.
const (
	literal  = 1 << 15
	odd      = 1 << 14
	second   = 1 << 13
	endBlock = 1 << 12
	pair     = 1 << pairShift

	valueShift = 16
	codeShift  = 8
	pairShift  = 6
	perBit     = 1<<codeShift | 1 // one bit more, in both counts
)

const (
	maxCode  = 15 // bits of a code
	maxLit   = 286
	maxDist  = 30
	litBits  = 11
	distBits = 8
	preBits  = 7
)

// codes are the tables of one block. Their lengths are powers of two above what
// the worst code needs (2342 and 402 entries), so that a mask proves an index.
type codes struct {
	lit  [4096]uint32
	dist [512]uint32
}

// fixed are the codes of blocks without codes of their own (RFC 1951, 3.2.6).
var fixed = fixedCodes()

func fixedCodes() *codes {
	var lens [288]uint8
	for i := range lens {
		switch {
		case i < 144:
			lens[i] = 8
		case i < 256:
			lens[i] = 9
		case i < 280:
			lens[i] = 7
		default:
			lens[i] = 8
		}
	}
	c := new(codes)
	build(c.lit[:], litBits, lens[:], litSymbols[:])
	for i := range 32 {
		lens[i] = 5
	}
	build(c.dist[:], distBits, lens[:32], distSymbols[:])
	return c
}

// What the symbols mean (RFC 1951, 3.2.5), as entries without the code's bits.
// The last two of each exist in fixed codes only and may not be used.
var (
	litSymbols  = litMeanings()
	distSymbols = distMeanings()
	preSymbols  = preMeanings()
)

func litMeanings() (m [288]uint32) {
	for i := range 256 {
		m[i] = uint32(i)<<valueShift | literal
	}
	m[256] = odd | endBlock
	base := uint32(3)
	for i := range uint32(28) {
		extra := uint32(0)
		if i >= 8 {
			extra = i/4 - 1
		}
		m[257+i] = base<<valueShift | extra
		base += 1 << extra
	}
	m[285] = 258 << valueShift
	m[286], m[287] = odd, odd
	return m
}

func distMeanings() (m [32]uint32) {
	base := uint32(1)
	for i := range uint32(30) {
		extra := uint32(0)
		if i >= 4 {
			extra = i/2 - 1
		}
		m[i] = base<<valueShift | extra
		base += 1 << extra
	}
	m[30], m[31] = odd, odd
	return m
}

func preMeanings() (m [19]uint32) {
	for i := range m {
		m[i] = uint32(i) << valueShift
	}
	return m
}

// build fills the table of the canonical code with these lengths, one a symbol.
// It reports whether there is such a code: a complete one, a single code of one
// bit, or none at all, as zlib and the standard library have it.
func build(table []uint32, primary int, lens []uint8, symbols []uint32) bool {
	count := countLens(lens)
	var next [maxCode + 1]uint16
	space, total := 0, uint16(0)
	for n := 1; n <= maxCode; n++ {
		next[n] = total
		total += count[n]
		space += int(count[n]) << (maxCode - n)
	}
	if space != 1<<maxCode && (total > 1 || total != count[1]) {
		return false
	}
	var sorted [288]uint16
	for sym, n := range lens {
		if n != 0 {
			sorted[next[n&maxCode]] = uint16(sym)
			next[n&maxCode]++
		}
	}
	if total <= 1 && space != 1<<maxCode {
		sparse(table[:1<<primary], sorted[:total], symbols)
		return true
	}
	fill(table, primary, &count, sorted[:total], symbols)
	return true
}

// countLens counts the symbols of each length; there may be no more than 288.
// Most have the same, 0: a counter of its own for every fourth symbol need not
// wait for the one before.
func countLens(lens []uint8) (count [maxCode + 1]uint16) {
	var lanes [4][maxCode + 1]uint8
	for ; len(lens) >= 4; lens = lens[4:] {
		lanes[0][lens[0]&maxCode]++
		lanes[1][lens[1]&maxCode]++
		lanes[2][lens[2]&maxCode]++
		lanes[3][lens[3]&maxCode]++
	}
	for _, n := range lens {
		count[n&maxCode]++
	}
	for n := 1; n <= maxCode; n++ {
		count[n] += uint16(lanes[0][n]) + uint16(lanes[1][n]) + uint16(lanes[2][n]) + uint16(lanes[3][n])
	}
	count[0] = 0
	return count
}

// sparse is the table of at most one code, 0.
func sparse(table []uint32, sorted []uint16, symbols []uint32) {
	for i := range table {
		table[i] = odd
	}
	for _, sym := range sorted {
		for i := 0; i < len(table); i += 2 {
			table[i] = symbols[sym] + perBit
		}
	}
}

// fill makes the table of a complete code. The stream has the first bit of a
// code lowest, so codes are counted up from their highest bit. Where two codes
// of literals fit into the primary bits, the entry has both.
func fill(table []uint32, primary int, count *[maxCode + 1]uint16, sorted []uint16, symbols []uint32) {
	code, at := 0, 0
	var lits literals
	for n := 1; n <= primary; n++ {
		// What is known so far holds for both values of one bit more.
		size := 1 << n
		copy(table[size/2:size], table[:size/2])
		lits.pair(n, table[:size])
		for range count[n] {
			e := symbols[sorted[at]] + uint32(n)*perBit
			table[code] = e
			if e&literal != 0 {
				lits.add(n, e, code)
			}
			at++
			code = after(code, size-1)
		}
	}
	end, prefix := 1<<primary, -1
	start, size := 0, 0
	for n := primary + 1; at < len(sorted); n++ {
		for left := int(count[n]); left > 0; left-- {
			if p := code & (1<<primary - 1); p != prefix {
				prefix, start = p, end
				size = secondBits(n-primary, left, count[n+1:])
				end += 1 << size
				table[p] = uint32(start)<<valueShift | odd | second | uint32(size)<<codeShift | uint32(primary)
			}
			e := symbols[sorted[at]] + uint32(n-primary)*perBit
			at++
			for i := start + code>>primary; i < end; i += 1 << (n - primary) {
				table[i] = e
			}
			code = after(code, 1<<n-1)
		}
	}
}

// literals are the literals of a code, the shorter codes first.
type literals struct {
	all  [256]struct{ entry, code uint32 }
	ends [maxCode + 1]int // in all, of those with codes of so many bits
}

// pair enters all pairs of literals whose codes have n bits together, before
// the codes of n bits are added.
func (l *literals) pair(n int, table []uint32) {
	l.ends[n] = l.ends[n-1]
	for first := 1; first < n; first++ {
		second := l.all[l.ends[n-first-1]:l.ends[n-first]]
		if len(second) == 0 {
			continue
		}
		for _, a := range l.all[l.ends[first-1]:l.ends[first]] {
			e := a.entry + pair + uint32(n-first)
			for _, b := range second {
				table[a.code|b.code<<(first&31)] = e + b.entry>>valueShift<<(valueShift+8)
			}
		}
	}
}

// add takes a literal whose code has n bits.
func (l *literals) add(n int, entry uint32, code int) {
	at := &l.all[l.ends[n]]
	at.entry, at.code = entry, uint32(code)
	l.ends[n]++
}

// secondBits is how many bits a second table needs whose first code has size of
// them, when left codes of that length and longer ones by count are to come.
func secondBits(size, left int, longer []uint16) int {
	for used := left; used < 1<<size; size++ {
		used = used*2 + int(longer[0])
		longer = longer[1:]
	}
	return size
}

// after is the code that follows, bits in the order of the stream; ones is the
// last code of that length.
func after(code, ones int) int {
	if code == ones {
		return 0
	}
	bit := 1 << (bits.Len(uint(code^ones)) - 1)
	return code&(bit-1) | bit
}
