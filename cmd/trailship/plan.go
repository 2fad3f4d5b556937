package main

import (
	"fmt"
	"time"

	"github.com/trailship/trailship/core/config"
	"github.com/trailship/trailship/core/diag"
	"github.com/trailship/trailship/core/ingest"
	"github.com/trailship/trailship/core/rule"
)

// plan is everything that can be known before anything runs.
type plan struct {
	config *config.Config
	set    *rule.Set
	routes ingest.Routes
}

// judge prints diagnostics, and fails when there is a mistake among them.
func (p *program) judge(list diag.List) error {
	list.Sort()
	p.report(list)
	if list.HasErrors() {
		return &exitError{code: exitInvalid}
	}
	return nil
}

// planOf checks a configuration and everything it names but the plugins.
func planOf(cfg *config.Config, o rule.Options) (*plan, diag.List) {
	list := append(cfg.ForDaemon(), checkSupported(cfg)...)
	routes, found := routesOf(cfg)
	list = append(list, found...)
	o.Outputs = outputNames(cfg)
	set, found := loadRules(cfg.Rules.Paths, o)
	list = append(list, found...)
	if set != nil && len(set.Rules) == 0 && len(cfg.Rules.Paths) > 0 {
		list = append(list, cfg.Node.Key("rules").Errorf("W103", "there are no rules: no alert can ever come"))
	}
	if set != nil {
		list = append(list, longerThan(cfg.Retention, set)...)
	}
	if set != nil && cfg.Rules.RunTests {
		list = append(list, failedTests(set)...)
	}
	list.Sort()
	return &plan{config: cfg, set: set, routes: routes}, list
}

// longerThan warns of rules whose spans outlive what is remembered.
func longerThan(retention time.Duration, set *rule.Set) (list diag.List) {
	for _, r := range set.Rules {
		if r.Enabled && r.Span() > retention {
			list = append(list, diag.Diagnostic{
				File: r.File, Line: r.Line, Code: "W105", Warning: true,
				Message: fmt.Sprintf("rule %s has spans of %s, and retention is %s: what lies further back is forgotten", r.ID, diag.Duration(r.Span()), diag.Duration(retention)),
			})
		}
	}
	return list
}
