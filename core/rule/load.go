package rule

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/trailship/trailship/core/diag"
	"github.com/trailship/trailship/core/event"
)

// maxFile bounds one rule file or list file, checked before it is parsed.
const maxFile = 1 << 20

// maxFolders bounds how deep folders are looked into.
const maxFolders = 32

// Load reads every rule file below the roots and compiles them. The list holds
// every mistake and warning of every file, sorted; with a mistake in it, the
// Set is nil.
func Load(roots []Root, o Options) (*Set, diag.List) {
	l := &loader{options: o, c: newCompiler(event.Event{}), state: newCompiler(stateEnv{Event: &event.Event{}}), packs: map[string]*pack{}, packOf: map[string]*pack{}, rules: map[string]*draft{}}
	for _, root := range roots {
		l.tree(root, ".", l.pack(root.Pack), nil)
	}
	l.gather()
	l.override()
	set := l.build()
	l.list = append(append(l.list, l.c.list...), l.state.list...)
	l.list.Sort()
	if l.list.HasErrors() {
		return nil, l.list
	}
	return set, l.list
}

// loader is one Load under way.
type loader struct {
	options Options
	c       *compiler
	state   *compiler // for messages and fields of stateful rules
	list    diag.List
	packs   map[string]*pack
	packOf  map[string]*pack // by name of file
	files   []*source
	read    []File
	rules   map[string]*draft // by id
	order   []*draft
}

// source is one rule file that was read.
type source struct {
	root Root
	name string // inside the root
	file *diag.File
	doc  document
	pack *pack
}

// pack is a namespace of lists and macros.
type pack struct {
	Pack
	scope scope
	seen  map[string]diag.Node // where a list or macro was defined
	named diag.Node            // its pack.yaml
}

func (l *loader) pack(name string) *pack {
	if p := l.packs[name]; p != nil {
		return p
	}
	p := &pack{Pack: Pack{Name: name}, scope: scope{lists: map[string]*list{}, macros: map[string]*macro{}}, seen: map[string]diag.Node{}}
	l.packs[name] = p
	return p
}

func (l *loader) errorf(file, code, format string, args ...any) {
	l.list = append(l.list, diag.Diagnostic{File: file, Code: code, Message: fmt.Sprintf(format, args...)})
}

// tree reads the folder dir of a root and the folders below it. above holds the
// folders on the way here, so that a link to one of them is no circle.
func (l *loader) tree(root Root, dir string, p *pack, above []fs.FileInfo) {
	info, err := fs.Stat(root.FS, dir)
	if err != nil {
		l.errorf(root.display(dir), "E220", "cannot read: %v", reason(err))
		return
	}
	if len(above) > maxFolders || slices.ContainsFunc(above, func(a fs.FileInfo) bool { return os.SameFile(a, info) }) {
		return
	}
	entries, err := fs.ReadDir(root.FS, dir)
	if err != nil {
		l.errorf(root.display(dir), "E220", "cannot read: %v", reason(err))
		return
	}
	if i := slices.IndexFunc(entries, func(e fs.DirEntry) bool { return isPackFile(e.Name()) }); i >= 0 {
		p = l.packFile(root, path.Join(dir, entries[i].Name()), p)
	}
	for _, e := range entries {
		l.entry(root, path.Join(dir, e.Name()), p, append(above, info))
	}
}

func isPackFile(name string) bool { return name == "pack.yaml" || name == "pack.yml" }

func (l *loader) entry(root Root, name string, p *pack, above []fs.FileInfo) {
	base := path.Base(name)
	if ignored(base) || isPackFile(base) {
		return
	}
	info, err := fs.Stat(root.FS, name) // follows links, as ConfigMaps need
	switch {
	case err != nil:
		if isYAML(base) {
			l.errorf(root.display(name), "E220", "cannot read: %v", reason(err))
		}
	case info.IsDir():
		if base != "testdata" {
			l.tree(root, name, p, above)
		}
	case isYAML(base):
		l.file(root, name, p)
	}
}

func isYAML(name string) bool {
	ext := strings.ToLower(path.Ext(name))
	return ext == ".yaml" || ext == ".yml"
}

// display is the name of a root's file in messages.
func (r Root) display(name string) string {
	if r.Path == "" {
		return name
	}
	if name == "." {
		return r.Path
	}
	return path.Join(r.Path, name)
}

// reason is err without the path, which stands before it anyway.
func reason(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

// text reads one file, refusing what is too large before reading it.
func (l *loader) text(root Root, name string) ([]byte, error) {
	info, err := fs.Stat(root.FS, name)
	if err != nil {
		return nil, reason(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("larger than %d MiB", maxFile>>20)
	}
	text, err := fs.ReadFile(root.FS, name)
	if err != nil {
		return nil, reason(err)
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("larger than %d MiB", maxFile>>20)
	}
	l.read = append(l.read, File{root.display(name), sha256.Sum256(text)})
	return text, nil
}

// file reads one rule file.
func (l *loader) file(root Root, name string, p *pack) {
	display := root.display(name)
	text, err := l.text(root, name)
	if err != nil {
		l.errorf(display, "E220", "cannot read: %v", err)
		return
	}
	f, list := diag.Parse(display, text)
	l.list = append(l.list, list...)
	if f.Root().Kind() == diag.Absent {
		return
	}
	s := &source{root: root, name: name, file: f, pack: p}
	l.list = append(l.list, diag.Decode(f.Root(), &s.doc)...)
	if v := s.doc.Version; v.Kind() != diag.Absent && v.Value() != newestVersion {
		l.list = append(l.list, v.Errorf("E221", "version %s of the rule language is not known: the newest is %s", v.Value(), newestVersion))
	}
	l.files = append(l.files, s)
	l.packOf[display] = p
}

// packFile reads a pack.yaml; the files of its folder belong to the pack.
func (l *loader) packFile(root Root, name string, outer *pack) *pack {
	display := root.display(name)
	text, err := l.text(root, name)
	if err != nil {
		l.errorf(display, "E220", "cannot read: %v", err)
		return outer
	}
	f, list := diag.Parse(display, text)
	var doc packDoc
	list = append(list, diag.Decode(f.Root(), &doc)...)
	l.list = append(l.list, list...)
	if doc.Name.Value == "" {
		return outer
	}
	p := l.pack(doc.Name.Value)
	if p.named.Kind() != diag.Absent {
		l.list = append(l.list, doc.Name.Node.Errorf("E222", "pack %q is defined twice: first in %s", doc.Name.Value, p.named.File()))
		return p
	}
	p.named = doc.Name.Node
	p.Version, p.Description, p.File = doc.Version.Value, doc.Description.Value, display
	p.Requires = plain(doc.Requires)
	return p
}

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
				s.pack.scope.macros[e.Name] = &macro{name: e.Name, text: e.Value.Value, at: e.Value.Node, scope: &s.pack.scope}
			}
		}
		for i := range s.doc.Rules {
			l.draft(s, i)
		}
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

// plain is the texts without their nodes; nil for none.
func plain(in []diag.String) []string {
	var out []string
	for _, s := range in {
		out = append(out, s.Value)
	}
	return out
}
