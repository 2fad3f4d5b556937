package rule

import (
	"reflect"
	"slices"
	"strings"

	"github.com/trailship/trailship/core/diag"
)

// override applies the overrides of every file, in the order of the files.
func (l *loader) override() {
	for _, s := range l.files {
		nodes := s.file.Root().Key("overrides")
		for i, o := range s.doc.Overrides {
			node := nodes.Index(i)
			switch {
			case (o.Rule.Value == "") == (o.List.Value == ""):
				l.list = append(l.list, node.Errorf("E226", "an override names one rule or one list"))
			case o.List.Value != "":
				l.overrideList(node, o)
			default:
				l.overrideRule(node, o)
			}
		}
	}
}

func (l *loader) overrideRule(node diag.Node, o overrideDoc) {
	targets := l.matching(o.Rule)
	var add ruleDoc
	l.list = append(l.list, l.appended(o.Append, &add)...)
	if o.Set.ID.Node.Kind() != diag.Absent {
		l.list = append(l.list, o.Set.ID.Node.Errorf("E226", "an override cannot change an id"))
		o.Set.ID = diag.String{}
	}
	for _, d := range targets {
		merge(&d.doc, o.Set, false)
		d.clear(node.Key("set"))
		merge(&d.doc, add, true)
		d.replacing(node.Key("set"))
		d.from(node.Key("append"))
		if o.And.Value != "" {
			d.ands = append(d.ands, o.And)
		}
	}
}

// clear takes away the keys that `set` says are null.
func (d *draft) clear(set diag.Node) {
	v := reflect.ValueOf(&d.doc).Elem()
	for i := range v.NumField() {
		if name := v.Type().Field(i).Tag.Get("yaml"); name != "id" && set.Key(name).Kind() == diag.Null {
			v.Field(i).SetZero()
		}
	}
}

// replacing notes where keys were set, instead of what they were before.
func (d *draft) replacing(set diag.Node) {
	for k := range set.Pairs() {
		delete(d.origins, k.Value())
	}
	d.from(set)
}

// appended reads `append` of a rule: only lists and mappings can grow.
func (l *loader) appended(n diag.Node, add *ruleDoc) diag.List {
	if n.Kind() == diag.Absent {
		return nil
	}
	list := diag.Decode(n, add)
	v := reflect.ValueOf(add).Elem()
	for i := range v.NumField() {
		f := v.Field(i)
		if f.Kind() == reflect.Slice || !given(f) {
			continue
		}
		name := v.Type().Field(i).Tag.Get("yaml")
		list = append(list, n.Key(name).Errorf("E226", "%s is one value: put it under set, not append", name))
		f.SetZero()
	}
	return list
}

// matching finds the rules an override names: an id, pack/id, or a glob of one.
func (l *loader) matching(name diag.String) []*draft {
	var found []*draft
	var names []string
	for id, d := range l.rules {
		full := d.source.pack.Name + "/" + id
		if glob(name.Value, id) || glob(name.Value, full) {
			found = append(found, d)
		}
		names = append(names, id, full)
	}
	if len(found) == 0 {
		l.list = append(l.list, name.Node.Errorf("E227", "no rule matches %q%s", name.Value, suggest(name.Value, names)))
	}
	return found
}

func (l *loader) overrideList(node diag.Node, o overrideDoc) {
	for _, key := range []string{"set", "and"} {
		if n := node.Key(key); n.Kind() != diag.Absent {
			l.list = append(l.list, n.Errorf("E226", "a list can only be appended to"))
		}
	}
	var values []diag.String
	if o.Append.Kind() == diag.Absent {
		l.list = append(l.list, node.Errorf("E011", "missing key %q", "append"))
	} else {
		l.list = append(l.list, diag.Decode(o.Append, &values)...)
	}
	var names []string
	found := false
	for _, p := range l.packs {
		for name, target := range p.scope.lists {
			full := p.Name + "/" + name
			names = append(names, name, full)
			if o.List.Value != name && o.List.Value != full {
				continue
			}
			found = true
			for _, v := range values {
				target.add(v.Value, place{node: v.Node})
			}
		}
	}
	if !found {
		l.list = append(l.list, o.List.Node.Errorf("E227", "no list is named %q%s", o.List.Value, suggest(o.List.Value, names)))
	}
}

// suggest is diag.Suggest over names in any order; names without a pack have
// an empty one before the slash and are not offered.
func suggest(word string, names []string) string {
	var offered []string
	for _, n := range names {
		if !strings.HasPrefix(n, "/") {
			offered = append(offered, n)
		}
	}
	slices.Sort(offered)
	return diag.Suggest(word, offered)
}
