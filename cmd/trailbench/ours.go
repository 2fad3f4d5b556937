package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// ours is `trailship run --once` with a new store, positions and the output
// `file`, a process of its own, over the folder in.
func (b *bench) ours(name, in string, rules []string) job { return b.oursOn(1, name, in, rules) }

// oursOn is ours on so many cores for each of the two processes; on one they
// share it.
func (b *bench) oursOn(cores int, name, in string, rules []string) job {
	dir := filepath.Join(b.dir, "ours")
	run := func(ctx context.Context) (cost, error) {
		if err := b.setUp(dir, in, rules); err != nil {
			return cost{}, fmt.Errorf("preparing a run: %w", err)
		}
		return pipeline(ctx, "", command{args: []string{b.trailship, "run", "--once", "-q", "--log-level", "warn"}, in: dir, cores: cores})
	}
	return job{name: name, run: run, ids: func() (map[string]bool, error) { return alertedIDs(filepath.Join(dir, "alerts.ndjson")) }}
}

// setUp makes the folder of a run anew.
func (b *bench) setUp(dir, in string, rules []string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "rules"), 0o777); err != nil {
		return err
	}
	source, err := json.Marshal(in) // YAML, too
	if err != nil {
		return err
	}
	config := fmt.Sprintf(`version: 1
data_dir: data
sources: [{name: trails, type: dir, path: %s}]
rules: {paths: [rules]}
outputs: [{name: alerts, plugin: file, config: {path: alerts.ndjson}}]
`, source)
	for i, text := range rules {
		if err := os.WriteFile(filepath.Join(dir, "rules", fmt.Sprintf("%03d.yaml", i)), []byte(text), 0o666); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "trailship.yaml"), []byte(config), 0o666)
}

// everything matches every record.
var everything = []string{`rules:
  - {id: everything, title: Anything at all, severity: low, condition: 'provider in ["aws", "alibaba"]'}
`}

// alertedIDs are the records behind the alerts of a file.
func alertedIDs(path string) (map[string]bool, error) {
	ids := map[string]bool{}
	return ids, eachLine(path, func(d *json.Decoder) error {
		var alert struct {
			Finding struct {
				Events []struct{ UID string } `json:"related_events"`
			} `json:"finding_info"`
		}
		if err := d.Decode(&alert); err != nil {
			return err
		}
		for _, ev := range alert.Finding.Events {
			ids[ev.UID] = true
		}
		return nil
	})
}

// recordIDs are the ids of the records in a file.
func recordIDs(path string) (map[string]bool, error) {
	ids := map[string]bool{}
	return ids, eachLine(path, func(d *json.Decoder) error {
		var record struct{ EventID string }
		if err := d.Decode(&record); err != nil {
			return err
		}
		if record.EventID != lastID {
			ids[record.EventID] = true
		}
		return nil
	})
}

// eachLine hands the JSON texts of a file to read, one by one. A file that is
// not there has none.
func eachLine(path string, read func(*json.Decoder) error) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	for d := json.NewDecoder(bufio.NewReaderSize(f, 1<<20)); ; {
		if err := read(d); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("reading %s: %w", path, err)
		}
	}
}
