package event

import (
	"strconv"

	"github.com/trailship/trailship/core/event/rawjson"
)

// writer appends JSON objects member by member and leaves out what is empty,
// as OCSF wants it: no nulls, no "", {} or [].
type writer struct {
	b []byte
}

func (w *writer) comma() {
	if n := len(w.b); n > 0 && w.b[n-1] != '{' && w.b[n-1] != '[' {
		w.b = append(w.b, ',')
	}
}

func (w *writer) name(name string) {
	w.comma()
	b := append(append(w.b, '"'), name...)
	w.b = append(b, '"', ':')
}

func (w *writer) string(name, v string) {
	if v != "" {
		w.name(name)
		w.text(v)
	}
}

func (w *writer) text(v string) { w.b = rawjson.AppendString(w.b, v) }

// span is a part of what was written.
type span struct{ from, to int }

// since is what was written since there were so many bytes.
func (w *writer) since(from int) span { return span{from, len(w.b)} }

// again writes members of another object once more.
func (w *writer) again(s span) {
	if s.from == s.to {
		return
	}
	if w.b[s.from] == ',' {
		s.from++
	}
	w.comma()
	w.b = append(w.b, w.b[s.from:s.to]...)
}

// int writes v also when it is 0: in OCSF 0 says "unknown".
func (w *writer) int(name string, v int64) {
	w.name(name)
	w.b = strconv.AppendInt(w.b, v, 10)
}

func (w *writer) bool(name string, v bool) {
	w.name(name)
	w.b = strconv.AppendBool(w.b, v)
}

// json writes a value of the record as it is, without white space.
func (w *writer) json(name string, value []byte) {
	if !emptyJSON(value) {
		w.name(name)
		w.b = rawjson.AppendCompact(w.b, value)
	}
}

// open begins the object called name; close ends it, or takes it back when
// nothing was written since.
func (w *writer) open(name string) (mark int) {
	mark = len(w.b)
	w.name(name)
	w.b = append(w.b, '{')
	return mark
}

func (w *writer) close(mark int) {
	if w.b[len(w.b)-1] == '{' {
		w.b = w.b[:mark]
		return
	}
	w.b = append(w.b, '}')
}

func (w *writer) openList(name string) (mark int) {
	mark = len(w.b)
	w.name(name)
	w.b = append(w.b, '[')
	return mark
}

func (w *writer) closeList(mark int) {
	if w.b[len(w.b)-1] == '[' {
		w.b = w.b[:mark]
		return
	}
	w.b = append(w.b, ']')
}

func (w *writer) strings(name string, list []string) {
	mark := w.openList(name)
	for _, s := range list {
		w.comma()
		w.text(s)
	}
	w.closeList(mark)
}

// emptyJSON reports whether value says nothing: null, "", {} or [].
func emptyJSON(value []byte) bool {
	if len(value) == 0 {
		return true
	}
	switch first, last := value[0], value[len(value)-1]; first {
	case 'n':
		return true
	case '"':
		return len(value) == 2
	case '{', '[':
		for _, c := range value[1 : len(value)-1] {
			if c > ' ' {
				return false
			}
		}
		return last == first+2
	}
	return false
}
