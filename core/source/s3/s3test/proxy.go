package s3test

import (
	"bytes"
	"context"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"sync"
	"testing"
)

// Proxy is the address trailship reads from: it passes on to a [Gateway], as
// signed, breaks what it was told to break, and counts. Safe for concurrent
// use.
type Proxy struct {
	URL string

	reverse http.Handler
	mu      sync.Mutex
	faults  []*fault
	counts  map[string]int
}

// Of a request: what it asks for.
const (
	List   = "LIST"
	Get    = "GET"
	Head   = "HEAD"
	Put    = "PUT"
	Delete = "DELETE"
)

// NewProxy starts a proxy on loopback that stops with the test.
func NewProxy(t testing.TB, g *Gateway) *Proxy {
	t.Helper()
	p := &Proxy{counts: map[string]int{}}
	p.reverse = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", "s3.test"
			r.Out.Host = r.In.Host // it is signed
		},
		Transport:      &http.Transport{DialContext: g.dial, DisableCompression: true, MaxIdleConnsPerHost: 32},
		FlushInterval:  -1,
		ErrorLog:       log.New(io.Discard, "", 0),
		ModifyResponse: p.damage,
	}
	server := httptest.NewUnstartedServer(p)
	server.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, connKey, c)
	}
	server.Start()
	t.Cleanup(server.Close)
	p.URL = server.URL
	return p
}

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	op, key := operation(r)
	f := p.begin(op, key)
	if f == nil {
		p.reverse.ServeHTTP(w, r)
		return
	}
	if f.Before != nil {
		f.Before(r)
	}
	if f.Status != 0 {
		f.refuse(w, key)
		return
	}
	p.reverse.ServeHTTP(w, r.WithContext(withFault(r.Context(), f)))
}

// operation tells what a request is about: of a listing the key is its prefix.
func operation(r *http.Request) (op, key string) {
	_, key, _ = strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if key != "" || r.Method != http.MethodGet {
		return r.Method, key
	}
	return List, r.URL.Query().Get("prefix")
}

// begin counts a request and picks the fault it meets: the newest that fits.
func (p *Proxy) begin(op, key string) *fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts[op]++
	for i := len(p.faults) - 1; i >= 0; i-- {
		if f := p.faults[i]; f.meets(op, key) {
			return f
		}
	}
	return nil
}

// Counts returns how many requests there were so far, by [List], [Get] and so
// on.
func (p *Proxy) Counts() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.counts)
}

// Break switches a fault on and returns what switches it off again.
func (p *Proxy) Break(f Fault) (mend func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := &fault{Fault: f}
	p.faults = append(p.faults, one)
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		one.off = true
	}
}

// Met returns how many requests the faults met so far.
func (p *Proxy) Met() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.faults {
		n += f.met
	}
	return n
}

// damage changes an answer on its way back.
func (p *Proxy) damage(resp *http.Response) error {
	f := faultOf(resp.Request.Context())
	if f == nil || resp.StatusCode >= 300 {
		return nil
	}
	if f.Hide != nil {
		return hide(resp, f.Hide)
	}
	resp.Body = f.body(resp)
	return nil
}

// hide leaves keys out of a listing.
func hide(resp *http.Response, hidden func(key string) bool) error {
	text, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return err
	}
	encoded := bytes.Contains(text, []byte("<EncodingType>url<"))
	var out strings.Builder
	for rest := string(text); ; {
		before, after, ok := strings.Cut(rest, "<Contents>")
		out.WriteString(before)
		if !ok {
			break
		}
		entry, after, _ := strings.Cut(after, "</Contents>")
		if !hidden(keyIn(entry, encoded)) {
			out.WriteString("<Contents>" + entry + "</Contents>")
		}
		rest = after
	}
	resp.Body = io.NopCloser(bytes.NewReader([]byte(out.String())))
	resp.ContentLength = int64(out.Len())
	resp.Header.Del("Content-Length")
	return nil
}
