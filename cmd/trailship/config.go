package main

import (
	"os"
	"strings"

	"github.com/trailship/trailship/core/config"
	"github.com/trailship/trailship/core/diag"
)

// configFiles are where the configuration is looked for without -c.
var configFiles = []string{"trailship.yaml", "/etc/trailship/trailship.yaml"}

// loadConfig reads the configuration, prints what is to be said about it, and
// fails when something is wrong with it.
func (p *program) loadConfig() (*config.Config, error) {
	cfg, diags, err := p.readConfig()
	if err != nil {
		return nil, err
	}
	p.report(diags)
	if cfg == nil {
		return nil, &exitError{code: exitInvalid}
	}
	return cfg, nil
}

// readConfig reads the configuration with the flags laid over it. The Config
// is nil when the list has errors; an error means that there is no file.
func (p *program) readConfig() (*config.Config, diag.List, error) {
	path, err := p.configFile()
	if err != nil {
		return nil, nil, err
	}
	cfg, diags := config.Load(path, p.flags.set, config.Env{})
	if cfg == nil {
		return nil, diags, nil
	}
	if len(p.flags.rules) > 0 {
		cfg.Rules.Paths = rulesFlag(p.flags.rules)
	}
	// The stdout output inherits no environment, and has no flags.
	for _, o := range cfg.Outputs {
		if _, chosen := o.Config["color"]; o.Plugin == "stdout" && !chosen {
			o.Config["color"] = p.color()
		}
	}
	return cfg, diags, nil
}

// color is what --color and NO_COLOR ask for.
func (p *program) color() string {
	if p.flags.color == "auto" && os.Getenv("NO_COLOR") != "" {
		return "never"
	}
	return p.flags.color
}

// configFile finds the configuration file.
func (p *program) configFile() (string, error) {
	for _, path := range []string{p.flags.config, os.Getenv("TRAILSHIP_CONFIG")} {
		if path != "" {
			return path, nil
		}
	}
	for _, path := range configFiles {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", usage("there is no configuration: looked for %s; name one with -c", strings.Join(configFiles, " and "))
}

// rulesFlag reads the values of --rules.
func rulesFlag(values []string) []config.RulePath {
	var paths []config.RulePath
	for _, v := range values {
		if pack, ok := strings.CutPrefix(v, "pack:"); ok {
			paths = append(paths, config.RulePath{Pack: pack})
		} else {
			paths = append(paths, config.RulePath{Path: v})
		}
	}
	return paths
}

func outputNames(cfg *config.Config) []string {
	names := make([]string, len(cfg.Outputs))
	for i, o := range cfg.Outputs {
		names[i] = o.Name
	}
	return names
}
