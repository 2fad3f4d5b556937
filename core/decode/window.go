package decode

import (
	"bytes"
	"errors"
	"io"

	"github.com/trailship/trailship/core/event/rawjson"
	"github.com/trailship/trailship/core/inflate"
)

const (
	firstRead = 64 << 10
	firstRoom = 256 << 10 // the buffer's first size: it stays in the processor's cache
	keepAfter = 1 << 20   // a buffer that grew beyond this is not kept by Reset
)

// errBroken is the answer to text that cannot be JSON whatever follows.
var errBroken = errors.New("broken JSON")

// window is the part of the inflated object that is in memory: buf[pos:end].
// It moves forward only; what lies before pos is gone after the next more.
type window struct {
	in       input
	max      int // bytes to hold at most
	buf      []byte
	pos, end int
	base     int64 // offset of buf[0] in the inflated object
	err      error // what ended the stream
	started  bool
}

func (w *window) reset(src io.Reader, l Limits) {
	w.in.reset(src, l.MaxObject)
	w.max = int(min(l.MaxRecord, 1<<40)) + firstRead
	if len(w.buf) > keepAfter {
		w.buf = nil
	}
	w.pos, w.end, w.base, w.err, w.started = 0, 0, 0, nil, false
}

// text is what is in memory and not consumed.
func (w *window) text() []byte { return w.buf[w.pos:w.end] }

// offset is the place of the next byte in the inflated object.
func (w *window) offset() int64 { return w.base + int64(w.pos) }

// more reads on behind what is in memory; positions relative to text stay.
// Once text is large it at least doubles, so that a scan that starts over each
// time costs no more than twice the text.
func (w *window) more() error {
	if w.err != nil {
		return w.err
	}
	w.makeRoom()
	want := 1
	if have := w.end - w.pos; have >= firstRead {
		want = have
	}
	for got, idle := 0, 0; got < want && len(w.buf)-w.end >= inflate.Room; {
		n, err := w.in.read(w.buf, w.end)
		w.end += n
		got += n
		if err != nil {
			w.err = err
			if got > 0 {
				return nil
			}
			return err
		}
		if n > 0 {
			idle = 0
		} else if idle++; idle > 100 {
			w.err = io.ErrNoProgress
			return w.err
		}
	}
	return nil
}

// makeRoom moves what is needed to the front of the buffer when there is
// little room behind it, and lets the buffer grow when the text fills half of
// it. Needed is the text, and what more inflating may refer to.
func (w *window) makeRoom() {
	buf := w.buf
	if size := min(max(2*len(buf), firstRoom), 2*(w.max+firstRoom)); (w.end-w.pos)*2 >= len(buf) && size > len(buf) {
		buf = make([]byte, size)
	} else if len(buf)-w.end >= len(buf)/2 {
		return
	}
	from := max(min(w.pos, w.end-inflate.Window), 0)
	w.end = copy(buf, w.buf[from:w.end])
	w.pos -= from
	w.base += int64(from)
	w.buf = buf
}

// peek moves to the next byte that is not white space and returns it.
func (w *window) peek() (byte, error) {
	if !w.started {
		w.started = true
		w.skipBOM()
	}
	for {
		for ; w.pos < w.end; w.pos++ {
			if c := w.buf[w.pos]; c > ' ' || !isSpace(c) {
				return c, nil
			}
		}
		if err := w.more(); err != nil {
			return 0, err
		}
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

func (w *window) skipBOM() {
	bom := []byte("\ufeff")
	for w.end < len(bom) && bytes.HasPrefix(bom, w.text()) {
		if w.more() != nil {
			return
		}
	}
	if bytes.HasPrefix(w.text(), bom) {
		w.pos += len(bom)
	}
}

// skip consumes one value without keeping it. It looks at strings and brackets
// only, so it also gets over values that are balanced and otherwise nonsense.
func (w *window) skip() error {
	var stack [rawjson.MaxDepth/64 + 1]uint64 // 1 = object; deeper ones are only counted
	for depth := 0; ; {
		c, err := w.peek()
		if err != nil {
			return err
		}
		switch c {
		case '"':
			w.pos++
			err = w.skipString()
		case '{', '[':
			w.pos++
			if depth < len(stack)*64 {
				if stack[depth>>6] &^= 1 << (depth & 63); c == '{' {
					stack[depth>>6] |= 1 << (depth & 63)
				}
			}
			depth++
		case '}', ']':
			if depth == 0 {
				return errBroken
			}
			depth--
			if depth < len(stack)*64 && (stack[depth>>6]>>(depth&63)&1 == 1) != (c == '}') {
				return errBroken
			}
			w.pos++
		case ',', ':':
			if depth == 0 {
				return errBroken
			}
			w.pos++
		default:
			err = w.skipScalar()
		}
		if err != nil || depth == 0 {
			return err
		}
	}
}

// skipString consumes a string whose opening quote is consumed.
func (w *window) skipString() error {
	for {
		i := bytes.IndexAny(w.text(), `"\`)
		switch {
		case i < 0:
			w.pos = w.end
		case w.text()[i] == '"':
			w.pos += i + 1
			return nil
		case i+1 < len(w.text()):
			w.pos += i + 2
			continue
		default:
			w.pos += i
		}
		if err := w.more(); err != nil {
			return err
		}
	}
}

// skipScalar consumes up to the next byte that has a meaning of its own.
func (w *window) skipScalar() error {
	for {
		for ; w.pos < w.end; w.pos++ {
			if c := w.buf[w.pos]; isSpace(c) || bytes.IndexByte([]byte(`,:{}[]"`), c) >= 0 {
				return nil
			}
		}
		if err := w.more(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// lineStart returns where in text the next line starts that can open a
// document: one whose first byte is neither white space nor a closing bracket,
// so that a broken pretty-printed object is passed as a whole. Without one it
// returns -1.
func lineStart(text []byte) int {
	for i := 0; ; {
		n := bytes.IndexByte(text[i:], '\n')
		if n < 0 || i+n+1 >= len(text) {
			return -1
		}
		if i += n + 1; !isSpace(text[i]) && text[i] != '}' && text[i] != ']' {
			return i
		}
	}
}

// resync moves to the next line that can open a document, or to the end.
func (w *window) resync() {
	for {
		if i := lineStart(w.text()); i >= 0 {
			w.pos += i
			return
		}
		// Keep a newline at the very end: what follows it decides.
		if w.pos = w.end; w.end > 0 && w.buf[w.end-1] == '\n' {
			w.pos--
		}
		if w.more() != nil {
			w.pos = w.end
			return
		}
	}
}
