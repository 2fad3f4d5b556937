package rawjson

import "math/bits"

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
