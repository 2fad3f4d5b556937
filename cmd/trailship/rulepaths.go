package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/trailship/trailship/core/config"
	"github.com/trailship/trailship/core/decode"
	"github.com/trailship/trailship/core/diag"
	"github.com/trailship/trailship/core/event"
	"github.com/trailship/trailship/core/rule"
	"github.com/trailship/trailship/rules"
)

// openRules turns rules paths into trees, and says which folders and files on
// disk they are, to be watched.
func openRules(paths []config.RulePath) (roots []rule.Root, watch []string, list diag.List) {
	for _, p := range paths {
		root, err := openPath(p)
		if err != nil {
			list = append(list, at(p.Node, "E114", err))
			continue
		}
		roots = append(roots, root)
		if p.Pack == "" {
			watch = append(watch, root.Path) // of a single file the folder: its lists are there
		}
	}
	return roots, watch, list
}

// at is err as a diagnostic at a node of the configuration, or, for what comes
// from a flag, of no file.
func at(n diag.Node, code string, err error) diag.Diagnostic {
	if n.Kind() == diag.Absent {
		return diag.Diagnostic{File: "rules", Code: code, Message: err.Error()}
	}
	return n.Errorf(code, "%v", err)
}

func openPath(p config.RulePath) (rule.Root, error) {
	if p.Pack != "" {
		tree, ok := rules.Pack(p.Pack)
		if !ok {
			return rule.Root{}, fmt.Errorf("there is no shipped pack %q%s; there are: %s", p.Pack,
				diag.Suggest(p.Pack, rules.Packs()), strings.Join(rules.Packs(), ", "))
		}
		return rule.Root{FS: tree, Path: "pack:" + p.Pack, Pack: p.Pack}, nil
	}
	path := p.Path
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return rule.Root{}, fmt.Errorf("%s: %w", path, reason(err))
	case info.IsDir():
		return rule.Root{FS: os.DirFS(path), Path: path}, nil
	default:
		dir := filepath.Dir(path)
		return rule.Root{FS: oneFile{os.DirFS(dir), filepath.Base(path)}, Path: dir}, nil
	}
}

// reason is err without the path, which the message has already.
func reason(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

// oneFile is a folder in which only one rule file is listed; the lists it
// names are still found.
type oneFile struct {
	fs.FS
	name string
}

// ReadDir lists the one file.
func (o oneFile) ReadDir(dir string) ([]fs.DirEntry, error) {
	info, err := fs.Stat(o.FS, o.name)
	if dir != "." || err != nil {
		return nil, err
	}
	return []fs.DirEntry{fs.FileInfoToDirEntry(info)}, nil
}

// normalizeOne makes an event of a raw record, for the tests of rules.
func normalizeOne(raw []byte) (*event.Event, error) {
	rec, err := decode.NewReader(strings.NewReader(string(raw)), decode.Limits{}).Next()
	if err != nil {
		return nil, err
	}
	ev := new(event.Event)
	if err := decode.Normalize(ev, rec); err != nil {
		return nil, err
	}
	return ev, nil
}

// loadRules reads rules paths. The set is nil when the list has errors.
func loadRules(paths []config.RulePath, o rule.Options) (*rule.Set, diag.List) {
	roots, _, list := openRules(paths)
	if list.HasErrors() {
		return nil, list
	}
	o.Normalize = normalizeOne
	return rule.Load(roots, o)
}
