package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trailship/trailship/core/diag"
	"github.com/trailship/trailship/core/rule"
)

func (p *program) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check [PATH...]",
		Short: "Check the configuration, the rules and the outputs",
		Long: `Without PATH, checks everything the configuration names: the file itself, rules
and lists, the tests inside the rules, and every output's plugin, which is
started, judges its configuration, and is ended. With PATHs, checks only those
rule files and folders; a configuration named with -c then lends its outputs'
names.

Every mistake of every file is reported, and nothing stays running.`,
		RunE: func(c *cobra.Command, paths []string) error { return p.check(c.Context(), paths) },
	}
}

func (p *program) check(ctx context.Context, paths []string) error {
	format, err := p.format("text", "json")
	if err != nil {
		return err
	}
	list, what, err := p.findMistakes(ctx, paths)
	if err != nil {
		return err
	}
	if format == "json" {
		if list == nil {
			list = diag.List{}
		}
		err = json.NewEncoder(p.stdout).Encode(list)
	} else {
		p.report(list)
		if codes := codesOf(list); len(codes) > 0 {
			p.say("\nMore about a mistake: trailship rules explain-code CODE (%s)", strings.Join(codes, ", "))
		}
		if !list.HasErrors() {
			_, err = fmt.Fprintln(p.stdout, "ok:", what)
		}
	}
	if list.HasErrors() {
		return &exitError{code: exitInvalid}
	}
	return err
}

// codesOf are the codes of a list, each once.
func codesOf(list diag.List) []string {
	var codes []string
	for _, d := range list {
		codes = append(codes, d.Code)
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// findMistakes lists all there are; what says what was found in order.
func (p *program) findMistakes(ctx context.Context, paths []string) (list diag.List, what string, err error) {
	if len(paths) > 0 {
		return p.checkRules(paths)
	}
	cfg, list, err := p.readConfig()
	if cfg == nil {
		return list, "", err
	}
	plan, found := planOf(cfg, rule.Options{})
	list = append(append(list, found...), checkOutputs(ctx, cfg, cfg.Outputs)...)
	list.Sort()
	if plan.set != nil {
		what = fmt.Sprintf("%s: %d sources, %d rules, %d outputs", cfg.Node.File(), len(cfg.Sources), len(plan.set.Rules), len(cfg.Outputs))
	}
	return list, what, nil
}

// checkRules checks rule files and folders by themselves.
func (p *program) checkRules(paths []string) (list diag.List, what string, err error) {
	var outputs []string
	if p.flags.config != "" {
		cfg, err := p.loadConfig()
		if err != nil {
			return nil, "", err
		}
		outputs = outputNames(cfg)
	}
	set, list := loadRules(rulesFlag(paths), rule.Options{Outputs: outputs})
	if set != nil {
		list = append(list, failedTests(set)...)
		list.Sort()
		if len(set.Rules) == 0 {
			list = append(list, diag.Diagnostic{File: strings.Join(paths, " "), Code: "W103", Message: "there are no rules", Warning: true})
		}
		what = fmt.Sprintf("%d rules", len(set.Rules))
	}
	return list, what, nil
}
