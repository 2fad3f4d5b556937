package rule

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/expr-lang/expr/vm/runtime"
)

// The limits that keep a hostile or silly rule from hurting the program. expr
// counts neither text nor nested walks in its own memory budget.
const (
	maxCondition = 16 << 10 // bytes of one expression, checked before parsing
	maxNodes     = 2000     // of the expression with its macros written out
	memoryBudget = 50_000
	maxText      = 64 << 10 // bytes of text an expression may build
	maxRange     = 1000     // elements of a..b
	maxElements  = 50_000   // elements a walk over nested lists may visit
)

var errTooLong = fmt.Errorf("the text grew over %d bytes", maxText)

// hidden are the functions that patches put in the place of operators and of
// builtins. Their names cannot be written in a rule.
var hidden = map[string]func(args ...any) (any, error){
	"@at":      func(a ...any) (any, error) { return at(a[0], a[1]), nil },
	"@text":    func(a ...any) (any, error) { return orElse(a[0], ""), nil },
	"@items":   func(a ...any) (any, error) { return orElse(a[0], []any{}), nil },
	"@members": func(a ...any) (any, error) { return orElse(a[0], map[string]any{}), nil },
	"@<":       func(a ...any) (any, error) { return known(a) && runtime.Less(a[0], a[1]), nil },
	"@<=":      func(a ...any) (any, error) { return known(a) && runtime.LessOrEqual(a[0], a[1]), nil },
	"@>":       func(a ...any) (any, error) { return known(a) && runtime.More(a[0], a[1]), nil },
	"@>=":      func(a ...any) (any, error) { return known(a) && runtime.MoreOrEqual(a[0], a[1]), nil },
	"@in":      inList,
	"@among":   func(a ...any) (any, error) { return a[0] != nil && runtime.In(a[0], a[1]), nil },
	"@+":       plus,
	"@..":      span,
	"@join":    join,
	"@replace": replace,
	"@string":  toText,
	"@toJSON":  toJSON,
	"@toBase64": func(a ...any) (any, error) {
		s, err := text("toBase64", a[0])
		if err == nil && base64.StdEncoding.EncodedLen(len(s)) > maxText {
			err = errTooLong
		}
		if err != nil {
			return nil, err
		}
		return base64.StdEncoding.EncodeToString([]byte(s)), nil
	},
	"@flatten":  flat,
	"@min":      flattenFirst("min"),
	"@max":      flattenFirst("max"),
	"@mean":     flattenFirst("mean"),
	"@median":   flattenFirst("median"),
	"@==":       same,
	"@keys":     keysOf,
	"@values":   valuesOf,
	"@toPairs":  pairsOf,
	"@timezone": func(a ...any) (any, error) { return zone(a[0]) },
}

// known reports that both sides of a comparison have a value: a comparison
// with a missing member is false, never an error.
func known(args []any) bool { return args[0] != nil && args[1] != nil }

func orElse(v, otherwise any) any {
	if v == nil {
		return otherwise
	}
	return v
}

// at is member access that cannot fail on data: a path that is not there is
// nil, whatever stands in its way.
func at(base, key any) any {
	switch b := base.(type) {
	case map[string]any:
		if k, ok := key.(string); ok {
			return b[k]
		}
		return nil
	case []any:
		if i := elementAt(key, len(b)); i >= 0 {
			return b[i]
		}
		return nil
	case []string:
		if i := elementAt(key, len(b)); i >= 0 {
			return b[i]
		}
		return nil
	case nil, string, bool, int, int64, float64:
		return nil
	}
	if v := reflect.ValueOf(base); v.Kind() == reflect.Slice {
		if i := elementAt(key, v.Len()); i >= 0 {
			return v.Index(i).Interface()
		}
		return nil
	}
	return runtime.Fetch(base, key) // a struct that went through a list
}

