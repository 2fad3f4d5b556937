package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/trailship/trailship/core/diag"
)

// program is what every verb works with: the streams and the global flags.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer

	flags struct {
		config    string
		rules     []string
		set       []string
		output    string
		color     string
		logLevel  string
		logFormat string
		quiet     bool
	}
}

// root is the command line with its global flags.
type root struct{ *cobra.Command }

func (r root) run(ctx context.Context, args []string) error {
	r.SetArgs(args)
	return r.ExecuteContext(ctx)
}

const about = `trailship watches cloud audit trails and tells people what matters.

It reads AWS CloudTrail and Alibaba ActionTrail records from directories and
buckets, turns them into OCSF events, matches them against YAML rules, and hands
the alerts to output plugins that run as processes of their own.`

const exitCodes = `
Exit codes:
  0    ok
  1    failed while running, or unhealthy
  2    wrong usage
  3    invalid configuration or rules
  4    rule tests failed, or more alerts than --max-alerts
  130  interrupted
`

func (p *program) command() root {
	c := &cobra.Command{
		Use:           "trailship",
		Short:         "Watch cloud audit trails and tell people what matters",
		Long:          about,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("unknown command %q%s\nSee: trailship --help", args[0], diag.Suggest(args[0], verbs(c)))
			}
			return nil
		},
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if !slices.Contains([]string{"auto", "always", "never"}, p.flags.color) {
				return usage("--color must be one of auto, always, never, not %q", p.flags.color)
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error {
			c.SetOut(p.stderr)
			_ = c.Help()
			return &exitError{code: exitUsage}
		},
	}
	c.SetIn(p.stdin)
	c.SetOut(p.stdout)
	c.SetErr(p.stderr)
	c.SetUsageTemplate(c.UsageTemplate() + exitCodes)
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usage("%w\nSee: %s --help", err, c.CommandPath())
	})

	f := c.PersistentFlags()
	f.StringVarP(&p.flags.config, "config", "c", "", "configuration `FILE` (default: $TRAILSHIP_CONFIG, then ./trailship.yaml, then /etc/trailship/trailship.yaml)")
	f.StringArrayVarP(&p.flags.rules, "rules", "r", nil, "rules `PATH` or pack:NAME, instead of the configuration's (repeatable)")
	f.StringArrayVar(&p.flags.set, "set", nil, "override a setting of the configuration, as `key=value` with a dotted key (repeatable)")
	f.StringVarP(&p.flags.output, "output", "o", "", "`FORMAT` of the data printed: text or json, where it makes sense")
	f.StringVar(&p.flags.color, "color", "auto", "colour: auto, always or never (NO_COLOR is honoured)")
	f.StringVar(&p.flags.logLevel, "log-level", "", "log level: debug, info, warn or error (default info, or the configuration's)")
	f.StringVar(&p.flags.logFormat, "log-format", "", "log format: text or json (default text, or the configuration's)")
	f.BoolVarP(&p.flags.quiet, "quiet", "q", false, "log errors only")

	c.AddCommand(
		p.runCommand(), p.checkCommand(), p.normalizeCommand(), p.rulesCommand(),
		p.explainCommand(), p.replayCommand(), p.dlqCommand(), p.stateCommand(), p.fieldsCommand(), p.pluginCommand(), p.pluginsCommand(), p.schemaCommand(), p.versionCommand(),
	)
	for _, sub := range c.Commands() {
		wrapArgs(sub)
	}
	return root{c}
}

func verbs(c *cobra.Command) []string {
	var names []string
	for _, sub := range c.Commands() {
		names = append(names, sub.Name())
	}
	return names
}

// wrapArgs turns cobra's complaints about arguments into usage errors.
func wrapArgs(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usage("%w\nSee: %s --help", err, c.CommandPath())
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		wrapArgs(sub)
	}
}

// format returns the data format wanted; the first one offered is the default.
func (p *program) format(offered ...string) (string, error) {
	if p.flags.output == "" {
		return offered[0], nil
	}
	for _, f := range offered {
		if f == p.flags.output {
			return f, nil
		}
	}
	return "", usage("--output must be one of %s here, not %q", strings.Join(offered, ", "), p.flags.output)
}

// terminal reports whether w is one.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// log builds the program's logger: the flags, else the configuration's words.
func (p *program) log(level, format string) (*slog.Logger, error) {
	if p.flags.logLevel != "" {
		level = p.flags.logLevel
	}
	if p.flags.logFormat != "" {
		format = p.flags.logFormat
	}
	if p.flags.quiet {
		level = "error"
	}
	var l slog.Level
	if level == "" {
		level = "info"
	}
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, usage("--log-level must be one of debug, info, warn, error, not %q", level)
	}
	opts := &slog.HandlerOptions{Level: l}
	switch format {
	case "", "text":
		return slog.New(slog.NewTextHandler(p.stderr, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(p.stderr, opts)), nil
	}
	return nil, usage("--log-format must be text or json, not %q", format)
}

// say writes a line for people.
func (p *program) say(format string, args ...any) {
	if !p.flags.quiet {
		fmt.Fprintf(p.stderr, format+"\n", args...)
	}
}
