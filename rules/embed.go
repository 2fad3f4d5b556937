// Package rules holds the rule packs that are shipped inside the program, one
// folder each. They are ordinary rule files: copy a folder to change it.
package rules

import (
	"embed"
	"io/fs"
)

//go:embed all:kms all:principals all:secrets all:signin
var packs embed.FS

// Pack returns the files of a shipped pack, and whether there is one of that
// name. It is what `pack:NAME` in a configuration stands for.
func Pack(name string) (fs.FS, bool) {
	if !fs.ValidPath(name) || name == "." {
		return nil, false
	}
	if info, err := fs.Stat(packs, name); err != nil || !info.IsDir() {
		return nil, false
	}
	sub, err := fs.Sub(packs, name)
	return sub, err == nil
}

// Packs lists the names of the shipped packs, sorted.
func Packs() []string {
	entries, err := packs.ReadDir(".")
	if err != nil {
		panic(err) // the root of an embedded tree is always there
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
