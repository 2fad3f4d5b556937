package config

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/trailship/trailship/core/diag"
)

// The schema for editors accepts what Load accepts.
func TestTheSchemaAcceptsTheExamples(t *testing.T) {
	var root map[string]any
	if err := json.Unmarshal(diag.Schema(Config{}, "https://example.com/config.v1.json", "trailship.yaml"), &root); err != nil {
		t.Fatal(err)
	}
	s := schema{root}
	for _, name := range []string{"example.yaml", "also.yaml"} {
		c := load(t, name)
		x, err := c.Node.Data()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range s.check("", root, jsonValue(t, x)) {
			t.Errorf("%s: %s", name, e)
		}
	}
	for name, want := range map[string]string{
		"unknown-keys.yaml": "/datadir is unknown",
		"missing-keys.yaml": "/sources/0/name is missing",
		"outputs.yaml":      "/outputs/0/backlog/full is none of",
		"wrong-types.yaml":  "/sources is no array",
	} {
		text, _ := world().ReadFile(filepath.Join("testdata", name))
		f, _ := diag.Parse(name, text)
		x, _ := f.Root().Data()
		if errs := strings.Join(s.check("", root, jsonValue(t, x)), "\n"); !strings.Contains(errs, want) {
			t.Errorf("%s: want %q in\n%s", name, want, errs)
		}
	}
}

func jsonValue(t *testing.T, x any) (out any) {
	t.Helper()
	text, err := json.Marshal(x)
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// schema checks values against the part of JSON Schema that diag.Schema writes.
type schema struct{ root map[string]any }

func (s schema) check(path string, rule map[string]any, x any) (errs []string) {
	if ref, ok := rule["$ref"].(string); ok {
		rule = s.root["$defs"].(map[string]any)[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
	}
	if any, ok := rule["anyOf"].([]any); ok {
		if !slices.ContainsFunc(any, func(r interface{}) bool { return len(s.check(path, r.(map[string]interface{}), x)) == 0 }) {
			errs = append(errs, path+" is none of the forms")
		}
	}
	if enum, ok := rule["enum"].([]any); ok && !slices.Contains(enum, x) {
		errs = append(errs, fmt.Sprintf("%s is none of %v", path, enum))
	}
	if types, ok := rule["type"]; ok && !isType(types, x) {
		return append(errs, fmt.Sprintf("%s is no %v", path, types))
	}
	if p, ok := rule["pattern"].(string); ok && !regexp.MustCompile(p).MatchString(x.(string)) {
		errs = append(errs, path+" does not match")
	}
	switch x := x.(type) {
	case []any:
		items, _ := rule["items"].(map[string]any)
		for i, item := range x {
			errs = append(errs, s.check(fmt.Sprintf("%s/%d", path, i), items, item)...)
		}
	case map[string]any:
		errs = append(errs, s.object(path, rule, x)...)
	}
	return errs
}

func (s schema) object(path string, rule map[string]any, x map[string]any) (errs []string) {
	properties, _ := rule["properties"].(map[string]any)
	for k, v := range x {
		if p, ok := properties[k].(map[string]any); ok {
			errs = append(errs, s.check(path+"/"+k, p, v)...)
		} else if rule["additionalProperties"] == false {
			errs = append(errs, path+"/"+k+" is unknown")
		}
	}
	required, _ := rule["required"].([]any)
	for _, k := range required {
		if _, ok := x[k.(string)]; !ok {
			errs = append(errs, path+"/"+k.(string)+" is missing")
		}
	}
	return errs
}

func isType(types, x any) bool {
	if list, ok := types.([]any); ok {
		return slices.ContainsFunc(list, func(t any) bool { return isType(t, x) })
	}
	switch x := x.(type) {
	case string:
		return types == "string"
	case bool:
		return types == "boolean"
	case float64:
		return types == "number" || types == "integer" && x == float64(int64(x))
	case []any:
		return types == "array"
	case map[string]any:
		return types == "object"
	}
	return false
}
