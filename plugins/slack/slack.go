// Package slack is the output that posts each alert as a message in Slack,
// through an incoming webhook or as a bot.
package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/trailship/trailship/plugins/sdk"
)

// Serve is the plugin's main function.
func Serve() {
	sdk.Serve("slack", func(_ context.Context, c config) (sdk.Output, error) { return c.open() })
}

type config struct {
	WebhookURL sdk.Secret    `json:"webhook_url" doc:"An incoming webhook, which knows its channel. Either this, or token and channel"`
	Token      sdk.Secret    `json:"token" doc:"A bot's token (xoxb-…) with the scope chat:write"`
	Channel    string        `json:"channel" doc:"The channel the bot posts to: its id (C…), or its name"`
	APIURL     string        `json:"api_url" default:"https://slack.com/api" doc:"Of the Web API; GovSlack has another"`
	Interval   time.Duration `json:"interval" default:"1s" doc:"Between messages, after the first five of a burst. 0s: as fast as Slack takes them"`
	Timeout    time.Duration `json:"timeout" default:"10s" doc:"Of one request"`
}

// open reads the configuration; nothing is sent.
func (c config) open() (sdk.Output, error) {
	p := &poster{
		pace: pace{interval: c.Interval},
		client: &http.Client{
			Timeout: or(c.Timeout, 10*time.Second),
			// A redirect would carry the secrets to another place.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport:     http.DefaultTransport.(*http.Transport).Clone(),
		},
	}
	switch {
	case c.WebhookURL != "" && (c.Token != "" || c.Channel != ""):
		return nil, sdk.Invalidf("/webhook_url", "is one way and token with channel the other: choose one")
	case c.WebhookURL != "":
		p.url = string(c.WebhookURL)
		u, err := webURL(p.url)
		if err != nil {
			return nil, sdk.Invalidf("/webhook_url", "%v", err)
		}
		sdk.Hide(u.Path) // whoever knows the path can post
	case c.Token == "" || c.Channel == "":
		return nil, errors.New("needs webhook_url, or token and channel")
	default:
		return p, p.asBot(c)
	}
	return p, nil
}

// asBot makes the poster one that uses the Web API.
func (p *poster) asBot(c config) error {
	var errs []error
	if _, err := webURL(or(c.APIURL, "https://slack.com/api")); err != nil {
		errs = append(errs, sdk.Invalidf("/api_url", "%v", err))
	}
	if !httpguts.ValidHeaderFieldValue(string(c.Token)) {
		errs = append(errs, sdk.Invalidf("/token", "is no token: it has line ends"))
	}
	p.url = strings.TrimSuffix(or(c.APIURL, "https://slack.com/api"), "/") + "/chat.postMessage"
	p.token, p.channel = string(c.Token), c.Channel
	return errors.Join(errs...)
}

// webURL reads a URL, which an error does not quote.
func webURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("must be a URL that begins with https:// or http://")
	}
	return u, nil
}

// poster is the Output.
type poster struct {
	url            string
	token, channel string // "" for a webhook
	pace           pace
	client         *http.Client
}

// Deliver posts the alerts one after the other, as in the channel the order
// is seen. Those that would come too fast are left for later, each for the
// second that is free for it.
func (p *poster) Deliver(ctx context.Context, alerts []sdk.Alert) error {
	failed := sdk.Failed{}
	for i, a := range alerts {
		if wait := p.pace.next(time.Now()); wait > 0 {
			for j, rest := range alerts[i:] {
				failed[rest.ID] = sdk.RetryAfter(errors.New("waiting for its turn: Slack takes one message a second"), wait+time.Duration(j)*p.pace.interval)
			}
			return failed
		}
		err := p.post(ctx, a)
		if err == nil {
			continue
		}
		failed[a.ID] = err
		if _, after := sdk.Judge(err); after > 0 || ctx.Err() != nil {
			for _, rest := range alerts[i+1:] {
				failed[rest.ID] = err
			}
			return failed
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return failed
}

// post makes one message.
func (p *poster) post(ctx context.Context, a sdk.Alert) error {
	text, err := json.Marshal(newMessage(a, p.channel))
	if err != nil {
		return sdk.Permanent(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(text))
	if err != nil {
		return sdk.Permanent(errors.New("the request cannot be made"))
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("User-Agent", "trailship")
	if p.token == "" {
		return sdk.HTTP(p.client.Do(req))
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	resp, err := p.client.Do(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		return sdk.HTTP(resp, err)
	}
	defer resp.Body.Close()
	return judge(io.LimitReader(resp.Body, 64<<10))
}

// passing are the errors of the Web API that go away by themselves.
var passing = map[string]bool{
	"message_limit_exceeded": true, "request_timeout": true, "service_unavailable": true,
	"internal_error": true, "fatal_error": true, "team_added_to_org": true,
}

// judge reads what the Web API answers with 200: {"ok":false,"error":"…"} is a
// refusal.
func judge(body io.Reader) error {
	var answer struct {
		OK       bool   `json:"ok"`
		Error    string `json:"error"`
		Metadata struct {
			Messages []string `json:"messages"`
		} `json:"response_metadata"`
	}
	if err := json.NewDecoder(body).Decode(&answer); err != nil {
		return fmt.Errorf("the answer is not JSON: is api_url right? %w", err)
	}
	if answer.OK {
		return nil
	}
	err := fmt.Errorf("the answer is %q", strings.Join(append([]string{answer.Error}, answer.Metadata.Messages...), "; "))
	switch {
	case strings.Contains(answer.Error, "rate"):
		return sdk.RetryAfter(err, time.Minute) // Retry-After comes with 429 only
	case passing[answer.Error]:
		return err
	}
	return sdk.Permanent(err)
}

// Close lets go of idle connections.
func (p *poster) Close() error {
	p.client.CloseIdleConnections()
	return nil
}

// burst is how many messages may follow each other at once.
const burst = 5

// pace is the generic cell rate algorithm: burst messages at once, and then
// one each interval. The zero value does not wait.
type pace struct {
	interval time.Duration
	due      time.Time // when the next message is due at an even pace
}

// next takes the turn of a message and returns 0, or returns how long it is
// until there is one.
func (p *pace) next(now time.Time) time.Duration {
	if p.due.Before(now) {
		p.due = now
	}
	if wait := p.due.Sub(now) - (burst-1)*p.interval; wait > 0 {
		return wait
	}
	p.due = p.due.Add(p.interval)
	return 0
}

// or returns v, or fallback when v is zero.
func or[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}
