package main

import (
	_ "embed"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/trailship/trailship/core/config"
	"github.com/trailship/trailship/core/diag"
	"github.com/trailship/trailship/core/rule"
)

func configSchema() []byte {
	return diag.Schema(&config.Config{}, "https://github.com/trailship/trailship/config.v1.json", "trailship configuration")
}

//go:embed alert.schema.json
var alertSchema []byte

func (p *program) schemaCommand() *cobra.Command {
	schemas := map[string]func() []byte{"rules": rule.Schema, "config": configSchema, "alert": func() []byte { return alertSchema }}
	return &cobra.Command{
		Use:       "schema {rules|config|alert}",
		Short:     "Print the JSON Schema of rule files, the configuration, or an alert",
		Long:      "Prints a JSON Schema (2020-12), for editors and for programs that read alerts.",
		Args:      cobra.ExactArgs(1),
		ValidArgs: []string{"rules", "config", "alert"},
		RunE: func(_ *cobra.Command, args []string) error {
			schema := schemas[args[0]]
			if schema == nil {
				return usage("there is no schema %q; there are: rules, config, alert", args[0])
			}
			_, err := fmt.Fprintf(p.stdout, "%s\n", schema())
			return err
		},
	}
}
