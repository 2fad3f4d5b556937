// Package webhook is the output that sends each alert to a web server.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/sync/errgroup"

	"github.com/trailship/trailship/plugins/sdk"
)

// Serve is the plugin's main function.
func Serve() {
	sdk.Serve("webhook", func(_ context.Context, c config) (sdk.Output, error) { return c.open() })
}

type config struct {
	URL         sdk.Secret            `json:"url" required:"true" doc:"Where to send each alert; http or https"`
	Method      string                `json:"method" enum:"POST,PUT,PATCH" default:"POST" doc:"The request's method"`
	Headers     map[string]sdk.Secret `json:"headers" doc:"Headers of every request"`
	Body        string                `json:"body" doc:"A Go template over the alert, such as {\"text\": \"{{.message}}\"}; values are escaped for the content type. Default: the alert as it is"`
	ContentType string                `json:"content_type" default:"application/json" doc:"What the body is"`
	HMAC        *signature            `json:"hmac" doc:"Sign the body"`
	Timeout     time.Duration         `json:"timeout" default:"10s" doc:"Of one request"`
	Concurrency int                   `json:"concurrency" default:"4" doc:"Requests at the same time"`
}

type signature struct {
	Secret sdk.Secret `json:"secret" required:"true" doc:"The key of HMAC-SHA256"`
	Header string     `json:"header" default:"X-Trailship-Signature" doc:"Gets sha256=HEX"`
}

// open reads the configuration; nothing is sent.
func (c config) open() (sdk.Output, error) {
	h := &hook{
		url:         string(c.URL),
		method:      or(c.Method, http.MethodPost),
		header:      http.Header{"Content-Type": {or(c.ContentType, "application/json")}, "User-Agent": {"trailship"}},
		signature:   c.HMAC,
		concurrency: or(c.Concurrency, 4),
		client: &http.Client{
			Timeout: or(c.Timeout, 10*time.Second),
			// A redirect would carry the headers' secrets to another place.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport:     http.DefaultTransport.(*http.Transport).Clone(),
		},
	}
	errs := []error{checkURL(h.url), h.setHeaders(c.Headers)}
	if c.Concurrency < 0 {
		errs = append(errs, sdk.Invalidf("/concurrency", "must not be negative"))
	}
	if c.HMAC != nil {
		h.signature.Header = or(c.HMAC.Header, "X-Trailship-Signature")
		if !httpguts.ValidHeaderFieldName(h.signature.Header) {
			errs = append(errs, sdk.Invalidf("/hmac/header", "is not a header's name"))
		}
	}
	var err error
	if h.body, err = parseBody(c.Body, h.header.Get("Content-Type")); err != nil {
		errs = append(errs, sdk.Invalidf("/body", "%v", err))
	}
	return h, errors.Join(errs...)
}

// checkURL also hides the parts of the URL that may be a secret: servers like
// to repeat the path they do not know.
func checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		// url.Parse's own words would quote the URL, which may hold a secret.
		return sdk.Invalidf("/url", "must be a URL that begins with http:// or https://")
	}
	sdk.Hide(u.Path, u.RawQuery)
	for _, values := range u.Query() {
		sdk.Hide(values...)
	}
	if password, ok := u.User.Password(); ok {
		sdk.Hide(u.User.String(), password, base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password)))
	}
	return nil
}

func (h *hook) setHeaders(headers map[string]sdk.Secret) error {
	var errs []error
	for name, value := range headers {
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(string(value)) {
			errs = append(errs, sdk.Invalidf("/headers/"+name, "is not a header: a name has no spaces, a value no line ends"))
			continue
		}
		h.header.Set(name, string(value))
	}
	return errors.Join(errs...)
}

// hook is the Output.
type hook struct {
	url, method string
	header      http.Header
	body        *body
	signature   *signature
	concurrency int
	client      *http.Client
}

// Deliver sends the alerts, several at a time. When the server asks for a
// pause, or the time is over, the rest is left for later.
func (h *hook) Deliver(ctx context.Context, alerts []sdk.Alert) error {
	var mu sync.Mutex
	var stop error
	failed := sdk.Failed{}
	note := func(id string, err error) {
		mu.Lock()
		defer mu.Unlock()
		failed[id] = err
		if _, after := sdk.Judge(err); after > 0 || ctx.Err() != nil {
			stop = err
		}
	}
	stopped := func() error {
		mu.Lock()
		defer mu.Unlock()
		return stop
	}
	var group errgroup.Group
	group.SetLimit(h.concurrency)
	for _, a := range alerts {
		group.Go(func() error {
			err := stopped()
			if err == nil {
				err = h.send(ctx, a)
			}
			if err != nil {
				note(a.ID, err)
			}
			return nil
		})
	}
	group.Wait()
	if len(failed) == 0 {
		return nil
	}
	return failed
}

// send makes one request.
func (h *hook) send(ctx context.Context, a sdk.Alert) error {
	text, err := h.body.render(a)
	if err != nil {
		return sdk.Permanent(fmt.Errorf("the body's template: %w", err))
	}
	req, err := http.NewRequestWithContext(ctx, h.method, h.url, bytes.NewReader(text))
	if err != nil {
		return sdk.Permanent(errors.New("the request cannot be made"))
	}
	req.Header = h.header.Clone()
	req.Header.Set("Idempotency-Key", a.ID)
	if host := h.header.Get("Host"); host != "" {
		req.Host = host
	}
	if h.signature != nil {
		req.Header.Set(h.signature.Header, sign(string(h.signature.Secret), text))
	}
	return sdk.HTTP(h.client.Do(req))
}

// sign returns the signature of a body.
func sign(secret string, text []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(text)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// Close lets go of idle connections.
func (h *hook) Close() error {
	h.client.CloseIdleConnections()
	return nil
}

// or returns v, or fallback when v is zero.
func or[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}
