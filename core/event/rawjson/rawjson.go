// Package rawjson reads JSON where it lies: it finds and checks values in a
// byte slice without building anything, so that a trail record costs one pass
// over its bytes whatever it holds.
//
// [Object] and [Skip] check everything RFC 8259 asks for except UTF-8, which
// is mended where text is taken out ([AppendText], [AppendCompact]). [Parse]
// builds values for those who need them. Nothing here keeps state but [Names],
// starts anything or writes to its input.
//
// Scanning goes from mark to mark (marks.go); what is rare or short, escapes and
// the values of an object that was checked, is gone through eight bytes at a
// time (string.go).
package rawjson

import "math/bits"

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
// them; ask, if not nil, is asked about those members that are objects or
// arrays.
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

// extend makes room for one more member. Built elsewhere and copied, a member
// would be read before its parts have reached the cache.
func extend(members []Member) []Member {
	if len(members) < cap(members) {
		return members[:len(members)+1]
	}
	return append(members, Member{})
}
