package event

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/trailship/trailship/core/event/rawjson"
)

// value writes the named value a rule or its author made. Whatever it is, the
// result is JSON; the name is a stranger's too.
func (w *writer) value(name string, v any) {
	w.comma()
	w.b = rawjson.AppendString(w.b, name)
	w.b = append(w.b, ':')
	w.any(v, 0)
}

func (w *writer) any(v any, depth int) {
	switch v := v.(type) {
	case nil:
		w.b = append(w.b, "null"...)
	case string:
		w.b = rawjson.AppendString(w.b, v)
	case bool:
		w.b = strconv.AppendBool(w.b, v)
	case int:
		w.b = strconv.AppendInt(w.b, int64(v), 10)
	case int64:
		w.b = strconv.AppendInt(w.b, v, 10)
	case float64:
		w.float(v)
	case time.Time:
		w.b = rawjson.AppendString(w.b, v.UTC().Format(time.RFC3339Nano))
	case time.Duration:
		w.b = rawjson.AppendString(w.b, v.String())
	default:
		w.reflect(reflect.ValueOf(v), depth)
	}
}

// float writes f; what JSON has no number for becomes a string.
func (w *writer) float(f float64) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		w.b = rawjson.AppendString(w.b, strconv.FormatFloat(f, 'g', -1, 64))
		return
	}
	w.b = strconv.AppendFloat(w.b, f, 'g', -1, 64)
}

// reflect writes maps, lists and the structs of this package, whose members
// are called as rules call them.
func (w *writer) reflect(v reflect.Value, depth int) {
	if depth > rawjson.MaxDepth {
		w.b = append(w.b, "null"...)
		return
	}
	switch v.Kind() {
	case reflect.Map:
		w.mapping(v, depth)
	case reflect.Slice, reflect.Array:
		w.b = append(w.b, '[')
		for i := range v.Len() {
			w.comma()
			w.any(v.Index(i).Interface(), depth+1)
		}
		w.b = append(w.b, ']')
	case reflect.Struct:
		w.fields(v, depth)
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			w.b = append(w.b, "null"...)
			return
		}
		w.any(v.Elem().Interface(), depth+1)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int, reflect.Int64:
		w.b = strconv.AppendInt(w.b, v.Int(), 10)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint, reflect.Uint64:
		w.b = strconv.AppendUint(w.b, v.Uint(), 10)
	case reflect.Float32, reflect.Float64:
		w.float(v.Float())
	case reflect.String:
		w.b = rawjson.AppendString(w.b, v.String())
	case reflect.Bool:
		w.b = strconv.AppendBool(w.b, v.Bool())
	default:
		w.b = rawjson.AppendString(w.b, fmt.Sprint(v))
	}
}

// mapping writes a map with its keys as text and in order.
func (w *writer) mapping(v reflect.Value, depth int) {
	names := make(map[string]reflect.Value, v.Len())
	var order []string
	for it := v.MapRange(); it.Next(); {
		name := fmt.Sprint(it.Key())
		names[name] = it.Value()
		order = append(order, name)
	}
	slices.Sort(order)
	w.b = append(w.b, '{')
	for _, name := range slices.Compact(order) {
		w.comma()
		w.b = rawjson.AppendString(w.b, name)
		w.b = append(w.b, ':')
		w.any(names[name].Interface(), depth+1)
	}
	w.b = append(w.b, '}')
}

func (w *writer) fields(v reflect.Value, depth int) {
	if t, ok := v.Interface().(encoding.TextMarshaler); ok {
		if text, err := t.MarshalText(); err == nil {
			w.b = rawjson.AppendString(w.b, string(text))
			return
		}
	}
	w.b = append(w.b, '{')
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name := strings.ToLower(f.Name)
		if tag, ok := f.Tag.Lookup("expr"); ok {
			name = tag
		}
		if !f.IsExported() || name == "-" {
			continue
		}
		w.comma()
		w.b = rawjson.AppendString(w.b, name)
		w.b = append(w.b, ':')
		w.any(v.Field(i).Interface(), depth+1)
	}
	w.b = append(w.b, '}')
}
