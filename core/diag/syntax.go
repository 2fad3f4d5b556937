package diag

import (
	"cmp"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// failure is what the YAML library knows of a syntax error. Its message leaves
// out the column and often the line, but its parser keeps both.
type failure struct {
	problem string
	at      place // where the parser stopped
	context place // where what it was reading began
	cause   string
	known   bool // the places are known
}

// failureOf reads the marks the library keeps to itself; without them, should
// another version hide them elsewhere, the message is all there is.
func failureOf(dec *yaml.Decoder, err error) failure {
	fail := failure{problem: strings.TrimPrefix(err.Error(), "yaml: ")}
	parser := inside(reflect.ValueOf(dec), "parser", "parser")
	problem := inside(parser, "problem")
	switch {
	case !problem.IsValid():
		return fail
	case problem.String() == "": // the scanner was content: an unknown alias
		fail.at, fail.known = markOf(inside(reflect.ValueOf(dec), "parser", "event", "start_mark"))
		fail.context = fail.at
		return fail
	}
	fail.problem, fail.cause = problem.String(), inside(parser, "context").String()
	fail.at, fail.known = markOf(inside(parser, "problem_mark"))
	context, ok := markOf(inside(parser, "context_mark"))
	fail.known = fail.known && ok
	if fail.cause == "" {
		context = fail.at
	}
	fail.context = context
	return fail
}

func inside(v reflect.Value, names ...string) reflect.Value {
	for _, name := range names {
		for v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		if v.Kind() != reflect.Struct {
			return reflect.Value{}
		}
		v = v.FieldByName(name)
	}
	return v
}

func markOf(v reflect.Value) (place, bool) {
	line, col := inside(v, "line"), inside(v, "column")
	if !line.IsValid() || !col.IsValid() || !line.CanInt() || !col.CanInt() {
		return place{}, false
	}
	return place{int(line.Int()), int(col.Int())}, true
}

// syntax is a syntax error, at the place where a person would mend it and in
// words that say how.
func (f *File) syntax(dec *yaml.Decoder, err error) Diagnostic {
	fail := failureOf(dec, err)
	if p, message, ok := f.control(); ok {
		return f.at(p.line+1, p.col+1, "E001", "%s", message)
	}
	if !fail.known {
		return f.at(0, 0, "E001", "cannot be read as YAML: %s", fail.problem)
	}
	for _, guess := range []func(failure) (place, string){f.tab, f.unclosed, f.quoted, f.afterColon, f.cannotStart, f.structure} {
		if p, message := guess(fail); message != "" {
			p.line = min(p.line, len(f.lines)-1)
			return f.at(p.line+1, p.col+1, "E001", "%s", message)
		}
	}
	return f.at(min(fail.at.line, len(f.lines)-1)+1, fail.at.col+1, "E001", "cannot be read as YAML: %s", fail.problem)
}

// control finds a character no YAML file may contain.
func (f *File) control() (place, string, bool) {
	for i, line := range f.lines {
		for col, r := range []rune(line) {
			if r < ' ' && r != '\t' || r == 0x7F || r > 0x7F && r < 0xA0 || r == 0xFFFE || r == 0xFFFF {
				return place{i, col}, fmt.Sprintf("the control character U+%04X is not allowed: remove it, or write it as an escape in double quotes", r), true
			}
		}
	}
	return place{}, "", false
}

// tab finds tabs that indent.
func (f *File) tab(fail failure) (place, string) {
	for _, line := range []int{fail.at.line, fail.at.line - 1, fail.context.line} {
		text := f.raw(line)
		blank := text[:len(text)-len(strings.TrimLeft(text, " \t-"))]
		if i := strings.IndexByte(blank, '\t'); i >= 0 {
			return place{line, i}, "a tab cannot indent YAML: use spaces"
		}
	}
	return place{}, ""
}

// unclosed finds quotes and brackets without their end.
func (f *File) unclosed(fail failure) (place, string) {
	switch {
	case strings.Contains(fail.cause, "quoted scalar") && strings.HasPrefix(fail.problem, "found unexpected"):
		return fail.context, fmt.Sprintf("this %c is never closed: end the text with another, or quote the text if the %[1]c belongs to it", f.runeAt(fail.context))
	case strings.HasPrefix(fail.problem, "did not find expected ',' or"):
		open := f.runeAt(fail.context)
		closer := map[rune]string{'[': "]", '{': "}"}[open]
		end := strings.TrimSpace(strings.Join(f.lines[min(fail.at.line, len(f.lines)):], "")) == ""
		if end || fail.at.line != fail.context.line && f.runeAt(fail.at) == ':' {
			return fail.context, fmt.Sprintf("this %c is never closed: a %s is missing", open, closer)
		}
		return fail.at, fmt.Sprintf("a comma or %s is missing before this: text with quotes, commas or brackets inside needs quotes around the whole", closer)
	}
	return place{}, ""
}

// quoted finds what is wrong inside and after quotes.
func (f *File) quoted(fail failure) (place, string) {
	switch fail.problem {
	case "found unknown escape character":
		return fail.at, fmt.Sprintf("\\%c is no escape in double quotes: write \\\\ for a backslash, or use single quotes", f.runeAt(place{fail.at.line, fail.at.col + 1}))
	case "did not find expected hexdecimal number", "found invalid Unicode character escape code":
		return fail.at, "this escape needs hexadecimal digits of a character: \\x41, \\u00e9, \\U0001F600; write \\\\ for a backslash"
	}
	if fail.problem != "did not find expected key" && fail.problem != "did not find expected '-' indicator" {
		return place{}, ""
	}
	before := strings.TrimRight(string(f.runesTo(fail.at)), " \t")
	if before == "" {
		return place{}, ""
	}
	switch before[len(before)-1] {
	case '"', '\'':
		return fail.at, "text after the closing quote: put the whole value in the other kind of quotes, or on its own line below `|`"
	case ']', '}':
		return fail.at, "text after the closing bracket: put the whole value in quotes, or on its own line below `|`"
	}
	if word := strings.Fields(before); strings.HasPrefix(word[len(word)-1], "*") {
		return fail.at, "text after an alias: a value that begins with * needs quotes"
	}
	return place{}, ""
}

// tight is a key whose colon is followed by text at once.
var tight = regexp.MustCompile(`^\s*(?:- +)*("[^"]*"|'[^']*'|[\w.-]+):[^\s/]`)

// key is a key with its colon.
var key = regexp.MustCompile(`^\s*(?:- +)*("[^"]*"|'[^']*'|[^\s#&*!|>'"%@` + "`" + `\[{][^#]*?):(\s|$)`)

// blockHeader is a line that ends in the indicator of a block.
var blockHeader = regexp.MustCompile(`[:-] +[|>][-+1-9]*\s*$`)

// afterColon finds keys without a space after the colon, without a colon, and
// colons inside plain text.
func (f *File) afterColon(fail failure) (place, string) {
	missing := fail.problem == "could not find expected ':'"
	if !missing && fail.problem != "mapping values are not allowed in this context" {
		return place{}, ""
	}
	line := fail.at.line
	if missing {
		line = fail.context.line
	}
	for _, l := range []int{line, line - 1} {
		if m := tight.FindStringSubmatchIndex(f.raw(l)); m != nil {
			return place{l, len([]rune(f.raw(l)[:m[3]]))}, "a space is missing after this colon"
		}
	}
	if missing && blockHeader.MatchString(f.raw(line-1)) {
		return fail.context, "the text of a block must be indented deeper than its key"
	}
	if missing {
		return fail.context, "a colon is missing after this key: write `key: value`"
	}
	if m := key.FindStringSubmatchIndex(f.raw(line)); m != nil && len([]rune(f.raw(line)[:m[3]])) < fail.at.col {
		return fail.at, "a second colon on this line: text that contains \": \" needs quotes around it, or its own line below `|`"
	}
	return f.before(line)
}

// before blames the line with text before this one: a key that is indented
// deeper than a value, or a key without its colon.
func (f *File) before(line int) (place, string) {
	for l := line - 1; l >= 0; l-- {
		text := strings.TrimSpace(f.raw(l))
		switch {
		case text == "" || text[0] == '#':
			continue
		case key.MatchString(f.raw(l)):
			return f.firstText(line), "this key is indented deeper than the one before it, which has a value already: align the two"
		}
		return f.firstText(l), "a colon is missing on this line: write `key: value`"
	}
	return f.firstText(line), "a key cannot stand here"
}

// cannotStart finds values whose first character means something to YAML.
func (f *File) cannotStart(fail failure) (place, string) {
	r := f.runeAt(fail.at)
	switch {
	case fail.problem == "found character that cannot start any token":
		return fail.at, fmt.Sprintf("a value cannot begin with %c: put it in quotes", r)
	case strings.HasPrefix(fail.problem, "unknown anchor"):
		return fail.at, fmt.Sprintf("unknown alias %s: no &anchor of this name stands before it; a value that begins with * needs quotes", strings.Fields(string(f.runesFrom(fail.at)) + " ")[0])
	case strings.Contains(fail.cause, "alias") || strings.Contains(fail.cause, "anchor"):
		return fail.context, fmt.Sprintf("a value that begins with %c needs quotes", f.runeAt(fail.context))
	case strings.Contains(fail.cause, "tag") || fail.problem == "found undefined tag handle":
		return fail.context, "this is a YAML tag: put a value that begins with ! in quotes, or on its own line below `|`"
	case strings.Contains(fail.cause, "directive"):
		return fail.context, "a line cannot begin with %: put the value in quotes"
	}
	return place{}, ""
}

// structure says what is wrong between lines.
func (f *File) structure(fail failure) (place, string) {
	switch fail.problem {
	case "block sequence entries are not allowed in this context":
		if strings.TrimSpace(string(f.runesTo(fail.at))) == "" {
			return fail.at, "a list cannot begin here: indent it below its key, at the same depth as its other elements"
		}
		return fail.at, "a list cannot begin on the line of its key: put `-` on the next line"
	case "mapping keys are not allowed in this context":
		return fail.at, "a value cannot begin with \"? \": put it in quotes"
	case "did not find expected key":
		if strings.HasPrefix(strings.TrimSpace(f.raw(fail.at.line)), "- ") {
			return fail.at, "a list element cannot stand between keys: align it with the other elements, or remove the `-`"
		}
		return fail.at, fmt.Sprintf("this does not line up with the keys that begin on line %d, column %d", fail.context.line+1, fail.context.col+1)
	case "did not find expected '-' indicator":
		return fail.at, fmt.Sprintf("this does not line up with the list that begins on line %d, column %d: elements begin with `- `", fail.context.line+1, fail.context.col+1)
	case "did not find expected <document start>":
		return fail.at, "the document has ended before this: check the indentation and the brackets above"
	case "did not find expected node content":
		return fail.at, "a value is missing here"
	case "did not find expected comment or line break":
		return fail.context, "text cannot follow a block indicator on its line: put it on the next line, or in quotes"
	case "found an indentation indicator equal to 0":
		return fail.context, "the indentation of a block is 1 to 9"
	}
	if strings.HasPrefix(fail.problem, "exceeded max depth") {
		return fail.at, "nested deeper than 10,000 levels"
	}
	return place{}, ""
}

func (f *File) raw(line int) string {
	if line < 0 || line >= len(f.lines) {
		return ""
	}
	return f.lines[line]
}

func (f *File) runeAt(p place) rune {
	c := f.cursor(p.line, p.col)
	return cmp.Or(c.peek(), ' ')
}

// runesTo and runesFrom are the parts of a line before and after a place.
func (f *File) runesTo(p place) []rune {
	r := []rune(f.raw(p.line))
	return r[:min(max(p.col, 0), len(r))]
}

func (f *File) runesFrom(p place) []rune {
	r := []rune(f.raw(p.line))
	return r[min(max(p.col, 0), len(r)):]
}

// firstText is the first character of a line that is not blank.
func (f *File) firstText(line int) place {
	text := f.raw(line)
	return place{line, len(text) - len(strings.TrimLeft(text, " "))}
}
