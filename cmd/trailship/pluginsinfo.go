package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/trailship/trailship/core/deliver"
)

// pluginAbout is what `plugins info` prints.
type pluginAbout struct {
	Name      string          `json:"name"`
	Version   string          `json:"version"`
	Program   string          `json:"program"`
	Shipped   bool            `json:"shipped"`
	TLS       bool            `json:"tls"`
	MaxAlerts int             `json:"max_alerts,omitempty"`
	MaxBytes  int             `json:"max_bytes,omitempty"`
	Schema    json.RawMessage `json:"config_schema,omitempty"`
}

func (p *program) pluginInfo(ctx context.Context, name string) error {
	format, err := p.format("text", "json")
	if err != nil {
		return err
	}
	argv, err := p.pluginProgram(name)
	if err != nil {
		return err
	}
	info := pluginAbout{Program: strings.Join(argv, " "), Shipped: len(argv) > 1, TLS: true}
	about, err := deliver.Describe(ctx, deliver.Output{Name: name, Program: argv, TLS: true})
	if err != nil {
		// A language without mutual TLS is fine, if its user says so.
		plain, plainErr := deliver.Describe(ctx, deliver.Output{Name: name, Program: argv})
		if plainErr != nil {
			return fmt.Errorf("plugin %s: %w", name, err)
		}
		about, info.TLS = plain, false
	}
	info.Name, info.Version, info.Schema = about.Name, about.Version, about.Schema
	info.MaxAlerts, info.MaxBytes = about.MaxAlerts, about.MaxBytes
	if format == "json" {
		return json.NewEncoder(p.stdout).Encode(info)
	}
	return p.printPlugin(info)
}

func (p *program) printPlugin(info pluginAbout) error {
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(p.stdout, "%-12s %s\n", name, onOneLine(value))
		}
	}
	line("name", info.Name)
	line("version", info.Version)
	line("program", info.Program)
	if !info.TLS {
		line("encryption", "none: write `tls: off` in its output")
	}
	if info.MaxAlerts > 0 || info.MaxBytes > 0 {
		line("batches", fmt.Sprintf("likes %d alerts and %d bytes at most (0 = no wish)", info.MaxAlerts, info.MaxBytes))
	}
	keys, err := keysOf(info.Schema)
	if err != nil {
		line("config", "its schema cannot be read")
		return nil
	}
	if info.Schema == nil {
		line("config", "it says nothing about its keys")
		return nil
	}
	fmt.Fprintln(p.stdout)
	t := p.table("KEY", "TYPE", "DEFAULT", "MEANING")
	for _, k := range keys {
		t.row(k.name, k.kind, k.preset, onOneLine(k.doc))
	}
	return t.flush()
}

// onOneLine makes a plugin's words harmless on a terminal.
func onOneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, text)
}

// configKey is one key of a plugin's configuration.
type configKey struct{ name, kind, preset, doc string }

// keysOf reads the keys of a JSON Schema, those of maps inside it with a
// dotted name.
func keysOf(schema json.RawMessage) ([]configKey, error) {
	if len(schema) == 0 {
		return nil, nil
	}
	var tree schemaNode
	if err := json.Unmarshal(schema, &tree); err != nil {
		return nil, errors.New("the schema is no JSON Schema")
	}
	return tree.keys(""), nil
}

// schemaNode is the part of JSON Schema that describes keys.
type schemaNode struct {
	Type        any
	Description string
	Default     any
	Enum        []any
	WriteOnly   bool
	Required    []string
	Properties  map[string]schemaNode
	Items       *schemaNode
}

func (n schemaNode) keys(prefix string) []configKey {
	var all []configKey
	for _, name := range slices.Sorted(maps.Keys(n.Properties)) {
		inner := n.Properties[name]
		k := configKey{name: onOneLine(prefix + name), kind: onOneLine(inner.kind()), doc: inner.Description}
		switch {
		case slices.Contains(n.Required, name):
			k.preset = "required"
		case inner.Default != nil:
			k.preset = onOneLine(fmt.Sprint(inner.Default))
		}
		all = append(all, k)
		all = append(all, inner.keys(prefix+name+".")...)
		if inner.Items != nil {
			all = append(all, inner.Items.keys(prefix+name+"[].")...)
		}
	}
	return all
}

// kind says in words what a key takes.
func (n schemaNode) kind() string {
	var words []string
	for _, v := range n.Enum {
		words = append(words, fmt.Sprint(v))
	}
	if len(words) == 0 {
		switch t := n.Type.(type) {
		case string:
			words = append(words, t)
		case []any:
			for _, one := range t {
				words = append(words, fmt.Sprint(one))
			}
		}
	}
	if n.WriteOnly {
		words = append(words, "secret")
	}
	return strings.Join(words, " ")
}
