package dir

import (
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// DefaultInclude is what a source reads unless told otherwise.
var DefaultInclude = []string{"**/*.json", "**/*.json.gz", "**/*.gz", "**/*.ndjson"}

// growingName matches the names of growing files. The first group is the name
// before rotation: app.ndjson.1 and app.ndjson-20260102 are read as
// app.ndjson was, so that what was written just before a rotation is not lost.
var growingName = regexp.MustCompile(`(?i)^(.*\.(?:ndjson|jsonl|log))(?:[._-](?:[0-9][0-9a-z:_-]*|old|bak|prev))*$`)

// globs say which paths of a tree are read.
type globs struct{ include, exclude []string }

func (s *Source) globs() (globs, error) {
	g := globs{include: s.Include, exclude: s.Exclude}
	if len(g.include) == 0 {
		g.include = DefaultInclude
	}
	for _, list := range [][]string{g.include, g.exclude} {
		for _, pattern := range list {
			if !doublestar.ValidatePattern(pattern) {
				return g, fmt.Errorf("glob %q is malformed", pattern)
			}
		}
	}
	if s.OnDone.Move == "" {
		return g, nil
	}
	done := path.Clean(filepath.ToSlash(s.OnDone.Move))
	if !filepath.IsLocal(done) || done == "." {
		return g, fmt.Errorf("finished files cannot be moved to %q: it must be a directory below %s, given relative to it", s.OnDone.Move, s.Path)
	}
	g.exclude = append(g.exclude[:len(g.exclude):len(g.exclude)], escape(done))
	return g, nil
}

// escape makes a glob that matches exactly this path.
func escape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `{`, `\{`).Replace(path)
}

// file says whether the file is read. Its directory was found open.
func (g globs) file(path string) bool {
	if g.closed(path) {
		return false
	}
	if g.included(path) {
		return true
	}
	if !isGrowing(path) {
		return false
	}
	m := growingName.FindStringSubmatch(path)
	return m[1] != path && g.included(m[1])
}

func (g globs) included(path string) bool {
	hidden := isHidden(path)
	for _, pattern := range g.include {
		if matches(pattern, path) && (!hidden || isHidden(pattern)) {
			return true
		}
	}
	return false
}

// matches says whether the glob matches the path. Most globs say no more than
// how names end, which is much cheaper to see.
func matches(glob, path string) bool {
	if end, ok := strings.CutPrefix(glob, "**/*"); ok && !strings.ContainsAny(end, `*?[{\/`) {
		return strings.HasSuffix(path, end)
	}
	return doublestar.MatchUnvalidated(glob, path)
}

// closed says whether the path itself is excluded.
func (g globs) closed(path string) bool {
	for _, pattern := range g.exclude {
		if matches(pattern, path) {
			return true
		}
	}
	return false
}

// dir says whether there may be files to read below the directory.
func (g globs) dir(path string) bool {
	if g.closed(path) {
		return false
	}
	if !isHidden(path) {
		return true
	}
	for _, pattern := range g.include {
		if isHidden(pattern) {
			return true
		}
	}
	return false
}

// reached says whether a walk reads the file under its own name: it is read,
// and so are all directories above it.
func (g globs) reached(file string) bool {
	for dir := path.Dir(file); dir != "."; dir = path.Dir(dir) {
		if !g.dir(dir) {
			return false
		}
	}
	return g.file(file)
}

// isHidden says whether a name in the path, or in the glob, begins with a dot.
func isHidden(path string) bool {
	return strings.HasPrefix(path, ".") || strings.Contains(path, "/.")
}

// isGrowing says whether a file of that name is read line by line as it grows.
func isGrowing(path string) bool {
	// Of most names the end tells, which is much cheaper.
	if strings.HasSuffix(path, ".gz") || strings.HasSuffix(path, ".json") {
		return false
	}
	return growingName.MatchString(path)
}
