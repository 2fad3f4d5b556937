// Package stdout is the output that prints alerts on the daemon's standard
// output: a line for people, or the alert as JSON.
package stdout

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"github.com/trailship/trailship/plugins/sdk"
)

// Serve is the plugin's main function.
func Serve() {
	// With `stty tostop` a write from outside the foreground group would stop
	// the process; ignored, the write just happens.
	signal.Ignore(syscall.SIGTTOU)
	sdk.Serve("stdout", func(_ context.Context, c config) (sdk.Output, error) { return c.open() })
}

type config struct {
	Format string `json:"format" enum:"text,json" default:"text" doc:"text: a line for people; json: the alert as it is, one line each"`
	Color  string `json:"color" enum:"auto,always,never" default:"auto" doc:"Colour in text lines; auto: on a terminal without NO_COLOR"`
}

func (c config) open() (sdk.Output, error) {
	f, err := sdk.Stdout()
	if err != nil {
		return nil, err
	}
	colour := c.Color == "always" || c.Color != "never" && term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == ""
	render := func(dst []byte, a sdk.Alert) []byte { return appendText(dst, a, colour) }
	if c.Format == "json" {
		render = appendJSON
	}
	return &printer{w: f, render: render}, nil
}

// printer writes each batch with one Write, which returns when the bytes are
// where the daemon's standard output goes.
type printer struct {
	w      io.Writer
	render func(dst []byte, a sdk.Alert) []byte
}

func (p *printer) Deliver(_ context.Context, alerts []sdk.Alert) error {
	var text []byte
	for _, a := range alerts {
		text = append(p.render(text, a), '\n')
	}
	if _, err := p.w.Write(text); err != nil {
		return fmt.Errorf("writing to the daemon's standard output: %w", err)
	}
	return nil
}

// KeepsNothing makes printer an sdk.Borrower.
func (p *printer) KeepsNothing() {}

func (p *printer) Close() error { return nil }
