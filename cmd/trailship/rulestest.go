package main

import (
	"encoding/json"
	"fmt"

	"github.com/trailship/trailship/core/diag"
	"github.com/trailship/trailship/core/rule"
)

// testRow is a test in `rules test`.
type testRow struct {
	Rule     string   `json:"rule"`
	Test     string   `json:"test"`
	Passed   bool     `json:"passed"`
	File     string   `json:"file"`
	Line     int      `json:"line"`
	Failures []string `json:"failures,omitempty"`
}

func (p *program) testRules(ids []string) error {
	format, err := p.format("text", "json", "ndjson")
	if err != nil {
		return err
	}
	set, err := p.ruleSet()
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := findRule(set, id); err != nil {
			return err
		}
	}
	var rows []testRow
	failed := 0
	for _, t := range set.Test(ids...) {
		row := testRow{Rule: t.Rule, Test: t.Name, Passed: t.Passed(), File: t.File, Line: t.Line}
		for _, f := range t.Failures {
			row.Failures = append(row.Failures, f.String())
		}
		if !t.Passed() {
			failed++
		}
		rows = append(rows, row)
	}
	if err := p.printTests(format, rows, failed); err != nil {
		return err
	}
	if failed > 0 {
		return &exitError{code: exitTests}
	}
	return nil
}

func (p *program) printTests(format string, rows []testRow, failed int) error {
	switch format {
	case "json":
		return json.NewEncoder(p.stdout).Encode(rows)
	case "ndjson":
		return ndjson(p, rows)
	}
	for _, r := range rows {
		if !r.Passed {
			fmt.Fprintf(p.stdout, "FAIL  %s: %s\n", r.Rule, r.Test)
			for _, f := range r.Failures {
				fmt.Fprintln(p.stdout, f)
			}
		}
	}
	_, err := fmt.Fprintf(p.stdout, "%d passed, %d failed\n", len(rows)-failed, failed)
	return err
}

// failedTests runs the tests of a set and lists what they found.
func failedTests(set *rule.Set) diag.List {
	var list diag.List
	for _, t := range set.Test() {
		list = append(list, t.Failures...)
	}
	return list
}
