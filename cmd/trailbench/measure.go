package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// cost is what processes took, with those they started and waited for.
type cost struct {
	CPU  float64 `json:"cpu"`  // user and system time, seconds
	Wall float64 `json:"wall"` // seconds
	RSS  int64   `json:"rss"`  // peak bytes of the largest process
	// Together is the sum of the peaks of a process and its children; what they
	// share, such as the text of their program, is counted in each.
	Together int64 `json:"together"`
}

// job is something that can be done again and again.
type job struct {
	name string
	run  func(context.Context) (cost, error)
	// ids of the records that matched in the last run; nil when the job has none.
	ids func() (map[string]bool, error)
}

// command is one process. It has one core, all processes of a job the same, so
// that what they take is neither more nor less for what goes on beside them.
type command struct {
	args  []string
	in    string // folder to run in
	cores int    // at most so many for it and for each of its children; 0 is one
}

// pipeline runs commands at the same time, each reading what the one before
// writes. What the last one writes goes to the file out; "" is nowhere.
func pipeline(ctx context.Context, out string, commands ...command) (total cost, err error) {
	began := time.Now()
	var running []*started
	var from *os.File
	for i, c := range commands {
		to, next, err := output(out, i == len(commands)-1)
		if err != nil {
			return total, err
		}
		s, err := c.start(ctx, from, to)
		closeAll(from, to)
		if err != nil {
			closeAll(next)
			return total, errors.Join(err, finish(running, &total))
		}
		running, from = append(running, s), next
	}
	err = finish(running, &total)
	total.Wall = time.Since(began).Seconds()
	return total, err
}

// output is where a command writes, and where the next one reads that.
func output(out string, last bool) (to, next *os.File, err error) {
	if !last {
		next, to, err = os.Pipe()
		return to, next, err
	}
	to, err = os.Create(cmp.Or(out, os.DevNull))
	return to, nil, err
}

func closeAll(files ...*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close() // read or written by a process with an end of its own
		}
	}
}

type started struct {
	*exec.Cmd
	complaint *tail
}

func (c command) start(ctx context.Context, from, to *os.File) (*started, error) {
	s := &started{exec.CommandContext(ctx, c.args[0], c.args[1:]...), &tail{}}
	s.Dir, s.Stdout, s.Stderr = c.in, to, s.complaint
	if from != nil {
		s.Stdin = from
	}
	start := s.Start
	if c.cores > 1 {
		s.Env = append(os.Environ(), fmt.Sprint("GOMAXPROCS=", c.cores))
	} else {
		start = func() error { return onOneCore(s.Start) }
	}
	if err := start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", c.args[0], err)
	}
	return s, nil
}

// finish waits for all and adds up what they took.
func finish(running []*started, total *cost) error {
	var errs []error
	stop, peaks := make(chan struct{}), make(chan int64)
	for _, s := range running {
		go func() { peaks <- watch(s.Process.Pid, stop) }()
	}
	for _, s := range running {
		if err := s.Wait(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w\n%s", s.Path, err, s.complaint.text))
		}
		total.add(s.ProcessState)
	}
	close(stop)
	for range running {
		total.Together = max(total.Together, <-peaks)
	}
	return errors.Join(errs...)
}

// add adds what an ended process took. The kernel counts its children in when
// it waited for them.
func (c *cost) add(p *os.ProcessState) {
	c.CPU += (p.UserTime() + p.SystemTime()).Seconds()
	if u, ok := p.SysUsage().(*syscall.Rusage); ok {
		c.RSS = max(c.RSS, u.Maxrss<<10) // Linux counts in KiB
	}
}

// tail keeps the end of what a process complained about.
type tail struct{ text string }

func (t *tail) Write(p []byte) (int, error) {
	t.text += string(p)
	t.text = t.text[max(0, len(t.text)-2000):]
	return len(p), nil
}

var _ io.Writer = (*tail)(nil)

// spread is the middle and the ends of some figures.
type spread struct {
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	Max    float64 `json:"max"`
	N      int     `json:"n"`
}

// spreadOf sums figures up. Of an even number the median is the mean of the
// two in the middle.
func spreadOf(figures []float64) spread {
	if len(figures) == 0 {
		return spread{}
	}
	s := slices.Sorted(slices.Values(figures))
	n := len(s)
	return spread{s[0], (s[(n-1)/2] + s[n/2]) / 2, s[n-1], n}
}

func (s spread) String() string { return fmt.Sprintf("%.2f (%.2f to %.2f)", s.Median, s.Min, s.Max) }

// duel is two jobs in turns.
type duel struct{ a, b []cost }

// inTurns runs A B A B …, n times each, and compares the records they found.
func inTurns(ctx context.Context, n int, a, b job) (d duel, err error) {
	for range n {
		for _, side := range []struct {
			job
			costs *[]cost
		}{{a, &d.a}, {b, &d.b}} {
			c, err := side.run(ctx)
			if err != nil {
				return d, fmt.Errorf("running %s: %w", side.name, err)
			}
			*side.costs = append(*side.costs, c)
		}
	}
	return d, agree(a, b)
}

// ratios are what b took for each unit a took, pair by pair.
func (d duel) ratios(of func(cost) float64) spread {
	var all []float64
	for i := range d.a {
		all = append(all, of(d.b[i])/of(d.a[i]))
	}
	return spreadOf(all)
}

func figures(costs []cost, of func(cost) float64) spread {
	var all []float64
	for _, c := range costs {
		all = append(all, of(c))
	}
	return spreadOf(all)
}

func cpu(c cost) float64  { return c.CPU }
func wall(c cost) float64 { return c.Wall }
func rss(c cost) float64  { return float64(c.RSS) / (1 << 20) }
func both(c cost) float64 { return float64(c.Together) / (1 << 20) }

// agree fails when two jobs that name what matched do not name the same.
func agree(a, b job) error {
	if a.ids == nil || b.ids == nil {
		return nil
	}
	ours, err := a.ids()
	if err != nil {
		return fmt.Errorf("reading what %s wrote: %w", a.name, err)
	}
	theirs, err := b.ids()
	if err != nil {
		return fmt.Errorf("reading what %s wrote: %w", b.name, err)
	}
	return sameIDs(a.name, b.name, ours, theirs)
}

// sameIDs names some of the ids that only one side has.
func sameIDs(a, b string, of, and map[string]bool) error {
	onlyA, onlyB := missing(of, and), missing(and, of)
	if len(onlyA) == 0 && len(onlyB) == 0 {
		return nil
	}
	return fmt.Errorf("they do not match the same records: %s %d, %s %d; only %s: %s; only %s: %s",
		a, len(of), b, len(and), a, some(onlyA), b, some(onlyB))
}

func missing(from, in map[string]bool) (ids []string) {
	for id := range from {
		if !in[id] {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func some(ids []string) string {
	if len(ids) > 3 {
		return fmt.Sprintf("%s and %d more", strings.Join(ids[:3], " "), len(ids)-3)
	}
	return cmp.Or(strings.Join(ids, " "), "none")
}
