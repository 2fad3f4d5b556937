package rule

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/vm/runtime"
)

// Lists that hold each other many times make a small expression an exponential
// walk. Whatever walks into lists has a budget here.

var errTooMany = errors.New("too many elements")

// flat is flatten(): the elements of lists inside lists, in order.
func flat(args ...any) (any, error) {
	out := []any{}
	left := maxElements
	err := walk(listOf(args[0]), &left, func(v any) { out = append(out, v) })
	return out, err
}

func walk(items []any, left *int, each func(any)) error {
	for _, item := range items {
		if *left--; *left < 0 {
			return errTooMany
		}
		if inner := listOf(item); inner != nil {
			if err := walk(inner, left, each); err != nil {
				return err
			}
			continue
		}
		each(item)
	}
	return nil
}

// flattenFirst gives a builtin that looks into lists inside lists one flat list.
func flattenFirst(name string) func(args ...any) (any, error) {
	call := builtin.Builtins[builtin.Index[name]].Func
	return func(args ...any) (any, error) {
		out := []any{}
		left := maxElements
		if err := walk(args, &left, func(v any) { out = append(out, v) }); err != nil {
			return nil, err
		}
		return call(out)
	}
}

// same is == between lists and maps.
func same(args ...any) (any, error) {
	left := maxElements
	return equal(args[0], args[1], &left)
}

func equal(a, b any, left *int) (bool, error) {
	if *left--; *left < 0 {
		return false, errTooMany
	}
	if x, ok := elements(a); ok {
		if y, ok := elements(b); ok {
			return equalLists(x, y, left)
		}
	}
	x, ok1 := a.(map[string]any)
	y, ok2 := b.(map[string]any)
	if !ok1 || !ok2 {
		return runtime.Equal(a, b), nil
	}
	if len(x) != len(y) {
		return false, nil
	}
	for k := range x {
		v, ok := y[k]
		if !ok {
			return false, nil
		}
		if same, err := equal(x[k], v, left); !same || err != nil {
			return false, err
		}
	}
	return true, nil
}

// elements sees lists of every type, the event's resources among them.
func elements(v any) ([]any, bool) {
	if items := listOf(v); items != nil {
		return items, true
	}
	plain, err := plainValue(v)
	items, ok := plain.([]any)
	return items, ok && err == nil
}

func equalLists(x, y []any, left *int) (bool, error) {
	if len(x) != len(y) {
		return false, nil
	}
	for i := range x {
		if same, err := equal(x[i], y[i], left); !same || err != nil {
			return false, err
		}
	}
	return true, nil
}

// The builtins over maps, in the order of the keys: a map has none of its own,
// and a rule gives the same answer every time.

func keysOf(args ...any) (any, error) {
	m, err := mapOf("keys", args[0])
	out := make([]any, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, k)
	}
	return out, err
}

func valuesOf(args ...any) (any, error) {
	m, err := mapOf("values", args[0])
	out := make([]any, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[k])
	}
	return out, err
}

func pairsOf(args ...any) (any, error) {
	m, err := mapOf("toPairs", args[0])
	out := make([]any, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, []any{k, m[k]})
	}
	return out, err
}

func mapOf(function string, v any) (map[string]any, error) {
	switch m := v.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return m, nil
	}
	if plain, err := plainValue(v); err == nil { // what groupBy gives
		if m, ok := plain.(map[string]any); ok {
			return m, nil
		}
	}
	return nil, fmt.Errorf("%s() wants a map, not %s", function, kindOf(v))
}
