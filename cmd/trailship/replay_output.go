package main

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/trailship/trailship/core/replay"
)

// replayOutput prints what a replay found.
type replayOutput struct {
	*program
	flags  replayFlags
	budget bool // there is one
}

// failed tells of an object that could not be read.
func (o *replayOutput) failed(object string, err error) {
	text := err.Error()
	if !strings.Contains(text, object) {
		text = object + ": " + text
	}
	fmt.Fprintln(o.stderr, text)
}

// alert prints one alert a line.
func (o *replayOutput) alert(a replay.Alert) error { return json.NewEncoder(o.stdout).Encode(a) }

// finish prints the report and says how it ends.
func (o *replayOutput) finish(format string, r *replay.Report) (err error) {
	over := o.budget && r.Alerts > o.flags.maxAlerts
	switch format {
	case "json":
		err = o.json(r, over)
	case "junit":
		err = o.junit(r, over)
	case "text":
		err = o.text(r)
	}
	if err != nil {
		return fmt.Errorf("printing the report: %w", err)
	}
	o.summary(r)
	if over {
		fmt.Fprintf(o.stderr, "trailship: %s\n", o.overBudget(r))
		return &exitError{code: exitTests}
	}
	if r.Failed > 0 {
		return fmt.Errorf("%d objects could not be read to their end: what they hold is missing from the answer", r.Failed)
	}
	return nil
}

func (o *replayOutput) overBudget(r *replay.Report) string {
	return fmt.Sprintf("%d alerts, and --max-alerts allows %d", r.Alerts, o.flags.maxAlerts)
}

// summary is for people.
func (o *replayOutput) summary(r *replay.Report) {
	span := ""
	if r.Records > 0 {
		span = fmt.Sprintf(" from %s to %s", r.First.Format(time.RFC3339), r.Last.Format(time.RFC3339))
	}
	o.say("%d records of %d objects%s: %d alerts of %d rules", r.Records, r.Objects, span, r.Alerts, len(r.Rules))
	if r.Objects == 0 {
		o.say("nothing was found to read: in a folder or a bucket objects are read whose names end in .json, .gz or .ndjson")
	}
	if r.Shadow > 0 {
		o.say("%d more are of rules in shadow", r.Shadow)
	}
	for _, reason := range slices.Sorted(maps.Keys(r.Rejected)) {
		o.say("rejected: %d records (%s)", r.Rejected[reason], reason)
	}
	for _, rule := range r.Rules {
		if rule.Errors > 0 {
			o.say("rule %s could not be evaluated %d times: no match", rule.ID, rule.Errors)
		}
		if rule.Evicted > 0 {
			o.say("rule %s had no room for %d events of its sequences: alerts may be missing", rule.ID, rule.Evicted)
		}
	}
}

// text prints rows that begin with what they are.
func (o *replayOutput) text(r *replay.Report) error {
	t := o.table("WHAT", "RULE", "", "ALERTS", "")
	for _, rule := range r.Rules {
		if rule.Alerts == 0 {
			continue
		}
		word := rule.Severity
		if rule.Shadow {
			word += " (shadow)"
		}
		t.row("rule", rule.ID, word, fmt.Sprint(rule.Alerts), rule.Title)
		for _, d := range rule.Days {
			t.row("day", rule.ID, d.Day, fmt.Sprint(d.Alerts), "")
		}
		for _, g := range rule.Groups {
			t.row("group", rule.ID, clean(g.Key), fmt.Sprint(g.Alerts), "")
		}
	}
	for _, d := range r.Differences {
		if d.Added+d.Removed+d.Unchanged == 0 {
			continue
		}
		t.row("compared", d.Rule, fmt.Sprintf("%d unchanged", d.Unchanged), fmt.Sprintf("+%d", d.Added), fmt.Sprintf("-%d", d.Removed))
		for _, a := range d.AddedAlerts {
			t.row("added", d.Rule, a.Time.Format(time.RFC3339), a.ID, clean(a.Key+": "+a.Text))
		}
		for _, a := range d.RemovedAlerts {
			t.row("removed", d.Rule, a.Time.Format(time.RFC3339), a.ID, clean(a.Key+": "+a.Text))
		}
	}
	return t.flush()
}

// clean is a stranger's text as it may reach a terminal and a column.
func clean(s string) string {
	quoted := strconv.Quote(s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

func (o *replayOutput) json(r *replay.Report, over bool) error {
	out := struct {
		From      string   `json:"from"`
		Since     string   `json:"since,omitempty"`
		Until     string   `json:"until,omitempty"`
		Compare   []string `json:"compare,omitempty"`
		MaxAlerts *int64   `json:"max_alerts,omitempty"`
		Exceeded  bool     `json:"exceeded"`
		*replay.Report
	}{From: o.flags.from, Since: o.flags.since, Until: o.flags.until, Compare: o.flags.compare, Exceeded: over, Report: r}
	if o.budget {
		out.MaxAlerts = &o.flags.maxAlerts
	}
	return json.NewEncoder(o.stdout).Encode(out)
}

// What JUnit files are made of, as CI systems read them.
type (
	junitSuite struct {
		XMLName  xml.Name    `xml:"testsuite"`
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		File    string        `xml:"file,attr,omitempty"`
		Failure *junitMessage `xml:"failure,omitempty"`
		Error   *junitMessage `xml:"error,omitempty"`
		Out     string        `xml:"system-out,omitempty"`
	}
	junitMessage struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// junit prints a case for each rule, which says what it raised, one for the
// budget and one for the reading.
func (o *replayOutput) junit(r *replay.Report, over bool) error {
	suite := junitSuite{Name: "trailship replay"}
	for _, rule := range r.Rules {
		suite.Cases = append(suite.Cases, junitCase{Class: "replay.rules", Name: rule.ID, File: rule.File, Out: fmt.Sprintf("%d alerts", rule.Alerts)})
	}
	if o.budget {
		c := junitCase{Class: "replay", Name: fmt.Sprintf("at most %d alerts", o.flags.maxAlerts)}
		if over {
			c.Failure = &junitMessage{Message: o.overBudget(r), Text: loudest(r.Rules)}
			suite.Failures++
		}
		suite.Cases = append(suite.Cases, c)
	}
	read := junitCase{Class: "replay", Name: "every object is read"}
	if r.Failed > 0 {
		read.Error = &junitMessage{Message: fmt.Sprintf("%d objects could not be read to their end", r.Failed)}
		suite.Errors++
	}
	suite.Cases = append(suite.Cases, read)
	suite.Tests = len(suite.Cases)
	if _, err := fmt.Fprint(o.stdout, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(o.stdout)
	enc.Indent("", "  ")
	if err := enc.Encode(suite); err != nil {
		return err
	}
	_, err := fmt.Fprintln(o.stdout)
	return err
}

// loudest lists the rules with the most alerts.
func loudest(rules []replay.Rule) string {
	rules = slices.Clone(rules)
	slices.SortStableFunc(rules, func(a, b replay.Rule) int { return int(min(max(b.Alerts-a.Alerts, -1), 1)) })
	text := ""
	for _, rule := range rules[:min(10, len(rules))] {
		if rule.Alerts > 0 && !rule.Shadow {
			text += fmt.Sprintf("%s: %d\n", rule.ID, rule.Alerts)
		}
	}
	return text
}
