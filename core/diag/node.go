package diag

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Kind says what a Node is.
type Kind int

// The kinds. Null is a value left empty, `null` or `~`.
const (
	Absent Kind = iota
	Null
	Scalar
	Sequence
	Mapping
)

// Node is a place in a File: a value, or a key. Aliases are followed; a Node
// reached through one is reported where the alias stands. The zero Node is
// Absent, and everything may be asked of it.
type Node struct {
	f     *File
	y     *yaml.Node
	alias *yaml.Node // the outermost alias on the way here
	name  string
}

// child is y seen from n.
func (n Node) child(y *yaml.Node, name string) Node {
	c := Node{f: n.f, y: y, alias: n.alias, name: name}
	if g, ok := n.f.grafts[y]; ok {
		c.f = g
	}
	if y.Kind == yaml.AliasNode {
		if c.alias == nil {
			c.alias = y
		}
		c.y = y.Alias
	}
	return c
}

// Kind says what n is.
func (n Node) Kind() Kind {
	switch {
	case n.y == nil:
		return Absent
	case n.y.Kind == yaml.MappingNode:
		return Mapping
	case n.y.Kind == yaml.SequenceNode:
		return Sequence
	case n.y.Tag == "!!null":
		return Null
	}
	return Scalar
}

// Value is the text of a scalar, unquoted and unfolded; "" for anything else.
func (n Node) Value() string {
	if n.y == nil {
		return ""
	}
	if v, ok := n.f.values[n.y]; ok {
		return v
	}
	return n.y.Value
}

// Plain says that n is a scalar without quotes that is not a block: one whose
// text YAML could take for a number, a bool or a date.
func (n Node) Plain() bool {
	return n.y != nil && n.y.Kind == yaml.ScalarNode && n.y.Style&^yaml.TaggedStyle == 0
}

// Name is the key or the place in a list that n was reached by: `count`,
// `tags[1]`. It is "" for a document.
func (n Node) Name() string { return n.name }

// File is the name of n's file.
func (n Node) File() string {
	if n.f == nil {
		return ""
	}
	return n.f.Name
}

// Line is where n begins, or where the alias stands that led to it; from 1, and
// 0 for a Node without a file.
func (n Node) Line() int { return n.Errorf("", "").Line }

// Replace makes value the text of a scalar. The new value is a secret from then
// on: no diagnostic quotes it. Offsets into it are reported at its start.
func (n Node) Replace(value string) {
	n.Rewrite(value)
	n.f.mask(n.y)
}

// Rewrite is Replace for what is no secret.
func (n Node) Rewrite(value string) {
	if n.f.values == nil {
		n.f.values = map[*yaml.Node]string{}
	}
	n.f.values[n.y] = value
}

// Replaced says that Replace or Rewrite was called on this scalar.
func (n Node) Replaced() bool {
	if n.y == nil {
		return false
	}
	_, ok := n.f.values[n.y]
	return ok
}

// Key is the value under a key of a mapping, Absent when there is none.
func (n Node) Key(name string) Node {
	for k, v := range n.Pairs() {
		if k.Value() == name {
			return v
		}
	}
	return Node{f: n.f}
}

// Index is element i of a list, Absent when there is none.
func (n Node) Index(i int) Node {
	if n.Kind() != Sequence || i < 0 || i >= len(n.y.Content) {
		return Node{f: n.f}
	}
	return n.child(n.y.Content[i], fmt.Sprintf("%s[%d]", n.name, i))
}

// Len is the number of elements of a list or pairs of a mapping.
func (n Node) Len() int {
	switch n.Kind() {
	case Sequence:
		return len(n.y.Content)
	case Mapping:
		return len(n.y.Content) / 2
	}
	return 0
}

