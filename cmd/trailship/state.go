package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trailship/trailship/core/config"
	"github.com/trailship/trailship/core/diag"
	"github.com/trailship/trailship/core/rule"
	"github.com/trailship/trailship/core/store/bolt"
)

func (p *program) stateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "state",
		Short: "Look at what a stopped daemon remembers, and make it forget",
		Long: `What a daemon remembers is in its data_dir: how far each source was read, what
rules that remember saw, and the alerts on their way out. These verbs work on
the data_dir of the configuration while no daemon runs.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return usage("state needs a verb: show, forget, export or check")
		},
	}
	var name string
	var yes bool
	forget := &cobra.Command{
		Use:   "forget --source NAME",
		Short: "Make a source be read from its start again",
		Long: `Forgets which objects of a source were read. The next run reads the source from
its start. Alerts that were raised before have the same ids: they do not leave
again while those are remembered (retention). Rules that remember count a record
once, however often it is read.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return p.forgetSource(name, yes) },
	}
	forget.Flags().StringVar(&name, "source", "", "`NAME` of the source")
	forget.Flags().BoolVar(&yes, "yes", false, "do not ask")
	c.AddCommand(
		&cobra.Command{
			Use:   "show",
			Short: "Show how far sources were read and how full rules are",
			Args:  cobra.NoArgs,
			RunE:  func(*cobra.Command, []string) error { return p.showState() },
		},
		forget,
		&cobra.Command{
			Use:   "export",
			Short: "Print positions, windows and known values as NDJSON",
			Long: `Prints everything that is remembered, one JSON object a line. Each says in
"kind" what it is: source, position, rule, window or value.`,
			Args: cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error { return p.exportState() },
		},
		&cobra.Command{
			Use:   "check",
			Short: "Verify every page and value of the store",
			Args:  cobra.NoArgs,
			RunE:  func(*cobra.Command, []string) error { return p.checkState() },
		},
	)
	return c
}

// openState opens the store of a stopped daemon.
func (p *program) openState() (*bolt.Store, *config.Config, error) {
	cfg, err := p.loadConfig()
	if err != nil {
		return nil, nil, err
	}
	path := filepath.Join(cfg.DataDir, "trailship.db")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("data_dir %s holds no store: nothing was read yet", cfg.DataDir)
	}
	s, err := bolt.Open(path, bolt.Options{Retention: cfg.Retention})
	return s, cfg, err
}

// readState opens the store with the rules by which it is read.
func (p *program) readState() (*bolt.Store, *config.Config, *rule.Set, error) {
	s, cfg, err := p.openState()
	if err != nil {
		return nil, nil, nil, err
	}
	set, err := stateRules(cfg)
	if err != nil {
		s.Close()
		return nil, nil, nil, err
	}
	return s, cfg, set, nil
}

// stateRules are the rules by which the state is read.
func stateRules(cfg *config.Config) (*rule.Set, error) {
	set, diags := loadRules(cfg.Rules.Paths, rule.Options{Outputs: outputNames(cfg)})
	if set == nil {
		return nil, &exitError{exitInvalid, fmt.Errorf("the rules are not in order, and without them their state cannot be read:\n%s", diags)}
	}
	return set, nil
}

func (p *program) checkState() error {
	s, cfg, err := p.openState()
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Check(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "ok: every page and value of %s is what was written\n", filepath.Join(cfg.DataDir, "trailship.db"))
	return err
}

func (p *program) forgetSource(name string, yes bool) error {
	if name == "" {
		return usage("state forget needs --source NAME")
	}
	s, cfg, err := p.openState()
	if err != nil {
		return err
	}
	defer s.Close()
	names, err := s.Sources()
	if err != nil {
		return err
	}
	known := sourceState{}
	if err := s.Entries(name, known.add); err != nil {
		return err
	}
	if known.Bytes == 0 {
		return fmt.Errorf("nothing is remembered of a source %q%s", name, diag.Suggest(name, names))
	}
	fmt.Fprintf(p.stderr, "Of source %s %d objects are remembered. Forgotten, the source is read from its start again.\n"+
		"Alerts raised in the last %s do not leave twice; older ones may.\n", name, known.Objects, diag.Duration(cfg.Retention))
	if agreed, err := p.ask("Forget it?", yes); err != nil || !agreed {
		return err
	}
	if err := s.ForgetSource(name); err != nil {
		return err
	}
	p.say("forgotten")
	return nil
}

// ask asks on a terminal; elsewhere only yes is one.
func (p *program) ask(question string, yes bool) (bool, error) {
	if yes {
		return true, nil
	}
	if in, ok := p.stdin.(*os.File); !ok || !terminal(in) {
		return false, usage("nobody can be asked here: say --yes")
	}
	fmt.Fprintf(p.stderr, "%s [y/N] ", question)
	answer, _ := bufio.NewReader(p.stdin).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return true, nil
	}
	p.say("nothing was changed")
	return false, nil
}
