package rule

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// The bounds of one match whose pattern has a `?`; without one it is a search
// for plain text.
const (
	maxPattern = 1 << 10 // bytes of a pattern
	maxGlobbed = maxText // bytes of the text
)

func globCall(args ...any) (any, error) {
	s, err := text("glob", args[0])
	if err != nil {
		return nil, err
	}
	for _, arg := range args[1:] {
		if matched, err := globAny(arg, s); err != nil || matched {
			return matched, err
		}
	}
	return false, nil
}

// globAny is boundedGlob for a pattern or a list of them.
func globAny(pattern any, s string) (matched bool, err error) {
	switch p := pattern.(type) {
	case nil:
	case string:
		return boundedGlob(p, s)
	case []string:
		for i := 0; i < len(p) && !matched && err == nil; i++ {
			matched, err = boundedGlob(p[i], s)
		}
	case []any:
		for i := 0; i < len(p) && !matched && err == nil; i++ {
			matched, err = globAny(p[i], s)
		}
	default:
		err = fmt.Errorf("glob() wants patterns, not %s", kindOf(pattern))
	}
	return matched, err
}

// boundedGlob is glob for a pattern or a text that somebody may have made large.
func boundedGlob(pattern, s string) (bool, error) {
	switch {
	case len(pattern) > maxPattern:
		return false, fmt.Errorf("glob() pattern is longer than %d bytes", maxPattern)
	case len(s) > maxGlobbed && strings.Contains(pattern, "?"):
		return false, fmt.Errorf("glob() with ? wants a text of %d bytes at most", maxGlobbed)
	}
	return glob(pattern, s), nil
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
