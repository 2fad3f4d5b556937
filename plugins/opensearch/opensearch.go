// Package opensearch is the output that indexes alerts in OpenSearch or
// Elasticsearch, with their bulk API. An alert is a document under its id, so
// one that comes again is not there twice.
package opensearch

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/trailship/trailship/plugins/sdk"
)

// Serve is the plugin's main function.
func Serve() { serve("opensearch") }

// ServeElasticsearch is Serve under the name of the other server.
func ServeElasticsearch() { serve("elasticsearch") }

func serve(name string) {
	sdk.Serve(name, func(_ context.Context, c config) (sdk.Output, error) { return c.open() })
}

type config struct {
	URL      string        `json:"url" required:"true" doc:"Of the cluster, such as https://search.example.com:9200"`
	Index    string        `json:"index" default:"trailship-alerts-%Y.%m" doc:"The index or data stream; %Y, %m and %d are the year, month and day of the event in UTC"`
	Op       string        `json:"op" enum:"create,index" default:"create" doc:"create leaves a document that is there as it is, index writes it again"`
	Username string        `json:"username" doc:"For basic authentication"`
	Password sdk.Secret    `json:"password" doc:"For basic authentication"`
	APIKey   sdk.Secret    `json:"api_key" doc:"An API key of Elasticsearch, in its encoded form"`
	TLS      sdk.TLS       `json:"tls" doc:"Whom to trust and who to be"`
	Gzip     bool          `json:"gzip" default:"true" doc:"Compress requests"`
	Timeout  time.Duration `json:"timeout" default:"30s" doc:"Of one request"`
}

// open reads the configuration; nothing is sent.
func (c config) open() (sdk.Output, error) {
	ix := &indexer{gzip: c.Gzip, create: c.Op != "index", header: http.Header{"User-Agent": {"trailship"}}}
	var errs []error
	var err error
	if ix.url, err = bulkURL(c.URL); err != nil {
		errs = append(errs, err)
	}
	if ix.index, err = parseIndex(or(c.Index, "trailship-alerts-%Y.%m")); err != nil {
		errs = append(errs, sdk.Invalidf("/index", "%v", err))
	}
	errs = append(errs, c.authorize(ix.header))
	tls, err := c.TLS.Config("/tls")
	errs = append(errs, err)

	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = tls
	ix.client = &http.Client{
		Timeout:   or(c.Timeout, 30*time.Second),
		Transport: transport,
		// A redirect would carry the secrets to another place.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return ix, errors.Join(errs...)
}

// bulkURL returns where bulk requests go. Of the answer only what judge reads
// is asked for.
func bulkURL(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "":
		return "", sdk.Invalidf("/url", "must be a URL such as https://search.example.com:9200")
	case u.User != nil:
		return "", sdk.Invalidf("/url", "holds a password: write username and password instead")
	}
	u = u.JoinPath("_bulk")
	u.RawQuery = "filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason"
	return u.String(), nil
}

// authorize sets the header that says who we are.
func (c config) authorize(header http.Header) error {
	switch {
	case c.APIKey != "" && (c.Username != "" || c.Password != ""):
		return sdk.Invalidf("/api_key", "is one way and username with password the other: choose one")
	case c.APIKey != "":
		if !httpguts.ValidHeaderFieldValue(string(c.APIKey)) {
			return sdk.Invalidf("/api_key", "is no key: it has line ends")
		}
		header.Set("Authorization", "ApiKey "+string(c.APIKey))
	case c.Password != "" && c.Username == "":
		return sdk.Invalidf("/password", "needs username")
	case strings.Contains(c.Username, ":"):
		return sdk.Invalidf("/username", "must not have a colon")
	case c.Username != "":
		basic := base64.StdEncoding.EncodeToString([]byte(c.Username + ":" + string(c.Password)))
		sdk.Hide(basic)
		header.Set("Authorization", "Basic "+basic)
	}
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
