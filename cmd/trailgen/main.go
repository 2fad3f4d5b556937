// Command trailgen writes realistic CloudTrail and ActionTrail objects into a
// folder, for tests, benchmarks and trying rules out:
//
//	go run ./cmd/trailgen -out /tmp/trails -seed 1 -files 100 -records 1000
//
// The same flags write the same bytes. What is written is summed up on
// standard output, so that whoever reads the folder can compare.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/trailship/trailship/examples/trails"
)

func main() {
	err := run(os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "trailgen:", err)
		os.Exit(1)
	}
}

// order is what the command line asks for.
type order struct {
	trails.Options
	out, ids, format string
	story            bool
}

func run(args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	objects := o.Objects()
	if o.story {
		objects = slices.Values(trails.Story())
	}
	made, err := trails.Write(o.out, objects)
	if err != nil {
		return err
	}
	if o.ids != "" {
		if err := writeIDs(o.ids, made); err != nil {
			return err
		}
	}
	return report(stdout, o, made)
}

func parse(args []string, stderr io.Writer) (order, error) {
	var o order
	var size, start string
	f := flag.NewFlagSet("trailgen", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.out, "out", "", "folder to write into (required)")
	f.Uint64Var(&o.Seed, "seed", 1, "same seed, same bytes")
	f.IntVar(&o.Files, "files", 0, "number of objects")
	f.StringVar(&size, "bytes", "", "stop at so many inflated bytes instead, for example 1GB")
	f.IntVar(&o.Records, "records", 1000, "records in each object")
	f.StringVar(&start, "start", "2026-03-02T00:00:00Z", "time of the first object, RFC 3339")
	f.DurationVar(&o.Span, "span", 24*time.Hour, "time from the first object to the last")
	f.Float64Var(&o.Alibaba, "alibaba", 0.25, "share of objects that are ActionTrail's, 0 to 1")
	f.Float64Var(&o.Duplicates, "duplicates", 0.02, "share of records copied from an earlier object, 0 to 1")
	f.Float64Var(&o.Matching, "matching", 0.01, "share of records that schedule a KMS key for deletion, 0 to 1")
	f.BoolVar(&o.NDJSON, "ndjson", false, "plain files of one record a line instead of gzip")
	f.BoolVar(&o.Gzip, "gzip", false, "with -ndjson: compress them all the same")
	f.BoolVar(&o.story, "story", false, "write the sample of the demo instead; all but -out is ignored")
	f.StringVar(&o.ids, "ids", "", "also write the distinct record ids to this file: id, tab, matching or other")
	f.StringVar(&o.format, "o", "text", "format of the summary: text or json")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	return o, o.complete(size, start)
}

// complete reads the flags that are more than a word and checks them all.
func (o *order) complete(size, start string) error {
	if size != "" {
		n, err := humanize.ParseBytes(size)
		if err != nil {
			return fmt.Errorf("reading -bytes: %w", err)
		}
		o.Bytes = int64(n)
	}
	at, err := time.Parse(time.RFC3339, start)
	if err != nil {
		return fmt.Errorf("reading -start: %w", err)
	}
	o.Start = at
	switch {
	case o.out == "":
		return errors.New("-out is missing: say which folder to write into")
	case !o.story && o.Files <= 0 && o.Bytes <= 0:
		return errors.New("nothing to make: give -files or -bytes")
	case o.Records <= 0:
		return errors.New("-records must be at least 1")
	case o.format != "text" && o.format != "json":
		return fmt.Errorf("-o must be text or json, not %q", o.format)
	}
	for name, share := range map[string]float64{"alibaba": o.Alibaba, "duplicates": o.Duplicates, "matching": o.Matching} {
		if share < 0 || share > 1 {
			return fmt.Errorf("-%s must be between 0 and 1, not %v", name, share)
		}
	}
	return nil
}

func writeIDs(path string, made trails.Result) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("writing the ids: %w", err)
	}
	w := bufio.NewWriter(f)
	matching := made.MatchingIDs // in the order of IDs
	for _, id := range made.IDs {
		word := "other"
		if len(matching) > 0 && id == matching[0] {
			word, matching = "matching", matching[1:]
		}
		fmt.Fprintf(w, "%s\t%s\n", id, word)
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		return fmt.Errorf("writing the ids: %w", err)
	}
	return nil
}

func report(stdout io.Writer, o order, made trails.Result) error {
	if o.format == "json" {
		return json.NewEncoder(stdout).Encode(made)
	}
	ratio := 0.0
	if made.Stored > 0 {
		ratio = float64(made.Bytes) / float64(made.Stored)
	}
	_, err := io.WriteString(stdout, strings.Join([]string{
		fmt.Sprintf("files     %d", made.Files),
		fmt.Sprintf("records   %d", made.Records),
		fmt.Sprintf("distinct  %d", made.Distinct),
		fmt.Sprintf("matching  %d", made.Matching),
		fmt.Sprintf("bytes     %d inflated, %d stored (%.1f:1)", made.Bytes, made.Stored, ratio),
		fmt.Sprintf("folder    %s\n", o.out),
	}, "\n"))
	return err
}
