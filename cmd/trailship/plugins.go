package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trailship/trailship/core/deliver"
	"github.com/trailship/trailship/core/diag"
	"github.com/trailship/trailship/plugins"
)

func (p *program) pluginsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "plugins",
		Short: "List and describe outputs, test one, begin a new one",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return usage("plugins needs a verb: list, info, test or new")
		},
	}
	c.AddCommand(
		&cobra.Command{
			Use:   "list",
			Short: "List the shipped outputs, and those found in plugin_dirs and $PATH",
			Args:  cobra.NoArgs,
			RunE:  func(*cobra.Command, []string) error { return p.listPlugins() },
		},
		&cobra.Command{
			Use:   "info NAME",
			Short: "Say what an output's plugin is and which keys its configuration has",
			Long: `Starts the plugin called NAME, asks what it is, and ends it. NAME may also be the
path of a program.`,
			Args:              cobra.ExactArgs(1),
			ValidArgsFunction: p.completePlugins,
			RunE:              func(c *cobra.Command, args []string) error { return p.pluginInfo(c.Context(), args[0]) },
		},
		p.pluginsTestCommand(), p.pluginsNewCommand(),
	)
	return c
}

// pluginRow is one line of `plugins list`.
type pluginRow struct {
	Name    string `json:"name"`
	Shipped bool   `json:"shipped"`
	Path    string `json:"path,omitempty"`
}

func (p *program) listPlugins() error {
	format, err := p.format("text", "json", "ndjson")
	if err != nil {
		return err
	}
	rows, err := p.allPlugins()
	if err != nil {
		return err
	}
	switch format {
	case "json":
		return json.NewEncoder(p.stdout).Encode(rows)
	case "ndjson":
		return ndjson(p, rows)
	}
	t := p.table("NAME", "PROGRAM")
	for _, r := range rows {
		t.row(r.Name, cmp.Or(r.Path, "shipped"))
	}
	return t.flush()
}

// allPlugins returns the plugins a configuration can name, by name. A shipped
// one hides a program of the same name, as it does for the daemon.
func (p *program) allPlugins() ([]pluginRow, error) {
	dirs, err := p.pluginDirs()
	if err != nil {
		return nil, err
	}
	rows := []pluginRow{}
	for name := range plugins.Shipped {
		rows = append(rows, pluginRow{Name: name, Shipped: true})
	}
	for name, path := range deliver.Installed(dirs) {
		if plugins.Shipped[name] == nil {
			rows = append(rows, pluginRow{Name: name, Path: path})
		}
	}
	slices.SortFunc(rows, func(a, b pluginRow) int { return strings.Compare(a.Name, b.Name) })
	return rows, nil
}

// pluginDirs are those of the configuration; there need be none.
func (p *program) pluginDirs() ([]string, error) {
	if _, err := p.configFile(); err != nil {
		return nil, nil
	}
	cfg, err := p.loadConfig()
	if err != nil {
		return nil, err
	}
	return cfg.PluginDirs, nil
}

func (p *program) completePlugins(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	rows, _ := p.allPlugins()
	var names []string
	for _, r := range rows {
		names = append(names, r.Name)
	}
	return names, cobra.ShellCompDirectiveDefault
}

// pluginProgram finds the program somebody means: a path has a slash, anything
// else is a plugin's name.
func (p *program) pluginProgram(name string) ([]string, error) {
	if strings.ContainsRune(name, filepath.Separator) {
		path, err := filepath.Abs(name)
		if err == nil {
			_, err = os.Stat(path)
		}
		return []string{path}, err
	}
	if plugins.Shipped[name] != nil {
		self, err := os.Executable()
		return []string{self, "plugin", name}, err
	}
	dirs, err := p.pluginDirs()
	if err != nil {
		return nil, err
	}
	program, err := deliver.Find(name, dirs)
	if err != nil {
		names := slices.AppendSeq(slices.Collect(maps.Keys(plugins.Shipped)), maps.Keys(deliver.Installed(dirs)))
		return nil, usage("%w%s; a program elsewhere is named by its path, such as ./%s", err, diag.Suggest(name, names), name)
	}
	return program, nil
}

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
