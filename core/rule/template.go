package rule

import (
	"strings"
	"unicode/utf8"

	"github.com/trailship/trailship/core/diag"
)

// maxMessage bounds a rendered message, in bytes.
const maxMessage = 1 << 10

// template is a message: text with `${ expression }` in it. The values are
// data: whatever they contain is rendered once and never read again.
type template struct{ parts []templatePart }

// templatePart is text, or an expression when value is not nil.
type templatePart struct {
	text  string
	value *expression
}

// piece is a part of a template's text before compiling.
type piece struct {
	text   string // literal text, or the expression
	expr   bool
	offset int // of text in the template, in runes
}

// splitTemplate finds the expressions of a template. at is the rune offset of
// an expression without end, -1 when there is none.
func splitTemplate(s string) (pieces []piece, at int) {
	text := []rune(s)
	var literal strings.Builder
	for i := 0; i < len(text); {
		rest := string(text[i:min(i+3, len(text))])
		switch {
		case strings.HasPrefix(rest, "$${"):
			literal.WriteString("${")
			i += 3
		case strings.HasPrefix(rest, "${"):
			end := expressionEnd(text, i+2)
			if end < 0 {
				return pieces, i
			}
			if literal.Len() > 0 {
				pieces = append(pieces, piece{text: literal.String()})
				literal.Reset()
			}
			pieces = append(pieces, piece{string(text[i+2 : end]), true, i + 2})
			i = end + 1
		default:
			literal.WriteRune(text[i])
			i++
		}
	}
	if literal.Len() > 0 {
		pieces = append(pieces, piece{text: literal.String()})
	}
	return pieces, -1
}

// expressionEnd finds the `}` that ends the expression starting at i: not one
// inside quotes, comments or inner braces. -1 when there is none.
func expressionEnd(text []rune, i int) int {
	depth := 0
	for ; i < len(text); i++ {
		switch text[i] {
		case '"', '\'', '`':
			i = quoteEnd(text, i)
		case '/':
			i = commentEnd(text, i)
		case '{':
			depth++
		case '}':
			if depth == 0 {
				return i
			}
			depth--
		}
	}
	return -1
}

// quoteEnd is the index of the quote that closes the one at i.
func quoteEnd(text []rune, i int) int {
	quote := text[i]
	for i++; i < len(text) && text[i] != quote; i++ {
		if text[i] == '\\' && quote != '`' {
			i++
		}
	}
	return i
}

// commentEnd is the index of the last rune of a comment at i, i for none.
func commentEnd(text []rune, i int) int {
	rest := string(text[i:])
	end := -1
	switch {
	case strings.HasPrefix(rest, "/*"):
		end = strings.Index(rest[2:], "*/") + 4
		if end < 4 {
			return len(text)
		}
	case strings.HasPrefix(rest, "//"):
		if end = strings.Index(rest, "\n") + 1; end < 1 {
			return len(text)
		}
	default:
		return i
	}
	return i + utf8.RuneCountInString(rest[:end]) - 1
}

// template compiles a message; nil when it has errors or is not there.
func (c *compiler) template(m diag.String, sc *scope) *template {
	if m.Node.Kind() == diag.Absent {
		return nil
	}
	pieces, open := splitTemplate(m.Value)
	if open >= 0 {
		c.list = append(c.list, m.Node.ErrorAt(open, "E212", "this ${ has no closing }: write $${ for the text itself"))
		return nil
	}
	t := &template{}
	good := true
	for _, p := range pieces {
		part := templatePart{text: p.text}
		if p.expr {
			part.value = c.at(m.Node, p.offset, p.text, "message", sc, wantAny)
			good = good && part.value != nil
		}
		t.parts = append(t.parts, part)
	}
	if !good {
		return nil
	}
	return t
}

// render fills the template; value gives an expression's value, nil for none.
func (t *template) render(value func(*expression) any) string {
	var b strings.Builder
	for _, p := range t.parts {
		s := p.text
		if p.value != nil {
			if s = display(value(p.value)); s == "" {
				s = "-"
			}
		}
		b.WriteString(s)
		if b.Len() > maxMessage {
			return cut(b.String(), maxMessage)
		}
	}
	return b.String()
}

// cut shortens s to limit bytes, at a rune, the last of them an ellipsis.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	s = s[:limit-len("…")]
	for len(s) > 0 {
		if r, size := utf8.DecodeLastRuneInString(s); r != utf8.RuneError || size != 1 {
			break
		}
		s = s[:len(s)-1]
	}
	return s + "…"
}
