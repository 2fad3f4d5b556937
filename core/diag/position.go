package diag

import (
	"strings"
	"unicode"

	"gopkg.in/yaml.v3"
)

// place is a rune of a file, both from 0.
type place struct{ line, col int }

// start is the offset of what comes before the first rune: a quote, `|`.
const start = -1

// place is where the rune at offset of n's value stands, from 1.
func (f *File) place(n *yaml.Node, offset int) (line, col int) {
	switch {
	case n == nil:
		return 1, 1
	case n.Kind != yaml.ScalarNode:
		return n.Line, n.Column
	}
	if _, replaced := f.values[n]; replaced || offset == start {
		c := f.cursor(n.Line-1, n.Column-1)
		c.skipProperties()
		return c.line + 1, c.col + 1
	}
	p := f.places(n)
	at := p[min(offset, len(p)-1)]
	return at.line + 1, at.col + 1
}

// places is where each rune of a scalar stands in the file, and at the end where
// the rune after the last would. It reads the scalar's source once more and
// stops where the two disagree, so what it says is right and at worst too short.
// There is always at least one place.
func (f *File) places(n *yaml.Node) []place {
	c := f.cursor(n.Line-1, n.Column-1)
	c.skipProperties()
	s := &aligner{cursor: c, val: []rune(n.Value)}
	switch n.Style &^ yaml.TaggedStyle {
	case yaml.LiteralStyle, yaml.FoldedStyle:
		s.block(n.Style&yaml.LiteralStyle != 0)
	case yaml.SingleQuotedStyle:
		s.col++
		s.flow('\'')
	case yaml.DoubleQuotedStyle:
		s.col++
		s.flow('"')
	default:
		s.flow(0)
	}
	return append(s.out, place{s.line, s.col})
}

// cursor walks over the text of a file.
type cursor struct {
	lines []string
	place
	cur []rune // the text of line
}

func (f *File) cursor(line, col int) cursor {
	c := cursor{lines: f.lines, place: place{line, col}}
	if line >= 0 && line < len(f.lines) {
		c.cur = []rune(f.lines[line])
	}
	return c
}

// next goes to the start of the next line; false at the end of the file.
func (c *cursor) next() bool {
	if c.line+1 >= len(c.lines) {
		return false
	}
	c.line++
	c.col = 0
	c.cur = []rune(c.lines[c.line])
	return true
}

func (c *cursor) peek() rune {
	if c.col < 0 || c.col >= len(c.cur) {
		return '\n'
	}
	return c.cur[c.col]
}

func (c *cursor) skipBlanks() {
	for c.peek() == ' ' || c.peek() == '\t' {
		c.col++
	}
}

// skipProperties steps over `&anchor` and `!tag` to the value they belong to.
func (c *cursor) skipProperties() {
	for c.peek() == '&' || c.peek() == '!' {
		start := *c
		anchor := c.peek() == '&'
		for c.col++; c.peek() != ' ' && c.peek() != '\t' && c.peek() != '\n'; c.col++ {
			if anchor && !unicode.IsLetter(c.peek()) && !unicode.IsDigit(c.peek()) && c.peek() != '_' && c.peek() != '-' {
				break
			}
		}
		for c.skipBlanks(); c.peek() == '\n' || c.peek() == '#'; c.skipBlanks() {
			if !c.next() {
				*c = start
				return
			}
		}
	}
}

// aligner walks over a scalar's source and its value together.
type aligner struct {
	cursor
	val []rune
	out []place // of the runes of val found so far
}

func (s *aligner) done() bool { return len(s.out) >= len(s.val) }

// emit says that the next rune of the value is r and stands at p. False when it
// is another.
func (s *aligner) emit(r rune, p place) bool {
	if s.done() || s.val[len(s.out)] != r {
		return false
	}
	s.out = append(s.out, p)
	return true
}

