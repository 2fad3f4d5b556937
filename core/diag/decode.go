package diag

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Decoder is a type that reads its own node. Decode calls it for every node
// that is not empty.
type Decoder interface {
	DecodeYAML(n Node) List
}

// Decode fills *into from n, strictly, and lists every mistake: unknown keys
// (with a suggestion), wrong types, values outside an enum, missing keys. What
// has no mistake is filled all the same; what n leaves out, or leaves empty,
// keeps its value, so that defaults are set before.
//
// Struct fields are named by `yaml:"name"` (without: the field's name in lower
// case; "-": not read; ",inline": its fields belong to the outer struct) and
// refined by `enum:"a,b"` and `required:"true"`; `doc:"…"` is for Schema. A field
// of type Node receives the node, a String its text and node. Text may be
// written as any scalar; a bool is true or false and nothing else.
func Decode(n Node, into any) List {
	d := decoder{}
	v := reflect.ValueOf(into).Elem()
	if n.Kind() == Absent && v.Kind() == reflect.Struct && v.Type() != nodeType {
		d.missing(n, v.Type())
		return d.list
	}
	d.value(n, v, nil)
	return d.list
}

// maxDiagnostics ends the reading of a file: after this many mistakes it is
// another kind of file, and to point at each costs time.
const maxDiagnostics = 200

var (
	nodeType     = reflect.TypeFor[Node]()
	stringType   = reflect.TypeFor[String]()
	durationType = reflect.TypeFor[time.Duration]()
)

type decoder struct{ list List }

func (d *decoder) errorf(n Node, code, format string, args ...any) {
	if len(d.list) < maxDiagnostics {
		d.list = append(d.list, n.Errorf(code, format, args...))
	}
}

// wrong says what n must be.
func (d *decoder) wrong(n Node, want string) {
	d.errorf(n, "E012", "%s must be %s, got %s", n.label(), want, n.Got())
}

// label is what a message calls n.
func (n Node) label() string {
	if n.name == "" {
		return "this"
	}
	return n.name
}

// value fills v. enum, when not nil, is what its text may be.
func (d *decoder) value(n Node, v reflect.Value, enum []string) {
	if len(d.list) >= maxDiagnostics {
		return
	}
	if v.Type() == nodeType {
		v.Set(reflect.ValueOf(n))
		return
	}
	if n.Kind() == Null || n.Kind() == Absent {
		return
	}
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		d.value(n, v.Elem(), enum)
		return
	}
	if dec, ok := v.Addr().Interface().(Decoder); ok {
		d.list = append(d.list, dec.DecodeYAML(n)...)
		return
	}
	if v.Type() == stringType {
		if d.text(n, v.FieldByName("Value"), enum) {
			v.FieldByName("Node").Set(reflect.ValueOf(n))
		}
		return
	}
	d.kind(n, v, enum)
}

// kind fills v of a type that has no rule of its own.
func (d *decoder) kind(n Node, v reflect.Value, enum []string) {
	switch {
	case v.Type() == durationType:
		d.duration(n, v)
	case v.Kind() == reflect.Struct:
		d.structure(n, v)
	case v.Kind() == reflect.Slice:
		d.slice(n, v, enum)
	case v.Kind() == reflect.Map:
		d.mapping(n, v, enum)
	case v.Kind() == reflect.Bool:
		d.boolean(n, v)
	case v.CanInt(), v.CanUint(), v.CanFloat():
		d.number(n, v)
	case v.Kind() == reflect.Interface:
		x, err := n.Data()
		if err != nil {
			d.list = append(d.list, asList(n, err)...)
		} else if x != nil {
			v.Set(reflect.ValueOf(x))
		}
	default:
		d.text(n, v, enum)
	}
}

// asList is err as diagnostics.
func asList(n Node, err error) List {
	if l, ok := err.(List); ok {
		return l
	}
	return List{n.Errorf("E012", "%v", err)}
}

// structure fills a struct from a mapping.
func (d *decoder) structure(n Node, v reflect.Value) {
	if n.Kind() != Mapping {
		d.wrong(n, "a mapping")
		return
	}
	fields := fieldsOf(v.Type())
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	var given []string
	for k, val := range n.Pairs() {
		i := slices.Index(names, k.Value())
		if i < 0 {
			d.errorf(k, "E010", "unknown key %s%s", quote(k.Value()), Suggest(k.Value(), names))
			given = append(given, closest(k.Value(), names))
			continue
		}
		if val.Kind() != Null {
			given = append(given, names[i])
		}
		d.value(val, v.FieldByIndex(fields[i].index), fields[i].enum)
	}
	d.required(n, fields, given)
}

// required says which keys are missing, but not those that were only mistyped.
func (d *decoder) required(n Node, fields []field, given []string) {
	for _, f := range fields {
		if !f.required {
			continue
		}
		switch value := n.Key(f.name); {
		case value.saysNothing() && f.enum == nil:
			d.errorf(value, "E011", "%s must not be empty", f.name)
		case !slices.Contains(given, f.name):
			d.errorf(n, "E011", "missing key %q", f.name)
		}
	}
}

// saysNothing reports that n was left empty: null, or a blank text.
func (n Node) saysNothing() bool {
	return n.Kind() == Null || n.Kind() == Scalar && strings.TrimSpace(n.Value()) == ""
}

// missing is required for a document with nothing in it.
func (d *decoder) missing(n Node, t reflect.Type) { d.required(n, fieldsOf(t), nil) }

