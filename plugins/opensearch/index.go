package opensearch

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// index is the name of an index with places for the date. Nothing else of an
// alert can get into it.
type index string

// parseIndex checks a name against the rules of both servers for names of
// indices.
func parseIndex(text string) (index, error) {
	for i := strings.IndexByte(text, '%'); i >= 0; {
		if i+1 == len(text) || !strings.ContainsRune("Ymd", rune(text[i+1])) {
			return "", errors.New("after % comes Y, m or d: the year, month or day of the event")
		}
		next := strings.IndexByte(text[i+2:], '%')
		if next < 0 {
			break
		}
		i += 2 + next
	}
	name := index(text).at(time.Unix(0, 0))
	switch {
	case len(name) > 255:
		return "", errors.New("must be at most 255 bytes long")
	case name == "." || name == ".." || strings.ContainsAny(name[:1], "-_+"):
		return "", errors.New("must not begin with -, _ or +, nor be a dot or two")
	case strings.ToLower(name) != name:
		return "", errors.New("must be in lower case")
	case strings.ContainsAny(name, "\\/*?\"<>| ,#:\x00\n\r\t"):
		return "", errors.New(`must be without \ / * ? " < > | , # : and spaces`)
	}
	return index(text), nil
}

// at is the name for an event of a time.
func (i index) at(t time.Time) string {
	t = t.UTC()
	return strings.NewReplacer(
		"%Y", fmt.Sprintf("%04d", t.Year()), "%m", fmt.Sprintf("%02d", t.Month()), "%d", fmt.Sprintf("%02d", t.Day()),
	).Replace(string(i))
}
