package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/trailship/trailship/core/config"
	"github.com/trailship/trailship/core/decode"
	"github.com/trailship/trailship/core/diag"
	"github.com/trailship/trailship/core/replay"
	"github.com/trailship/trailship/core/rule"
	"github.com/trailship/trailship/core/source"
)

// replayFlags are those of `replay`.
type replayFlags struct {
	from, since, until string
	compare            []string
	maxAlerts          int64
}

func (p *program) replayCommand() *cobra.Command {
	f := replayFlags{}
	c := &cobra.Command{
		Use:   "replay --from PLACE [ID...]",
		Short: "Run the rules over history: what would they have raised?",
		Long: `Reads trails from PLACE and judges them by all rules, or by those named, as the
daemon would have: the alerts have the daemon's ids. Nothing is delivered and
nothing is remembered. PLACE is a folder, a file, s3://BUCKET/PREFIX (with the
credentials of the environment), or source:NAME of the configuration.

Rules that remember meet the records in the order of event time, wherever they
lie. What happened before --since still counts for them; only alerts of before
are left out. Times are event times: 2026-01-31, 2026-01-31T08:00:00Z, or a
duration before now (24h, 7d).

With --compare the alerts are compared with those of other rules. With
--max-alerts more alerts than that are a failure with exit code 4; those of
rules in shadow do not count. Records that need sorting go to $TMPDIR when they
are many.`,
		Example: `  trailship replay --from trails/ -r rules/
  trailship replay --from s3://acme-trails/AWSLogs/ --since 7d -c trailship.yaml kms-key-deletion
  trailship replay --from trails/ -r rules/ --compare main/rules/ --max-alerts 100 -o junit`,
		ValidArgsFunction: p.completeRules,
		RunE: func(c *cobra.Command, ids []string) error {
			return p.replay(c.Context(), f, ids, c.Flags().Changed("max-alerts"))
		},
	}
	c.Flags().StringVar(&f.from, "from", "", "`PLACE` to read: a folder, a file, s3://BUCKET/PREFIX or source:NAME")
	c.Flags().StringVar(&f.since, "since", "", "leave out alerts of before `TIME`")
	c.Flags().StringVar(&f.until, "until", "", "leave out records of `TIME` or later")
	c.Flags().StringArrayVar(&f.compare, "compare", nil, "rules `PATH` or pack:NAME whose alerts to compare with (repeatable)")
	c.Flags().Int64Var(&f.maxAlerts, "max-alerts", 0, "fail with exit code 4 when there are more than `N` alerts")
	return c
}

func (p *program) replay(ctx context.Context, f replayFlags, ids []string, budget bool) error {
	format, err := p.format("text", "json", "ndjson", "junit")
	if err != nil {
		return err
	}
	var bar *progress
	if !p.flags.quiet && terminal(p.stderr) && !(format == "ndjson" && terminal(p.stdout)) {
		screen := p.stderr
		bar = newProgress(screen, time.Now, func() int { return columns(screen) })
		p.stderr = bar
	}
	r, place, err := p.newReplay(f, ids)
	if err != nil {
		return err
	}
	if r.Source, err = place(); err != nil {
		return err
	}
	defer func() {
		if c, ok := r.Source.(io.Closer); ok {
			c.Close()
		}
	}()
	out := &replayOutput{program: p, flags: f, budget: budget}
	r.Failed = out.failed
	if format == "ndjson" {
		r.Alert = out.alert
	}
	wait := bar.followReplay(ctx, r, place)
	report, err := r.Run(ctx)
	wait()
	switch {
	case ctx.Err() != nil:
		return &exitError{code: exitInterrupted}
	case err != nil:
		return fmt.Errorf("replaying %s: %w", f.from, err)
	}
	return out.finish(format, report)
}

// newReplay reads what the command line names, all of it before any trail.
// place makes what is to be read, for a listing each.
func (p *program) newReplay(f replayFlags, ids []string) (r *replay.Replay, place func() (source.Source, error), err error) {
	r = &replay.Replay{Only: ids, Workers: runtime.GOMAXPROCS(0)}
	if r.Since, err = p.timeFlag("since", f.since); err != nil {
		return nil, nil, err
	}
	if r.Until, err = p.timeFlag("until", f.until); err != nil {
		return nil, nil, err
	}
	if f.maxAlerts < 0 {
		return nil, nil, usage("--max-alerts must be 0 or more, not %d", f.maxAlerts)
	}
	if !r.Until.IsZero() && !r.Since.Before(r.Until) {
		return nil, nil, usage("--since must be before --until")
	}
	if r.Rules, err = p.ruleSet(); err != nil {
		return nil, nil, err
	}
	if len(f.compare) > 0 {
		set, diags := loadRules(rulesFlag(f.compare), rule.Options{})
		p.report(diags)
		if r.Old = set; set == nil {
			return nil, nil, &exitError{code: exitInvalid}
		}
	}
	if err := findAny(ids, r.Rules, r.Old); err != nil {
		return nil, nil, err
	}
	var cfg *config.Config
	if cfg, err = p.optionalConfig(f.from); err != nil {
		return nil, nil, err
	}
	if cfg != nil {
		r.Limits = decode.Limits{MaxObject: int64(cfg.Limits.MaxObject), MaxRecord: int64(cfg.Limits.MaxRecord)}
	}
	reach := reachOf(r.Rules, r.Old)
	return r, func() (source.Source, error) { return p.placeToRead(f.from, cfg, r.Since, reach) }, nil
}

// optionalConfig is the configuration, nil where nothing of it is needed.
func (p *program) optionalConfig(from string) (*config.Config, error) {
	if len(p.flags.rules) > 0 && p.flags.config == "" && !strings.HasPrefix(from, sourcePrefix) {
		return nil, nil
	}
	quiet := *p
	if len(p.flags.rules) == 0 || p.flags.config != "" {
		quiet.stderr = discard{} // ruleSet said it
	}
	return quiet.loadConfig()
}

// findAny fails for an id that is in none of the sets.
func findAny(ids []string, sets ...*rule.Set) error {
	for _, id := range ids {
		if slices.ContainsFunc(sets, func(s *rule.Set) bool { return s != nil && s.Rule(id) != nil }) {
			continue
		}
		if _, err := findRule(sets[0], id); err != nil {
			return err
		}
	}
	return nil
}

// reachOf is how far back the rule looks that looks back furthest.
func reachOf(sets ...*rule.Set) (reach time.Duration) {
	for _, s := range sets {
		if s == nil {
			continue
		}
		for _, r := range s.Rules {
			reach = max(reach, r.Reach())
		}
	}
	return reach
}

// timeFlag reads a time, or a duration before now; "" is the zero time.
func (p *program) timeFlag(name, value string) (time.Time, error) {
	if value == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if at, err := time.Parse(layout, value); err == nil {
			return at.UTC(), nil
		}
	}
	if d, err := diag.ParseDuration(value); err == nil {
		return time.Now().Add(-d), nil
	}
	return time.Time{}, usage("--%s must be a time such as 2026-01-31 or 2026-01-31T08:00:00Z, or a duration before now such as 7d, not %q", name, value)
}
