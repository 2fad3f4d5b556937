package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/trailship/trailship/core/config"
	"github.com/trailship/trailship/core/store"
)

// letterRow is a dead letter as it is listed.
type letterRow struct {
	ID     string    `json:"id"`
	Time   time.Time `json:"time"`
	Kind   string    `json:"kind"` // alert, record or object
	Output string    `json:"output,omitempty"`
	Source string    `json:"source,omitempty"`
	What   string    `json:"what"` // the alert's id, or the object's name
	Record *int64    `json:"record,omitempty"`
	Offset int64     `json:"offset,omitempty"`
	Reason string    `json:"reason"`
	Detail string    `json:"detail,omitempty"`
	Replay string    `json:"replay"` // "yes", or why not
}

// shownLetter is a dead letter with what it stands for.
type shownLetter struct {
	letterRow
	Rule     string          `json:"rule,omitempty"`
	Severity string          `json:"severity,omitempty"`
	Alert    json.RawMessage `json:"alert,omitempty"`
	Event    json.RawMessage `json:"event,omitempty"`
	Raw      json.RawMessage `json:"raw,omitempty"`
}

func (p *program) dlqList(which chosen) error {
	format, err := p.format("text", "json", "ndjson")
	if err != nil {
		return err
	}
	s, cfg, letters, err := p.openLetters(which)
	if err != nil {
		return err
	}
	defer s.Close()
	dropped, err := s.Dropped()
	if err != nil {
		return err
	}
	rows := make([]letterRow, len(letters))
	for i, d := range letters {
		rows[i] = rowOf(d, cfg, cfg.Redact)
	}
	switch format {
	case "json":
		err = json.NewEncoder(p.stdout).Encode(rows)
	case "ndjson":
		err = ndjson(p, rows)
	default:
		err = p.listLetters(rows)
	}
	if dropped > 0 {
		p.say("%d older dead letters were dropped: no more than %d are kept", dropped, store.MaxLetters)
	}
	return err
}

func (p *program) listLetters(rows []letterRow) error {
	if len(rows) == 0 {
		p.say("there are no dead letters")
	}
	t := p.table("ID", "TIME", "KIND", "OF", "WHAT", "RECORD", "REASON", "DETAIL")
	for _, r := range rows {
		record := "-"
		if r.Record != nil {
			record = fmt.Sprint(*r.Record)
		}
		t.row(clean(r.ID), r.Time.Format(time.RFC3339), r.Kind, clean(r.Output+r.Source), clean(r.What), record, r.Reason, clean(r.Detail))
	}
	return t.flush()
}

// rowOf is a dead letter as it is shown, its texts through redact.
func rowOf(d store.DeadLetter, cfg *config.Config, redact func(string) string) letterRow {
	r := letterRow{ID: d.ID, Time: d.Time.UTC(), Output: d.Output, Source: d.Source, Offset: d.Offset, Reason: d.Reason,
		Detail: redact(d.Detail), Replay: "yes"}
	switch {
	case d.Output != "":
		r.Kind, r.What = "alert", d.Alert
	case d.Record >= 0:
		r.Kind, r.What, r.Record = "record", redact(d.Object), &d.Record
	default:
		r.Kind, r.What = "object", redact(d.Object)
	}
	if why := unreplayable(d, cfg); why != "" {
		r.Replay = why
	}
	return r
}

// unreplayable says why a dead letter cannot be taken back; "" if it can.
func unreplayable(d store.DeadLetter, cfg *config.Config) string {
	hasSource := slices.ContainsFunc(cfg.Sources, func(s config.Source) bool { return s.Name == d.Source })
	switch {
	case d.Output != "" && !slices.Contains(outputNames(cfg), d.Output):
		return "the configuration has no output " + d.Output + " any more: add it again, or purge"
	case d.Output == "" && !hasSource:
		return "the configuration has no source " + d.Source + " any more: add it again, or purge"
	case !d.CanReplay():
		return "it was written by an older trailship, which did not note where: state forget --source " + d.Source + " reads all of the source again"
	}
	return ""
}

func (p *program) dlqShow(id string, raw bool) error {
	format, err := p.format("text", "json")
	if err != nil {
		return err
	}
	s, cfg, found, err := p.openLetters(chosen{ids: []string{id}})
	if err != nil {
		return err
	}
	defer s.Close()
	hide := veil{redact: cfg.Redact, keys: true}
	if raw {
		hide = veil{redact: func(text string) string { return text }}
	}
	shown := shownLetter{letterRow: rowOf(found[0], cfg, hide.redact)}
	a, ok, err := s.Refused(found[0].ID)
	if err != nil {
		return err
	}
	if ok {
		shown.Rule, shown.Severity = a.RuleID, a.Severity
		shown.Alert, shown.Event, shown.Raw = hide.json(a.JSON), hide.json(a.Event), hide.json(a.Raw)
	}
	if format == "json" {
		return json.NewEncoder(p.stdout).Encode(shown)
	}
	return p.showLetter(shown)
}

func (p *program) showLetter(l shownLetter) error {
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-9s %s\n", name, clean(value))
		}
	}
	line("id", l.ID)
	line("kind", l.Kind)
	line("time", l.Time.Format(time.RFC3339))
	line("output", l.Output)
	line("source", l.Source)
	if l.Kind == "alert" {
		line("alert", l.What)
	} else {
		line("object", l.What)
	}
	if l.Record != nil {
		line("record", fmt.Sprint(*l.Record))
	}
	if l.Offset > 0 {
		line("offset", fmt.Sprint(l.Offset))
	}
	line("reason", l.Reason)
	line("detail", l.Detail)
	line("rule", l.Rule)
	line("severity", l.Severity)
	line("replay", l.Replay)
	for _, part := range []struct {
		name string
		text json.RawMessage
	}{{"the alert", l.Alert}, {"the event", l.Event}, {"the record", l.Raw}} {
		if len(part.text) == 0 {
			continue
		}
		var indented bytes.Buffer
		if err := json.Indent(&indented, part.text, "", "  "); err != nil {
			return fmt.Errorf("showing %s: %w", part.name, err)
		}
		fmt.Fprintf(&b, "\n%s:\n%s\n", part.name, strings.Map(shownRune, indented.String()))
	}
	_, err := io.WriteString(p.stdout, b.String())
	return err
}

// shownRune keeps a payload from driving a terminal: JSON may hold controls
// beyond those of ASCII.
func shownRune(r rune) rune {
	if r != '\n' && unicode.IsControl(r) {
		return '\uFFFD'
	}
	return r
}

// veil hides secrets: those redact knows, and what stands under keys that sound
// like one.
type veil struct {
	redact func(string) string
	keys   bool
}

// json is a payload as it may be shown: JSON as such, anything else as text.
func (v veil) json(payload []byte) json.RawMessage {
	if len(payload) == 0 {
		return nil
	}
	if !v.keys && json.Valid(payload) {
		return payload
	}
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil || dec.More() {
		value = string(payload)
	}
	text, err := json.Marshal(v.hide("", value))
	if err != nil {
		return nil // it came from JSON or a string
	}
	return text
}

func (v veil) hide(key string, value any) any {
	switch value := value.(type) {
	case map[string]any:
		for k, inner := range value {
			value[k] = v.hide(k, inner)
		}
		return value
	case []any:
		for i, inner := range value {
			value[i] = v.hide(key, inner)
		}
		return value
	case string:
		// A key alone is mostly that of an object or a tag.
		if v.keys && value != "" && !strings.EqualFold(key, "key") && config.SoundsSecret(key) {
			return "•••"
		}
		return v.redact(value)
	}
	return value
}
