package rule

import (
	"reflect"
	"regexp"
	"slices"

	"github.com/trailship/trailship/core/diag"
)

// draft is a rule that is still YAML: its own keys over the defaults of its
// file, then the overrides over both.
type draft struct {
	source  *source
	node    diag.Node
	doc     ruleDoc
	ands    []diag.String
	origins map[string][]origin // key → where its value was written, the last to win last
}

// origin is where a key of a rule was written.
type origin struct{ key, value diag.Node }

var slug = regexp.MustCompile(`^[a-z0-9]+([-_][a-z0-9]+)*$`)

// draft takes rule i of a file; one without a usable id is only reported.
func (l *loader) draft(s *source, i int) {
	root := s.file.Root()
	d := &draft{source: s, node: root.Key("rules").Index(i), doc: s.doc.Defaults, origins: map[string][]origin{}}
	if id := d.doc.ID; id.Node.Kind() != diag.Absent {
		l.list = append(l.list, id.Node.Errorf("E225", "defaults cannot give an id"))
	}
	d.from(root.Key("defaults"))
	merge(&d.doc, s.doc.Rules[i], true)
	d.from(d.node)
	d.doc.ID = s.doc.Rules[i].ID
	l.order = append(l.order, d)
	id := d.doc.ID
	switch {
	case id.Node.Kind() == diag.Absent:
		l.list = append(l.list, d.node.Errorf("E011", "missing key %q", "id"))
	case len(id.Value) > 80 || !slug.MatchString(id.Value):
		l.list = append(l.list, id.Node.Errorf("E223", "id must be lower-case letters and digits joined by -, at most 80 characters"))
	case l.rules[id.Value] != nil:
		l.list = append(l.list, id.Node.Errorf("E222", "rule %q is defined twice: first at %s", id.Value, where(l.rules[id.Value].doc.ID.Node)))
	default:
		l.rules[id.Value] = d
	}
}

// from notes the origin of every key of a mapping.
func (d *draft) from(n diag.Node) {
	for k, v := range n.Pairs() {
		if v.Kind() != diag.Null {
			d.origins[k.Value()] = append(d.origins[k.Value()], origin{k, v})
		}
	}
}

// key is the node a rule's key has where it was written last.
func (d *draft) key(name string) diag.Node {
	if o := d.origins[name]; len(o) > 0 {
		return o[len(o)-1].key
	}
	return d.node
}

// value is the node of a key's value that was written last.
func (d *draft) value(name string) diag.Node {
	if o := d.origins[name]; len(o) > 0 {
		return o[len(o)-1].value
	}
	return diag.Node{}
}

// merge puts what over gives into doc. With join, lists and mappings grow and
// a name in a mapping is replaced; without, they are replaced whole.
func merge(doc *ruleDoc, over ruleDoc, join bool) {
	a, b := reflect.ValueOf(doc).Elem(), reflect.ValueOf(over)
	for i := range a.NumField() {
		into, from := a.Field(i), b.Field(i)
		switch {
		case !given(from):
		case !join || into.Kind() != reflect.Slice:
			into.Set(from)
		case isEntry(into.Type().Elem()):
			into.Set(joinOrdered(into, from))
		default:
			into.Set(reflect.AppendSlice(reflect.AppendSlice(reflect.MakeSlice(into.Type(), 0, into.Len()+from.Len()), into), from))
		}
	}
}

// given reports that a field of a ruleDoc was written.
func given(v reflect.Value) bool {
	if s, ok := v.Interface().(diag.String); ok {
		return s.Node.Kind() != diag.Absent
	}
	return !v.IsNil()
}

func joinOrdered(into, from reflect.Value) reflect.Value {
	out := reflect.AppendSlice(reflect.MakeSlice(into.Type(), 0, into.Len()+from.Len()), into)
next:
	for i := range from.Len() {
		for j := range out.Len() {
			if out.Index(j).FieldByName("Name").String() == from.Index(i).FieldByName("Name").String() {
				out.Index(j).Set(from.Index(i))
				continue next
			}
		}
		out = reflect.Append(out, from.Index(i))
	}
	return out
}

// effective lists the keys of the finished rule with their values and origins.
func (d *draft) effective() []Key {
	var keys []Key
	v := reflect.ValueOf(d.doc)
	for i := range v.NumField() {
		if name := v.Type().Field(i).Tag.Get("yaml"); given(v.Field(i)) {
			keys = append(keys, Key{name, asData(v.Field(i)), d.where(name)})
		}
	}
	for _, and := range d.ands {
		keys = append(keys, Key{"and", and.Value, []string{where(and.Node)}})
	}
	return keys
}

func (d *draft) where(name string) (out []string) {
	for _, o := range d.origins[name] {
		if at := where(o.key); !slices.Contains(out, at) {
			out = append(out, at)
		}
	}
	return out
}
