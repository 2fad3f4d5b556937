package sdk

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// answerBytes is how much of a refusal's body is worth quoting.
const answerBytes = 256

// HTTP turns the answer to an http.Client's request into the error Deliver
// returns, and closes the body: 2xx is nil; 408, 425, 429 and 5xx are tried
// again, not before a Retry-After they carry; everything else, redirects
// included, is Permanent. A request that got no answer is tried again. No
// error holds the URL, which may hold a secret.
func HTTP(resp *http.Response, err error) error {
	if err != nil {
		if resp != nil && resp.Body != nil {
			resp.Body.Close()
		}
		return withoutURL(err)
	}
	defer resp.Body.Close()
	// Reading all of a short answer lets the connection be used again.
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))

	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return nil
	}
	err = fmt.Errorf("the server answered %d %s%s", resp.StatusCode, http.StatusText(resp.StatusCode), quoted(body))
	switch {
	case resp.StatusCode == 408, resp.StatusCode == 425, resp.StatusCode == 429, resp.StatusCode >= 500:
		if after := retryAfterHeader(resp.Header.Get("Retry-After"), time.Now()); after > 0 {
			return RetryAfter(err, after)
		}
		return err
	}
	return Permanent(err)
}

// withoutURL drops the URL http.Client puts into its errors, all but the host.
func withoutURL(err error) error {
	var u *url.Error
	if !errors.As(err, &u) {
		return err
	}
	host := "the server"
	if parsed, perr := url.Parse(u.URL); perr == nil && parsed.Host != "" {
		host = parsed.Host
	}
	return fmt.Errorf("%s %s: %w", strings.ToUpper(u.Op), host, u.Err)
}

// quoted returns the beginning of a server's words, harmless on a terminal. A
// server may repeat a secret: that goes before a cut could leave a part of it.
func quoted(body []byte) string {
	text := hidden.redact(strings.ToValidUTF8(string(body), ""))
	text = strings.TrimSpace(strings.ToValidUTF8(text[:min(len(text), answerBytes)], ""))
	if text == "" {
		return ""
	}
	return ": " + strconv.Quote(text)
}

// retryAfterHeader reads seconds or a date; 0 when there is neither.
func retryAfterHeader(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseInt(value, 10, 32); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}
