package rawjson

import (
	"encoding/binary"
	"math/bits"
)

// span is how many bytes are marked at a time.
const span = 256

// marks are the bytes of a span of a text that end a run of plain text:
// quotes, backslashes and control characters, a bit for each byte.
type marks struct {
	words [5]uint64 // of text[base:base+span]; the last stays 0
	base  int
}

// noMarks is of no span: the first search finds one.
func noMarks() marks { return marks{base: -span} }

// next returns the first mark of text from i on, or len(text).
func (s *marks) next(text []byte, i int) int {
	if n := uint(i - s.base); n < span {
		// The 64 bits from n on, or fewer at the end of the span.
		if m := s.words[n/64]>>(n%64) | s.words[n/64+1]<<1<<(63-n%64); m != 0 {
			return i + bits.TrailingZeros64(m)
		}
	}
	return s.find(text, i)
}

// find is next where another span has to be marked, or most of one to be
// looked through. A span starts where one is searched for.
func (s *marks) find(text []byte, i int) int {
	if n := i - s.base; n >= 0 && n < span {
		i = s.base + span
		for w := n/64 + 1; w < span/64; w++ {
			if m := s.words[w]; m != 0 {
				return s.base + w*64 + bits.TrailingZeros64(m)
			}
		}
	}
	for ; i < len(text); i += span {
		s.base = i
		if i+span <= len(text) {
			mark(&s.words, (*[span]byte)(text[i:]))
		} else {
			var rest [span]byte // beyond the text all is marked
			copy(rest[:], text[i:])
			mark(&s.words, &rest)
		}
		for w, m := range s.words {
			if m != 0 {
				return i + w*64 + bits.TrailingZeros64(m)
			}
		}
	}
	return len(text)
}

// markPlainly is mark for every machine.
func markPlainly(words *[5]uint64, text *[span]byte) {
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
