package diag

import (
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// maxExpanded bounds what aliases may add to a document, in bytes of text plus
// nodeWeight for each node: the "billion laughs" are refused, variants of a
// test event are far below.
const (
	maxExpanded = 4 << 20
	nodeWeight  = 16
)

// checker finds what the YAML library lets pass: keys given twice, merge keys,
// unknown tags, aliases that grow without bound.
type checker struct {
	f      *File
	list   List
	weight map[*yaml.Node]int // of a node with its aliases followed; -1 while it is being measured
	extra  int                // what aliases added so far
	tooBig bool
	line   int    // the line last looked at by bang
	runes  []rune // its text, when it has a "!"
}

func (c *checker) check() {
	c.weight = map[*yaml.Node]int{}
	c.node(c.f.root)
	if c.tooBig || c.cyclic() {
		c.f.root = nil // nothing may walk it
	}
}

func (c *checker) cyclic() bool {
	for _, d := range c.list {
		if d.Code == "E004" {
			return true
		}
	}
	return false
}

// node checks n and what is below it, and returns its weight.
func (c *checker) node(n *yaml.Node) int {
	if n.Kind == yaml.AliasNode {
		return c.alias(n)
	}
	c.weight[n] = -1
	c.tag(n)
	if n.Kind == yaml.MappingNode {
		c.keys(n)
	}
	w := nodeWeight + len(n.Value)
	for _, child := range n.Content {
		w = min(w+c.node(child), maxExpanded+1)
	}
	c.weight[n] = w
	return w
}

func (c *checker) alias(n *yaml.Node) int {
	w := c.weight[n.Alias]
	if w < 0 {
		c.add(n, "E004", "alias *%s stands inside what it names", n.Value)
		return 0
	}
	c.extra = min(c.extra+w, maxExpanded+1)
	if c.extra > maxExpanded && !c.tooBig {
		c.tooBig = true
		c.add(n, "E004", "aliases make this document too large: write the values out, or split the file")
	}
	return w
}

var knownTags = map[string]bool{"!!str": true, "!!int": true, "!!float": true, "!!bool": true, "!!null": true, "!!timestamp": true, "!!map": true, "!!seq": true}

// tag refuses tags of nobody's: they are almost always an expression that
// begins with "!".
func (c *checker) tag(n *yaml.Node) {
	bare := n.Style&yaml.TaggedStyle == 0 && c.bang(n)
	if n.Style&yaml.TaggedStyle == 0 && !bare || n.Style&yaml.TaggedStyle != 0 && knownTags[n.Tag] {
		return
	}
	tag := n.Tag
	if bare {
		tag = "!"
	}
	c.add(n, "E006", "%q is a YAML tag here: put a value that begins with ! in quotes, or on its own line below `|`", tag)
}

// bang says that n begins with a lone "!", which the library drops silently.
func (c *checker) bang(n *yaml.Node) bool {
	if n.Line != c.line {
		c.line, c.runes = n.Line, nil
		if text := c.f.line(n.Line - 1); strings.Contains(text, "!") {
			c.runes = []rune(text)
		}
	}
	return n.Column <= len(c.runes) && c.runes[n.Column-1] == '!'
}

// keys checks the keys of one mapping.
func (c *checker) keys(n *yaml.Node) {
	first := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if k.Kind == yaml.AliasNode {
			k = k.Alias
		}
		switch {
		case k.Kind != yaml.ScalarNode:
			c.add(n.Content[i], "E007", "a key must be text, not %s", kindOf(k))
		case k.Tag == "!!merge":
			c.add(n.Content[i], "E003", "merge keys (<<) are not supported: repeat the keys, or use an alias (*name) for a whole value")
		case k.Value == "" && k.Tag == "!!null":
			c.add(n.Content[i], "E007", "a key is missing before the colon")
		case first[k.Value] != nil:
			at := first[k.Value]
			c.add(n.Content[i], "E002", "key %s is given twice: first at line %d, column %d", strconv.Quote(k.Value), at.Line, at.Column)
		default:
			first[k.Value] = n.Content[i]
		}
	}
}

func (c *checker) add(n *yaml.Node, code, format string, args ...any) {
	if len(c.list) < maxDiagnostics || code == "E004" {
		c.list = append(c.list, c.f.at(n.Line, n.Column, code, format, args...))
	}
}

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	return "text"
}
