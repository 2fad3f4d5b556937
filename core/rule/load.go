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
	l := &loader{options: o, c: newCompiler(event.Event{}), state: map[string]*compiler{}, packs: map[string]*pack{}, packOf: map[string]*pack{}, rules: map[string]*draft{}}
	for _, root := range roots {
		l.tree(root, ".", l.pack(root.Pack), nil)
	}
	l.gather()
	l.override()
	set := l.build()
	l.list = append(l.list, l.c.list...)
	for _, c := range l.state {
		l.list = append(l.list, c.list...)
	}
	l.forget()
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
	state   map[string]*compiler // by form, for messages and fields of stateful rules
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

// plain is the texts without their nodes; nil for none.
func plain(in []diag.String) []string {
	var out []string
	for _, s := range in {
		out = append(out, s.Value)
	}
	return out
}
