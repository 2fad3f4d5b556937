package rule

import (
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"

	"github.com/trailship/trailship/core/event"
	"github.com/trailship/trailship/core/event/rawjson"
)

// openPath is a chain of members into an open part, such as request.tags[0].key.
// It is followed through the JSON where it lies: a part that few records need
// is not worth building maps of.
type openPath struct {
	part event.Parts
	keys []pathKey
}

// pathKey is a name, or a place in a list when name is empty and list is set.
type pathKey struct {
	name string
	at   int
	list bool
}

// step is the path one key longer; nil when the key is not constant, or when
// JSON cannot be asked for it.
func (p *openPath) step(key ast.Node) *openPath {
	var k pathKey
	switch x := key.(type) {
	case *ast.StringNode:
		if strings.ContainsRune(x.Value, utf8.RuneError) { // what no UTF-8 is made to
			return nil
		}
		k.name = x.Value
	case *ast.IntegerNode:
		k.at, k.list = x.Value, true
	default:
		return nil
	}
	return &openPath{p.part, append(p.keys[:len(p.keys):len(p.keys)], k)}
}

// find is the JSON of what stands at the end of the path, nil when nothing
// does.
func (p *openPath) find(f *frame) []byte {
	part := f.part(p.part)
	if part.state == broken {
		return nil
	}
	value, keys := part.root, p.keys
	if len(keys) > 0 && !keys[0].list && value[0] == '{' {
		value, keys = part.member(keys[0].name), keys[1:]
	}
	for _, k := range keys {
		if len(value) == 0 {
			return nil
		}
		if k.list {
			value = item(value, k.at)
		} else {
			value = rawjson.Find(value, k.name)
		}
	}
	if len(value) == 0 || value[0] == 'n' {
		return nil
	}
	return value
}

// item is an element of a JSON list, a negative one counted from the end; nil
// when there is none.
func item(list []byte, at int) []byte {
	if at < 0 {
		for all := rawjson.Items(list); ; at++ {
			if _, ok := all.Next(); !ok {
				break
			}
		}
	}
	if at < 0 {
		return nil
	}
	for all := rawjson.Items(list); ; at-- {
		value, ok := all.Next()
		if !ok || at == 0 {
			return value
		}
	}
}

// value is what rules see at the end of the path.
func (p *openPath) value(f *frame) any { return parsedValue(p.find(f)) }

func parsedValue(found []byte) any {
	switch {
	case len(found) == 0:
		return nil
	case found[0] == 't':
		return true
	case found[0] == 'f':
		return false
	}
	v, _ := rawjson.Parse(found) // it was checked
	return v
}

// wholeNumber reads a JSON number that rules see as an int64.
func wholeNumber(found []byte) (n int64, ok bool) {
	digits := found
	if len(digits) > 0 && digits[0] == '-' {
		digits = digits[1:]
	}
	if len(digits) == 0 || len(digits) > 18 {
		return 0, false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	if len(digits) < len(found) {
		n = -n
	}
	return n, true
}

// isText and isNumber say what JSON a value begins as.
func isText(found []byte) bool { return len(found) > 0 && found[0] == '"' }

func isNumber(found []byte) bool {
	return len(found) > 0 && (found[0] == '-' || '0' <= found[0] && found[0] <= '9')
}
