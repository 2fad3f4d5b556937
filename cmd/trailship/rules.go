package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trailship/trailship/core/config"
	"github.com/trailship/trailship/core/diag"
	"github.com/trailship/trailship/core/rule"
)

func (p *program) rulesCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "rules",
		Short: "List, show and test rules",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return usage("rules needs a verb: list, show, test or explain-code")
		},
	}
	var effective bool
	show := &cobra.Command{
		Use:               "show ID",
		Short:             "Print one rule",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: p.completeRules,
		RunE:              func(c *cobra.Command, args []string) error { return p.showRule(args[0], effective) },
	}
	show.Flags().BoolVar(&effective, "effective", false, "say of each key which file and line it comes from")
	c.AddCommand(show,
		&cobra.Command{
			Use:   "list",
			Short: "List the rules",
			Long: `Lists the rules. Standard error says which of them are tried on every record,
because no field has to have one of a few values for them to match.`,
			Args: cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error { return p.listRules() },
		},
		&cobra.Command{
			Use:   "test [ID...]",
			Short: "Run the tests inside the rules, on raw records",
			Long: `Runs the tests of all rules, or of those named, through the real decoders and
the real engine. Exit code 4 means that a test failed.`,
			ValidArgsFunction: p.completeRules,
			RunE:              func(_ *cobra.Command, ids []string) error { return p.testRules(ids) },
		},
		&cobra.Command{
			Use:   "explain-code CODE",
			Short: "Explain the code of a diagnostic, such as E012",
			Args:  cobra.ExactArgs(1),
			RunE:  func(_ *cobra.Command, args []string) error { return p.explainCode(args[0]) },
		},
	)
	return c
}

// ruleSet loads the rules the command line or the configuration names.
func (p *program) ruleSet() (*rule.Set, error) {
	paths, outputs, err := p.rulePaths()
	if err != nil {
		return nil, err
	}
	set, diags := loadRules(paths, rule.Options{Outputs: outputs})
	p.report(diags)
	if set == nil {
		return nil, &exitError{code: exitInvalid}
	}
	return set, nil
}

// rulePaths says which rules are meant: those of -r, else those of the
// configuration, whose output names rules may then use.
func (p *program) rulePaths() (paths []config.RulePath, outputs []string, err error) {
	if len(p.flags.rules) > 0 && p.flags.config == "" {
		return rulesFlag(p.flags.rules), nil, nil
	}
	cfg, err := p.loadConfig()
	if err != nil {
		return nil, nil, err
	}
	return cfg.Rules.Paths, outputNames(cfg), nil
}

// report prints diagnostics to standard error, and how many there were.
func (p *program) report(diags diag.List) {
	if len(diags) > 0 {
		fmt.Fprintln(p.stderr, diags.String())
	}
}

func (p *program) completeRules(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	quiet := *p
	quiet.stderr = discard{}
	set, err := quiet.ruleSet()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var ids []string
	for _, r := range set.Rules {
		ids = append(ids, r.ID+"\t"+r.Title)
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// ruleRow is a rule in `rules list`.
type ruleRow struct {
	ID       string `json:"id"`
	Severity string `json:"severity"`
	Status   string `json:"status"`
	State    string `json:"state"` // on, off or shadow
	Pack     string `json:"pack,omitempty"`
	Tests    int    `json:"tests"`
	Title    string `json:"title"`
	Anchor   string `json:"anchor,omitempty"` // fields by which records that may match are found
	File     string `json:"file"`
	Line     int    `json:"line"`
}

func (p *program) listRules() error {
	format, err := p.format("text", "json", "ndjson")
	if err != nil {
		return err
	}
	set, err := p.ruleSet()
	if err != nil {
		return err
	}
	rows := make([]ruleRow, 0, len(set.Rules))
	for _, r := range set.Rules {
		rows = append(rows, ruleRow{r.ID, r.Severity, r.Status, state(r), r.Pack, r.Tests(), r.Title, r.Anchor(), r.File, r.Line})
	}
	switch format {
	case "json":
		return json.NewEncoder(p.stdout).Encode(rows)
	case "ndjson":
		return ndjson(p, rows)
	}
	t := p.table("ID", "SEVERITY", "STATUS", "STATE", "PACK", "TESTS", "TITLE")
	for _, r := range rows {
		t.row(r.ID, r.Severity, r.Status, r.State, r.Pack, fmt.Sprint(r.Tests), r.Title)
	}
	if err := t.flush(); err != nil {
		return err
	}
	p.noteUnanchored(set)
	return nil
}

// noteUnanchored says which rules cost something on every record.
func (p *program) noteUnanchored(set *rule.Set) {
	var ids []string
	for _, r := range set.Rules {
		if r.Enabled && r.Anchor() == "" {
			ids = append(ids, r.ID)
		}
	}
	if len(ids) > 0 && !p.flags.quiet {
		fmt.Fprintf(p.stderr, "%d of %d rules are tried on every record: %s\n", len(ids), len(set.Rules), strings.Join(ids, ", "))
	}
}

func state(r *rule.Rule) string {
	switch {
	case !r.Enabled:
		return "off"
	case r.Shadow:
		return "shadow"
	}
	return "on"
}

func (p *program) showRule(id string, effective bool) error {
	format, err := p.format("text", "json")
	if err != nil {
		return err
	}
	set, err := p.ruleSet()
	if err != nil {
		return err
	}
	r, err := findRule(set, id)
	if err != nil {
		return err
	}
	if format == "json" {
		return json.NewEncoder(p.stdout).Encode(r.Effective())
	}
	fmt.Fprintf(p.stdout, "# %s:%d\n", r.File, r.Line)
	for _, k := range r.Effective() {
		value, err := json.Marshal(k.Value)
		if err != nil {
			return fmt.Errorf("printing %s: %w", k.Name, err)
		}
		from := ""
		if effective {
			from = "  # " + strings.Join(k.Origins, ", ")
		}
		fmt.Fprintf(p.stdout, "%s: %s%s\n", k.Name, value, from)
	}
	return nil
}

// findRule returns the rule with an id, or an error that suggests one.
func findRule(set *rule.Set, id string) (*rule.Rule, error) {
	if r := set.Rule(id); r != nil {
		return r, nil
	}
	var ids []string
	for _, r := range set.Rules {
		ids = append(ids, r.ID)
	}
	return nil, usage("there is no rule %q%s", id, diag.Suggest(id, ids))
}

func (p *program) explainCode(id string) error {
	c, ok := diag.Lookup(id)
	if !ok {
		var ids []string
		for _, c := range diag.Codes() {
			ids = append(ids, c.ID)
		}
		return usage("there is no code %q%s", id, diag.Suggest(strings.ToUpper(id), ids))
	}
	_, err := fmt.Fprintln(p.stdout, c.Page())
	return err
}
