package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"text/tabwriter"
)

// report is what was measured.
type report struct {
	About   []string    `json:"about"`
	Noise   spread      `json:"noise"` // CPU of the same job, twice in turns
	Peers   []peerRow   `json:"peers,omitempty"`
	Engines []engineRow `json:"engines,omitempty"`
	Goals   []goal      `json:"goals"`
	Skipped []string    `json:"skipped,omitempty"`
	Notes   []string    `json:"notes,omitempty"`
}

// peerRow is a peer beside us, the same job over the same records.
type peerRow struct {
	Peer       string  `json:"peer"`
	Input      string  `json:"input"`
	Conditions int     `json:"conditions"` // 0 for peers that only inflate
	Records    int     `json:"records"`
	Matched    int     `json:"matched"` // the same ids on both sides
	Ours       spread  `json:"ours"`    // CPU seconds
	Theirs     spread  `json:"theirs"`
	Ratio      spread  `json:"ratio"` // theirs to ours, pair by pair
	Rate       float64 `json:"rate"`  // their records for a CPU second
	OurRate    float64 `json:"our_rate"`
}

// engineRow is another rule engine beside ours, on events in hand.
type engineRow struct {
	Engine     string `json:"engine"`
	Conditions int    `json:"conditions"`
	Ours       spread `json:"ours"` // CPU µs for an event
	Theirs     spread `json:"theirs"`
	Ratio      spread `json:"ratio"`
}

// goal is a figure and what it should be.
type goal struct {
	What    string  `json:"what"`
	Unit    string  `json:"unit"`
	Figure  spread  `json:"figure"`
	AtLeast bool    `json:"at_least"` // more is better
	Floor   float64 `json:"floor,omitempty"`
	Wanted  float64 `json:"wanted,omitempty"`
	Verdict string  `json:"verdict,omitempty"` // wanted, floor or missed
}

func (r *report) atMost(what, unit string, s spread, floor, wanted float64) {
	r.goal(goal{What: what, Unit: unit, Figure: s, Floor: floor, Wanted: wanted})
}

func (r *report) atLeast(what, unit string, s spread, floor, wanted float64) {
	r.goal(goal{What: what, Unit: unit, Figure: s, AtLeast: true, Floor: floor, Wanted: wanted})
}

// told is a figure without a goal.
func (r *report) told(what, unit string, s spread) {
	r.Goals = append(r.Goals, goal{What: what, Unit: unit, Figure: s})
}

func (r *report) goal(g goal) {
	g.Verdict = verdict(g)
	r.Goals = append(r.Goals, g)
}

// verdict judges the median.
func verdict(g goal) string {
	reaches := func(limit float64) bool {
		return g.AtLeast && g.Figure.Median >= limit || !g.AtLeast && g.Figure.Median <= limit
	}
	switch {
	case reaches(g.Wanted):
		return "wanted"
	case reaches(g.Floor):
		return "floor"
	}
	return "missed"
}

func (r *report) skip(format string, args ...any) {
	r.Skipped = append(r.Skipped, fmt.Sprintf(format, args...))
}

func (r *report) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// about says what was measured where.
func (r *report) about(ctx context.Context, b *bench) error {
	version, err := exec.CommandContext(ctx, b.trailship, "version").Output()
	if err != nil {
		return fmt.Errorf("asking %s for its version: %w", b.trailship, err)
	}
	line, _, _ := strings.Cut(string(version), "\n")
	r.About = append(r.About, line, fmt.Sprintf("%s, %d cores", processor(), runtime.NumCPU()))
	return nil
}

// processor is its name, as Linux tells it.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo") // elsewhere it goes without a name
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.Trim(name, "\t :\n")
		}
	}
	return runtime.GOARCH
}

func (r *report) noise(d duel, c corpus) {
	r.Noise = d.ratios(cpu)
	r.About = append(r.About, fmt.Sprintf("large trails: %v", c))
	r.told("the job, 10 rules: records for a CPU second", "", figures(append(d.a, d.b...), func(took cost) float64 { return float64(c.Records) / took.CPU }))
	r.told("the job, 10 rules: MB for a CPU second", "", figures(append(d.a, d.b...), func(took cost) float64 { return float64(c.Bytes) / 1e6 / took.CPU }))
	r.told("the job, 10 rules: peak memory", "MiB", figures(append(d.a, d.b...), rss))
}

