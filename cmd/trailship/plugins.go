package main

import (
	"cmp"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trailship/trailship/core/config"
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

// pluginDirs are those of the configuration; there need be none. Its secrets
// are not needed: who looks for a plugin may not have them.
func (p *program) pluginDirs() ([]string, error) {
	path, err := p.configFile()
	if err != nil {
		return nil, nil
	}
	lenient := config.Env{
		Lookup: func(name string) (string, bool) { return cmp.Or(os.Getenv(name), name), true },
		ReadFile: func(path string) ([]byte, error) {
			if text, err := os.ReadFile(path); err == nil {
				return text, nil
			}
			return []byte("not to be had"), nil
		},
	}
	if cfg, _ := config.Load(path, p.flags.set, lenient); cfg != nil {
		return cfg.PluginDirs, nil
	}
	_, err = p.loadConfig()
	return nil, err
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