func (d *decoder) slice(n Node, v reflect.Value, enum []string) {
	if n.Kind() != Sequence {
		words := v.Type().Elem().Kind() == reflect.String || v.Type().Elem() == stringType
		if words && n.Kind() == Scalar && !n.Secret() && len(n.Value()) <= 40 && !strings.Contains(n.Value(), "\n") {
			d.errorf(n, "E012", "%s must be a list, got %s: write [%s]", n.label(), n.Got(), n.Value())
			return
		}
		d.wrong(n, "a list")
		return
	}
	out := reflect.MakeSlice(v.Type(), n.Len(), n.Len())
	i := 0
	for item := range n.Items() {
		if item.Kind() == Null && v.Type().Elem() != nodeType {
			d.errorf(item, "E012", "%s is empty", item.label())
		}
		d.value(item, out.Index(i), enum)
		i++
	}
	v.Set(out)
}

func (d *decoder) mapping(n Node, v reflect.Value, enum []string) {
	if n.Kind() != Mapping {
		d.wrong(n, "a mapping")
		return
	}
	if v.IsNil() {
		v.Set(reflect.MakeMapWithSize(v.Type(), n.Len()))
	}
	for k, val := range n.Pairs() {
		x := reflect.New(v.Type().Elem()).Elem()
		d.value(val, x, enum)
		v.SetMapIndex(reflect.ValueOf(k.Value()).Convert(v.Type().Key()), x)
	}
}

// text fills a string, or a type that reads itself from text.
func (d *decoder) text(n Node, v reflect.Value, enum []string) bool {
	if n.Kind() != Scalar {
		d.wrong(n, "text")
		return false
	}
	if enum != nil && !slices.Contains(enum, n.Value()) {
		d.errorf(n, "E013", "%s must be one of %s", n.label(), strings.Join(enum, ", "))
		return false
	}
	if v.Kind() == reflect.String {
		v.SetString(n.Value())
		return true
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if err := u.UnmarshalText([]byte(n.Value())); err != nil && !n.Secret() {
			d.errorf(n, "E012", "%s: %v", n.label(), err)
		} else if err != nil {
			d.wrong(n, "readable")
		}
		return true
	}
	panic(fmt.Sprintf("diag: cannot decode into %s", v.Type()))
}

func (d *decoder) boolean(n Node, v reflect.Value) {
	switch {
	case n.Kind() == Scalar && n.Value() == "true" && n.typed():
		v.SetBool(true)
	case n.Kind() == Scalar && n.Value() == "false" && n.typed():
		v.SetBool(false)
	default:
		d.wrong(n, "true or false")
	}
}

// typed says that the text of n may stand for a number or a bool: it has no
// quotes, or it came from outside.
func (n Node) typed() bool { return n.Plain() || n.Replaced() }

func (d *decoder) number(n Node, v reflect.Value) {
	x, ok := 0.0, false
	if n.Kind() == Scalar && n.typed() {
		x, ok = parseNumber(n.Value())
	}
	if !ok {
		d.wrong(n, "a number")
		return
	}
	var err error
	switch {
	case v.CanFloat():
		v.SetFloat(x)
		return
	case v.CanInt():
		var i int64
		if i, err = strconv.ParseInt(n.Value(), 10, v.Type().Bits()); err == nil {
			v.SetInt(i)
		}
	default:
		var u uint64
		if u, err = strconv.ParseUint(n.Value(), 10, v.Type().Bits()); err == nil {
			v.SetUint(u)
		}
	}
	switch {
	case err == nil:
	case x < 0 && v.CanUint():
		d.wrong(n, "0 or more")
	case x != float64(int64(x)) || strings.ContainsAny(n.Value(), ".eE"):
		d.wrong(n, "a whole number")
	default:
		d.errorf(n, "E012", "%s is too large a number", n.label())
	}
}

func (d *decoder) duration(n Node, v reflect.Value) {
	x := Duration(v.Int())
	d.list = append(d.list, x.DecodeYAML(n)...)
	v.SetInt(int64(x))
}

// field is one key of a struct.
type field struct {
	name, doc string
	enum      []string
	required  bool
	index     []int
	typ       reflect.Type
}

var fieldsByType sync.Map // reflect.Type → []field

// fieldsOf lists the keys of a struct type in their order.
func fieldsOf(t reflect.Type) []field {
	if known, ok := fieldsByType.Load(t); ok {
		return known.([]field)
	}
	out := readFields(t)
	fieldsByType.Store(t, out)
	return out
}

func readFields(t reflect.Type) []field {
	var out []field
	for i := range t.NumField() {
		sf := t.Field(i)
		name, option, _ := strings.Cut(sf.Tag.Get("yaml"), ",")
		switch {
		case option == "inline":
			for _, f := range fieldsOf(sf.Type) {
				f.index = append([]int{i}, f.index...)
				out = append(out, f)
			}
			continue
		case !sf.IsExported() || name == "-" || sf.Anonymous:
			continue
		case name == "":
			name = strings.ToLower(sf.Name)
		}
		f := field{name: name, doc: sf.Tag.Get("doc"), required: sf.Tag.Get("required") == "true", index: []int{i}, typ: sf.Type}
		if e := sf.Tag.Get("enum"); e != "" {
			f.enum = strings.Split(e, ",")
		}
		out = append(out, f)
	}
	return out
}
