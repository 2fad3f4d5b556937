package diag

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// step is a key, or a place in a list.
type step struct {
	key   string
	index int // -1: only a key
}

var stepPattern = regexp.MustCompile(`^([^.\[\]]+)|^\[([0-9]{1,6})\]`)

// parsePath reads `a.b[0].c` or `a.b.0.c`.
func parsePath(path string) ([]step, error) {
	var steps []step
	for rest := path; rest != ""; {
		m := stepPattern.FindStringSubmatch(rest)
		if m == nil {
			return nil, fmt.Errorf("%q is no path: write keys and places in lists, as in sources[0].path", path)
		}
		s := step{key: m[1], index: -1}
		if i, err := strconv.Atoi(m[1] + m[2]); err == nil {
			s.index = i
		}
		steps = append(steps, s)
		rest = rest[len(m[0]):]
		if after, ok := strings.CutPrefix(rest, "."); ok && after != "" {
			rest = after
		} else if rest != "" && rest[0] != '[' {
			return nil, fmt.Errorf("%q is no path: write keys and places in lists, as in sources[0].path", path)
		}
	}
	return steps, nil
}

// Set puts a value in place of what stands at a path such as `sources[0].path`
// or `sources.0.path`, and creates what is missing on the way; the place after
// a list's last adds to it. The value is YAML, and text when it is none. What
// is later wrong with it is reported under the name origin, without a line and
// without the value. Aliases of what is changed keep what they stood for.
func (f *File) Set(origin, path, value string) List {
	g := &File{Name: origin, flag: true}
	steps, err := parsePath(path)
	if err == nil && len(steps) == 0 {
		err = fmt.Errorf("the path is missing: write key=value")
	}
	if err != nil {
		return List{g.at(0, 0, "E016", "%v", err)}
	}
	if f.grafts == nil {
		f.grafts = map[*yaml.Node]*File{}
	}
	s := setter{f: f, g: g, value: g.literal(value)}
	f.grafts[s.value] = g
	g.grafts = f.grafts
	root, err := s.put(f.root, steps, "")
	if err != nil {
		return List{g.at(0, 0, "E016", "%v", err)}
	}
	f.root = root
	return nil
}

// literal is value as a tree.
func (f *File) literal(value string) *yaml.Node {
	v, list := Parse(f.Name, []byte(value))
	if len(list) > 0 {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value, Style: yaml.DoubleQuotedStyle}
	}
	f.lines = v.lines
	if v.root == nil {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}
	}
	return v.root
}

type setter struct {
	f, g  *File
	value *yaml.Node
}

// put returns n with the value at steps; n itself is not changed.
func (s setter) put(n *yaml.Node, steps []step, path string) (*yaml.Node, error) {
	if len(steps) == 0 {
		return s.value, nil
	}
	next := steps[0]
	n = s.copied(n, next)
	switch {
	case n.Kind == yaml.SequenceNode && next.index >= 0:
		return s.element(n, steps, fmt.Sprintf("%s[%d]", path, next.index))
	case n.Kind == yaml.MappingNode && next.key != "":
		return s.key(n, steps, strings.TrimPrefix(path+"."+next.key, "."))
	case n.Kind == yaml.SequenceNode:
		return nil, fmt.Errorf("%s is a list: write %s[0] for its first element", path, path)
	}
	return nil, fmt.Errorf("%s is %s and has nothing inside to set", path, kindOf(n))
}

// copied is a copy of what n holds, or a new collection where there is nothing.
func (s setter) copied(n *yaml.Node, next step) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n == nil || n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		n = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		if next.index >= 0 {
			n = &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		}
		s.f.grafts[n] = s.g
		return n
	}
	c := *n
	c.Content = slices.Clone(n.Content)
	if g, ok := s.f.grafts[n]; ok {
		s.f.grafts[&c] = g
	}
	return &c
}

func (s setter) element(n *yaml.Node, steps []step, path string) (*yaml.Node, error) {
	i := steps[0].index
	if i > len(n.Content) {
		return nil, fmt.Errorf("%s is beyond the list, which has %d elements: the next is %d", path, len(n.Content), len(n.Content))
	}
	if i == len(n.Content) {
		n.Content = append(n.Content, nil)
	}
	child, err := s.put(n.Content[i], steps[1:], path)
	n.Content[i] = child
	return n, err
}

func (s setter) key(n *yaml.Node, steps []step, path string) (*yaml.Node, error) {
	i := 0
	for i < len(n.Content) && n.Content[i].Value != steps[0].key {
		i += 2
	}
	if i == len(n.Content) {
		k := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: steps[0].key}
		s.f.grafts[k] = s.g
		n.Content = append(n.Content, k, nil)
	}
	child, err := s.put(n.Content[i+1], steps[1:], path)
	n.Content[i+1] = child
	return n, err
}
