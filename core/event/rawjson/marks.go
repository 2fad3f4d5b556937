package rawjson

import (
	"encoding/binary"
	"math/bits"
)

// span is how many bytes are marked at a time.
const span = 512

// marks are the bytes of a span of a text that end a run of plain text:
// quotes, backslashes and control characters, a bit for each byte.
type marks struct {
	words [9]uint64 // of text[base:base+span]; the last stays 0
	base  int
}

// noMarks is of no span: the first search finds one.
func noMarks() marks { return marks{base: -span} }

// near has a bit for each of the 64 bytes from i on, fewer at the end of the
// span, and none outside of it. Nearly always the first mark from i on is among
// them, and otherwise find finds it: the two are written out wherever a string is
// scanned, because together they would be too large to be inlined, which was a
// tenth of scanning.
func (s *marks) near(i int) uint64 {
	n := uint(i - s.base)
	if n >= span {
		return 0
	}
	return s.words[n/64]>>(n%64) | s.words[n/64+1]<<1<<(63-n%64)
}

// find returns the first mark of text from i on, or len(text). It marks another
// span if there is none in this one.
func (s *marks) find(text []byte, i int) int {
	if n := i - s.base; n >= 0 && n < span {
		for at := i; at < s.base+span; at += 64 {
			if m := s.near(at); m != 0 {
				return at + bits.TrailingZeros64(m)
			}
		}
		i = s.base + span
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

// markPlainly is mark for every machine. Of all bytes, with bit 1 turned over
// only quotes and control characters are at most 0x20.
func markPlainly(words *[9]uint64, text *[span]byte) {
	const low, top = ones * 0x7f, 0xff << 56
	for w := range span / 64 {
		chunk := (*[64]byte)(text[w*64:])
		var m uint64
		for n := 0; n < 64; n += 8 {
			x := binary.LittleEndian.Uint64(chunk[n:])
			quote, backslash := x^(ones*0x02), x^(ones*'\\')
			// The top bits of bytes that are over 0x20 in the one and over 0 in the other.
			over := (quote&low + ones*(0x7f-0x20) | quote) & (backslash&low + low | backslash)
			m = m>>8 | (^over>>7&ones)*0x0102040810204080&top
		}
		words[w] = m
	}
}
