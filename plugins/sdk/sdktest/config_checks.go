package sdktest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/trailship/trailship/plugins/sdk"
)

// unknownKey is one no plugin has.
const unknownKey = "sdktest-no-such-key"

// refusesBadConfig hands over configurations with mistakes. Every mistake must
// be found at once, and pointed at.
func refusesBadConfig(ctx context.Context, s *suite) (remark string, err error) {
	good := map[string]any{}
	if s.Config != nil {
		if err := json.Unmarshal(s.Config, &good); err != nil {
			return "", err
		}
	}
	properties, required := s.schema()

	bad := maps.Clone(good)
	bad[unknownKey] = "x"
	wrongly := map[string]bool{"/" + unknownKey: true}
	for name, property := range properties {
		if value, ok := ofAnotherType(property["type"]); ok {
			bad[name] = value
			wrongly["/"+escape(name)] = true
		}
	}
	wrong, err := s.objections(ctx, bad)
	if err != nil {
		return "", err
	}
	for _, pointer := range slices.Sorted(maps.Keys(wrongly)) {
		if !slices.ContainsFunc(wrong, func(e sdk.Invalid) bool {
			return e.Pointer == pointer || strings.HasPrefix(e.Pointer, pointer+"/")
		}) {
			return "", fmt.Errorf("report every mistake of a configuration in one answer, and point at it: of %s nothing points at %s", compact(bad), pointer)
		}
	}
	if len(required) > 0 {
		err = s.missesKeys(ctx, required)
	} else if properties == nil {
		remark = "without a config_schema only an unknown key can be tried"
	}
	return remark, err
}

// missesKeys hands over an empty configuration.
func (s *suite) missesKeys(ctx context.Context, required []string) error {
	wrong, err := s.objections(ctx, map[string]any{})
	if err != nil {
		return err
	}
	for _, name := range required {
		if !slices.ContainsFunc(wrong, func(e sdk.Invalid) bool { return e.Pointer == "" && strings.Contains(e.Message, name) }) {
			return fmt.Errorf("report a missing key as an error of the object it is missing from, with the key's name: %s is required, and of {} the errors are: %s", name, oneLine(wrong.Error()))
		}
	}
	return nil
}

// objections starts a plugin with a configuration that is wrong and returns
// what it says, if that is well said.
func (s *suite) objections(ctx context.Context, config map[string]any) (wrong sdk.Invalids, err error) {
	text := compact(config)
	err = s.described(ctx, func(ctx context.Context, p *process) error {
		if wrong, err = p.configure(ctx, []byte(text)); err != nil {
			return fmt.Errorf("answer Configure with errors, never with a gRPC status, for %s: %w", text, err)
		}
		if len(wrong) == 0 {
			return fmt.Errorf("refuse a configuration with mistakes (an unknown key is one): %s was accepted", text)
		}
		for _, e := range wrong {
			if strings.TrimSpace(e.Message) == "" {
				return fmt.Errorf("say what is wrong: the error at %q has no message", e.Pointer)
			}
			if !resolves(config, e.Pointer) {
				return fmt.Errorf("point at a mistake with a JSON pointer such as /headers/X-Token, or \"\" for the whole: %q is nowhere in %s", e.Pointer, text)
			}
		}
		return nil
	})
	return wrong, err
}

// configures hands over the good configuration, and looks whether that alone
// did something.
func configures(ctx context.Context, s *suite) (string, error) {
	before, beforeErr := s.items(ctx)
	err := s.described(ctx, func(ctx context.Context, p *process) error {
		if err := p.configured(ctx, s.Config); err != nil {
			return err
		}
		if err := p.leftNothing(); err != nil {
			return fmt.Errorf("write nothing in Configure, `trailship check` calls it too: %w", err)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	after, afterErr := s.items(ctx)
	if beforeErr == nil && afterErr == nil && after > before {
		return "", errors.New("send nothing in Configure, `trailship check` calls it too: the destination holds more than before")
	}
	s.configures = true
	if s.ReadBack == nil {
		return "nothing reads the destination back: what the plugin acknowledges is believed", nil
	}
	return "", nil
}

// items counts what the destination holds.
func (s *suite) items(ctx context.Context) (int, error) {
	if s.ReadBack == nil {
		return 0, errors.New("the destination cannot be read")
	}
	items, err := s.ReadBack(ctx)
	return len(items), err
}

// schema returns the top of the plugin's schema, if there is one.
func (s *suite) schema() (properties map[string]map[string]any, required []string) {
	var schema struct {
		Properties map[string]map[string]any
		Required   []string
	}
	if s.about == nil || json.Unmarshal(s.about.ConfigSchema, &schema) != nil {
		return nil, nil
	}
	return schema.Properties, schema.Required
}

// ofAnotherType returns a value a key of a type must refuse.
func ofAnotherType(kind any) (value any, ok bool) {
	switch kind {
	case "string", "number", "integer", "boolean":
		return map[string]any{}, true
	case "object", "array":
		return true, true
	}
	return nil, false
}

// resolves says whether a JSON pointer points at something.
func resolves(v any, pointer string) bool {
	if pointer == "" {
		return true
	}
	if pointer[0] != '/' {
		return false
	}
	for step := range strings.SplitSeq(pointer[1:], "/") {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		switch in := v.(type) {
		case map[string]any:
			inner, ok := in[step]
			if !ok {
				return false
			}
			v = inner
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(in) {
				return false
			}
			v = in[i]
		default:
			return false
		}
	}
	return true
}

func escape(step string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(step) }

func compact(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}
