package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/trailship/trailship/core/rule"
	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/store"
	"github.com/trailship/trailship/core/store/bolt"
)

// stateOverview is `state show`.
type stateOverview struct {
	File    string        `json:"file"`
	Bytes   int64         `json:"bytes"`
	Sources []sourceState `json:"sources"`
	Queues  []queueState  `json:"queues"`
	Rules   []ruleState   `json:"rules"`
}

// queueState is what waits for an output, also for one that is gone.
type queueState struct {
	Output string `json:"output"`
	Alerts int64  `json:"alerts"`
	Bytes  int64  `json:"bytes"`
}

// sourceState is how far a source was read.
type sourceState struct {
	Kind       string    `json:"kind,omitempty"`
	Source     string    `json:"source"`
	Objects    int64     `json:"objects"`              // known: read, or being read
	Unfinished int64     `json:"unfinished,omitempty"` // left in the middle
	Growing    int64     `json:"growing,omitempty"`    // files that are followed
	Bytes      int64     `json:"ledger_bytes"`
	Read       time.Time `json:"read,omitzero"`   // when something was last read
	Newest     time.Time `json:"newest,omitzero"` // event, if any rule remembers
	Lag        float64   `json:"lag_s,omitempty"` // age of the newest event
}

// ruleState is what a rule remembers.
type ruleState struct {
	rule.Memory
	Windows int64 `json:"windows,omitempty"`
	Fired   int64 `json:"fired,omitempty"`   // windows
	Waiting int64 `json:"waiting,omitempty"` // values that are not decided
	Evicted int64 `json:"evicted,omitempty"` // windows in which events had no room
	// Fullest is the window nearest to an alert it has not raised.
	Fullest *rule.Remembered `json:"fullest,omitempty"`
}

func (p *program) showState() error {
	format, err := p.format("text", "json")
	if err != nil {
		return err
	}
	s, cfg, set, err := p.readState()
	if err != nil {
		return err
	}
	defer s.Close()
	out := stateOverview{File: filepath.Join(cfg.DataDir, "trailship.db"), Sources: []sourceState{}, Queues: []queueState{}, Rules: []ruleState{}}
	if info, err := os.Stat(out.File); err == nil {
		out.Bytes = info.Size()
	}
	if out.Sources, err = sourceStates(s, time.Now()); err != nil {
		return err
	}
	if out.Rules, err = ruleStates(s, set); err != nil {
		return err
	}
	queues, err := s.Queues()
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(queues)) {
		out.Queues = append(out.Queues, queueState{name, queues[name].Alerts, queues[name].Bytes})
	}
	if format == "json" {
		return json.NewEncoder(p.stdout).Encode(out)
	}
	return p.printState(out)
}

// sourceStates are all sources that were read.
func sourceStates(s *bolt.Store, now time.Time) ([]sourceState, error) {
	clocks := map[string]time.Time{}
	err := s.Remember(func(state store.State) (err error) {
		clocks, err = rule.Clocks(state)
		return err
	})
	if err != nil {
		return nil, err
	}
	names, err := s.Sources()
	if err != nil {
		return nil, err
	}
	all := []sourceState{}
	for _, name := range names {
		one := sourceState{Source: name, Newest: clocks[name]}
		if !one.Newest.IsZero() {
			one.Lag = now.Sub(one.Newest).Seconds()
		}
		if err := s.Entries(name, one.add); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

func (s *sourceState) add(key string, e source.Entry, bytes int) error {
	s.Bytes += int64(bytes)
	if isNote(key) {
		return nil
	}
	s.Objects++
	switch {
	case e.Offset > 0:
		s.Growing++
	case !e.Done:
		s.Unfinished++
	}
	if e.Seen.After(s.Read) {
		s.Read = e.Seen
	}
	return nil
}

// isNote says that an entry is a note of a source to itself. No object's key
// ends in a slash.
func isNote(key string) bool { return strings.HasSuffix(key, "/") }

// ruleStates are all rules of which anything is remembered.
func ruleStates(s *bolt.Store, set *rule.Set) ([]ruleState, error) {
	all := []ruleState{}
	err := s.Remember(func(state store.State) error {
		return set.Memories(state, func(m rule.Memory) error {
			all = append(all, ruleState{Memory: m})
			return nil
		}, func(r rule.Remembered) error {
			all[len(all)-1].add(r)
			return nil
		})
	})
	return all, err
}

func (s *ruleState) add(r rule.Remembered) {
	if !r.Waits.IsZero() {
		s.Waiting++
	}
	if r.From.IsZero() {
		return
	}
	s.Windows++
	if r.Evicted {
		s.Evicted++
	}
	if r.Fired {
		s.Fired++
		return
	}
	if s.Fullest == nil || fuller(r, *s.Fullest) {
		r.Events = nil
		s.Fullest = &r
	}
}

// fuller says that a is nearer to an alert than b, or as near and newer.
func fuller(a, b rule.Remembered) bool {
	x, y := fullness(a.Have), fullness(b.Have)
	return x > y || x == y && a.From.After(b.From)
}

// fullness is the share of what is wanted that is there.
func fullness(have []rule.Have) float64 {
	got, want := 0, 0
	for _, h := range have {
		got, want = got+min(h.Have, h.Want), want+h.Want
	}
	return float64(got) / float64(max(want, 1))
}

func (p *program) printState(out stateOverview) error {
	t := p.table("SOURCE", "OBJECTS", "LAST READ", "NEWEST EVENT", "LAG", "LEDGER")
	for _, s := range out.Sources {
		objects := fmt.Sprint(s.Objects)
		if s.Unfinished > 0 {
			objects += fmt.Sprintf(" (%d unfinished)", s.Unfinished)
		}
		lag := "-"
		if s.Lag != 0 {
			lag = (time.Duration(s.Lag) * time.Second).String()
		}
		t.row(s.Source, objects, moment(s.Read), moment(s.Newest), lag, fmt.Sprintf("%d bytes", s.Bytes))
	}
	if err := t.flush(); err != nil {
		return err
	}
	if err := p.printQueues(out.Queues); err != nil || len(out.Rules) == 0 {
		return err
	}
	fmt.Fprintln(p.stdout)
	t = p.table("RULE", "FORM", "GROUPS", "WINDOWS", "WAITING", "FULLEST")
	for _, r := range out.Rules {
		form := r.Form
		if form == "" {
			form = "(no such rule)"
		}
		t.row(r.Rule, form, fmt.Sprint(r.Groups), fmt.Sprint(r.Windows), fmt.Sprint(r.Waiting), fullest(r.Fullest))
	}
	return t.flush()
}

func (p *program) printQueues(queues []queueState) error {
	if len(queues) == 0 {
		return nil
	}
	fmt.Fprintln(p.stdout)
	t := p.table("OUTPUT", "ALERTS WAITING", "SIZE")
	for _, q := range queues {
		t.row(q.Output, fmt.Sprint(q.Alerts), fmt.Sprintf("%d bytes", q.Bytes))
	}
	return t.flush()
}

// fullest is the window nearest to an alert, in words.
func fullest(r *rule.Remembered) string {
	if r == nil {
		return "-"
	}
	var have []string
	for _, h := range r.Have {
		have = append(have, fmt.Sprintf("%s %d of %d", h.What, h.Have, h.Want))
	}
	key := ""
	if r.Key != "" {
		key = clean(r.Key) + ": "
	}
	return key + strings.Join(have, ", ") + " from " + moment(r.From)
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}
