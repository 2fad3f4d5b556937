package rawjson

import (
	"encoding/binary"
	"math/bits"
)

// stringEnd scans a string whose opening quote is before i and returns the
// position after its closing quote.
func stringEnd(b []byte, i int) (int, Status) {
	for {
		i = plain(b, i)
		if i >= len(b) {
			return i, More
		}
		switch b[i] {
		case '"':
			return i + 1, OK
		case '\\':
			var st Status
			if i, st = escapeEnd(b, i); st != OK {
				return i, st
			}
		default: // a bare control character
			return i, Bad
		}
	}
}

const ones = 0x0101010101010101

// run returns a position from i on, before which all is plain text: where a
// quote, a backslash or a control character is, or among the last bytes of b.
// It is made to be inlined.
func run(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		if h := hits(binary.LittleEndian.Uint64(b[i:])); h != 0 {
			return i + bits.TrailingZeros64(h)>>3
		}
	}
	return i
}

// hits marks the bytes of x that end a run of plain text. A borrow can only
// mark bytes above a true hit: the lowest mark counts.
func hits(x uint64) uint64 {
	q, s := x^(ones*'"'), x^(ones*'\\')
	return ((x-ones*' ')&^x | (q-ones)&^q | (s-ones)&^s) & (ones * 0x80)
}

// plain returns the first position from i that holds a quote, a backslash or a
// control character.
func plain(b []byte, i int) int {
	for i = run(b, i); i < len(b); i++ {
		if c := b[i]; c == '"' || c == '\\' || c < ' ' {
			return i
		}
	}
	return i
}

// escapeEnd checks the escape whose backslash is at i.
func escapeEnd(b []byte, i int) (int, Status) {
	if i+1 >= len(b) {
		return i, More
	}
	switch b[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2, OK
	case 'u':
		for n := i + 2; n < i+6; n++ {
			if n >= len(b) {
				return n, More
			}
			if hex(b[n]) < 0 {
				return n, Bad
			}
		}
		return i + 6, OK
	}
	return i + 1, Bad
}

// hex is the value of a hexadecimal digit, -1 of any other byte.
func hex(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c && c <= 'f':
		return rune(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return rune(c-'A') + 10
	}
	return -1
}
