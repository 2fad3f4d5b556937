// Package diag answers mistakes in YAML files with file, line, column, the
// line itself and a caret. It is the only importer of the YAML library.
//
// [Parse] turns text into a [File], whose [Node]s know where they stand, down
// to a rune inside a folded or quoted scalar ([Node.ErrorAt]). [Decode] fills
// structs strictly and reports every mistake, not the first; [Schema] describes
// the same structs to editors. Every [Diagnostic] has a code, and every code a
// page ([Codes]).
package diag

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// Diagnostic is one mistake, or one warning, at one place of one file.
type Diagnostic struct {
	File    string `json:"file"`
	Line    int    `json:"line"` // from 1; 0 when it is about the file as a whole
	Col     int    `json:"col"`  // from 1, in runes; 0 when it is about the line as a whole
	Code    string `json:"code"` // E… or W…, see Codes
	Message string `json:"message"`
	Text    string `json:"text,omitempty"` // the source line, secrets masked
	Warning bool   `json:"warning,omitempty"`
}

// indent is what stands before a quoted source line and its caret.
const indent = "    "

// maxText is how many runes of a source line are shown around the caret.
const maxText = 160

// String is the diagnostic as people read it: `file:line:col: message`, the
// source line, and a caret below the column. It does not end in a newline.
func (d Diagnostic) String() string {
	var b strings.Builder
	b.WriteString(d.File)
	if d.Line > 0 {
		fmt.Fprintf(&b, ":%d", d.Line)
		if d.Col > 0 {
			fmt.Fprintf(&b, ":%d", d.Col)
		}
	}
	b.WriteString(": ")
	if d.Warning {
		b.WriteString("warning: ")
	}
	b.WriteString(printable(d.Message))
	if strings.TrimSpace(d.Text) == "" {
		return b.String()
	}
	text, caret := excerpt(d.Text, d.Col-1)
	b.WriteString("\n" + indent + printable(string(text)))
	if caret >= 0 {
		b.WriteString("\n" + indent + padding(text, caret) + "^")
	}
	return b.String()
}

// Error is String: a Diagnostic is an error.
func (d Diagnostic) Error() string { return d.String() }

// excerpt cuts a long line down to the part around the caret.
func excerpt(line string, caret int) ([]rune, int) {
	line = strings.TrimRightFunc(line, unicode.IsSpace)
	n := utf8.RuneCountInString(line)
	if n <= maxText {
		return []rune(line), caret
	}
	from := min(max(0, caret-maxText/2), n-maxText)
	rest := line[byteOffset(line, from):]
	out := []rune(rest[:byteOffset(rest, maxText)])
	if from > 0 {
		out[0] = '…'
	}
	if from+maxText < n {
		out[maxText-1] = '…'
	}
	return out, caret - from
}

// byteOffset is where the rune with that index begins.
func byteOffset(s string, index int) int {
	for i := range s {
		if index == 0 {
			return i
		}
		index--
	}
	return len(s)
}

// padding is the white space that puts a caret below text[caret]: tabs stay
// tabs, and a character two cells wide counts as two.
func padding(text []rune, caret int) string {
	var b strings.Builder
	for i := range caret {
		switch {
		case i >= len(text):
			b.WriteByte(' ')
		case text[i] == '\t':
			b.WriteByte('\t')
		case unicode.In(text[i], unicode.Mn, unicode.Me, unicode.Cf):
		default:
			b.WriteByte(' ')
			if k := width.LookupRune(text[i]).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
				b.WriteByte(' ')
			}
		}
	}
	return b.String()
}

// printable keeps what a file or a message contains from driving a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && r != '\n' && unicode.IsControl(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// List is what is wrong with one or more files. It is an error, but a nil List
// put into an error variable is not a nil error: use Err.
type List []Diagnostic

// String prints every diagnostic, one below the other, without a newline at
// the end.
func (l List) String() string {
	parts := make([]string, len(l))
	for i, d := range l {
		parts[i] = d.String()
	}
	return strings.Join(parts, "\n")
}

// Error is String.
func (l List) Error() string { return l.String() }

// Err is l as an error when it holds one, and nil when it is empty or holds
// warnings alone.
func (l List) Err() error {
	if !l.HasErrors() {
		return nil
	}
	return l
}

// HasErrors says whether anything in l is more than a warning.
func (l List) HasErrors() bool {
	return slices.ContainsFunc(l, func(d Diagnostic) bool { return !d.Warning })
}

// Sort orders l by file, line and column and drops what is said twice.
func (l *List) Sort() {
	slices.SortStableFunc(*l, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col), cmp.Compare(a.Message, b.Message))
	})
	*l = slices.Compact(*l)
}
