package rule

import (
	"reflect"
	"strings"
	"testing"

	"github.com/trailship/trailship/core/event"
)

// leaves are the paths of a struct's fields that have a value of their own.
func leaves(t reflect.Type, prefix string) []string {
	var out []string
	for i := range t.NumField() {
		name := t.Field(i).Tag.Get("expr")
		ft := t.Field(i).Type
		if name == "" || name == "-" {
			continue
		}
		switch {
		case ft.Kind() == reflect.Struct && ft.PkgPath() != "time":
			out = append(out, leaves(ft, prefix+name+".")...)
		case ft.Kind() == reflect.Slice && ft.Elem().Kind() == reflect.Struct:
			out = append(out, leaves(ft.Elem(), prefix+name+"[].")...)
		default:
			out = append(out, prefix+name)
		}
	}
	return out
}

func TestEveryFieldIsDescribed(t *testing.T) {
	described := map[string]FieldDoc{}
	for _, f := range Fields() {
		if _, twice := described[f.Name]; twice {
			t.Errorf("%s is described twice", f.Name)
		}
		described[f.Name] = f
		if f.Type == "" || f.Meaning == "" {
			t.Errorf("%s: type %q, meaning %q", f.Name, f.Type, f.Meaning)
		}
	}
	for _, name := range leaves(reflect.TypeFor[event.Event](), "") {
		if _, ok := described[name]; !ok {
			t.Errorf("%s is not described", name)
		}
		delete(described, name)
	}
	for name := range described {
		t.Errorf("%s is described and not there", name)
	}
}

// TestFieldsCanBeWritten compiles every name of the page.
func TestFieldsCanBeWritten(t *testing.T) {
	for _, f := range Fields() {
		if _, err := evaluate(t, strings.ReplaceAll(strings.ReplaceAll(f.Name, "resources[]", "resources[0]"), "policies[]", "policies[0]"), withPolicy()); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
	fields := Fields()
	if !fields[0].Short || fields[0].Name != "id" || fields[len(fields)-1].Short {
		t.Errorf("the page begins with %+v and ends with %+v", fields[0], fields[len(fields)-1])
	}
}

func withPolicy() *event.Event {
	ev := decrypt()
	ev.Policies = []event.Policy{{UID: "arn:aws:iam::aws:policy/AdministratorAccess"}}
	return ev
}
