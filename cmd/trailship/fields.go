package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/trailship/trailship/core/diag"
	"github.com/trailship/trailship/core/rule"
)

func (p *program) fieldsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "fields [NAME]",
		Short: "List what a condition can use, and where it comes from in each cloud",
		Args:  cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return fieldNames(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			format, err := p.format("text", "json", "ndjson")
			if err != nil {
				return err
			}
			if len(args) == 1 {
				return p.field(args[0], format)
			}
			return p.fields(format)
		},
	}
}

func fieldNames() []string {
	var names []string
	for _, f := range rule.Fields() {
		names = append(names, f.Name)
	}
	return names
}

func (p *program) fields(format string) error {
	switch format {
	case "json":
		return json.NewEncoder(p.stdout).Encode(rule.Fields())
	case "ndjson":
		return ndjson(p, rule.Fields())
	}
	t := p.table("NAME", "TYPE", "MEANING", "OCSF", "CLOUDTRAIL", "ACTIONTRAIL")
	for _, f := range rule.Fields() {
		t.row(f.Name, f.Type, f.Meaning, f.OCSF, f.CloudTrail, f.ActionTrail)
	}
	return t.flush()
}

func (p *program) field(name, format string) error {
	for _, f := range rule.Fields() {
		if f.Name != name {
			continue
		}
		if format != "text" {
			return json.NewEncoder(p.stdout).Encode(f)
		}
		for _, line := range [][2]string{
			{"name", f.Name}, {"type", f.Type}, {"meaning", f.Meaning}, {"OCSF path", f.OCSF},
			{"CloudTrail", f.CloudTrail}, {"ActionTrail", f.ActionTrail}, {"example", f.Example},
		} {
			if line[1] != "" {
				fmt.Fprintf(p.stdout, "%-12s %s\n", line[0], line[1])
			}
		}
		return nil
	}
	return usage("there is no field %q%s", name, diag.Suggest(name, fieldNames()))
}
