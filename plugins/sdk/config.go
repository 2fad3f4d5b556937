package sdk

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agext/levenshtein"
)

// decode reads a configuration into the struct that into points at. Every
// error is found, not the first: unknown keys, wrong types, missing keys.
func decode(config []byte, into any) Invalids {
	d := json.NewDecoder(bytes.NewReader(config))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err == io.EOF {
		value = map[string]any{}
	} else if err != nil {
		return Invalids{{Message: "the configuration is not JSON: " + err.Error()}}
	}
	if value == nil {
		value = map[string]any{}
	}
	var dec decoder
	dec.read(value, reflect.ValueOf(into).Elem(), "")
	return dec.errs
}

type decoder struct{ errs Invalids }

func (d *decoder) fail(pointer, format string, args ...any) {
	d.errs = append(d.errs, Invalid{pointer, fmt.Sprintf(format, args...)})
}

var durationType = reflect.TypeFor[time.Duration]()

// read stores value in v or notes why it cannot.
func (d *decoder) read(value any, v reflect.Value, pointer string) {
	switch u := v.Addr().Interface().(type) {
	case *time.Duration:
		d.readDuration(value, u, pointer)
		return
	case json.Unmarshaler:
		text, _ := json.Marshal(value)
		if err := u.UnmarshalJSON(text); err != nil {
			d.fail(pointer, "%v", err)
		}
		return
	case encoding.TextUnmarshaler:
		d.readText(value, u, pointer)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.readStruct(value, v, pointer)
	case reflect.Map:
		d.readMap(value, v, pointer)
	case reflect.Slice:
		d.readSlice(value, v, pointer)
	case reflect.Pointer:
		if value != nil {
			v.Set(reflect.New(v.Type().Elem()))
			d.read(value, v.Elem(), pointer)
		}
	default:
		d.readScalar(value, v, pointer)
	}
}

func (d *decoder) readStruct(value any, v reflect.Value, pointer string) {
	object, ok := value.(map[string]any)
	if !ok {
		d.fail(pointer, "must be a map, not %s", kindOf(value))
		return
	}
	fields := fieldsOf(v.Type())
	for _, key := range slices.Sorted(maps.Keys(object)) {
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == key })
		if i < 0 {
			d.fail(pointer+"/"+escape(key), "unknown key %q%s", key, suggest(key, fields))
			continue
		}
		d.readField(fields[i], object[key], v.FieldByIndex(fields[i].index), pointer+"/"+escape(key))
	}
	for _, f := range fields {
		_, ok := object[f.name]
		switch {
		case ok:
		case f.required:
			d.fail(pointer, "%q is missing", f.name)
		case f.preset != nil:
			d.read(f.preset, v.FieldByIndex(f.index), pointer+"/"+escape(f.name))
		}
	}
}

// readField also holds the value against what the field's tags demand.
func (d *decoder) readField(f field, value any, v reflect.Value, pointer string) {
	before := len(d.errs)
	d.read(value, v, pointer)
	if len(d.errs) > before {
		return
	}
	if f.required && v.IsZero() {
		d.fail(pointer, "must not be empty")
	}
	if len(f.enum) > 0 && !v.IsZero() && !slices.Contains(f.enum, fmt.Sprint(v.Interface())) {
		d.fail(pointer, "must be one of %s, not %q", strings.Join(f.enum, ", "), fmt.Sprint(v.Interface()))
	}
}

func (d *decoder) readMap(value any, v reflect.Value, pointer string) {
	object, ok := value.(map[string]any)
	if !ok {
		d.fail(pointer, "must be a map, not %s", kindOf(value))
		return
	}
	v.Set(reflect.MakeMapWithSize(v.Type(), len(object)))
	for _, key := range slices.Sorted(maps.Keys(object)) {
		item := reflect.New(v.Type().Elem()).Elem()
		d.read(object[key], item, pointer+"/"+escape(key))
		v.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), item)
	}
}

func (d *decoder) readSlice(value any, v reflect.Value, pointer string) {
	list, ok := value.([]any)
	if !ok {
		d.fail(pointer, "must be a list, not %s", kindOf(value))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(list), len(list)))
	for i, item := range list {
		d.read(item, v.Index(i), pointer+"/"+strconv.Itoa(i))
	}
}

// readScalar leaves strings, numbers, booleans and open values to
// encoding/json, and says what was expected when it cannot.
func (d *decoder) readScalar(value any, v reflect.Value, pointer string) {
	text, err := json.Marshal(value)
	if err == nil {
		err = json.Unmarshal(text, v.Addr().Interface())
	}
	if err != nil || value == nil && v.Kind() != reflect.Interface {
		d.fail(pointer, "must be %s, not %s", wanted(v.Type()), kindOf(value))
	}
}

func (d *decoder) readDuration(value any, v *time.Duration, pointer string) {
	text, ok := value.(string)
	parsed, err := time.ParseDuration(text)
	if !ok || err != nil || parsed < 0 {
		d.fail(pointer, `must be a duration such as "10s" or "5m"`)
		return
	}
	*v = parsed
}

func (d *decoder) readText(value any, u encoding.TextUnmarshaler, pointer string) {
	switch value.(type) {
	case string, json.Number:
		if err := u.UnmarshalText([]byte(fmt.Sprint(value))); err != nil {
			d.fail(pointer, "%v", err)
		}
	default:
		d.fail(pointer, "must be a string, not %s", kindOf(value))
	}
}

// wanted says in words what a Go type takes.
func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number that is not negative"
	case reflect.Float32, reflect.Float64:
		return "a number"
	}
	return t.String()
}

// kindOf says in words what the user wrote.
func kindOf(value any) string {
	switch v := value.(type) {
	case nil:
		return "empty"
	case bool:
		return "true or false"
	case json.Number:
		return "the number " + v.String()
	case string:
		return "a string"
	case []any:
		return "a list"
	}
	return "a map"
}

// field is one key of a configuration.
type field struct {
	name     string
	doc      string
	required bool
	enum     []string
	preset   any // the value of an absent key, nil for none
	typ      reflect.Type
	index    []int
}

// fieldsOf lists a struct's keys, those of embedded structs among them.
func fieldsOf(t reflect.Type) []field {
	var all []field
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "-" || f.Anonymous && name == "" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		key := field{name: name, doc: f.Tag.Get("doc"), required: f.Tag.Get("required") == "true", typ: f.Type, index: f.Index}
		if enum := f.Tag.Get("enum"); enum != "" {
			key.enum = strings.Split(enum, ",")
		}
		if text, ok := f.Tag.Lookup("default"); ok {
			key.preset = presetOf(f.Type, text)
		}
		all = append(all, key)
	}
	return all
}

// presetOf reads a default as the user would have written it: a number or a
// truth value where the key takes one, and text elsewhere.
func presetOf(t reflect.Type, text string) any {
	number := t != durationType && !reflect.PointerTo(t).Implements(textType) && t.Kind() >= reflect.Bool && t.Kind() <= reflect.Float64
	if number && json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	return text
}

// suggest names the key that was probably meant.
func suggest(key string, fields []field) string {
	best, similarity := "", 0.5
	for _, f := range fields {
		if s := levenshtein.Similarity(strings.ToLower(key), f.name, nil); s >= similarity {
			best, similarity = f.name, s
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// escape writes one step of a JSON pointer.
func escape(step string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(step)
}
