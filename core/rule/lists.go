package rule

import (
	"bufio"
	"strings"

	"github.com/trailship/trailship/core/diag"
)

// list is a named list of strings. Its members are compiled once, to the form
// its uses need.
type list struct {
	name    string
	at      diag.Node // its name in the file
	values  []string
	places  []place // of the values
	used    bool
	members map[string]struct{}
	nets    *networks
}

// place says where a value of a list was written: a YAML node, or a line of a
// list file.
type place struct {
	node diag.Node
	file string
	line int
	text string
}

func (p place) errorf(code, format string, args ...any) diag.Diagnostic {
	d := p.node.Errorf(code, format, args...)
	if p.file != "" {
		d.File, d.Line, d.Col, d.Text = p.file, p.line, 1, p.text
	}
	return d
}

func (l *list) add(value string, at place) {
	l.values = append(l.values, value)
	l.places = append(l.places, at)
}

// set is the list for `in`.
func (l *list) set() map[string]struct{} {
	if l.members == nil {
		l.members = make(map[string]struct{}, len(l.values))
		for _, v := range l.values {
			l.members[v] = struct{}{}
		}
	}
	return l.members
}

// table is the list for cidr(). What is not a network is reported where it
// stands, once.
func (l *list) table(c *compiler) *networks {
	if l.nets != nil {
		return l.nets
	}
	l.nets = &networks{}
	for i, v := range l.values {
		prefix, err := parseNetwork(v)
		if err != nil {
			c.list = append(c.list, l.places[i].errorf("E209", "%q is not a network such as 10.0.0.0/8, nor an address, and lists.%s is used in cidr()", v, l.name))
			continue
		}
		l.nets.table.Insert(prefix)
	}
	return l.nets
}

// readLines adds the values of a list file: one a line, `#` begins a comment.
func (l *list) readLines(file string, text []byte) {
	sc := bufio.NewScanner(strings.NewReader(string(text)))
	sc.Buffer(nil, maxFile+1)
	for n := 1; sc.Scan(); n++ {
		line := sc.Text()
		if n == 1 {
			line = strings.TrimPrefix(line, "\ufeff")
		}
		value, _, _ := strings.Cut(line, "#")
		if value = strings.TrimSpace(value); value != "" {
			l.add(value, place{file: file, line: n, text: line})
		}
	}
}
