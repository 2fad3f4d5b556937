package sdktest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/trailship/trailship/plugins/sdk"
)

// keepsSecrets looks for the configuration's secrets in everything the plugin
// said in all of the checks, and plants some more.
func keepsSecrets(ctx context.Context, s *suite) (string, error) {
	if len(s.secrets) == 0 {
		return "", skipf("the configuration holds no secret: none is under a key such as token or password, or marked writeOnly in the schema")
	}
	for _, secret := range s.secrets {
		for _, form := range formsOf(secret) {
			if s.said.holds(form) {
				return "", fmt.Errorf("keep the secrets of the configuration out of every error and every line of log: one of them was there")
			}
		}
	}
	return fmt.Sprintf("none of %d secrets was in an error or in the log", len(s.secrets)), s.hidesPlanted(ctx)
}

// hidesPlanted puts another secret at the place of each, and then a list of
// it, which is a mistake: the objection must not quote it.
func (s *suite) hidesPlanted(ctx context.Context) error {
	const planted = "sdktest-planted-53cr3t"
	for _, wrong := range []bool{false, true} {
		var config any
		if err := json.Unmarshal(s.Config, &config); err != nil {
			return err
		}
		w := walk{secret: func(string) any {
			if wrong {
				return []any{planted}
			}
			return planted
		}}
		config = w.value(config, s.schemaTree(), false)
		err := s.described(ctx, func(ctx context.Context, p *process) error {
			objections, err := p.configure(ctx, []byte(compact(config)))
			if err != nil {
				return fmt.Errorf("answer Configure with errors, never with a gRPC status: %w", err)
			}
			if strings.Contains(sdk.Invalids(objections).Error(), planted) || s.said.holds(planted) {
				return fmt.Errorf("keep the secrets of the configuration out of what is wrong with them: an objection or the log quotes one")
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *suite) schemaTree() any {
	var tree any
	if s.about != nil {
		json.Unmarshal(s.about.ConfigSchema, &tree)
	}
	return tree
}

// secretsOf returns the secrets of a configuration, longest first: what the
// schema marks writeOnly, what is under a key that sounds like one, and the
// passwords of URLs.
func secretsOf(config json.RawMessage, schema []byte) []string {
	var tree, value any
	json.Unmarshal(schema, &tree)
	if json.Unmarshal(config, &value) != nil {
		return nil
	}
	var all []string
	note := func(text string) {
		if len(text) >= minSecret {
			all = append(all, text)
		}
	}
	w := walk{
		secret: func(text string) any { note(text); return text },
		plain: func(text string) {
			if u, err := url.Parse(text); err == nil && u.User != nil {
				password, _ := u.User.Password()
				note(password)
			}
		},
	}
	w.value(value, tree, false)
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(all)
}

// minSecret is the length below which text is in a log by accident.
const minSecret = 6

// soundsSecret matches names of keys.
var soundsSecret = regexp.MustCompile(`(?i)(secret|token|passw|credential|api_?key|private_?key|access_?key|authorization)`)

// walk goes through a configuration with its schema.
type walk struct {
	secret func(text string) any // returns what takes its place
	plain  func(text string)
}

func (w walk) value(v, schema any, isSecret bool) any {
	s, _ := schema.(map[string]any)
	if only, _ := s["writeOnly"].(bool); only {
		isSecret = true
	}
	switch in := v.(type) {
	case string:
		if isSecret {
			return w.secret(in)
		}
		if w.plain != nil {
			w.plain(in)
		}
	case []any:
		for i := range in {
			in[i] = w.value(in[i], s["items"], isSecret)
		}
	case map[string]any:
		properties, _ := s["properties"].(map[string]any)
		for key := range in {
			inner, ok := properties[key]
			if !ok {
				inner = s["additionalProperties"]
			}
			in[key] = w.value(in[key], inner, isSecret || soundsSecret.MatchString(key))
		}
	}
	return v
}

// formsOf returns a secret as it looks in text, in JSON and in URLs.
func formsOf(secret string) []string {
	inJSON, _ := json.Marshal(secret)
	forms := []string{secret, string(inJSON[1 : len(inJSON)-1]), url.QueryEscape(secret), url.PathEscape(secret)}
	slices.Sort(forms)
	return slices.Compact(forms)
}
