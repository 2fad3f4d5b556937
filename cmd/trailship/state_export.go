package main

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/trailship/trailship/core/rule"
	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/store"
)

// Rows of `state export` that are not made elsewhere.
type (
	positionRow struct {
		Kind    string    `json:"kind"`
		Source  string    `json:"source"`
		Key     string    `json:"key"`
		Version string    `json:"version"`
		Done    bool      `json:"done"`
		Offset  int64     `json:"offset,omitempty"`  // bytes read of a growing file
		Records int64     `json:"records,omitempty"` // read behind it
		Read    time.Time `json:"read"`
	}
	memoryRow struct {
		Kind string `json:"kind"`
		rule.Memory
	}
	rememberedRow struct {
		Kind string `json:"kind"`
		rule.Remembered
	}
)

func (p *program) exportState() error {
	if _, err := p.format("ndjson"); err != nil {
		return err
	}
	s, _, set, err := p.readState()
	if err != nil {
		return err
	}
	defer s.Close()
	enc := json.NewEncoder(p.stdout)
	sources, err := sourceStates(s, time.Now())
	if err != nil {
		return err
	}
	for _, one := range sources {
		one.Kind = "source"
		err := errors.Join(enc.Encode(one), s.Entries(one.Source, func(key string, e source.Entry, _ int) error {
			return enc.Encode(positionRow{"position", one.Source, key, e.Version, e.Done, e.Offset, e.Records, e.Seen})
		}))
		if err != nil {
			return err
		}
	}
	return s.Remember(func(state store.State) error {
		return set.Memories(state,
			func(m rule.Memory) error { return enc.Encode(memoryRow{"rule", m}) },
			func(r rule.Remembered) error {
				kind := "window"
				if r.From.IsZero() {
					kind = "value"
				}
				return enc.Encode(rememberedRow{kind, r})
			})
	})
}
