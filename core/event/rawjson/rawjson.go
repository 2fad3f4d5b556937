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
// scanned text. Number is the name's in the [Dictionary], 0 for none.
type Member struct {
	Name, Value []byte
	Number      uint8
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
// members to dst and returns the end of the object. names, if not nil, numbers
// them; ask, if not nil, is asked about those members that are
// objects or arrays.
func Object(b []byte, dst []Member, names *Names, ask Asker) ([]Member, int, Status) {
	i := space(b, 1)
	if i < len(b) && b[i] == '}' {
		return dst, i + 1, OK
	}
	marks := noMarks()
	var st Status
	number := uint8(first)
	for {
		var name []byte
		var at int
		if at, number = names.expected(b, i, number); at > 0 {
			name = b[i+1 : at-2]
		} else if name, at, st = marks.name(b, i); st != OK {
			return dst, at, st
		} else {
			number = names.find(name, number)
		}
		end := at
		switch c := b[at]; {
		case c == '"':
			if m := marks.near(at + 1); m != 0 {
				end = at + 1 + bits.TrailingZeros64(m)
			} else {
				end = marks.find(b, at+1)
			}
			if end < len(b) && b[end] == '"' {
				end++
			} else {
				end, st = stringEnd(b, end)
			}
		case c != '{' && c != '[':
			end, st = scalar(b, at)
		default:
			if ask != nil {
				if n := ask.Ask(name, b[at:]); n == Stop {
					return dst, at, Stopped
				} else if n > 0 {
					end = at + n
					break
				}
			}
			end, st = marks.skip(b, at, 1)
		}
		if st != OK {
			return dst, end, st
		}
		dst = extend(dst)
		m := &dst[len(dst)-1]
		m.Name, m.Value, m.Number = name, b[at:end], number
		if i = end; i < len(b) && b[i] == ',' {
			i++
			continue
		}
		i = space(b, i)
		switch {
		case i >= len(b):
			return dst, i, More
		case b[i] == '}':
			return dst, i + 1, OK
		case b[i] != ',':
			return dst, i, Bad
		}
		i++
	}
}

// Skip scans the value at b[i], white space before it allowed, and returns its
// end. A number that reaches the end of b is taken to end there.
func Skip(b []byte, i int) (int, Status) {
	marks := noMarks()
	return marks.skip(b, i, 0)
}

// name scans `"name":` at b[i] and returns the name and where the value
// starts; there is a byte there when the status is OK. Nearly all names are
// written without white space and escapes.
func (s *marks) name(b []byte, i int) ([]byte, int, Status) {
	if i < len(b) && b[i] == '"' {
		if k := s.find(b, i+1); k+2 < len(b) && b[k] == '"' && b[k+1] == ':' && b[k+2] > ' ' {
			return b[i+1 : k], k + 2, OK
		}
	}
	return memberName(b, i)
}

// skip is Skip below depth enclosing brackets. It is one loop over an explicit
// stack of bits (1 = object), because a stranger chooses the depth.
func (s *marks) skip(b []byte, i, depth int) (int, Status) {
	var stack [MaxDepth/64 + 1]uint64
	var st Status
	base := depth
value:
	if i = space(b, i); i >= len(b) {
		return i, More
	}
	switch c := b[i]; {
	case c == '"':
		k := i + 1
		if m := s.near(k); m != 0 {
			k += bits.TrailingZeros64(m)
		} else {
			k = s.find(b, k)
		}
		if k < len(b) && b[k] == '"' {
			i = k + 1
		} else if i, st = stringEnd(b, k); st != OK {
			return i, st
		}
	case c == '{' || c == '[':
		if depth >= MaxDepth {
			return i, Deep
		}
		bit := uint64(1) << (depth & 63)
		if stack[depth>>6] &^= bit; c == '{' {
			stack[depth>>6] |= bit
		}
		depth++
		if i = space(b, i+1); i >= len(b) {
			return i, More
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
			return i, st
		}
	}
after:
	if depth == base {
		return i, OK
	}
	if i = space(b, i); i >= len(b) {
		return i, More
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
			depth--
			goto after
		}
		return i, Bad
	}
name:
	if i < len(b) && b[i] == '"' {
		k := i + 1
		if m := s.near(k); m != 0 {
			k += bits.TrailingZeros64(m)
		} else {
			k = s.find(b, k)
		}
		if k+1 < len(b) && b[k] == '"' && b[k+1] == ':' {
			i = k + 2
			goto value
		}
	}
	if _, i, st = memberName(b, i); st != OK {
		return i, st
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
