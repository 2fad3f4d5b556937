// Package ocsftest checks events against the OCSF schema in tests. The schema
// (a flattened subset of OCSF 1.8.0) and the corpus lie beside the project, not
// in it: who needs them asks [Load] or [Shared], which skip the test when they
// are not there.
package ocsftest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Shared returns the path of name in the folder beside the project, and skips
// the test when it is not there.
func Shared(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	path := filepath.Join(dir, "..", "shared", filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		t.Skipf("%s is not beside the project: %v", name, err)
	}
	return path
}

// Schema is the flattened OCSF schema. It is safe for concurrent use.
type Schema struct {
	Version string
	Classes map[string]*class
	Objects map[string]*object
	Types   map[string]*simple
	byUID   map[int]*class
}

type class struct {
	object
	UID         int `json:"uid"`
	CategoryUID int `json:"category_uid"`
}

type object struct {
	Attributes  map[string]*attribute
	Constraints map[string][]string
}

type attribute struct {
	Type        string
	Requirement string
	Profile     string
	IsArray     bool `json:"is_array"`
	Enum        map[string]string
	Deprecated  string `json:"deprecated_since"`
}

type simple struct {
	Base   string
	Regex  string
	MaxLen int `json:"max_len"`
	regex  *regexp.Regexp
}

// Load reads the schema, or skips the test when it is not there.
func Load(t testing.TB) *Schema {
	t.Helper()
	text, err := os.ReadFile(Shared(t, "ocsf/ocsf-1.8.0-subset.json"))
	if err != nil {
		t.Fatal(err)
	}
	s := &Schema{byUID: map[int]*class{}}
	if err := json.Unmarshal(text, s); err != nil {
		t.Fatalf("reading the OCSF schema: %v", err)
	}
	for _, c := range s.Classes {
		s.byUID[c.UID] = c
	}
	for name, typ := range s.Types {
		if typ.Regex == "" {
			continue
		}
		// Go knows no look-ahead; such a type is checked by its base alone.
		if typ.regex, err = regexp.Compile(typ.Regex); err != nil {
			t.Logf("type %s: %v", name, err)
		}
	}
	return s
}

// Has reports whether path (dotted, without indexes) is an attribute of one of
// the classes 2004, 3001, 3002 and 6003.
func (s *Schema) Has(path string) bool {
	for _, uid := range []int{2004, 3001, 3002, 6003} {
		if s.hasPath(&s.byUID[uid].object, path) {
			return true
		}
	}
	return false
}

func (s *Schema) hasPath(o *object, path string) bool {
	name, rest, deeper := strings.Cut(path, ".")
	a := o.Attributes[name]
	switch {
	case a == nil:
		return false
	case !deeper:
		return true
	}
	next := s.Objects[a.Type]
	return next != nil && s.hasPath(next, rest)
}

// Report is what is wrong with one event. Warnings do not make it invalid.
type Report struct {
	Errors, Warnings []string
}

// Check validates one event.
func (s *Schema) Check(event []byte) Report {
	decoder := json.NewDecoder(strings.NewReader(string(event)))
	decoder.UseNumber()
	var e map[string]any
	if err := decoder.Decode(&e); err != nil {
		return Report{Errors: []string{"not a JSON object: " + err.Error()}}
	}
	if !json.Valid(event) {
		return Report{Errors: []string{"not exactly one JSON value"}}
	}
	uid, _ := integer(e["class_uid"])
	c := s.byUID[int(uid)]
	if c == nil {
		return Report{Errors: []string{fmt.Sprintf("class_uid: no class %v", e["class_uid"])}}
	}
	v := &validation{schema: s, profiles: profiles(e)}
	v.object("", &c.object, e)
	activity, _ := integer(e["activity_id"])
	if typ, _ := integer(e["type_uid"]); typ != uid*100+activity {
		v.errorf("type_uid: %v is not class_uid*100 + activity_id", e["type_uid"])
	}
	if category, _ := integer(e["category_uid"]); int(category) != c.CategoryUID {
		v.errorf("category_uid: %v is not the category of class %d", e["category_uid"], uid)
	}
	slices.Sort(v.Errors)
	slices.Sort(v.Warnings)
	return v.Report
}

func profiles(e map[string]any) (names []string) {
	metadata, _ := e["metadata"].(map[string]any)
	list, _ := metadata["profiles"].([]any)
	for _, p := range list {
		if name, ok := p.(string); ok {
			names = append(names, name)
		}
	}
	return names
}

