package diag

import (
	"math"
	"strconv"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/prometheus/common/model"
)

// String is text together with where it was written, for checks that come
// after decoding.
type String struct {
	Value string
	Node  Node
}

// String is the text.
func (s String) String() string { return s.Value }

// Entry is one pair of an Ordered.
type Entry[T any] struct {
	Name  string
	Key   Node
	Value T
}

// Ordered is a mapping that keeps the order of its keys.
type Ordered[T any] []Entry[T]

// DecodeYAML reads a mapping of T.
func (o *Ordered[T]) DecodeYAML(n Node) List {
	if n.Kind() != Mapping {
		return List{n.Errorf("E012", "%s must be a mapping, got %s", n.label(), n.Got())}
	}
	var list List
	*o = make(Ordered[T], 0, n.Len())
	for k, v := range n.Pairs() {
		if len(list) >= maxDiagnostics {
			break
		}
		e := Entry[T]{Name: k.Value(), Key: k}
		list = append(list, Decode(v, &e.Value)...)
		*o = append(*o, e)
	}
	return list
}

func (o *Ordered[T]) schema(s *schemer) map[string]any {
	var zero T
	return map[string]any{"type": "object", "additionalProperties": s.of(&zero)}
}

// Duration is a time written `90s`, `10m`, `1h30m`, `7d` or `2w`; never
// negative.
type Duration time.Duration

// ParseDuration reads a Duration's text.
func ParseDuration(s string) (time.Duration, error) {
	d, err := model.ParseDuration(s)
	return time.Duration(d), err
}

// DecodeYAML reads a scalar.
func (d *Duration) DecodeYAML(n Node) List {
	if n.Kind() == Scalar {
		if x, err := ParseDuration(n.Value()); err == nil {
			*d = Duration(x)
			return nil
		}
	}
	return List{n.Errorf("E014", "%s must be a duration such as 90s, 10m, 1h, 7d or 2w, got %s", n.label(), n.Got())}
}

// String is the duration as it is written in YAML.
func (d Duration) String() string { return model.Duration(d).String() }

// Size is a number of bytes written `4MiB`, `2GiB`, `500kB` or as a plain
// number.
type Size int64

// DecodeYAML reads a scalar.
func (s *Size) DecodeYAML(n Node) List {
	if n.Kind() == Scalar {
		if x, ok := parseSize(n.Value()); ok {
			*s = Size(x)
			return nil
		}
	}
	return List{n.Errorf("E015", "%s must be a size such as 4MiB, 2GiB or 500kB, got %s", n.label(), n.Got())}
}

// String is the size as it is written in YAML, rounded.
func (s Size) String() string { return humanize.IBytes(uint64(max(s, 0))) }

func parseSize(s string) (int64, bool) {
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return i, i >= 0
	}
	x, err := humanize.ParseBytes(s)
	return int64(x), err == nil && x < math.MaxInt64
}
