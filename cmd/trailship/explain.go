package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trailship/trailship/core/decode"
	"github.com/trailship/trailship/core/event"
	"github.com/trailship/trailship/core/rule"
)

func (p *program) explainCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "explain RULE --event FILE",
		Short: "Say why a rule matches a record, or why not",
		Long: `Evaluates a rule over the records of a trail file (- is standard input) and
prints the value of every part of its condition, and which exception stopped
it. A rule that remembers sees the records one after the other, and nothing
else: how full its window is with each is said.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: p.completeRules,
		RunE: func(_ *cobra.Command, args []string) error {
			if file == "" {
				return usage("explain needs --event FILE: the records to evaluate the rule on")
			}
			return p.explain(args[0], file)
		},
	}
	c.Flags().StringVar(&file, "event", "", "`FILE` of raw records, in any envelope; - is standard input")
	return c
}

func (p *program) explain(id, file string) error {
	format, err := p.format("text", "json", "ndjson")
	if err != nil {
		return err
	}
	set, err := p.ruleSet()
	if err != nil {
		return err
	}
	if _, err := findRule(set, id); err != nil {
		return err
	}
	in := io.NopCloser(p.stdin)
	if file != "-" {
		if in, err = os.Open(file); err != nil {
			return err
		}
	}
	defer in.Close()

	var (
		ev     event.Event
		before rule.Scratch // what rules that remember saw of the file
	)
	seen, explained := 0, 0
	for r := decode.NewReader(in, decode.Limits{}); ; seen++ {
		rec, err := r.Next()
		if err == nil {
			err = decode.Normalize(&ev, rec)
		}
		var rejected *decode.Reject
		switch {
		case errors.Is(err, io.EOF) && seen == 0:
			return fmt.Errorf("%s has no records", file)
		case errors.Is(err, io.EOF) && explained == 0:
			return &exitError{code: exitFailed}
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &rejected):
			fmt.Fprintf(p.stderr, "%s: %v\n", file, err)
			continue
		case err != nil:
			return fmt.Errorf("%s: %w", file, err)
		}
		explained++
		if err := p.printExplanation(set, &before, id, &ev, format); err != nil {
			return err
		}
	}
}

func (p *program) printExplanation(set *rule.Set, before *rule.Scratch, id string, ev *event.Event, format string) error {
	x, err := set.ExplainAfter(before, id, ev)
	if err != nil {
		return err
	}
	if format != "text" {
		return json.NewEncoder(p.stdout).Encode(x)
	}
	fmt.Fprintf(p.stdout, "%s  %s %s %s\n", ev.ID, ev.Provider, ev.Service, ev.Action)
	for _, t := range x.Conditions {
		p.printTerm(t, 1)
	}
	for _, t := range x.Steps {
		p.printTerm(t, 1)
	}
	for _, e := range x.Exceptions {
		verdict := "does not apply"
		switch {
		case e.Over:
			verdict = "is over"
		case e.Met:
			verdict = "applies"
		}
		fmt.Fprintf(p.stdout, "  exception %s (%s) %s\n", e.Name, e.Reason, verdict)
		for _, t := range e.Terms {
			p.printTerm(t, 2)
		}
	}
	if !x.Matched {
		_, err = fmt.Fprintf(p.stdout, "no alert: %s\n", x.Stopped)
		return err
	}
	if x.Memory != nil {
		fmt.Fprintf(p.stdout, "  %s\n", x.Memory)
	}
	_, err = fmt.Fprintf(p.stdout, "alert %s: %s\n", x.AlertID, x.Message)
	return err
}

// printTerm prints a part of a condition, its value, and what it compared.
func (p *program) printTerm(t rule.Term, depth int) {
	fmt.Fprintf(p.stdout, "%s%-5s %s", strings.Repeat("  ", depth), shown(t.Value), t.Text)
	if t.LeftText != "" {
		fmt.Fprintf(p.stdout, "   (%s is %s)", t.LeftText, shown(t.Left))
	}
	if t.Error != "" {
		fmt.Fprintf(p.stdout, "   error: %s", t.Error)
	}
	fmt.Fprintln(p.stdout)
	for _, sub := range t.Terms {
		p.printTerm(sub, depth+1)
	}
}

// shown is a value as JSON: a stranger's text cannot reach the terminal as it
// is.
func shown(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	return string(text)
}