// elementAt is the place key names in a list of n elements, a negative one counted
// from the end; -1 when there is none.
func elementAt(key any, n int) int {
	i := -n - 1
	switch k := key.(type) {
	case int:
		i = k
	case int64:
		i = int(k)
	}
	if i < 0 {
		i += n
	}
	if i >= n {
		return -1
	}
	return max(i, -1)
}

// inList is `x in lists.NAME` for an x of unknown type: what is not text is
// compared by its text, since trails write account ids both ways.
func inList(args ...any) (any, error) {
	return inMembers(args[0], args[1].(map[string]struct{})), nil
}

func inMembers(v any, set map[string]struct{}) bool {
	switch v := v.(type) {
	case string:
		_, ok := set[v]
		return ok
	case int, int64, float64, bool:
		_, ok := set[display(v)]
		return ok
	}
	return false
}

// plus is `+` with text bounded.
func plus(args ...any) (any, error) {
	a, aText := args[0].(string)
	b, bText := args[1].(string)
	if aText && bText {
		if len(a)+len(b) > maxText {
			return nil, errTooLong
		}
		return a + b, nil
	}
	return runtime.Add(args[0], args[1]), nil
}

// span is `a..b`, bounded.
func span(args ...any) (any, error) {
	from, to := runtime.ToInt(args[0]), runtime.ToInt(args[1])
	if to-from >= maxRange || to-from < -1<<62 {
		return nil, fmt.Errorf("%d..%d has more than %d elements", from, to, maxRange)
	}
	return runtime.MakeRange(from, to), nil
}

func join(args ...any) (any, error) {
	glue := ""
	if len(args) > 1 {
		var err error
		if glue, err = text("join", args[1]); err != nil {
			return nil, err
		}
	}
	var b strings.Builder
	for i, item := range listOf(args[0]) {
		s, err := text("join", item)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b.WriteString(glue)
		}
		b.WriteString(s)
		if b.Len() > maxText {
			return nil, errTooLong
		}
	}
	return b.String(), nil
}

// listOf sees any list as a []any; what is no list has no elements.
func listOf(v any) []any {
	switch v := v.(type) {
	case []any:
		return v
	case []string:
		out := make([]any, len(v))
		for i, s := range v {
			out[i] = s
		}
		return out
	case []int:
		out := make([]any, len(v))
		for i, n := range v {
			out[i] = n
		}
		return out
	}
	return nil
}

// replace is expr's replace(s, old, new, n), with the length known before the
// work is done.
func replace(args ...any) (any, error) {
	var s [3]string
	for i := range s {
		var err error
		if s[i], err = text("replace", args[i]); err != nil {
			return nil, err
		}
	}
	n := -1
	if len(args) > 3 {
		n = runtime.ToInt(args[3])
	}
	times := strings.Count(s[0], s[1])
	if n >= 0 {
		times = min(times, n)
	}
	if len(s[0])+times*(len(s[2])-len(s[1])) > max(maxText, len(s[0])) {
		return nil, errTooLong
	}
	return strings.Replace(s[0], s[1], s[2], n), nil
}

func toText(args ...any) (any, error) {
	s, err := canonical(args[0], maxText)
	return s, err
}

func toJSON(args ...any) (any, error) {
	b, err := appendJSON(nil, args[0], maxText)
	return string(b), err
}

var zones sync.Map // name → *time.Location; at most the names the zone database has

// location is time.LoadLocation with a memory: reading a zone takes milliseconds.
func location(name string) (*time.Location, error) {
	if loc, ok := zones.Load(name); ok {
		return loc.(*time.Location), nil
	}
	if name == "" || name == "Local" { // a rule must not depend on the host
		return nil, fmt.Errorf("unknown time zone %q: write one such as Europe/Berlin or UTC", name)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("unknown time zone %q: write one such as Europe/Berlin or UTC", name)
	}
	zones.Store(name, loc)
	return loc, nil
}

func zone(name any) (any, error) {
	s, err := text("timezone", name)
	if err != nil {
		return nil, err
	}
	loc, err := location(s)
	if err != nil {
		return nil, err
	}
	return loc, nil
}