type validation struct {
	Report
	schema   *Schema
	profiles []string
}

func (v *validation) errorf(format string, args ...any) {
	v.Errors = append(v.Errors, fmt.Sprintf(format, args...))
}

func (v *validation) object(path string, o *object, value map[string]any) {
	for name, a := range o.Attributes {
		_, there := value[name]
		if a.Requirement == "required" && !there && (a.Profile == "" || slices.Contains(v.profiles, a.Profile)) {
			v.errorf("%s%s: required and missing", path, name)
		}
	}
	for name, x := range value {
		a := o.Attributes[name]
		if a == nil {
			if !v.isTwin(o, name) {
				v.errorf("%s%s: no such attribute", path, name)
			}
			continue
		}
		if a.Profile != "" && !slices.Contains(v.profiles, a.Profile) {
			v.errorf("%s%s: belongs to profile %s, which is not declared", path, name, a.Profile)
		}
		if a.Deprecated != "" {
			v.Warnings = append(v.Warnings, fmt.Sprintf("%s%s: deprecated since %s", path, name, a.Deprecated))
		}
		v.attribute(path+name, a, x)
	}
	v.constraints(path, o, value)
}

// isTwin reports whether name is the datetime twin of a timestamp.
func (v *validation) isTwin(o *object, name string) bool {
	base, ok := strings.CutSuffix(name, "_dt")
	a := o.Attributes[base]
	return ok && a != nil && a.Type == "timestamp_t" && slices.Contains(v.profiles, "datetime")
}

func (v *validation) constraints(path string, o *object, value map[string]any) {
	for kind, names := range o.Constraints {
		n := 0
		for _, name := range names {
			if _, ok := value[name]; ok {
				n++
			}
		}
		if kind == "at_least_one" && n == 0 || kind == "just_one" && n != 1 {
			v.errorf("%s: %s of %s", strings.TrimSuffix(path, "."), kind, strings.Join(names, ", "))
		}
	}
}

func (v *validation) attribute(path string, a *attribute, value any) {
	if !a.IsArray {
		v.value(path, a, value)
		return
	}
	list, ok := value.([]any)
	if !ok {
		v.errorf("%s: %T is not a list", path, value)
	}
	for i, x := range list {
		v.value(fmt.Sprintf("%s[%d]", path, i), a, x)
	}
}

func (v *validation) value(path string, a *attribute, value any) {
	if o := v.schema.Objects[a.Type]; o != nil {
		m, ok := value.(map[string]any)
		if !ok {
			v.errorf("%s: %T is not an object", path, value)
			return
		}
		v.object(path+".", o, m)
		return
	}
	switch a.Type {
	case "json_t":
		return
	case "object":
		if _, ok := value.(map[string]any); !ok {
			v.errorf("%s: %T is not an object", path, value)
		}
		return
	}
	v.primitive(path, a, value)
}

func (v *validation) primitive(path string, a *attribute, value any) {
	typ := v.schema.Types[a.Type]
	base := a.Type
	if typ != nil && typ.Base != "" {
		base = typ.Base
	}
	switch base {
	case "string_t":
		s, ok := value.(string)
		switch {
		case !ok:
			v.errorf("%s: %T is not a %s", path, value, a.Type)
		case s == "":
			v.errorf("%s: empty", path)
		case typ != nil && typ.regex != nil && !typ.regex.MatchString(s):
			v.errorf("%s: %q is not a %s", path, s, a.Type)
		case typ != nil && typ.MaxLen > 0 && len(s) > typ.MaxLen:
			v.errorf("%s: longer than %d", path, typ.MaxLen)
		}
	case "integer_t", "long_t":
		n, ok := integer(value)
		if !ok {
			v.errorf("%s: %v is not a %s", path, value, a.Type)
		} else if _, listed := a.Enum[strconv.FormatInt(n, 10)]; a.Enum != nil && !listed {
			v.errorf("%s: %d is not in the enum", path, n)
		}
	case "boolean_t":
		if _, ok := value.(bool); !ok {
			v.errorf("%s: %T is not a boolean", path, value)
		}
	case "float_t":
		if _, ok := value.(json.Number); !ok {
			v.errorf("%s: %T is not a number", path, value)
		}
	}
}

func integer(value any) (int64, bool) {
	n, ok := value.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := n.Int64()
	return i, err == nil
}
