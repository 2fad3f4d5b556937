package event_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/trailship/trailship/core/event"
	"github.com/trailship/trailship/core/event/ocsftest"
)

// The short vocabulary, which OCSF does not know.
var vocabulary = strings.Fields("id provider service action kind access outcome error account region principal ip user_agent resource request response raw")

// TestEveryOCSFPathIsOne: what rules see under an OCSF name is an attribute of
// one of the classes we write.
func TestEveryOCSFPathIsOne(t *testing.T) {
	schema := ocsftest.Load(t)
	paths := 0
	var check func(typ reflect.Type, prefix string)
	check = func(typ reflect.Type, prefix string) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			name := f.Tag.Get("expr")
			if name == "-" || !f.IsExported() || prefix == "" && contains(vocabulary, name) || strings.HasSuffix(prefix+name, "resources.id") {
				continue
			}
			paths++
			if !schema.Has(prefix + name) {
				t.Errorf("%s is no OCSF path", prefix+name)
			}
			elem := f.Type
			if elem.Kind() == reflect.Slice {
				elem = elem.Elem()
			}
			if elem.Kind() == reflect.Struct && elem.PkgPath() == reflect.TypeFor[event.Event]().PkgPath() {
				check(elem, prefix+name+".")
			}
		}
	}
	check(reflect.TypeFor[event.Event](), "")
	if paths < 60 {
		t.Errorf("only %d paths were checked", paths)
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}
