package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/trailship/trailship/plugins/sdk/sdktest"
)

func (p *program) pluginsTestCommand() *cobra.Command {
	var config, readBack string
	c := &cobra.Command{
		Use:   "test PROGRAM",
		Short: "Hold an output's plugin against the protocol",
		Long: `Starts PROGRAM (a path, or the name of a plugin) as the daemon would, calls it,
ends it, kills it, and says for every promise of the protocol whether it is
kept. Test alerts are sent to the destination the configuration names: give it
one that may be filled with them.

Without --config, only what needs no configuration is checked. Without
--read-back, what the plugin acknowledges is believed: COMMAND, run by sh,
prints what the destination holds, one delivered alert a line.

A destination that acts on these words in an alert lets failures be checked:
` + sdktest.Refuse + ` (refuse it for good), ` + sdktest.Busy + ` (take it later),
` + sdktest.Slow + ` (do not answer for half a minute).

The last line counts the checks. The exit code is 0 only when none failed.`,
		Example: `  trailship plugins test ./trailship-output-my-hook
  trailship plugins test file --config '{"path": "/tmp/a.ndjson"}' --read-back 'cat /tmp/a.ndjson'`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: p.completePlugins,
		RunE: func(c *cobra.Command, args []string) error {
			return p.testPlugin(c.Context(), args[0], config, readBack)
		},
	}
	c.Flags().StringVar(&config, "config", "", "configuration of the plugin, as `JSON` or @FILE")
	// Here --config is the plugin's; the program's keeps its letter.
	c.Flags().StringVarP(&p.flags.config, "config-file", "c", "", "configuration `FILE` of trailship, for its plugin_dirs")
	c.Flags().StringVar(&readBack, "read-back", "", "`COMMAND` that prints what the destination holds, one alert a line")
	return c
}

// pluginReport is what `plugins test -o json` prints.
type pluginReport struct {
	Program string           `json:"program"`
	Passed  int              `json:"passed"`
	Failed  int              `json:"failed"`
	Skipped int              `json:"skipped"`
	Checks  []sdktest.Result `json:"checks"`
}

func (p *program) testPlugin(ctx context.Context, name, config, readBack string) error {
	format, err := p.format("text", "json")
	if err != nil {
		return err
	}
	plugin, err := p.pluginUnderTest(name, config, readBack)
	if err != nil {
		return err
	}
	if plugin.Stdout != nil {
		defer os.Remove(plugin.Stdout.Name())
		defer plugin.Stdout.Close()
	}
	report := pluginReport{Program: strings.Join(plugin.Program, " ")}
	for r, err := range plugin.Check(ctx) {
		if ctx.Err() != nil {
			return &exitError{code: exitInterrupted}
		} else if err != nil {
			return err
		}
		report.add(r)
		if format == "text" {
			fmt.Fprintln(p.stdout, strings.TrimSpace(fmt.Sprintf("%s  %-16s  %s", r.Status, r.Check, onOneLine(r.Text))))
		}
	}
	if format == "json" {
		err = json.NewEncoder(p.stdout).Encode(report)
	} else {
		_, err = fmt.Fprintf(p.stdout, "%d passed, %d failed, %d skipped\n", report.Passed, report.Failed, report.Skipped)
	}
	if report.Failed > 0 {
		return &exitError{code: exitFailed}
	}
	return err
}

func (r *pluginReport) add(result sdktest.Result) {
	r.Checks = append(r.Checks, result)
	switch result.Status {
	case sdktest.Pass:
		r.Passed++
	case sdktest.Fail:
		r.Failed++
	default:
		r.Skipped++
	}
}

// pluginUnderTest puts together what the flags say.
func (p *program) pluginUnderTest(name, config, readBack string) (plugin sdktest.Plugin, err error) {
	if plugin.Program, err = p.pluginProgram(name); err != nil {
		return plugin, err
	}
	if path, ok := strings.CutPrefix(config, "@"); ok {
		text, err := os.ReadFile(path)
		if err != nil {
			return plugin, usage("--config: %w", err)
		}
		config = string(text)
	}
	if config != "" {
		var members map[string]any
		if err := json.Unmarshal([]byte(config), &members); err != nil || members == nil {
			return plugin, usage("--config must be a JSON object, or @FILE with one: %v", err)
		}
		plugin.Config = json.RawMessage(config)
	}
	if readBack != "" {
		plugin.ReadBack = shell(readBack)
	}
	if name == "stdout" {
		// Its alerts must not stand among the report's lines.
		plugin.Stdout, err = os.CreateTemp("", "trailship-stdout-")
		if err == nil && plugin.ReadBack == nil {
			plugin.ReadBack = shell("cat '" + plugin.Stdout.Name() + "'")
		}
	}
	return plugin, err
}

// shell reads back what a command prints.
func shell(command string) sdktest.ReadBack {
	return func(ctx context.Context) ([]string, error) {
		cmd := exec.CommandContext(ctx, "sh", "-c", command)
		cmd.WaitDelay = time.Second
		out, err := cmd.Output()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return nil, fmt.Errorf("the command ended with %s: %s", exit, strings.TrimSpace(string(exit.Stderr)))
		}
		return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n"), err
	}
}
