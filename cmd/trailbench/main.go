// Command trailbench measures trailship from outside, as processes:
//
//	trailbench peers      beside other programs that do the same job
//	trailbench program    by itself: rules, memory, small objects, cores
//
// The job is to read trails, filter by the same conditions and write the
// records that match. What counts is processor time, of pairs of runs in turns:
// the ratio of two runs side by side tells more than either alone. The records
// that match must be the same, or the comparison fails. `make bench-peers` and
// `make bench-program` build what it needs; docs/performance.md has the method.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/dustin/go-humanize"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "trailbench:", err)
		os.Exit(1)
	}
}

// bench is where things are and how much is measured.
type bench struct {
	dir                          string // for trails and whatever is written
	trailship, trailgen, engines string // programs
	nodeModules                  string // folder of DuckDB's package
	size                         int64  // inflated bytes of the large trails
	pairs                        int
	format                       string
	only                         string    // part of the name of a peer or of what program measures; "" is all
	log                          io.Writer // progress
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return errors.New("say what to measure: trailbench peers or trailbench program")
	}
	b, err := parse(args, stderr)
	if err != nil {
		return err
	}
	var r report
	switch args[0] {
	case "peers":
		r, err = b.peers(ctx)
	case "program":
		r, err = b.program(ctx)
	default:
		return fmt.Errorf("cannot measure %q: peers or program", args[0])
	}
	if err != nil {
		return err
	}
	return r.write(stdout, b.format)
}

func parse(args []string, stderr io.Writer) (*bench, error) {
	b := &bench{log: stderr}
	var size string
	f := flag.NewFlagSet("trailbench "+args[0], flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&b.dir, "dir", "", "folder for trails and results, kept for the next run (required)")
	f.StringVar(&b.trailship, "trailship", "bin/trailship", "the program to measure")
	f.StringVar(&b.trailgen, "trailgen", "bin/trailgen", "the program that makes trails")
	f.StringVar(&b.engines, "engines", "bin/engines", "the program that times cel-go and OPA")
	f.StringVar(&b.nodeModules, "node-modules", "bin/peers/node_modules", "folder with @duckdb/node-api")
	f.StringVar(&size, "size", "1GB", "inflated size of the trails; some parts use a tenth")
	f.IntVar(&b.pairs, "pairs", 5, "pairs of runs; slow peers have three at most")
	f.StringVar(&b.only, "only", "", "measure only what has this in its name, such as jq or memory")
	f.StringVar(&b.format, "o", "text", "format of the result: text or json")
	if err := f.Parse(args[1:]); err != nil {
		return nil, err
	}
	n, err := humanize.ParseBytes(size)
	if err != nil {
		return nil, fmt.Errorf("reading -size: %w", err)
	}
	b.size = int64(n)
	return b, b.complete()
}

// complete checks the flags and makes paths hold in any folder.
func (b *bench) complete() error {
	switch {
	case b.dir == "":
		return errors.New("-dir is missing: say which folder to work in")
	case b.pairs < 1:
		return errors.New("-pairs must be at least 1")
	case b.format != "text" && b.format != "json":
		return fmt.Errorf("-o must be text or json, not %q", b.format)
	}
	for _, program := range []*string{&b.trailship, &b.trailgen} {
		found, err := exec.LookPath(*program)
		if err != nil {
			return fmt.Errorf("finding a program to run (make builds it): %w", err)
		}
		*program = found
	}
	for _, path := range []*string{&b.dir, &b.trailship, &b.trailgen, &b.engines, &b.nodeModules} {
		whole, err := filepath.Abs(*path)
		if err != nil {
			return err
		}
		*path = whole
	}
	return os.MkdirAll(filepath.Join(b.dir, "trails"), 0o777)
}

// part is something to measure.
type part struct {
	name string
	run  func(context.Context, *report) error
}

// measure measures those of the parts that are asked for, and the machine's
// noise.
func (b *bench) measure(ctx context.Context, parts []part) (r report, err error) {
	asked, err := b.asked(parts)
	if err != nil {
		return r, err
	}
	if err := r.about(ctx, b); err != nil {
		return r, err
	}
	for _, p := range append([]part{{"the machine's noise", b.noise}}, asked...) {
		fmt.Fprintln(b.log, "measuring:", p.name)
		if err := p.run(ctx, &r); err != nil {
			return r, fmt.Errorf("measuring %s: %w", p.name, err)
		}
	}
	return r, nil
}

// asked are the parts that -only names.
func (b *bench) asked(parts []part) (asked []part, err error) {
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
		if strings.Contains(strings.ToLower(p.name), strings.ToLower(b.only)) {
			asked = append(asked, p)
		}
	}
	if len(asked) == 0 {
		err = fmt.Errorf("-only is %q, which is in none of these: %s", b.only, strings.Join(names, ", "))
	}
	return asked, err
}

// large are the trails of the size asked for, busy objects of 1,000 records;
// tenth are the same, a tenth of it.
func (b *bench) large(ctx context.Context, form ...string) (corpus, error) {
	return b.sized(ctx, "large", b.size, form...)
}

func (b *bench) tenth(ctx context.Context, form ...string) (corpus, error) {
	return b.sized(ctx, "tenth", b.size/10, form...)
}

func (b *bench) sized(ctx context.Context, name string, size int64, form ...string) (corpus, error) {
	for _, f := range form {
		name += f
	}
	return b.corpus(ctx, name, append([]string{"-seed", "1", "-records", "1000", "-bytes", fmt.Sprint(size)}, form...)...)
}
