package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trailship/trailship/core/config"
	"github.com/trailship/trailship/core/store"
	"github.com/trailship/trailship/core/store/bolt"
)

// chosen says which dead letters a verb is about.
type chosen struct {
	ids            []string
	all            bool
	output, source string
}

func (p *program) dlqCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "dlq",
		Short: "Look at dead letters, take them back, or drop them",
		Long: `Dead letters are alerts an output refused for good or had no room for, records
that could not be evaluated, and objects that could not be read. They are in the
data_dir of the configuration until they are replayed or purged. These verbs work
while no daemon runs on it.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return usage("dlq needs a verb: list, show, replay or purge") },
	}
	c.AddCommand(p.dlqListCommand(), p.dlqShowCommand(), p.dlqReplayCommand(), p.dlqPurgeCommand())
	return c
}

func (p *program) dlqListCommand() *cobra.Command {
	var which chosen
	c := &cobra.Command{
		Use:   "list",
		Short: "List the dead letters, oldest first",
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return p.dlqList(which) },
	}
	which.flags(c)
	return c
}

func (p *program) dlqShowCommand() *cobra.Command {
	var raw bool
	c := &cobra.Command{
		Use:   "show ID",
		Short: "Show one dead letter, and the alert it stands for",
		Long: `Shows everything about one dead letter. Secrets of the configuration, and what
stands under names like password or token, are shown as •••.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return p.dlqShow(args[0], raw) },
	}
	c.Flags().BoolVar(&raw, "raw", false, "show everything as it is, secrets too")
	return c
}

func (p *program) dlqReplayCommand() *cobra.Command {
	var which chosen
	c := &cobra.Command{
		Use:   "replay [ID...]",
		Short: "Deliver or read again what became a dead letter",
		Long: `Takes dead letters back. An alert goes behind the queue of its output and leaves
at the next run, under the id it had. An object is read again at the next run,
from where it failed; for a record its object is, from that record on. Alerts that
were raised before are not raised again. What fails again becomes a dead letter
again.`,
		RunE: func(_ *cobra.Command, ids []string) error {
			which.ids = ids
			return p.dlqReplay(which)
		},
	}
	which.flags(c)
	c.Flags().BoolVar(&which.all, "all", false, "all of them")
	return c
}

func (p *program) dlqPurgeCommand() *cobra.Command {
	var which chosen
	var yes bool
	c := &cobra.Command{
		Use:   "purge [ID...]",
		Short: "Drop dead letters for good",
		RunE: func(_ *cobra.Command, ids []string) error {
			which.ids = ids
			return p.dlqPurge(which, yes)
		},
	}
	which.flags(c)
	c.Flags().BoolVar(&which.all, "all", false, "all of them")
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}

func (w *chosen) flags(c *cobra.Command) {
	c.Flags().StringVar(&w.output, "to", "", "alerts to the output `NAME`")
	c.Flags().StringVar(&w.source, "source", "", "objects and records of the source `NAME`")
}

// openLetters opens the store of a stopped daemon and finds the dead letters that
// are wanted in it. Without an error the caller closes the store.
func (p *program) openLetters(which chosen) (*bolt.Store, *config.Config, []store.DeadLetter, error) {
	s, cfg, err := p.openState()
	if errors.Is(err, bolt.ErrInUse) {
		return nil, nil, nil, fmt.Errorf("a daemon runs on data_dir %s: stop it (systemctl stop trailship), run this again, and start it; how many dead letters there are its metrics and / tell meanwhile", cfg.DataDir)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	letters, err := which.pick(s)
	if err != nil {
		s.Close()
		return nil, nil, nil, err
	}
	return s, cfg, letters, nil
}

// pick returns the dead letters that are wanted, oldest first.
func (w chosen) pick(s store.Letters) ([]store.DeadLetter, error) {
	letters, err := s.DeadLetters()
	if err != nil {
		return nil, err
	}
	if len(w.ids) > 0 {
		return byID(letters, w.ids)
	}
	return slices.DeleteFunc(letters, func(d store.DeadLetter) bool {
		return w.output != "" && d.Output != w.output || w.source != "" && d.Source != w.source
	}), nil
}

// byID finds letters by their ids, or by how only their ids begin. An alert's
// own id, which the log tells, does too.
func byID(letters []store.DeadLetter, ids []string) (found []store.DeadLetter, err error) {
	for _, id := range ids {
		var fit []store.DeadLetter
		for _, d := range letters {
			if d.ID == id {
				fit = []store.DeadLetter{d}
				break
			}
			if strings.HasPrefix(d.ID, id) || strings.HasPrefix(d.Alert, id) {
				fit = append(fit, d)
			}
		}
		switch len(fit) {
		case 0:
			return nil, fmt.Errorf("there is no dead letter %q: trailship dlq list shows which there are", id)
		case 1:
			found = append(found, fit[0])
		default:
			return nil, fmt.Errorf("%d dead letters begin with %q: write more of the id", len(fit), id)
		}
	}
	return found, nil
}

// check wants exactly one way to choose.
func (w chosen) check(verb string) error {
	ways := 0
	for _, given := range []bool{len(w.ids) > 0, w.all, w.output != "" || w.source != ""} {
		if given {
			ways++
		}
	}
	switch {
	case ways == 0:
		return usage("dlq %s needs the ids of dead letters, --to NAME, --source NAME, or --all", verb)
	case ways > 1:
		return usage("dlq %s takes either ids, or --to, or --source, or --all", verb)
	case w.output != "" && w.source != "":
		return usage("a dead letter is of an output or of a source: give one of --to and --source")
	}
	return nil
}
