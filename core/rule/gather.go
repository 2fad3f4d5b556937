package rule

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/trailship/trailship/core/diag"
)

// gather collects what the files define: lists, macros, rules. The first
// definition of a name stands; every other is an error that names the first.
func (l *loader) gather() {
	for _, s := range l.files {
		for _, e := range s.doc.Lists {
			if l.define(s, "list", e.Name, e.Key) {
				s.pack.scope.lists[e.Name] = l.listOf(s, e)
			}
		}
		for _, e := range s.doc.Macros {
			if l.define(s, "macro", e.Name, e.Key) {
				text := written(e)
				s.pack.scope.macros[e.Name] = &macro{name: e.Name, text: text.Value, at: text.Node, scope: &s.pack.scope}
			}
		}
		for i := range s.doc.Rules {
			l.draft(s, i)
		}
		s.doc.Rules = nil // the drafts have what they need
	}
}

// define notes the name of a list or macro and reports one that may not be.
func (l *loader) define(s *source, what, name string, key diag.Node) bool {
	if !identifier.MatchString(name) {
		l.list = append(l.list, key.Errorf("E223", "%s name %q must be letters, digits and _, and not begin with a digit", what, name))
		return false
	}
	if meaning := l.c.reserved(name); what == "macro" && meaning != "" {
		l.list = append(l.list, key.Errorf("E211", "macro %q would hide %s: give it another name", name, meaning))
		return false
	}
	if first, twice := s.pack.seen[what+" "+name]; twice {
		l.list = append(l.list, key.Errorf("E222", "%s %q is defined twice: first at %s", what, name, where(first)))
		return false
	}
	s.pack.seen[what+" "+name] = key
	return true
}

// where is file:line of a node.
func where(n diag.Node) string { return fmt.Sprintf("%s:%d", n.File(), n.Line()) }

// listOf reads one list.
func (l *loader) listOf(s *source, e diag.Entry[diag.Node]) *list {
	out := &list{name: e.Name, at: e.Key}
	if e.Value.Kind() != diag.Mapping {
		var values []diag.String
		l.list = append(l.list, diag.Decode(e.Value, &values)...)
		for _, v := range values {
			out.add(v.Value, place{node: v.Node})
		}
		return out
	}
	var from struct {
		File diag.String `yaml:"file" required:"true"`
	}
	l.list = append(l.list, diag.Decode(e.Value, &from)...)
	if from.File.Value != "" {
		l.listFile(s, out, from.File)
	}
	return out
}

// listFile reads a list from a file.
func (l *loader) listFile(s *source, out *list, file diag.String) {
	name, ok := s.beside(file.Value)
	if !ok {
		l.list = append(l.list, file.Node.Errorf("E224", "list file %q is outside the rules folder", file.Value))
		return
	}
	text, err := l.text(s.root, name)
	if err != nil {
		l.list = append(l.list, file.Node.Errorf("E224", "list file %s: %v", s.root.display(name), err))
		return
	}
	out.readLines(s.root.display(name), text)
}

// beside is the name in the root of a file that a rule file names: beside
// itself, or else from the root. False when it lies outside.
func (s *source) beside(file string) (name string, ok bool) {
	name = path.Join(path.Dir(s.name), file)
	if path.IsAbs(file) || !fs.ValidPath(name) {
		return "", false
	}
	if _, err := fs.Stat(s.root.FS, name); errors.Is(err, fs.ErrNotExist) && fs.ValidPath(path.Clean(file)) {
		if _, err := fs.Stat(s.root.FS, path.Clean(file)); err == nil {
			return path.Clean(file), true
		}
	}
	return name, true
}
