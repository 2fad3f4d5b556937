package rawjson

import (
	"encoding/binary"
	"math/bits"
)

// span is how many bytes are marked at a time.
const span = 256

// marks are the bytes of a span of text that end a run of plain text: quotes,
// backslashes and control characters, a bit for each byte.
type marks struct {
	words [8]uint64 // of text[base:base+span]; words[4] ends every search
	base  int
}

// startAt makes the next pop ask for a span from i on.
func (s *marks) startAt(i int) (m uint64, w int) {
	s.words[4] = 1
	s.base = i - span
	return 0, 3
}

// pop returns the position of the next mark; m and w say what is left. A
// position beyond the span means that it has none left.
func (s *marks) pop(m uint64, w int) (k int, left uint64, at int) {
	for m == 0 {
		w++
		m = s.words[w&7]
	}
	return s.base + w<<6 + bits.TrailingZeros64(m), m & (m - 1), w
}

// find returns the first mark of text from i on. There is always one: beyond
// text all is marked.
func (s *marks) find(text []byte, i int) (k int, left uint64, at int) {
	from := i
	if n := i - s.base; n < span {
		w := n >> 6
		if k, left, at = s.pop(s.words[w]&(^uint64(0)<<(n&63)), w); k < s.base+span {
			return k, left, at
		}
		from = s.base + span
	}
	for ; ; from += span {
		s.base = from
		if from+span <= len(text) {
			mark(&s.words, (*[span]byte)(text[from:]))
		} else {
			var rest [span]byte
			copy(rest[:], text[min(from, len(text)):])
			mark(&s.words, &rest)
		}
		if k, left, at = s.pop(s.words[0], 0); k < from+span {
			return k, left, at
		}
	}
}

// markPlainly is mark for every machine.
func markPlainly(words *[8]uint64, text *[span]byte) {
	const low = ones * 0x7f
	for w := range span / 64 {
		var m uint64
		for n := range 8 {
			x := binary.LittleEndian.Uint64(text[w*64+n*8:])
			quote, backslash, control := x^(ones*'"'), x^(ones*'\\'), x&(ones*0xe0)
			// The top bit of each byte that is zero in one of them.
			zero := ^((quote&low+low|quote)&(backslash&low+low|backslash)&(control&low+low|control) | low)
			m |= (zero >> 7 * 0x0102040810204080) >> 56 << (8 * n)
		}
		words[w] = m
	}
}
