package sdk

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Secret is a string of the configuration that must not be seen. It prints as
// ••• in every format, JSON and logs included; string(s) is the value. Serve
// also takes the values of a configuration's Secrets out of every error and
// every log line of the plugin.
type Secret string

const mask = "•••"

func (s Secret) String() string { return mask }

// GoString is what %#v prints.
func (s Secret) GoString() string { return mask }

// Format hides the value from every verb, %x included.
func (s Secret) Format(f fmt.State, _ rune) { f.Write([]byte(mask)) }

// MarshalJSON hides the value.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(mask) }

// LogValue hides the value from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(mask) }

// shortest is the least a secret has to be to be looked for in text: what is
// shorter stands inside of many words.
const shortest = 3

// secrets returns the values of every Secret inside v.
func secrets(v reflect.Value) []string {
	switch v.Kind() {
	case reflect.String:
		if v.Type() == reflect.TypeFor[Secret]() && v.Len() >= shortest {
			return []string{v.String()}
		}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return secrets(v.Elem())
		}
	case reflect.Struct:
		var all []string
		for i := range v.NumField() {
			all = append(all, secrets(v.Field(i))...)
		}
		return all
	case reflect.Slice, reflect.Array:
		var all []string
		for i := range v.Len() {
			all = append(all, secrets(v.Index(i))...)
		}
		return all
	case reflect.Map:
		var all []string
		for _, key := range v.MapKeys() {
			all = append(all, secrets(v.MapIndex(key))...)
		}
		return all
	}
	return nil
}

// hidden is what this process hides: a plugin has one configuration.
var hidden redactor

// Hide makes Serve take more out of every error and log line than the Secrets
// as they are: what is made of them, such as the Base64 of basic
// authentication, or the path of a secret URL. Call it in open.
func Hide(values ...string) { hidden.hide(values) }

// redactor replaces secrets in text. The zero value replaces nothing. Safe for
// concurrent use.
type redactor struct {
	mu       sync.Mutex
	values   []string
	replacer atomic.Pointer[strings.Replacer]
}

// hide makes the redactor replace these values too, also as they look inside
// JSON and URLs.
func (r *redactor) hide(values []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range values {
		if len(v) >= shortest {
			r.values = append(r.values, v)
		}
	}
	// Longest first, so that a secret that contains another goes as a whole.
	slices.SortFunc(r.values, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, v := range r.values {
		inJSON, _ := json.Marshal(v)
		for _, form := range []string{v, string(inJSON[1 : len(inJSON)-1]), url.QueryEscape(v), url.PathEscape(v)} {
			pairs = append(pairs, form, mask)
		}
	}
	r.replacer.Store(strings.NewReplacer(pairs...))
}

func (r *redactor) redact(text string) string {
	if replacer := r.replacer.Load(); replacer != nil {
		return replacer.Replace(text)
	}
	return text
}
