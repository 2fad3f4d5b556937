package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// peers runs the job in turns with everything that is installed.
func (b *bench) peers(ctx context.Context) (report, error) {
	var parts []part
	for _, p := range peers {
		parts = append(parts, part{p.name, func(ctx context.Context, r *report) error { return b.compare(ctx, p, r) }})
	}
	return b.measure(ctx, append(parts, part{"rules alone", b.alone}))
}

// compare measures a peer, if it is installed.
func (b *bench) compare(ctx context.Context, p peer, r *report) error {
	if lacks := b.missing(p); lacks != "" {
		r.skip("%s: %s is missing; %s", p.name, lacks, p.install)
		return nil
	}
	return b.against(ctx, p, r)
}

// noise runs the job in turns with itself.
func (b *bench) noise(ctx context.Context, r *report) error {
	c, err := b.large(ctx)
	if err != nil {
		return err
	}
	same := b.ours("trailship", c.dir, rules(conditions(10)))
	d, err := inTurns(ctx, b.pairs, same, same)
	if err != nil {
		return err
	}
	r.noise(d, c)
	return nil
}

// against runs the job in turns with a peer.
func (b *bench) against(ctx context.Context, p peer, r *report) error {
	c, err := b.formsFor(ctx, p)
	if err != nil {
		return err
	}
	pairs := b.pairs
	if p.slow {
		pairs = min(pairs, 3)
	}
	for _, n := range []int{10, 100} {
		if n > 10 && !p.filters {
			return nil
		}
		fmt.Fprintf(b.log, "in turns with ours, %d conditions\n", n)
		theirs, err := p.job(b, c, conditions(n))
		if err != nil {
			return err
		}
		us := b.ours("trailship", c.objects.dir, rules(conditions(n)))
		d, err := inTurns(ctx, pairs, us, theirs)
		if err != nil {
			return err
		}
		found, err := us.ids()
		if err != nil {
			return err
		}
		r.peer(p, n, len(found), c.objects, d)
	}
	return nil
}

// formsFor are the large trails in the form a peer reads, beside our own.
func (b *bench) formsFor(ctx context.Context, p peer) (c forms, err error) {
	if c.objects, err = b.large(ctx); err != nil {
		return c, err
	}
	switch p.input {
	case "NDJSON, gzip":
		c.zipped, err = b.large(ctx, "-ndjson", "-gzip")
	case "NDJSON, plain":
		c.ndjson, err = b.large(ctx, "-ndjson")
	}
	return c, err
}

// alone compares the rules alone, on decoded events in hand.
func (b *bench) alone(ctx context.Context, r *report) error {
	if _, err := os.Stat(b.engines); err != nil {
		r.skip("cel-go and OPA: %s is missing; build it with go build -C cmd/trailbench/engines (the module proxy is asked)", b.engines)
		return nil
	}
	c, err := b.tenth(ctx, "-ndjson")
	if err != nil {
		return err
	}
	records, err := firstRecords(c, sample)
	if err != nil {
		return fmt.Errorf("reading events: %w", err)
	}
	events := filepath.Join(b.dir, "events.ndjson")
	if err := flatten(records, events); err != nil {
		return fmt.Errorf("writing events: %w", err)
	}
	for _, n := range []int{10, 100} {
		for _, e := range engines {
			fmt.Fprintf(b.log, "timing the rules of %s alone, %d conditions\n", e.name, n)
			if err := b.timeAlone(ctx, r, e, n, records, events); err != nil {
				return fmt.Errorf("timing the rules of %s: %w", e.name, err)
			}
		}
	}
	return nil
}

// engine is another rule engine.
type engine struct {
	name   string
	rules  func([]condition) string
	rounds int // over the sample
}

var engines = []engine{{"cel-go", celRules, 20}, {"opa", regoRules, 2}}

func (b *bench) timeAlone(ctx context.Context, r *report, e engine, n int, records [][]byte, events string) error {
	var ours, theirs, ratios []float64
	for range b.pairs {
		us, err := ourEngine(rules(conditions(n)), records, 50)
		if err != nil {
			return err
		}
		them, err := b.time(ctx, e, conditions(n), events)
		if err != nil {
			return err
		}
		if err := sameIDs("trailship", e.name, set(us.IDs), set(them.IDs)); err != nil {
			return err
		}
		ours, theirs = append(ours, us.micros()), append(theirs, them.micros())
		ratios = append(ratios, them.micros()/us.micros())
	}
	r.engine(e.name, n, spreadOf(ours), spreadOf(theirs), spreadOf(ratios))
	return nil
}

func set(ids []string) map[string]bool {
	s := map[string]bool{}
	for _, id := range ids {
		s[id] = true
	}
	return s
}
