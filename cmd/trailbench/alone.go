package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing/fstest"

	"github.com/trailship/trailship/core/decode"
	"github.com/trailship/trailship/core/event"
	"github.com/trailship/trailship/core/rule"
)

// sample is how many decoded events the rules are timed on alone.
const sample = 2000

// timing is what rules alone took on events in hand.
type timing struct {
	Events int      `json:"events"`
	CPU    float64  `json:"cpu"`
	IDs    []string `json:"ids"`
}

func (t timing) micros() float64 { return t.CPU / float64(t.Events) * 1e6 }

// flatten writes the events as the other engines take them: one flat object of
// texts for each record of a file of NDJSON.
func flatten(records [][]byte, path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	to := json.NewEncoder(f)
	for _, text := range records {
		var record map[string]any
		if err := json.Unmarshal(text, &record); err != nil {
			return fmt.Errorf("flattening a record: %w", err)
		}
		flat := map[string]string{"id": at(record, "eventID")}
		for _, field := range fields {
			flat[field.variable()] = at(record, field.path...)
		}
		if err := to.Encode(flat); err != nil {
			return err
		}
	}
	return f.Close()
}

// at is the text at a path of a record, "" when there is none.
func at(record map[string]any, path ...string) string {
	for _, name := range path[:len(path)-1] {
		record, _ = record[name].(map[string]any)
	}
	text, _ := record[path[len(path)-1]].(string)
	return text
}

// firstRecords are the first n records of a corpus of NDJSON.
func firstRecords(c corpus, n int) (records [][]byte, err error) {
	files, err := c.files()
	if err != nil {
		return nil, err
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			if len(records) == n {
				return records, nil
			}
			records = append(records, []byte(line))
		}
	}
	return records, nil
}

// time has the program of the other engines time conditions.
func (b *bench) time(ctx context.Context, e engine, all []condition, events string) (t timing, err error) {
	path := filepath.Join(b.dir, e.name+".rules")
	if err := os.WriteFile(path, []byte(e.rules(all)), 0o666); err != nil {
		return t, err
	}
	c := exec.CommandContext(ctx, b.engines, "-engine", e.name, "-rules", path, "-events", events, "-rounds", fmt.Sprint(e.rounds))
	c.Stderr = os.Stderr
	text, err := c.Output()
	if err != nil {
		return t, fmt.Errorf("running %s: %w", b.engines, err)
	}
	return t, json.Unmarshal(text, &t)
}

// ourEngine times our rules on normalized events.
func ourEngine(files []string, records [][]byte, rounds int) (t timing, err error) {
	tree := fstest.MapFS{}
	for i, text := range files {
		tree[fmt.Sprintf("%03d.yaml", i)] = &fstest.MapFile{Data: []byte(text)}
	}
	set, list := rule.Load([]rule.Root{{FS: tree, Path: "rules"}}, rule.Options{})
	if set == nil {
		return t, fmt.Errorf("loading our rules: %v", list)
	}
	events, err := normalized(records)
	if err != nil {
		return t, err
	}
	m := set.NewMatcher()
	for i := range events {
		if len(m.Match(&events[i])) > 0 {
			t.IDs = append(t.IDs, events[i].Metadata.UID)
		}
	}
	began := processorTime()
	for range rounds {
		for i := range events {
			m.Match(&events[i])
		}
	}
	t.CPU, t.Events = processorTime()-began, rounds*len(events)
	return t, nil
}

func normalized(records [][]byte) ([]event.Event, error) {
	events := make([]event.Event, 0, len(records))
	r := decode.NewReader(nil, decode.Limits{})
	for _, text := range records {
		r.Reset(strings.NewReader(string(text)))
		rec, err := r.Next()
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		rec.Raw = text
		events = append(events, event.Event{})
		if err := decode.Normalize(&events[len(events)-1], rec); err != nil {
			return nil, fmt.Errorf("normalizing a record: %w", err)
		}
	}
	return events, nil
}

// processorTime is what this process took so far, in seconds.
func processorTime() float64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u) // cannot fail for the process itself
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
