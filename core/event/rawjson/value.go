package rawjson

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Parse builds the value of text: maps, slices, strings, bools, nil, int64 and
// float64. An integer that does not fit int64 and a number that does not fit
// float64 become the string that was written. Of members with the same name
// the last wins. The error says where text stops being JSON.
func Parse(text []byte) (any, error) {
	end, st := Skip(text, 0)
	if st == OK {
		if rest := space(text, end); rest < len(text) {
			end, st = rest, Bad
		}
	}
	if st != OK {
		return nil, Explain(text, end, st)
	}
	v, _ := build(text, space(text, 0))
	return v, nil
}

// Explain is the error for a scan of text that ended at position at with a
// status other than OK.
func Explain(text []byte, at int, st Status) error {
	switch {
	case st == Deep:
		return fmt.Errorf("nested deeper than %d at byte %d", MaxDepth, at)
	case st == More || at >= len(text):
		return errors.New("the text ends inside a value")
	}
	return fmt.Errorf("unexpected %q at byte %d", text[at], at)
}

// build makes the checked value at b[i] and returns its end. The depth of its
// recursion was bounded by the check.
func build(b []byte, i int) (any, int) {
	switch b[i] {
	case '{':
		return buildObject(b, i+1)
	case '[':
		return buildArray(b, i+1)
	case '"':
		end, _ := stringEnd(b, i+1)
		return Text(b[i:end]), end
	}
	end, _ := scalar(b, i)
	switch b[i] {
	case 't', 'f':
		return b[i] == 't', end
	case 'n':
		return nil, end
	}
	return buildNumber(string(b[i:end])), end
}

func buildObject(b []byte, i int) (any, int) {
	m := map[string]any{}
	for {
		i = space(b, i)
		switch b[i] {
		case '}':
			return m, i + 1
		case ',':
			i++
			continue
		}
		name, at, _ := memberName(b, i)
		v, end := build(b, at)
		m[string(AppendText(nil, name))] = v
		i = end
	}
}

func buildArray(b []byte, i int) (any, int) {
	list := []any{}
	for {
		i = space(b, i)
		switch b[i] {
		case ']':
			return list, i + 1
		case ',':
			i++
			continue
		}
		v, end := build(b, i)
		list = append(list, v)
		i = end
	}
}

// buildNumber keeps integers exact. A json.Number would make every comparison
// in a rule false without a word.
func buildNumber(s string) any {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n
	} else if errors.Is(err, strconv.ErrRange) {
		return s
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(f, 0) {
		return s
	}
	return f
}

// Text is the text of a checked scalar: a string's value, a number or a
// boolean as written, "" for null and for whatever is no scalar.
func Text(value []byte) string {
	if len(value) == 0 {
		return ""
	}
	switch value[0] {
	case '"':
		inner := value[1 : len(value)-1]
		if Plain(inner) {
			return string(inner)
		}
		return string(AppendText(make([]byte, 0, len(inner)), inner))
	case '{', '[', 'n':
		return ""
	}
	return string(value)
}

// Cursor walks the members of a checked object.
type Cursor struct {
	text []byte
	at   int
}

// Members returns a cursor over object; over anything that is no object it
// finds nothing.
func Members(object []byte) Cursor {
	if len(object) == 0 || object[0] != '{' {
		return Cursor{}
	}
	return Cursor{text: object, at: 1}
}

// Next returns the next member, as it is written; names repeat when the object
// repeats them.
func (c *Cursor) Next() (name, value []byte, ok bool) {
	i := space(c.text, c.at)
	if i < len(c.text) && c.text[i] == ',' {
		i++
	}
	name, at, st := memberName(c.text, i)
	if st != OK {
		return nil, nil, false
	}
	end := past(c.text, at)
	c.at = end
	return name, c.text[at:end], true
}

// Elements walks the elements of a checked array.
type Elements struct {
	text []byte
	at   int
}

// Items returns a walk over array; over anything that is no array it finds
// nothing.
func Items(array []byte) Elements {
	if len(array) == 0 || array[0] != '[' {
		return Elements{}
	}
	return Elements{text: array, at: 1}
}

// Next returns the next element.
func (e *Elements) Next() ([]byte, bool) {
	i := space(e.text, e.at)
	if i < len(e.text) && e.text[i] == ',' {
		i = space(e.text, i+1)
	}
	if i >= len(e.text) || e.text[i] == ']' {
		return nil, false
	}
	end := past(e.text, i)
	e.at = end
	return e.text[i:end], true
}

// Find returns the value of the member called name, nil when object has none
// or is no object. Of several the last wins.
func Find(object []byte, name string) []byte {
	var found []byte
	for c := Members(object); ; {
		raw, value, ok := c.Next()
		if !ok {
			return found
		}
		if Is(raw, name) {
			found = value
		}
	}
}

// Is reports whether the raw name spells name, escapes resolved and invalid
// UTF-8 mended.
func Is(raw []byte, name string) bool {
	if string(raw) == name {
		return strings.IndexByte(name, '\\') < 0 // there an escape, here a character
	}
	for _, c := range raw {
		if c == '\\' || c >= utf8.RuneSelf {
			var buf [64]byte
			return string(AppendText(buf[:0], raw)) == name
		}
	}
	return false
}

// past returns the end of the checked value at b[i].
func past(b []byte, i int) int {
	for depth := 0; i < len(b); {
		switch b[i] {
		case '"':
			i, _ = stringEnd(b, i+1)
		case '{', '[':
			depth++
			i++
			continue
		case '}', ']':
			depth--
			i++
		case ',', ':', ' ', '\n', '\r', '\t':
			i++
			continue
		default:
			var st Status
			if i, st = scalar(b, i); st != OK {
				return len(b) // not checked
			}
		}
		if depth <= 0 {
			break
		}
	}
	return i
}
