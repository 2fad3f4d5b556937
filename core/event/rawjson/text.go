package rawjson

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// Glance is a hash of a text's length and of three places in it, to find what
// was remembered of it: texts that differ elsewhere have the same one. Its high
// bits are the good ones.
func Glance(text []byte) uint64 {
	n := len(text)
	h := uint64(n)
	switch {
	case n >= 8:
		h ^= binary.LittleEndian.Uint64(text) ^ bits.RotateLeft64(binary.LittleEndian.Uint64(text[n-8:]), 21) ^
			bits.RotateLeft64(binary.LittleEndian.Uint64(text[n/2-4:]), 42)
	case n > 0:
		h ^= uint64(text[0])<<8 ^ uint64(text[n/2])<<16 ^ uint64(text[n-1])<<24
	}
	return h * 0x9e3779b97f4a7c15 // 2^64 by the golden ratio
}

// Plain reports whether text, taken from between the quotes of a JSON string,
// is ASCII without escapes: that is, already the string's value.
func Plain(text []byte) bool {
	i := 0
	for ; i+8 <= len(text); i += 8 {
		x := binary.LittleEndian.Uint64(text[i:])
		s := x ^ (ones * '\\')
		if (x|(s-ones)&^s)&(ones*0x80) != 0 {
			return false
		}
	}
	for ; i < len(text); i++ {
		if c := text[i]; c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// AppendText appends the value of the JSON string between whose quotes text
// stood: escapes resolved, invalid UTF-8 and lone surrogates as U+FFFD.
func AppendText(dst, text []byte) []byte {
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			dst, i = appendEscape(dst, text, i)
		case c < utf8.RuneSelf:
			dst = append(dst, c)
			i++
		default:
			r, n := utf8.DecodeRune(text[i:])
			dst = utf8.AppendRune(dst, r)
			i += n
		}
	}
	return dst
}

// appendEscape resolves the escape at text[i] and returns the position after it.
func appendEscape(dst, text []byte, i int) ([]byte, int) {
	switch c := text[i+1]; c {
	case 'b':
		return append(dst, '\b'), i + 2
	case 'f':
		return append(dst, '\f'), i + 2
	case 'n':
		return append(dst, '\n'), i + 2
	case 'r':
		return append(dst, '\r'), i + 2
	case 't':
		return append(dst, '\t'), i + 2
	case 'u':
		r := unicodeEscape(text, i)
		i += 6
		if utf16.IsSurrogate(r) {
			pair := utf16.DecodeRune(r, unicodeEscape(text, i))
			if r = pair; pair != utf8.RuneError {
				i += 6
			}
		}
		return utf8.AppendRune(dst, r), min(i, len(text))
	default:
		return append(dst, c), i + 2
	}
}

// unicodeEscape is the code unit of the \uXXXX at text[i], U+FFFD if there is none.
func unicodeEscape(text []byte, i int) rune {
	if i+6 > len(text) || text[i] != '\\' || text[i+1] != 'u' {
		return utf8.RuneError
	}
	var r rune
	for _, c := range text[i+2 : i+6] {
		h := hex(c)
		if h < 0 {
			return utf8.RuneError
		}
		r = r<<4 | h
	}
	return r
}

// AppendString appends s as a JSON string. Any s gives valid JSON: what is not
// UTF-8 becomes U+FFFD.
func AppendString(dst []byte, s string) []byte {
	if !verbatim(s) {
		return appendEscaped(dst, s)
	}
	dst = append(append(dst, '"'), s...)
	return append(dst, '"')
}

// verbatim says that s is ASCII and needs no escape, as nearly all strings.
func verbatim(s string) bool {
	for ; len(s) >= 8; s = s[8:] {
		x := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56 // one load
		if hits(x)|x&(ones*0x80) != 0 {
			return false
		}
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// appendEscaped is AppendString of any string, byte by byte.
func appendEscaped(dst []byte, s string) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				dst = append(append(dst, s[start:i]...), "\ufffd"...)
				start = i + 1
			}
			i += n
			continue
		}
		if i++; c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[start:i-1]...)
		start = i
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		}
	}
	return append(append(dst, s[start:]...), '"')
}

// AppendCompact appends the checked JSON value without the white space between
// its tokens, and with invalid UTF-8 as U+FFFD.
func AppendCompact(dst, value []byte) []byte {
	start := len(dst)
	dst = appendTokens(dst, value)
	if utf8.Valid(dst[start:]) {
		return dst
	}
	mended := []byte(string([]rune(string(dst[start:]))))
	return append(dst[:start], mended...)
}

// AppendTokens appends the checked JSON value without the white space between
// its tokens and with every other byte untouched.
func AppendTokens(dst, value []byte) []byte { return appendTokens(dst, value) }

func appendTokens(dst, value []byte) []byte {
	start := 0
	for i := 0; i < len(value); {
		switch c := value[i]; {
		case c == '"':
			end, st := stringEnd(value, i+1)
			if st != OK {
				return append(dst, value[start:]...)
			}
			i = end
		case c <= ' ':
			dst = append(dst, value[start:i]...)
			i++
			start = i
		default:
			i++
		}
	}
	return append(dst, value[start:]...)
}
