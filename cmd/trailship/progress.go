package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/trailship/trailship/core/ingest"
)

// progress says how far a run over once is, in a line at the bottom of a
// terminal. Everything else that goes there is written through it. Safe for
// concurrent use.
type progress struct {
	w     io.Writer
	now   func() time.Time
	width func() int // of the terminal, in columns

	mu    sync.Mutex
	bar   *progressbar.ProgressBar
	shown bool
	began time.Time
}

// barColumns is the bar, and what is around it and the text.
const barColumns = 10 + 13

// newProgress writes to a terminal.
func newProgress(w io.Writer, now func() time.Time, width func() int) *progress {
	return &progress{w: w, now: now, width: width, began: now(), bar: progressbar.NewOptions(permille,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetWidth(10),
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionShowDescriptionAtLineEnd(),
		progressbar.OptionUseANSICodes(true),
		progressbar.OptionThrottle(0),
		progressbar.OptionSetRenderBlankState(false),
	)}
}

// permille is the length of the bar. It never gets there: a bar that is full is
// taken away.
const permille = 1000

// Write writes above the line.
func (p *progress) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hide()
	return p.w.Write(b)
}

// hide takes the line away, with the lock held.
func (p *progress) hide() {
	if p.shown {
		_ = p.bar.Clear()
		p.shown = false
	}
}

// end takes the line away for good.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hide()
}

// show draws the line.
func (p *progress) show(done ingest.Progress, found findings) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.bar.Set64(share(done, found))
	p.bar.Describe(line(done, found, p.now().Sub(p.began), p.width()-barColumns))
	p.shown = true
}

// findings is what there is to read, as far as is known.
type findings struct {
	objects, bytes int64
	whole          bool // there is no more
}

// share is how much of what was found is done.
func share(done ingest.Progress, found findings) int64 {
	part, all := done.Bytes, found.bytes
	if all == 0 {
		part, all = done.Objects, found.objects
	}
	if all == 0 {
		return 0
	}
	return min(permille-1, part*permille/all)
}

// line says how much was read, of how much, how fast, and how long it will
// take: as much of it as has room.
func line(done ingest.Progress, found findings, elapsed time.Duration, room int) string {
	more := ""
	if !found.whole {
		more = "+"
	}
	text := fmt.Sprintf("%s of %s%s objects", grouped(done.Objects), grouped(max(found.objects, done.Objects)), more)
	add := func(format string, args ...any) {
		if longer := text + ", " + fmt.Sprintf(format, args...); len(longer) <= room {
			text = longer
		}
	}
	if found.whole && done.Bytes > 0 && found.bytes > done.Bytes {
		left := time.Duration(float64(elapsed) * (float64(found.bytes)/float64(done.Bytes) - 1))
		add("%s left", left.Round(time.Second))
	}
	if elapsed >= time.Second {
		add("%s records/s", grouped(int64(float64(done.Records)/elapsed.Seconds())))
	}
	add("%s of %s%s", amount(done.Bytes), amount(max(found.bytes, done.Bytes)), more)
	add("%s records", grouped(done.Records))
	return text
}

// grouped is a number with its digits in groups of three.
func grouped(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// amount is a number of bytes in the unit that suits it.
func amount(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10) + " B"
	}
	f, unit := float64(n)/1000, 0
	for f >= 999.95 && unit < 3 {
		f, unit = f/1000, unit+1
	}
	return strconv.FormatFloat(f, 'f', 1, 64) + " " + string("kMGT"[unit]) + "B"
}

// columns is the width of the terminal w is, a usual one if it does not tell.
func columns(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			return width
		}
	}
	return 80
}

// redraw is how often the line is drawn.
const redraw = 200 * time.Millisecond

// follow shows how far the loop is until it is done, if there is somebody to
// see it. wait returns once nothing of it runs any more.
func (d *daemon) follow(ctx context.Context, l *loop) (wait func()) {
	if d.progress == nil {
		return func() {}
	}
	ctx, stop := context.WithCancel(ctx)
	survey := &survey{since: d.progress.began}
	var aside sync.WaitGroup
	aside.Go(func() { survey.run(ctx, d.sourcesOf(l.config, true), d.inlet) })
	aside.Go(func() {
		defer stop()
		for tick := time.NewTicker(redraw); ; {
			select {
			case <-tick.C:
				d.progress.show(l.Progress(), survey.found())
			case <-l.done:
				tick.Stop()
				d.progress.end()
				return
			}
		}
	})
	return aside.Wait
}
