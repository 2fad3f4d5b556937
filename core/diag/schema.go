package diag

import (
	"encoding/json"
	"reflect"
	"strings"
)

// Schema is the JSON Schema (2020-12) of what Decode reads into a *v, for
// editors. id is the address the schema is published under. The text is the
// same for the same types.
func Schema(v any, id, title string) []byte {
	s := &schemer{defs: map[string]any{}}
	root := s.structure(reflect.Indirect(reflect.ValueOf(v)).Type())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["$id"] = id
	root["title"] = title
	if len(s.defs) > 0 {
		root["$defs"] = s.defs
	}
	out, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic(err) // maps of strings, bools and lists
	}
	return append(out, '\n')
}

// Schemer is a Decoder that describes what it reads. Of those that do not,
// structs are described by their fields, and others as anything.
type Schemer interface {
	YAMLSchema() map[string]any
}

type schemer struct{ defs map[string]any }

// of describes what Decode reads into v.
func (s *schemer) of(v any) map[string]any { return s.typ(reflect.TypeOf(v).Elem()) }

func (s *schemer) typ(t reflect.Type) map[string]any {
	if t.Kind() == reflect.Pointer {
		return s.typ(t.Elem())
	}
	switch x := reflect.New(t).Interface().(type) {
	case Schemer:
		return x.YAMLSchema()
	case interface{ schema(*schemer) map[string]any }:
		return x.schema(s)
	case *Duration:
		return durationSchema()
	case *Size:
		return map[string]any{"type": []string{"string", "integer"}, "examples": []string{"4MiB", "2GiB"}}
	case *String:
		return map[string]any{"type": []string{"string", "number", "boolean"}}
	case *Node:
		return map[string]any{}
	case Decoder:
		if t.Kind() != reflect.Struct {
			return map[string]any{}
		}
	}
	return s.kind(t)
}

func durationSchema() map[string]any {
	return map[string]any{"type": "string", "pattern": `^([0-9]+(y|w|d|h|ms|m|s))+$|^0$|^\$\{`, "examples": []string{"90s", "10m", "1h", "7d", "2w"}}
}

func (s *schemer) kind(t reflect.Type) map[string]any {
	switch {
	case t == durationType:
		return durationSchema()
	case t.Kind() == reflect.Struct:
		return s.ref(t)
	case t.Kind() == reflect.Slice:
		return map[string]any{"type": "array", "items": s.typ(t.Elem())}
	case t.Kind() == reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": s.typ(t.Elem())}
	case t.Kind() == reflect.Bool:
		return map[string]any{"type": "boolean"}
	case t.Kind() == reflect.Float32, t.Kind() == reflect.Float64:
		return map[string]any{"type": "number"}
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64:
		return map[string]any{"type": "integer"}
	case t.Kind() == reflect.Interface:
		return map[string]any{}
	}
	return map[string]any{"type": []string{"string", "number", "boolean"}}
}

// ref describes a struct once, under $defs.
func (s *schemer) ref(t reflect.Type) map[string]any {
	name := strings.ToLower(t.Name())
	if name == "" {
		return s.structure(t)
	}
	if _, ok := s.defs[name]; !ok {
		s.defs[name] = true // while it is being described: it may contain itself
		s.defs[name] = s.structure(t)
	}
	return map[string]any{"$ref": "#/$defs/" + name}
}

func (s *schemer) structure(t reflect.Type) map[string]any {
	properties := map[string]any{}
	var required []string
	for _, f := range fieldsOf(t) {
		p := s.typ(f.typ)
		if f.enum != nil {
			p = withEnum(p, f.enum)
		}
		if f.doc != "" {
			p["description"] = f.doc
		}
		properties[f.name] = p
		if f.required {
			required = append(required, f.name)
		}
	}
	out := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if required != nil {
		out["required"] = required
	}
	return out
}

// withEnum is p restricted to some words; of a list, its elements.
func withEnum(p map[string]any, words []string) map[string]any {
	if p["type"] == "array" {
		return map[string]any{"type": "array", "items": map[string]any{"enum": words}}
	}
	return map[string]any{"enum": words}
}
