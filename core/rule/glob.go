package rule

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxPattern bounds one glob pattern, and with maxText the work of matching it.
const maxPattern = 1 << 10

func globCall(args ...any) (any, error) {
	s, err := text("glob", args[0])
	if err != nil {
		return nil, err
	}
	for _, arg := range args[1:] {
		switch p := arg.(type) {
		case nil:
		case string:
			if len(p) > maxPattern {
				return nil, fmt.Errorf("glob() pattern is longer than %d bytes", maxPattern)
			}
			if glob(p, s) {
				return true, nil
			}
		case []string:
			for _, p := range p {
				if glob(p, s) {
					return true, nil
				}
			}
		default:
			return nil, fmt.Errorf("glob() wants patterns, not %s", kindOf(arg))
		}
	}
	return false, nil
}

// glob reports whether s matches the pattern: `*` stands for any text, also
// across `/` and `:`, and `?` for one character.
func glob(pattern, s string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	s, ok := cutSegment(s, head)
	if !ok || !star {
		return ok && s == ""
	}
	for {
		segment, next, more := strings.Cut(rest, "*")
		if !more {
			return hasSegmentSuffix(s, segment)
		}
		if s, ok = afterSegment(s, segment); !ok {
			return false
		}
		rest = next
	}
}

// cutSegment takes a segment (text with `?`) off the front of s.
func cutSegment(s, segment string) (rest string, ok bool) {
	if !strings.Contains(segment, "?") {
		return strings.CutPrefix(s, segment)
	}
	for _, want := range segment {
		got, size := utf8.DecodeRuneInString(s)
		if size == 0 || want != '?' && got != want {
			return s, false
		}
		s = s[size:]
	}
	return s, true
}

// afterSegment finds the first place where the segment stands and returns what
// follows it.
func afterSegment(s, segment string) (rest string, ok bool) {
	if !strings.Contains(segment, "?") {
		_, rest, ok = strings.Cut(s, segment)
		return rest, ok
	}
	for {
		if rest, ok = cutSegment(s, segment); ok || s == "" {
			return rest, ok
		}
		_, size := utf8.DecodeRuneInString(s)
		s = s[size:]
	}
}

// hasSegmentSuffix reports whether s ends with the segment.
func hasSegmentSuffix(s, segment string) bool {
	if !strings.Contains(segment, "?") {
		return strings.HasSuffix(s, segment)
	}
	skip := utf8.RuneCountInString(s) - utf8.RuneCountInString(segment)
	for ; skip > 0; skip-- {
		_, size := utf8.DecodeRuneInString(s)
		s = s[size:]
	}
	rest, ok := cutSegment(s, segment)
	return ok && rest == ""
}