// Pairs yields the keys and values of a mapping in their order, and nothing for
// any other node.
func (n Node) Pairs() iter.Seq2[Node, Node] {
	return func(yield func(Node, Node) bool) {
		if n.Kind() != Mapping {
			return
		}
		for i := 0; i+1 < len(n.y.Content); i += 2 {
			k := n.child(n.y.Content[i], "")
			if !yield(k, n.child(n.y.Content[i+1], k.Value())) {
				return
			}
		}
	}
}

// Items yields the elements of a list, and nothing for any other node.
func (n Node) Items() iter.Seq[Node] {
	return func(yield func(Node) bool) {
		for i := range n.Len() {
			if n.Kind() != Sequence || !yield(n.Index(i)) {
				return
			}
		}
	}
}

// Errorf is a diagnostic where n begins: at its opening quote, if it has one.
// Codes that begin with W are warnings.
func (n Node) Errorf(code, format string, args ...any) Diagnostic {
	return n.diagnostic(start, code, format, args...)
}

// ErrorAt is a diagnostic at the rune of n's value with that offset, wherever
// folding, quotes and escapes put it in the file. Offsets beyond the value are
// its end. A value reached through an alias is reported at the alias, and the
// message says where it was written.
func (n Node) ErrorAt(runeOffset int, code, format string, args ...any) Diagnostic {
	return n.diagnostic(max(runeOffset, 0), code, format, args...)
}

func (n Node) diagnostic(offset int, code, format string, args ...any) Diagnostic {
	if n.f == nil {
		return (&File{}).at(0, 0, code, format, args...)
	}
	line, col := n.f.place(n.y, offset)
	if n.alias == nil {
		return n.f.at(line, col, code, format, args...)
	}
	message := fmt.Sprintf(format, args...)
	return n.f.at(n.alias.Line, n.alias.Column, code, "%s (defined at line %d)", message, line)
}

// Hide masks the text of a scalar in the source lines diagnostics show: it is a
// secret somebody wrote into the file.
func (n Node) Hide() {
	if n.y == nil || n.y.Kind != yaml.ScalarNode {
		return
	}
	if n.f.hidden == nil {
		n.f.hidden = map[int]map[int]struct{}{}
	}
	n.f.mask(n.y)
	places := n.f.places(n.y)
	for i, p := range places[:len(places)-1] {
		width := 1
		if next := places[i+1]; next.line == p.line {
			width = next.col - p.col
		}
		for c := range width {
			n.f.hide(p.line, p.col+c)
		}
	}
}

func (f *File) mask(y *yaml.Node) {
	if f.masked == nil {
		f.masked = map[*yaml.Node]bool{}
	}
	f.masked[y] = true
}

func (f *File) hide(line, col int) {
	if f.hidden[line] == nil {
		f.hidden[line] = map[int]struct{}{}
	}
	f.hidden[line][col] = struct{}{}
}

// Got describes n for messages that end in "…, got …".
func (n Node) Got() string {
	switch n.Kind() {
	case Absent, Null:
		return "nothing"
	case Mapping:
		return "a mapping"
	case Sequence:
		return "a list"
	}
	v := n.Value()
	switch {
	case n.Secret():
		return mask
	case n.Plain() && slices.Contains([]string{"!!int", "!!float", "!!bool"}, n.y.Tag):
		return v
	}
	return "text " + n.Quoted()
}

// mask is what stands for a secret.
const mask = "•••"

// Secret says that the text of a scalar is not to be shown: Replace or Hide was
// called on it.
func (n Node) Secret() bool { return n.y != nil && n.f.masked[n.y] }

// Quoted is the text of a scalar for a message: in quotes, shortened, and
// masked when it is a secret.
func (n Node) Quoted() string {
	v := n.Value()
	if n.Secret() {
		return mask
	}
	if utf8.RuneCountInString(v) > 40 {
		v = string([]rune(v)[:40]) + "…"
	}
	return quote(v)
}

// quote puts v in double quotes and leaves everything that prints as it is.
func quote(v string) string {
	return `"` + strings.NewReplacer("\n", `\n`, "\t", `\t`, "\r", `\r`).Replace(v) + `"`
}
