package rule

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/trailship/trailship/core/diag"
)

// display is a value as text: strings as they are, times in RFC 3339, numbers
// as JSON writes them, lists and maps as compact JSON with sorted keys. nil is
// "". Text over maxText is cut.
func display(v any) string {
	s, err := canonical(v, maxText)
	if err != nil {
		return fmt.Sprintf("(%v)", err)
	}
	return s
}

// canonical is display with an error when the text would grow over limit.
func canonical(v any, limit int) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano), nil
	case fmt.Stringer:
		return v.String(), nil
	}
	b, err := appendJSON(nil, v, limit)
	return string(b), err
}

// appendJSON writes canonical JSON: compact, keys sorted, whole floats without
// a fraction, nothing escaped that need not be. It stops at limit bytes, which
// also bounds the walk over lists that contain each other many times.
func appendJSON(dst []byte, v any, limit int) ([]byte, error) {
	if len(dst) > limit {
		return dst, errTooLong
	}
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case int:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case float64:
		return appendFloat(dst, v), nil
	case string:
		return appendString(dst, v), nil
	case time.Time:
		return appendString(dst, v.UTC().Format(time.RFC3339Nano)), nil
	case fmt.Stringer:
		return appendString(dst, v.String()), nil
	case map[string]any:
		return appendMap(dst, v, limit)
	}
	if items := listOf(v); items != nil {
		return appendList(dst, items, limit)
	}
	return appendOther(dst, v, limit)
}

func appendFloat(dst []byte, f float64) []byte {
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return strconv.AppendInt(dst, int64(f), 10)
	}
	if b, err := json.Marshal(f); err == nil {
		return append(dst, b...)
	}
	return append(dst, "null"...) // NaN and the infinities
}

func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, r := range s { // bytes that are not UTF-8 become U+FFFD
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\n':
			dst = append(dst, '\\', 'n')
		case r == '\r':
			dst = append(dst, '\\', 'r')
		case r == '\t':
			dst = append(dst, '\\', 't')
		case r < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			dst = append(dst, string(r)...)
		}
	}
	return append(dst, '"')
}

func appendMap(dst []byte, m map[string]any, limit int) ([]byte, error) {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	dst = append(dst, '{')
	for i, k := range keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		dst = append(appendString(dst, k), ':')
		if dst, err = appendJSON(dst, m[k], limit); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

func appendList(dst []byte, items []any, limit int) ([]byte, error) {
	dst = append(dst, '[')
	for i, item := range items {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = appendJSON(dst, item, limit); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

// appendOther writes the few typed structs rules can reach, such as a
// resource: only expr tags name their members.
func appendOther(dst []byte, v any, limit int) ([]byte, error) {
	plain, err := plainValue(v)
	if err != nil {
		return dst, err
	}
	return appendJSON(dst, plain, limit)
}

// plainValue turns a struct of the event's, or a list or map of any type, into
// what appendJSON knows; what is inside stays as it is.
func plainValue(v any) (any, error) {
	rv := reflect.ValueOf(v)
	switch rv.Kind() {
	case reflect.Struct:
		m := map[string]any{}
		for i := range rv.NumField() {
			if name := rv.Type().Field(i).Tag.Get("expr"); name != "" && name != "-" {
				m[name] = rv.Field(i).Interface()
			}
		}
		return m, nil
	case reflect.Slice, reflect.Array:
		items := make([]any, rv.Len())
		for i := range items {
			items[i] = rv.Index(i).Interface()
		}
		return items, nil
	case reflect.Map:
		m := make(map[string]any, rv.Len())
		for it := rv.MapRange(); it.Next(); {
			m[display(it.Key().Interface())] = it.Value().Interface()
		}
		return m, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return rv.Int(), nil
	case reflect.String:
		return rv.String(), nil
	}
	return nil, fmt.Errorf("%s has no text form", kindOf(v))
}

// asData turns a decoded document into what JSON holds, for printing it again.
func asData(v reflect.Value) any {
	switch x := v.Interface().(type) {
	case diag.String:
		return x.Value
	case diag.Node:
		data, _ := x.Data()
		return data
	case time.Duration:
		return diag.Duration(x).String()
	}
	switch {
	case v.Kind() == reflect.Pointer:
		return asData(v.Elem())
	case v.Kind() == reflect.Slice && isEntry(v.Type().Elem()):
		return orderedData(v)
	case v.Kind() == reflect.Slice:
		items := make([]any, v.Len())
		for i := range items {
			items[i] = asData(v.Index(i))
		}
		return items
	case v.Kind() == reflect.Struct:
		return structData(v)
	}
	return v.Interface()
}

func isEntry(t reflect.Type) bool {
	if t.Kind() != reflect.Struct {
		return false
	}
	_, ok := t.FieldByName("Key")
	return ok
}

func orderedData(v reflect.Value) any {
	m := make(map[string]any, v.Len())
	for i := range v.Len() {
		m[v.Index(i).FieldByName("Name").String()] = asData(v.Index(i).FieldByName("Value"))
	}
	return m
}

func structData(v reflect.Value) any {
	m := map[string]any{}
	for i := range v.NumField() {
		if data := asData(v.Field(i)); !empty(data) {
			m[v.Type().Field(i).Tag.Get("yaml")] = data
		}
	}
	return m
}

// empty reports that a value says nothing.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// fieldValue is a value as JSON holds it, and no part of the event's memory:
// the event is written over by the next record.
func fieldValue(v any) any {
	if _, err := appendJSON(nil, v, maxText); err != nil { // this also bounds the copy
		return display(v)
	}
	return detached(v)
}

// detached copies a value with what is in it.
func detached(v any) any {
	switch v := v.(type) {
	case nil, string, bool, int, int64, float64:
		return v
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case fmt.Stringer:
		return v.String()
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = detached(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = detached(v[k])
		}
		return out
	}
	plain, err := plainValue(v)
	if err != nil {
		return display(v)
	}
	return detached(plain)
}
