package rule

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// readTrees returns the digest of all files below roots and the folders they are in.
func readTrees(roots []string) (digest, []string) {
	t := treeReading{hash: sha256.New()}
	for _, root := range roots {
		t.seen = map[string]bool{}
		t.visit(root)
	}
	return digest(t.hash.Sum(nil)), t.folders
}

// treeReading is one reading under way.
type treeReading struct {
	hash    hash.Hash
	folders []string
	seen    map[string]bool // real paths of the folders of this root
}

// visit adds the file or folder at path. Symbolic links are followed: they are
// how Kubernetes shows a ConfigMap. A root is visited whatever its name.
func (t *treeReading) visit(path string) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		t.add("absent", path)
	case info.IsDir():
		t.folder(path)
	case !info.Mode().IsRegular(): // a pipe would block for ever
	case info.Size() > maxFile: // no rule file is, but a database beside one may be
		t.add("large", path)
	default:
		t.file(path)
	}
}

func (t *treeReading) folder(path string) {
	// A link to a folder above would be a circle.
	real, err := filepath.EvalSymlinks(path)
	if err != nil || t.seen[real] {
		return
	}
	t.seen[real] = true
	t.folders = append(t.folders, filepath.Clean(path))

	entries, err := os.ReadDir(path)
	if err != nil {
		t.add("unreadable", path)
	}
	for _, e := range entries {
		if !ignored(e.Name()) {
			t.visit(filepath.Join(path, e.Name()))
		}
	}
}

func (t *treeReading) file(path string) {
	content := sha256.New()
	f, err := os.Open(path)
	if err == nil {
		defer f.Close()
		_, err = io.Copy(content, f)
	}
	if err != nil {
		t.add("unreadable", path)
		return
	}
	t.add("file", path, string(content.Sum(nil)))
}

// add writes words so that no two different lists of words read the same.
func (t *treeReading) add(words ...string) {
	for _, word := range words {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(word)))
		t.hash.Write(size[:])
		io.WriteString(t.hash, word)
	}
}

// ignored names what cannot change a rule: hidden files (Kubernetes' ..data
// among them, whose files are seen through their links), what editors leave
// behind, documentation, and what programs keep writing beside rules.
func ignored(name string) bool {
	switch {
	case strings.HasPrefix(name, "."), strings.HasSuffix(name, "~"):
		return true
	case strings.HasPrefix(name, "#") && strings.HasSuffix(name, "#"): // emacs
		return true
	case name == "4913": // vim tries whether it may write here
		return true
	}
	switch strings.ToLower(filepath.Ext(name)) {
	case ".swp", ".swo", ".swx", ".tmp", ".bak", ".md", ".log", ".db":
		return true
	}
	return false
}
