// Command engines times other rule engines, cel-go and OPA, on decoded events,
// for trailbench, which writes what it reads. It is a module of its own, so
// that trailship does not depend on them.
//
//	engines -engine cel-go -rules rules.txt -events events.ndjson -rounds 50
//
// An event is a flat object of texts. For cel-go a rule is a line; for opa the
// file is a module of package bench, whose set `hits` holds the rules that
// match.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"cel.dev/cel-go/cel"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "engines:", err)
		os.Exit(1)
	}
}

// result is what trailbench reads.
type result struct {
	Events int      `json:"events"` // evaluated, all rounds together
	CPU    float64  `json:"cpu"`    // seconds of the rounds, loading left out
	IDs    []string `json:"ids"`    // of the events that match a rule
}

type event = map[string]any

// matcher says whether any rule matches event number i.
type matcher func(i int) (bool, error)

func run(ctx context.Context, args []string, stdout io.Writer) error {
	f := flag.NewFlagSet("engines", flag.ContinueOnError)
	engine := f.String("engine", "", "cel-go or opa")
	rules := f.String("rules", "", "file of rules")
	events := f.String("events", "", "file of events, one JSON object a line")
	rounds := f.Int("rounds", 1, "how often every event is evaluated")
	if err := f.Parse(args); err != nil {
		return err
	}
	text, err := os.ReadFile(*rules)
	if err != nil {
		return err
	}
	all, err := read(*events)
	if err != nil {
		return err
	}
	var match matcher
	switch *engine {
	case "cel-go":
		match, err = celMatcher(string(text), all)
	case "opa":
		match, err = opaMatcher(ctx, string(text), all)
	default:
		err = fmt.Errorf("no engine is called %q: cel-go and opa are known", *engine)
	}
	if err != nil {
		return err
	}
	out, err := timed(match, all, *rounds)
	if err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(out)
}

func read(path string) (all []event, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	for d := json.NewDecoder(bufio.NewReader(file)); ; {
		var ev event
		if err := d.Decode(&ev); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
		all = append(all, ev)
	}
}

// timed evaluates all events once for their ids, and then against the clock.
func timed(match matcher, all []event, rounds int) (result, error) {
	out := result{Events: rounds * len(all), IDs: []string{}}
	for i, ev := range all {
		hit, err := match(i)
		if err != nil {
			return out, err
		}
		if hit {
			out.IDs = append(out.IDs, fmt.Sprint(ev["id"]))
		}
	}
	began := processorTime()
	for range rounds {
		for i := range all {
			if _, err := match(i); err != nil {
				return out, err
			}
		}
	}
	out.CPU = (processorTime() - began).Seconds()
	return out, nil
}

func celMatcher(text string, all []event) (matcher, error) {
	var fields []cel.EnvOption
	for name := range all[0] {
		fields = append(fields, cel.Variable(name, cel.StringType))
	}
	env, err := cel.NewEnv(fields...)
	if err != nil {
		return nil, err
	}
	var programs []cel.Program
	for line := range strings.Lines(text) {
		checked, issues := env.Compile(line)
		if err := issues.Err(); err != nil {
			return nil, err
		}
		program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize))
		if err != nil {
			return nil, err
		}
		programs = append(programs, program)
	}
	return func(i int) (bool, error) {
		// Every rule is asked, as a program that tells all that match must.
		hit := false
		for _, p := range programs {
			value, _, err := p.Eval(all[i])
			if err != nil {
				return false, err
			}
			hit = value.Value() == true || hit
		}
		return hit, nil
	}, nil
}

func opaMatcher(ctx context.Context, text string, all []event) (matcher, error) {
	query, err := rego.New(rego.Query("data.bench.hits"), rego.Module("bench.rego", text)).PrepareForEval(ctx)
	if err != nil {
		return nil, err
	}
	var inputs []ast.Value
	for _, ev := range all {
		value, err := ast.InterfaceToValue(ev)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, value)
	}
	return func(i int) (bool, error) {
		results, err := query.Eval(ctx, rego.EvalParsedInput(inputs[i]))
		if err != nil || len(results) == 0 {
			return false, err
		}
		hits, _ := results[0].Expressions[0].Value.([]any)
		return len(hits) > 0, nil
	}, nil
}

func processorTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u) // cannot fail for the process itself
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
