package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/trailship/trailship/core/config"
	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/source/s3"
	"github.com/trailship/trailship/core/store"
	"github.com/trailship/trailship/core/store/bolt"
)

func (p *program) dlqReplay(which chosen) error {
	if err := which.check("replay"); err != nil {
		return err
	}
	s, cfg, letters, err := p.openLetters(which)
	if err != nil {
		return err
	}
	defer s.Close()
	back, left := p.replayable(letters, cfg)
	if err := relist(s, back, cfg); err != nil {
		return fmt.Errorf("taking back dead letters: %w", err)
	}
	n, err := s.Replay(idsOf(back))
	if err != nil {
		return fmt.Errorf("taking back dead letters: %w", err)
	}
	p.say("%d of %d dead letters were taken back: %s", n, len(letters), destinations(back))
	if left > 0 || n < len(back) {
		return fmt.Errorf("%d dead letters stay", len(letters)-n)
	}
	return nil
}

// replayable leaves out what cannot be taken back, and says why, each reason
// once.
func (p *program) replayable(letters []store.DeadLetter, cfg *config.Config) (back []store.DeadLetter, left int) {
	reasons := map[string]int{}
	for _, d := range letters {
		if why := unreplayable(d, cfg); why != "" {
			reasons[why]++
			left++
			continue
		}
		back = append(back, d)
	}
	for _, why := range slices.Sorted(maps.Keys(reasons)) {
		p.say("%d dead letters stay: %s", reasons[why], why)
	}
	return back, left
}

// destinations says where dead letters go.
func destinations(letters []store.DeadLetter) string {
	if len(letters) == 0 {
		return "nothing is done at the next run"
	}
	alerts, objects := map[string]int{}, map[string]map[string]bool{}
	for _, d := range letters {
		if d.Output != "" {
			alerts[d.Output]++
			continue
		}
		if objects[d.Source] == nil {
			objects[d.Source] = map[string]bool{}
		}
		objects[d.Source][d.Key] = true
	}
	var parts []string
	for _, output := range slices.Sorted(maps.Keys(alerts)) {
		parts = append(parts, fmt.Sprintf("%d alerts wait for %s", alerts[output], output))
	}
	for _, from := range slices.Sorted(maps.Keys(objects)) {
		parts = append(parts, fmt.Sprintf("%d objects of %s are read at the next run", len(objects[from]), from))
	}
	return strings.Join(parts, ", ")
}

// relist makes objects of buckets be listed again, however old they are.
func relist(s *bolt.Store, letters []store.DeadLetter, cfg *config.Config) error {
	notes := map[string]map[string]source.Entry{}
	for _, d := range letters {
		if !slices.ContainsFunc(cfg.Sources, func(s config.Source) bool { return s.Name == d.Source && s.Type == config.S3 }) {
			continue
		}
		found, err := s3.Relist(s.Ledger(d.Source), d.Key)
		if err != nil {
			return err
		}
		if notes[d.Source] == nil {
			notes[d.Source] = map[string]source.Entry{}
		}
		maps.Copy(notes[d.Source], found)
	}
	return s.Commit(context.Background(), func(tx store.Tx) error {
		for name, entries := range notes {
			for key, e := range entries {
				if err := tx.PutEntry(name, key, e); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func (p *program) dlqPurge(which chosen, yes bool) error {
	if err := which.check("purge"); err != nil {
		return err
	}
	s, _, letters, err := p.openLetters(which)
	if err != nil {
		return err
	}
	defer s.Close()
	if len(letters) == 0 {
		p.say("there are no such dead letters")
		return nil
	}
	if agreed, err := p.ask(fmt.Sprintf("Drop %d dead letters for good?", len(letters)), yes); err != nil || !agreed {
		return err
	}
	n, err := s.Purge(idsOf(letters))
	if err != nil {
		return fmt.Errorf("dropping dead letters: %w", err)
	}
	p.say("%d dead letters were dropped", n)
	return nil
}

func idsOf(letters []store.DeadLetter) []string {
	ids := make([]string, len(letters))
	for i, d := range letters {
		ids[i] = d.ID
	}
	return ids
}
