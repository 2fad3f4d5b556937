package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trailship/trailship/core/diag"
	"github.com/trailship/trailship/plugins"
)

// pluginMain becomes a shipped output when that is what the daemon started
// this process for. It comes before everything else: a plugin's signals and
// streams are the SDK's.
func pluginMain(args []string) (code int, ok bool) {
	if len(args) != 2 || args[0] != "plugin" {
		return 0, false
	}
	serve := plugins.Shipped[args[1]]
	if serve == nil {
		return 0, false
	}
	serve()
	return 0, true
}

func (p *program) pluginCommand() *cobra.Command {
	names := slices.Sorted(maps.Keys(plugins.Shipped))
	return &cobra.Command{
		Use:   "plugin NAME",
		Short: "Be one of the shipped outputs, as a process the daemon starts",
		Long: `The daemon starts the outputs inside this program as processes of their own with
this verb. There is nothing to see by hand: name an output's plugin in the
configuration instead.

Shipped outputs: ` + strings.Join(names, ", "),
		Args:      cobra.ExactArgs(1),
		ValidArgs: names,
		RunE: func(_ *cobra.Command, args []string) error {
			return usage("there is no shipped output %q%s; there are: %s", args[0], diag.Suggest(args[0], names), strings.Join(names, ", "))
		},
	}
}
