package main

import (
	"os"
	"strings"

	"github.com/trailship/trailship/core/config"
)

// configFiles are where the configuration is looked for without -c.
var configFiles = []string{"trailship.yaml", "/etc/trailship/trailship.yaml"}

// loadConfig reads the configuration, prints what is to be said about it, and
// fails when something is wrong with it.
func (p *program) loadConfig() (*config.Config, error) {
	path, err := p.configFile()
	if err != nil {
		return nil, err
	}
	cfg, diags := config.Load(path, p.flags.set, config.Env{})
	p.report(diags)
	if cfg == nil {
		return nil, &exitError{code: exitInvalid}
	}
	if len(p.flags.rules) > 0 {
		cfg.Rules.Paths = rulesFlag(p.flags.rules)
	}
	return cfg, nil
}

// configFile finds the configuration file.
func (p *program) configFile() (string, error) {
	if p.flags.config != "" {
		return p.flags.config, nil
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
