package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
)

// table prints rows aligned on a terminal, and separated by tabs elsewhere.
type table struct {
	w *tabwriter.Writer
	p *program
}

func (p *program) table(columns ...string) *table {
	t := &table{p: p}
	if terminal(p.stdout) {
		t.w = tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
		t.row(columns...)
	}
	return t
}

func (t *table) row(cells ...string) {
	line := strings.Join(cells, "\t") + "\n"
	if t.w != nil {
		fmt.Fprint(t.w, line)
		return
	}
	fmt.Fprint(t.p.stdout, line)
}

func (t *table) flush() error {
	if t.w == nil {
		return nil
	}
	return t.w.Flush()
}

// ndjson prints one JSON object a line.
func ndjson[T any](p *program, rows []T) error {
	enc := json.NewEncoder(p.stdout)
	for _, r := range rows {
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	return nil
}
