// Package rawjson reads JSON where it lies: it finds and checks values in a
// byte slice without building anything, so that a trail record costs one pass
// over its bytes whatever it holds.
//
// [Object] and [Skip] check everything RFC 8259 asks for except UTF-8, which
// is mended where text is taken out ([AppendText], [AppendCompact]). [Parse]
// builds values for those who need them. Nothing here keeps state, starts
// anything or writes to its input.
package rawjson

import (
	"encoding/binary"
	"math/bits"
)

// MaxDepth is how deep values may nest.
const MaxDepth = 1000

// Status says how a scan ended.
type Status uint8

// How a scan can end. The position beside it is where the value ends (OK),
// where more text is needed (More), the offending byte (Bad), the bracket one
// too deep (Deep), or the value the caller wanted to see (Stopped).
const (
	OK Status = iota
	More
	Bad
	Deep
	Stopped
)

// Member is one member of a scanned object. Name is the text between the
// quotes, escapes and all; Value is the value's JSON. Both are slices of the
// scanned text.
type Member struct {
	Name, Value []byte
}

// Asker is asked about members before their values are scanned.
type Asker interface {
	// Ask is given the name of a member and the text from its value on, which
	// is an object or an array. It answers 0 to have the value scanned, its
	// length when it knows that it is one, or Stop.
	Ask(name, rest []byte) int
}

// Stop as the answer of an [Asker] ends the scan before the value.
const Stop = -1

// Object scans the object that starts at b[0], which must be '{', appends its
// members to dst and returns the end of the object. ask, if not nil, is asked
// about those of its own members that are objects or arrays.
func Object(b []byte, dst []Member, ask Asker) ([]Member, int, Status) {
	return walk(b, 0, dst, true, ask)
}

// Skip scans the value at b[i], white space before it allowed, and returns its
// end. A number that reaches the end of b is taken to end there.
func Skip(b []byte, i int) (int, Status) {
	_, i, st := walk(b, i, nil, false, nil)
	return i, st
}

// walk scans the value at b[i]; of an object it may keep the members. It is
// one loop over an explicit stack of bits (1 = object), because a stranger
// chooses the depth, and goes from mark to mark: nearly all of a record is
// names and strings without escapes, and no white space between them.
func walk(b []byte, i int, dst []Member, keep bool, ask Asker) ([]Member, int, Status) {
	var stack [MaxDepth/64 + 1]uint64
	var st Status
	var name []byte
	var marks marks
	var k, from, depth int // k: a mark; from: where the value of the member called name starts
	m, w := marks.startAt(i)
value:
	if i >= len(b) || b[i] <= ' ' {
		if i = space(b, i); i >= len(b) {
			return dst, i, More
		}
	}
	if depth == 1 {
		from = i
	}
	switch c := b[i]; c {
	case '"':
		if k, m, w = marks.pop(m, w); k != i {
			_, m, w = marks.find(b, i)
		}
		if k, m, w = marks.pop(m, w); k >= marks.base+span {
			k, m, w = marks.find(b, i+1)
		}
		if k < len(b) && b[k] == '"' {
			i = k + 1
		} else if i, st = stringEnd(b, min(k, len(b))); st != OK {
			return dst, i, st
		}
	case '{', '[':
		if depth == 1 && ask != nil {
			if n := ask.Ask(name, b[i:]); n == Stop {
				return dst, i, Stopped
			} else if n > 0 {
				i += n
				break
			}
		}
		if depth >= MaxDepth {
			return dst, i, Deep
		}
		bit := uint64(1) << (depth & 63)
		if stack[depth>>6] &^= bit; c == '{' {
			stack[depth>>6] |= bit
		}
		depth++
		if i = space(b, i+1); i >= len(b) {
			return dst, i, More
		}
		if b[i] == c+2 { // ']' is '['+2, '}' is '{'+2
			i++
			depth--
			break
		}
		if c == '{' {
			goto name
		}
		goto value
	default:
		if i, st = scalar(b, i); st != OK {
			return dst, i, st
		}
	}
after:
	if depth <= 1 {
		if depth == 0 {
			return dst, i, OK
		}
		if keep {
			dst = extend(dst)
			member := &dst[len(dst)-1]
			member.Name, member.Value = name, b[from:i]
		}
	}
	if i >= len(b) || b[i] <= ' ' {
		if i = space(b, i); i >= len(b) {
			return dst, i, More
		}
	}
	{
		object := stack[(depth-1)>>6]>>((depth-1)&63)&1 == 1
		switch c := b[i]; {
		case c == ',':
			if i++; object {
				goto name
			}
			goto value
		case c == '}' && object, c == ']' && !object:
			i++
			if depth--; depth == 0 {
				return dst, i, OK
			}
			goto after
		}
		return dst, i, Bad
	}
name:
	if i < len(b) && b[i] == '"' {
		if k, m, w = marks.pop(m, w); k != i {
			_, m, w = marks.find(b, i)
		}
		if k, m, w = marks.pop(m, w); k >= marks.base+span {
			k, m, w = marks.find(b, i+1)
		}
		if k+2 < len(b) && b[k] == '"' && b[k+1] == ':' {
			if depth == 1 {
				name = b[i+1 : k]
			}
			i = k + 2
			goto value
		}
	}
	{
		var odd []byte
		if odd, i, st = memberName(b, i); st != OK {
			return dst, i, st
		}
		if depth == 1 {
			name = odd
		}
	}
	goto value
}

// extend makes room for one more member. Built elsewhere and copied, a member
// would be read before its parts have reached the cache.
func extend(members []Member) []Member {
	if len(members) < cap(members) {
		return members[:len(members)+1]
	}
	return append(members, Member{})
}

// memberName scans `"name" :` at b[i] and returns the name and where the
// value starts; there is a byte there when the status is OK.
func memberName(b []byte, i int) ([]byte, int, Status) {
	i = space(b, i)
	if i >= len(b) {
		return nil, i, More
	}
	if b[i] != '"' {
		return nil, i, Bad
	}
	end, st := stringEnd(b, i+1)
	if st != OK {
		return nil, end, st
	}
	name := b[i+1 : end-1]
	if end = space(b, end); end >= len(b) {
		return nil, end, More
	}
	if b[end] != ':' {
		return nil, end, Bad
	}
	if end = space(b, end+1); end >= len(b) {
		return nil, end, More
	}
	return name, end, OK
}

// space returns the first position from i that is not white space.
func space(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

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