// flow aligns a plain or quoted scalar from its first rune.
func (s *aligner) flow(quote rune) {
	for !s.done() {
		if s.atFold() {
			if !s.fold(1) {
				return
			}
			continue
		}
		r, at := s.peek(), s.place
		switch {
		case quote == '"' && r == '\\' && s.col+1 >= len(s.cur):
			s.col++
			if !s.fold(0) {
				return
			}
		case quote == '"' && r == '\\':
			s.out = append(s.out, at)
			s.col += escapeWidth(s.cur[s.col+1])
		case quote == '\'' && r == '\'':
			if !s.emit('\'', at) {
				return
			}
			s.col += 2
		default:
			if !s.emit(r, at) {
				return
			}
			s.col++
		}
	}
}

// escapeWidth is the width of `\r…` in the source.
func escapeWidth(r rune) int {
	switch r {
	case 'x':
		return 4
	case 'u':
		return 6
	case 'U':
		return 10
	}
	return 2
}

// atFold says that nothing but blanks is left of the line.
func (s *aligner) atFold() bool {
	for i := max(s.col, 0); i < len(s.cur); i++ {
		if s.cur[i] != ' ' && s.cur[i] != '\t' {
			return false
		}
	}
	return true
}

// fold goes on to the next line with text. One line break is a space (an
// escaped one nothing), each further one is a line break.
func (s *aligner) fold(space int) bool {
	at := s.place
	breaks := 0
	for {
		if !s.next() {
			s.place = at
			return false
		}
		breaks++
		s.skipBlanks()
		if s.peek() != '\n' {
			break
		}
	}
	if breaks == 1 {
		return space == 0 || s.emit(' ', at)
	}
	for range breaks - 1 {
		if !s.emit('\n', at) {
			return false
		}
	}
	return true
}

// block aligns a `|` or `>` scalar; the cursor stands on its indicator.
func (s *aligner) block(literal bool) {
	indent := s.indentation()
	prev := ""  // the last line with text
	blanks := 0 // empty lines since
	end := s.place
	for s.next() {
		text := string(s.cur[min(indent, len(s.cur)):])
		if text == "" {
			blanks++
			continue
		}
		if prev == "" {
			end = place{s.line, indent}
		}
		if !s.between(prev, text, blanks, literal, end) {
			break
		}
		prev, blanks = text, 0
		if !s.run(indent) {
			return
		}
		end = s.place
	}
	s.place = end
	for !s.done() && s.emit('\n', end) { // what chomping kept
	}
}

// between emits what stands for the line breaks between two lines of text.
func (s *aligner) between(prev, text string, blanks int, literal bool, at place) bool {
	if s.done() {
		return false
	}
	switch {
	case prev == "":
	case literal || isBlank(prev[0]) || isBlank(text[0]):
		if !s.emit('\n', at) {
			return false
		}
	case blanks == 0:
		return s.emit(' ', at)
	}
	for range blanks {
		if !s.emit('\n', at) {
			return false
		}
	}
	return true
}

func isBlank(b byte) bool { return b == ' ' || b == '\t' }

// run emits the rest of the line from a column on. False when the value ended
// or is another.
func (s *aligner) run(col int) bool {
	for s.col = col; s.col < len(s.cur); s.col++ {
		if !s.emit(s.cur[s.col], s.place) {
			return false
		}
	}
	return true
}

// indentation is how many columns each line of a block scalar is indented: what
// its first line with text is, less the blanks that belong to the value when
// the header gives the indentation by a digit.
func (s *aligner) indentation() int {
	header := s.cur[min(s.col+1, len(s.cur)):]
	explicit := strings.ContainsAny(string(header[:min(2, len(header))]), "123456789")
	for _, line := range s.lines[s.line+1:] {
		text := strings.TrimLeft(line, " ")
		if text == "" {
			continue
		}
		indent := len(line) - len(text)
		if explicit {
			value := strings.TrimLeft(string(s.val), "\n")
			indent -= len(value) - len(strings.TrimLeft(value, " "))
		}
		return max(indent, 0)
	}
	return 0
}
