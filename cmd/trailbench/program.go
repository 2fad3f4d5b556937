package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// program measures trailship by itself.
func (b *bench) program(ctx context.Context) (report, error) {
	return b.measure(ctx, []part{
		{"the number of rules", b.ruleCount},
		{"loading rules", b.loading},
		{"every record alerts", b.everyRecord},
		{"memory", b.memory},
		{"tiny objects", b.tiny},
		{"two cores", b.cores},
		{"ten times the trails", b.growth},
	})
}

// empty is a folder without objects: what a run costs there is starting and
// stopping, and the rules.
func (b *bench) empty() (string, error) {
	dir := filepath.Join(b.dir, "trails", "empty")
	return dir, os.MkdirAll(dir, 0o777)
}

// ruleCount compares 100 rules and 10,000 with 10. Of the 10,000 what they
// take to load is left out.
func (b *bench) ruleCount(ctx context.Context, r *report) error {
	c, err := b.large(ctx)
	if err != nil {
		return err
	}
	ten, hundred, many := rules(conditions(10)), rules(conditions(100)), rules(conditions(10_000))
	d, err := inTurns(ctx, b.pairs, b.ours("10 rules", c.dir, ten), b.ours("100 rules", c.dir, hundred))
	if err != nil {
		return err
	}
	r.atMost("CPU, 100 rules to 10", "×", d.ratios(cpu), 1.1, 1.05)
	empty, err := b.empty()
	if err != nil {
		return err
	}
	load, err := inTurns(ctx, b.pairs, b.ours("10 rules", empty, ten), b.ours("10,000 rules", empty, many))
	if err != nil {
		return err
	}
	if d, err = inTurns(ctx, min(b.pairs, 3), b.ours("10 rules", c.dir, ten), b.ours("10,000 rules", c.dir, many)); err != nil {
		return err
	}
	r.atMost("CPU, 10,000 rules to 10, loading left out", "×", duel{without(d.a, load.a), without(d.b, load.b)}.ratios(cpu), 1.2, 1.1)
	r.told("CPU, 10,000 rules to 10, all in", "×", d.ratios(cpu))
	return nil
}

// loading starts and stops with 10,000 rules and nothing to read.
func (b *bench) loading(ctx context.Context, r *report) error {
	empty, err := b.empty()
	if err != nil {
		return err
	}
	d, err := inTurns(ctx, b.pairs, b.oursOn(2, "10 rules", empty, rules(conditions(10))), b.oursOn(2, "10,000 rules", empty, rules(conditions(10_000))))
	if err != nil {
		return err
	}
	r.atMost("from 0 to ready and down, 10,000 rules", "s", figures(d.b, wall), 2, 1.2)
	r.atMost("peak memory of that", "MiB", figures(d.b, rss), 160, 128)
	r.told("the same, CPU", "s", figures(d.b, cpu))
	r.told("start and stop, 10 rules, CPU", "s", figures(d.a, cpu))
	return nil
}

// everyRecord has a rule that matches all.
func (b *bench) everyRecord(ctx context.Context, r *report) error {
	c, err := b.tenth(ctx)
	if err != nil {
		return err
	}
	costs, err := repeat(ctx, b.pairs, b.ours("all match", c.dir, everything))
	if err != nil {
		return err
	}
	r.atLeast("every record alerts: alerts for a CPU second, both processes", "", figures(costs, func(c2 cost) float64 { return float64(c.Distinct) / c2.CPU }), 20_000, 60_000)
	return nil
}

// memory reads objects of almost 4 MB with two readers, and then one of 500 MB.
func (b *bench) memory(ctx context.Context, r *report) error {
	for _, m := range []struct {
		name          string
		flags         []string
		floor, wanted float64
	}{
		{"peak memory, 100 rules, two readers, objects of 3.7 MB", []string{"-seed", "2", "-records", "2600", "-files", "60"}, 96, 64},
		{"peak memory, 100 rules, one object of 500 MB", []string{"-seed", "3", "-records", "350000", "-files", "1"}, 200, 128},
	} {
		c, err := b.corpus(ctx, fmt.Sprint("memory-", m.floor), m.flags...)
		if err != nil {
			return err
		}
		costs, err := repeat(ctx, min(b.pairs, 3), b.oursOn(2, m.name, c.dir, rules(conditions(100))))
		if err != nil {
			return err
		}
		r.atMost(m.name, "MiB", figures(costs, rss), m.floor, m.wanted)
		r.told("the same, with the output's process", "MiB", figures(costs, both))
		r.note("%s: %v", m.name, c)
	}
	return nil
}

// tiny reads objects of 8 records, as quiet accounts deliver them.
func (b *bench) tiny(ctx context.Context, r *report) error {
	c, err := b.corpus(ctx, "tiny", "-seed", "4", "-records", "8", "-files", "20000")
	if err != nil {
		return err
	}
	costs, err := repeat(ctx, b.pairs, b.ours("tiny", c.dir, rules(conditions(10))))
	if err != nil {
		return err
	}
	r.atMost("CPU for an object of 8 records, all in", "µs", figures(costs, func(c2 cost) float64 { return c2.CPU / float64(c.Files) * 1e6 }), 250, 120)
	return nil
}

// cores compares the clock of one core and of two.
func (b *bench) cores(ctx context.Context, r *report) error {
	c, err := b.large(ctx)
	if err != nil {
		return err
	}
	ten := rules(conditions(10))
	d, err := inTurns(ctx, b.pairs, b.oursOn(2, "two cores", c.dir, ten), b.ours("one core", c.dir, ten))
	if err != nil {
		return err
	}
	r.atLeast("by the clock, one core to two", "×", d.ratios(wall), 1.7, 1.9)
	r.told("the same, CPU", "×", d.ratios(cpu))
	return nil
}

// without takes the CPU time of starting and stopping off that of whole runs.
func without(costs, start []cost) (steady []cost) {
	for _, c := range costs {
		c.CPU -= figures(start, cpu).Median
		steady = append(steady, c)
	}
	return steady
}

// growth compares the cost of a record in a tenth of the trails and in all.
// Starting and stopping is left out: it would make the tenth look dear.
func (b *bench) growth(ctx context.Context, r *report) error {
	tenth, err := b.tenth(ctx)
	if err != nil {
		return err
	}
	all, err := b.large(ctx)
	if err != nil {
		return err
	}
	ten := rules(conditions(10))
	d, err := inTurns(ctx, b.pairs, b.ours("a tenth", tenth.dir, ten), b.ours("all", all.dir, ten))
	if err != nil {
		return err
	}
	empty, err := b.empty()
	if err != nil {
		return err
	}
	start, err := repeat(ctx, b.pairs, b.ours("nothing to read", empty, ten))
	if err != nil {
		return err
	}
	s := duel{without(d.a, start), without(d.b, start)}.ratios(cpu)
	share := float64(tenth.Records) / float64(all.Records)
	r.atMost("CPU for a record, ten times the trails", "×", spread{s.Min * share, s.Median * share, s.Max * share, s.N}, 1.1, 1.05)
	return nil
}

func repeat(ctx context.Context, n int, j job) (costs []cost, err error) {
	for range n {
		c, err := j.run(ctx)
		if err != nil {
			return nil, fmt.Errorf("running %s: %w", j.name, err)
		}
		costs = append(costs, c)
	}
	return costs, nil
}
