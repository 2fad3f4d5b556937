package rule

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"sync"

	"github.com/expr-lang/expr/builtin"
)

// keywords cannot name a macro, a list or a let.
var keywords = []string{
	"and", "or", "not", "in", "contains", "startsWith", "endsWith", "matches",
	"let", "if", "else", "true", "false", "nil",
	"lists", "window", "steps", "first_seen",
}

// disabled are the builtins of expr that rules do not have: their answer
// depends on the clock, or their cost on nothing at all.
var disabled = map[string]string{
	"now":    "rules see no clock: use the event's time",
	"repeat": "it builds text without bound",
	"reduce": "use any, all, count, filter or map",
}

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

var membersByType sync.Map // reflect.Type → []string

// members lists the names an expression can write after a value of type t.
func members(t reflect.Type) []string {
	if known, ok := membersByType.Load(t); ok {
		return known.([]string)
	}
	names := readMembers(t)
	membersByType.Store(t, names)
	return names
}

func readMembers(t reflect.Type) []string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var names []string
	if t.Kind() != reflect.Struct {
		return nil
	}
	for _, f := range reflect.VisibleFields(t) {
		if name := f.Tag.Get("expr"); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}

// functionNames are all functions a rule may call.
var functionNames = sync.OnceValue(func() []string {
	var names []string
	for _, f := range functions {
		names = append(names, f.Name)
	}
	for _, f := range builtin.Builtins {
		if _, off := disabled[f.Name]; !off {
			names = append(names, f.Name)
		}
	}
	slices.Sort(names)
	return names
})

// reserved says what a name already means, or "" when it is free.
func (c *compiler) reserved(name string) string {
	switch {
	case slices.Contains(keywords, name):
		return "a word of the language"
	case slices.Contains(c.fields, name):
		return "a field of the event"
	case slices.Contains(functionNames(), name):
		return "a function"
	}
	return ""
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