// peer adds a comparison, and the goals that are set on it.
func (r *report) peer(p peer, conditions, matched int, c corpus, d duel) {
	row := peerRow{Peer: p.name, Input: p.input, Conditions: conditions, Records: c.Records, Matched: matched,
		Ours: figures(d.a, cpu), Theirs: figures(d.b, cpu), Ratio: d.ratios(cpu)}
	row.Rate, row.OurRate = float64(c.Records)/row.Theirs.Median, float64(c.Records)/row.Ours.Median
	if !p.filters {
		row.Conditions = 0
	}
	r.Peers = append(r.Peers, row)
	switch inverse := (duel{d.b, d.a}).ratios(cpu); {
	case p.name == "zcat":
		r.atMost("CPU of the job, 10 rules, to zcat's", "×", inverse, 0.75, 0.50)
	case p.name == "libdeflate-gunzip":
		r.atMost("CPU of the job, 10 rules, to libdeflate-gunzip's", "×", inverse, 3.5, 2.5)
	case p.name == "duckdb" && conditions == 10:
		r.atLeast("records for a CPU second, to DuckDB's projected read, 10 rules", "×", row.Ratio, 1.5, 2.5)
	case p.name == "jq" || p.name == "gojq":
		floor, wanted := 8.0, 15.0
		if conditions == 100 {
			floor, wanted = 20, 40
		}
		r.atLeast(fmt.Sprintf("records for a CPU second, to %s, %d rules", p.name, conditions), "×", row.Ratio, floor, wanted)
	}
}

func (r *report) engine(name string, conditions int, ours, theirs, ratio spread) {
	r.Engines = append(r.Engines, engineRow{name, conditions, ours, theirs, ratio})
}

func (r report) write(w io.Writer, format string) error {
	if format == "json" {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, line := range r.About {
		fmt.Fprintln(t, line)
	}
	if r.Noise.N > 0 {
		fmt.Fprintf(t, "noise: the same job twice in turns, CPU of the second to the first: %v\n", r.Noise)
	}
	r.writePeers(t)
	r.writeEngines(t)
	r.writeGoals(t)
	for _, line := range append(r.Notes, r.Skipped...) {
		fmt.Fprintln(t, line)
	}
	return t.Flush()
}

func (r report) writePeers(w io.Writer) {
	if len(r.Peers) == 0 {
		return
	}
	fmt.Fprint(w, "\npeer\treads\tconditions\trecords\tmatch\tCPU s\tours\tpeer ÷ ours\trecords/CPU s\tours\n")
	for _, p := range r.Peers {
		conditions, matched := fmt.Sprint(p.Conditions), fmt.Sprint(p.Matched)
		if p.Conditions == 0 {
			conditions, matched = "-", "-"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%.2f\t%.2f\t%v\t%.0f\t%.0f\n",
			p.Peer, p.Input, conditions, p.Records, matched, p.Theirs.Median, p.Ours.Median, p.Ratio, p.Rate, p.OurRate)
	}
}

func (r report) writeEngines(w io.Writer) {
	if len(r.Engines) == 0 {
		return
	}
	fmt.Fprint(w, "\nrules alone\tconditions\tCPU µs/event\tours\tengine ÷ ours\n")
	for _, e := range r.Engines {
		fmt.Fprintf(w, "%s\t%d\t%.2f\t%.2f\t%v\n", e.Engine, e.Conditions, e.Theirs.Median, e.Ours.Median, e.Ratio)
	}
}

func (r report) writeGoals(w io.Writer) {
	fmt.Fprint(w, "\nwhat\tfigure\tfloor\twanted\tverdict\n")
	for _, g := range r.Goals {
		floor, wanted := "", ""
		if sign := map[bool]string{true: "≥ ", false: "≤ "}[g.AtLeast]; g.Verdict != "" {
			floor, wanted = sign+number(g.Floor), sign+number(g.Wanted)
		}
		fmt.Fprintf(w, "%s\t%s%s (%s to %s, %d runs)\t%s\t%s\t%s\n", g.What, number(g.Figure.Median), strings.TrimSuffix(" "+g.Unit, " "),
			number(g.Figure.Min), number(g.Figure.Max), g.Figure.N, floor, wanted, g.Verdict)
	}
	fmt.Fprintln(w)
}

// number shows three digits of small figures and no fraction of large ones.
func number(f float64) string {
	switch {
	case f >= 100:
		return fmt.Sprintf("%.0f", f)
	case f >= 10:
		return fmt.Sprintf("%.1f", f)
	}
	return fmt.Sprintf("%.2f", f)
}
