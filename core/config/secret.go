package config

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/trailship/trailship/core/diag"
)

// mask is what stands for a secret.
const mask = "•••"

// Secret is text that is never shown: every way of formatting, encoding or
// logging it gives •••. string(s) is the text.
type Secret string

// Format writes •••, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, mask) }

// String is •••.
func (s Secret) String() string { return mask }

// MarshalText is •••.
func (s Secret) MarshalText() ([]byte, error) { return []byte(mask), nil }

// LogValue is •••.
func (s Secret) LogValue() slog.Value { return slog.StringValue(mask) }

// Place is where a part of the configuration stands in the file. What embeds it
// is shown, encoded and logged as it was written, with secrets masked.
type Place struct {
	Node diag.Node `yaml:"-"`
}

// Format writes the part as JSON, whatever the verb.
func (p Place) Format(f fmt.State, _ rune) {
	out, _ := p.MarshalJSON()
	_, _ = f.Write(out)
}

// MarshalJSON is the part as it was written, secrets masked.
func (p Place) MarshalJSON() ([]byte, error) { return json.Marshal(masked(p.Node)) }

// LogValue is the part as it was written, secrets masked.
func (p Place) LogValue() slog.Value { return slog.AnyValue(masked(p.Node)) }

// masked is n as JSON with every secret masked.
func masked(n diag.Node) any {
	switch n.Kind() {
	case diag.Mapping:
		m := map[string]any{}
		for k, v := range n.Pairs() {
			m[k.Value()] = masked(v)
		}
		return m
	case diag.Sequence:
		l := []any{}
		for v := range n.Items() {
			l = append(l, masked(v))
		}
		return l
	case diag.Scalar:
		if n.Secret() {
			return mask
		}
	}
	v, _ := n.Data()
	return v
}

// shortest is the least a secret has to be for Redact to look for it: anything
// shorter is no secret and is part of many words.
const shortest = 4

// Redact masks in text every value that was expanded or stood under a key that
// looks like a secret, also as JSON and URLs write it. It is for text of others:
// what a plugin says about its settings.
func (c *Config) Redact(text string) string {
	for _, s := range c.secrets {
		text = strings.ReplaceAll(text, s, mask)
	}
	return text
}

// blot masks secrets in a source line without moving what stands behind them.
func blot(line string, secrets []string) string {
	for _, s := range secrets {
		line = strings.ReplaceAll(line, s, strings.Repeat("•", utf8.RuneCountInString(s)))
	}
	return line
}

// expander expands `${env:NAME}` and `${file:/path}`, and finds secrets that
// are written in the file.
type expander struct {
	env     Env
	dir     string // of the configuration, for relative paths
	list    diag.List
	secrets []string // longest first
}

func (x *expander) walk(n diag.Node) {
	for k, v := range n.Pairs() {
		x.lint(k, v)
		x.walk(v)
	}
	for v := range n.Items() {
		x.walk(v)
	}
	if n.Kind() == diag.Scalar && !n.Replaced() && strings.Contains(n.Value(), "${") {
		x.expand(n)
	}
}

// reference is `${kind:argument}`, `${NAME}` or the start of one, with the
// dollar that makes it text.
var reference = regexp.MustCompile(`(\$?)\$\{(?:(env|file):([^}\n]*)(\}?)|([A-Z_][A-Z0-9_]*)\})`)

// expand replaces the text of one scalar.
func (x *expander) expand(n diag.Node) {
	text := n.Value()
	var out strings.Builder
	last, expanded, escaped := 0, false, false
	for _, m := range reference.FindAllStringSubmatchIndex(text, -1) {
		group := func(i int) string { return text[max(m[2*i], 0):max(m[2*i+1], 0)] }
		offset := len([]rune(text[:m[0]]))
		out.WriteString(text[last:m[0]])
		last = m[1]
		switch {
		case group(1) != "":
			out.WriteString(text[m[0]+1 : m[1]])
			escaped = true
		case group(5) != "":
			out.WriteString(text[m[0]:m[1]])
			x.list = append(x.list, n.ErrorAt(offset, "W101", "${%s} is not expanded: write ${env:%[1]s}, or $${%[1]s} to mean the text", group(5)))
		case group(4) == "":
			x.list = append(x.list, n.ErrorAt(offset, "E109", "${%s: is not closed: write ${%[1]s:…}", group(2)))
		default:
			value, err := x.value(group(2), group(3))
			if err != nil {
				x.list = append(x.list, n.ErrorAt(offset, "E109", "%v", err))
			}
			x.secret(value)
			out.WriteString(value)
			expanded = true
		}
	}
	out.WriteString(text[last:])
	switch {
	case expanded:
		x.secret(out.String())
		n.Replace(out.String())
	case escaped:
		n.Rewrite(out.String())
	}
}

