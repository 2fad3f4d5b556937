package diag

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// File is one YAML document: its text and its tree. After Parse, Set and the
// Replace and Hide of its nodes it is only read, and then safe for concurrent
// use.
type File struct {
	Name string // as diagnostics print it

	lines  []string
	root   *yaml.Node
	flag   bool                     // made by Set: there is no line to point at
	grafts map[*yaml.Node]*File     // nodes that come from Set
	values map[*yaml.Node]string    // what Replace and Rewrite put in place of the text
	hidden map[int]map[int]struct{} // line → columns masked by Hide, both from 0
	masked map[*yaml.Node]bool      // scalars whose text is a secret
}

// Parse reads one YAML document. The File is never nil; when the text is not
// YAML it has no nodes, and the list says where and why. Mistakes that leave a
// tree (a key given twice, an unknown tag) are listed too, beside the nodes. It
// never panics. The size of text is the caller's to bound.
func Parse(name string, text []byte) (*File, List) {
	text = bytes.TrimPrefix(text, []byte("\uFEFF"))
	f := &File{Name: name, lines: splitLines(string(text))}
	if line, col, ok := invalidUTF8(text); ok {
		return f, List{f.at(line, col, "E001", "not UTF-8 text: save the file as UTF-8")}
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	doc, list := f.decode(dec)
	if doc == nil {
		return f, list
	}
	next, list := f.decode(dec)
	if list != nil {
		return f, list
	}
	f.root = doc.Content[0]
	c := checker{f: f}
	c.check()
	if next != nil {
		n := next.Content[0]
		c.list = append(c.list, f.at(n.Line, n.Column, "E005", "a second document begins here: a file holds one, so remove the `---` or split the file"))
	}
	c.list.Sort()
	return f, c.list
}

// decode reads the next document; nil when there is none, or when the list says
// what is wrong with it.
func (f *File) decode(dec *yaml.Decoder) (doc *yaml.Node, list List) {
	defer func() {
		if p := recover(); p != nil { // the library is archived; a panic of its is a mistake we cannot name better
			doc, list = nil, List{f.at(0, 0, "E001", "cannot be read as YAML: %v", p)}
		}
	}()
	var n yaml.Node
	err := dec.Decode(&n)
	switch {
	case err == io.EOF:
		return nil, nil
	case err != nil:
		return nil, List{f.syntax(dec, err)}
	case len(n.Content) == 0:
		return nil, nil
	}
	return &n, nil
}

// Root is the document's node; a Node of Kind Absent when the file is empty or
// could not be read.
func (f *File) Root() Node { return Node{f: f, y: f.root} }

// at is a diagnostic at a line and column from 1.
func (f *File) at(line, col int, code, format string, args ...any) Diagnostic {
	d := Diagnostic{File: f.Name, Code: code, Message: fmt.Sprintf(format, args...), Warning: strings.HasPrefix(code, "W")}
	if f.flag || line < 1 {
		return d
	}
	d.Line, d.Col, d.Text = line, col, f.line(line-1)
	return d
}

// line is the text of a line, from 0, with what Hide masked.
func (f *File) line(i int) string {
	if i < 0 || i >= len(f.lines) {
		return ""
	}
	cols := f.hidden[i]
	if len(cols) == 0 {
		return f.lines[i]
	}
	r := []rune(f.lines[i])
	for c := range cols {
		if c < len(r) {
			r[c] = '•'
		}
	}
	return string(r)
}

// splitLines splits where the YAML library counts a line, which is more often
// than "\n".
func splitLines(s string) []string {
	var lines []string
	start := 0
	for i := 0; i < len(s); {
		r, w := utf8.DecodeRuneInString(s[i:])
		if r == '\r' && strings.HasPrefix(s[i:], "\r\n") {
			w = 2
		}
		switch r {
		case '\n', '\r', '\u0085', '\u2028', '\u2029':
			lines = append(lines, s[start:i])
			start = i + w
		}
		i += w
	}
	return append(lines, s[start:])
}

// invalidUTF8 finds the first byte that is not UTF-8.
func invalidUTF8(text []byte) (line, col int, found bool) {
	if utf8.Valid(text) {
		return 0, 0, false
	}
	i := 0
	for {
		r, w := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && w <= 1 {
			break
		}
		i += w
	}
	before := splitLines(string(text[:i]))
	return len(before), utf8.RuneCountInString(before[len(before)-1]) + 1, true
}
