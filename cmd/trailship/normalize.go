package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trailship/trailship/core/decode"
	"github.com/trailship/trailship/core/event"
)

func (p *program) normalizeCommand() *cobra.Command {
	var explain bool
	c := &cobra.Command{
		Use:   "normalize [FILE...]",
		Short: "Turn raw trail records into OCSF events, one JSON object a line",
		Long: `Reads trail files in any envelope, gzipped or not, and prints each record as
an OCSF event. Without FILE, or with -, it reads standard input.

What is no trail record, or cannot be read, is named on standard error.`,
		Example: "  trailship normalize trail.json.gz | jq .api.operation\n  trailship normalize --explain record.json",
		RunE: func(c *cobra.Command, files []string) error {
			n := normalizer{program: p, explain: explain, out: bufio.NewWriter(p.stdout), reasons: map[string]int{}}
			return n.run(c.Context(), files)
		},
	}
	c.Flags().BoolVar(&explain, "explain", false, "show which part of the record each field came from")
	return c
}

// normalizer is one run of the verb.
type normalizer struct {
	*program
	explain bool
	out     *bufio.Writer
	event   event.Event
	reasons map[string]int
	damaged int
	events  int
	buf     []byte
}

func (n *normalizer) run(ctx context.Context, files []string) error {
	if len(files) == 0 {
		files = []string{"-"}
	}
	for _, name := range files {
		if err := n.file(ctx, name); err != nil {
			return err
		}
	}
	if err := n.out.Flush(); err != nil {
		return fmt.Errorf("writing events: %w", err)
	}
	for _, reason := range slices.Sorted(maps.Keys(n.reasons)) {
		n.say("rejected: %d records (%s)", n.reasons[reason], reason)
	}
	if n.events == 0 && len(n.reasons) > 0 {
		return errors.New("no record could be normalized")
	}
	if n.damaged > 0 {
		return fmt.Errorf("%d of %d files could not be read to the end", n.damaged, len(files))
	}
	return nil
}

func (n *normalizer) file(ctx context.Context, name string) error {
	in := io.NopCloser(n.stdin)
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		in = f
	}
	defer in.Close()

	r := decode.NewReader(in, decode.Limits{})
	for ctx.Err() == nil {
		rec, err := r.Next()
		if err == nil {
			err = n.record(rec)
		}
		var reject *decode.Reject
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &reject):
			n.reasons[reject.Reason]++
			fmt.Fprintf(n.stderr, "%s: %v\n", name, err)
		case isDamage(err):
			n.damaged++
			fmt.Fprintf(n.stderr, "%s: %v\n", name, err)
			return nil
		default:
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return &exitError{code: exitInterrupted}
}

func isDamage(err error) bool {
	var d *decode.Damage
	return errors.As(err, &d)
}

func (n *normalizer) record(rec decode.Record) (err error) {
	defer func() {
		if err == nil {
			n.events++
		}
	}()
	if n.explain {
		return n.explainRecord(rec)
	}
	if err := decode.Normalize(&n.event, rec); err != nil {
		return err
	}
	n.buf = append(n.event.AppendOCSF(n.buf[:0]), '\n')
	_, err = n.out.Write(n.buf)
	return err
}

// fieldName is what rules call a field, with its OCSF path when that differs.
func fieldName(o decode.Origin) string {
	switch {
	case o.Name == "" || o.Name == o.Path:
		return o.Path
	case o.Path == "":
		return o.Name
	}
	return o.Name + " = " + o.Path
}

// explainRecord prints a line per field: path, value, where it came from.
func (n *normalizer) explainRecord(rec decode.Record) error {
	origins, err := decode.Explain(rec)
	if err != nil {
		return err
	}
	width := 0
	for _, o := range origins {
		width = max(width, len(fieldName(o)))
	}
	for _, o := range origins {
		fmt.Fprintf(n.out, "%-*s  %s", width, fieldName(o), shown(o.Value))
		if o.From != "" {
			fmt.Fprintf(n.out, "  ← %s", o.From)
		}
		fmt.Fprintln(n.out)
	}
	_, err = n.out.WriteString(strings.Repeat("-", 8) + "\n")
	return err
}