// value is what one reference stands for.
func (x *expander) value(kind, arg string) (string, error) {
	if kind == "env" {
		value, ok := x.env.lookup(arg)
		if !ok {
			return "", fmt.Errorf("the environment variable %s is not set", arg)
		}
		return value, nil
	}
	path := arg
	if !filepath.IsAbs(path) {
		path = filepath.Join(x.dir, path)
	}
	text, err := x.env.readFile(path)
	if err != nil {
		return "", fmt.Errorf("the file %s cannot be read: %v", path, reason(err))
	}
	if len(text) > maxFile {
		return "", fmt.Errorf("the file %s is larger than 1 MiB: this is no secret", path)
	}
	value := strings.TrimSuffix(string(text), "\n")
	return strings.TrimSuffix(value, "\r"), nil
}

// secret remembers a value for Redact.
func (x *expander) secret(value string) {
	quoted, _ := json.Marshal(value)
	for _, form := range []string{value, strings.Trim(string(quoted), `"`), url.QueryEscape(value), url.PathEscape(value)} {
		if len(form) >= shortest && !slices.Contains(x.secrets, form) {
			x.secrets = append(x.secrets, form)
		}
	}
	slices.SortStableFunc(x.secrets, func(a, b string) int { return len(b) - len(a) })
}

// secretKey is a key whose value is a secret, by its last words.
var secretKey = regexp.MustCompile(`(?i)(^|[-_.])(password|passwd|passphrase|secret|token|credential|authorization)s?$|` +
	`(^|[-_.])(api|access|secret|private|signing|hmac|auth|shared|account|routing|integration)[-_.]?keys?$|^key$|^secret[-_]access[-_]key$`)

// humps are the word ends of camelCase.
var humps = regexp.MustCompile(`([a-z0-9])([A-Z])`)

// SoundsSecret says whether what stands under a key is likely to be a secret.
func SoundsSecret(key string) bool {
	return secretKey.MatchString(humps.ReplaceAllString(key, "${1}_$2"))
}

// userInfo is a URL with a password in it.
var userInfo = regexp.MustCompile(`^[a-z][a-z0-9+.-]*://[^/@:\s]*:[^/@\s]+@`)

// lint finds secrets that stand in the file.
func (x *expander) lint(key, value diag.Node) {
	for item := range value.Items() {
		x.lint(key, item)
	}
	text := value.Value()
	if value.Kind() != diag.Scalar || text == "" || value.Secret() || reference.MatchString(text) {
		return
	}
	switch {
	case SoundsSecret(key.Value()) && !namesKey(key.Value(), text):
		x.list = append(x.list, x.literal(value, "%s looks like a secret: use ${env:NAME} or ${file:/path} instead of writing it here", key.Value()))
	case userInfo.MatchString(text):
		x.list = append(x.list, x.literal(value, "there is a password in this address: use ${env:NAME} or ${file:/path} instead of writing it here"))
	}
}

// namesKey says that a key called only "key" stands for something else than the
// key itself: the file it is in, or a word.
func namesKey(key, text string) bool {
	return strings.EqualFold(key, "key") && (len(text) < 16 || strings.ContainsAny(text, "/."))
}

// literal is the warning about one of them, which no longer shows it.
func (x *expander) literal(n diag.Node, format string, args ...any) diag.Diagnostic {
	x.secret(n.Value())
	n.Hide()
	return n.Errorf("W100", format, args...)
}
