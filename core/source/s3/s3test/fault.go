package s3test

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Fault is one thing that goes wrong, for the requests it fits. Of what goes
// wrong set one of the fields.
type Fault struct {
	Op    string                // [List], [Get] …; "" is all
	Key   func(key string) bool // of a listing its prefix; nil is all
	First int                   // only so many of them; 0 is all
	Every int                   // only every so many-th of them, the first included; 0 is all

	Status  int    // answer with it, and with
	Code    string // this code: AccessDenied, SlowDown, InternalError, NoSuchKey
	Message string // "" is the code

	ResetAfter int           // reset the connection after so many bytes of the body
	CutAfter   int           // end the connection after so many bytes, all having been promised
	ShortBy    int           // leave out so many bytes at the end, under a length that fits
	Drip       time.Duration // between every 1 KiB of the body

	Hide   func(key string) bool // keys a listing does not show
	Before func(r *http.Request) // is called before the request is passed on unharmed
}

// Key returns a condition for one key.
func Key(key string) func(string) bool { return func(k string) bool { return k == key } }

// fault is a Fault that is or was switched on.
type fault struct {
	Fault
	seen, met int
	off       bool
}

// meets counts a request that fits and says whether it is broken.
func (f *fault) meets(op, key string) bool {
	if f.off || f.Op != "" && f.Op != op || f.Fault.Key != nil && !f.Fault.Key(key) {
		return false
	}
	f.seen++
	if f.Every > 1 && f.seen%f.Every != 1 || f.First > 0 && f.met >= f.First {
		return false
	}
	f.met++
	return true
}

// refuse answers as S3 answers what it does not do.
func (f *fault) refuse(w http.ResponseWriter, key string) {
	message := f.Message
	if message == "" {
		message = f.Code
	}
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("X-Amz-Request-Id", "TRAILSHIPTEST")
	w.WriteHeader(f.Status)
	text, err := xml.Marshal(struct {
		XMLName                       xml.Name `xml:"Error"`
		Code, Message, Key, RequestId string
	}{Code: f.Code, Message: message, Key: key, RequestId: "TRAILSHIPTEST"})
	if err == nil {
		fmt.Fprintf(w, "%s%s", xml.Header, text)
	}
}

// body is what a client gets of an answer's body.
func (f *fault) body(resp *http.Response) io.ReadCloser {
	switch {
	case f.ShortBy > 0:
		n := max(0, resp.ContentLength-int64(f.ShortBy))
		resp.ContentLength = n
		resp.Header.Set("Content-Length", strconv.FormatInt(n, 10))
		return body{io.LimitReader(resp.Body, n), resp.Body}
	case f.CutAfter > 0:
		return body{&breaking{r: resp.Body, left: f.CutAfter}, resp.Body}
	case f.ResetAfter > 0:
		return body{&breaking{r: resp.Body, left: f.ResetAfter, reset: true, conn: connOf(resp.Request.Context())}, resp.Body}
	case f.Drip > 0:
		return body{&dripping{ctx: resp.Request.Context(), r: resp.Body, pause: f.Drip}, resp.Body}
	}
	return resp.Body
}

type body struct {
	io.Reader
	io.Closer
}

// breaking is a body that breaks off: the proxy then ends the connection.
type breaking struct {
	r     io.Reader
	left  int
	reset bool
	conn  net.Conn
}

func (b *breaking) Read(p []byte) (int, error) {
	if b.left <= 0 {
		if tcp, ok := b.conn.(*net.TCPConn); ok && b.reset {
			_ = tcp.SetLinger(0) // closing it now resets it
		}
		return 0, io.ErrUnexpectedEOF
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// dripping is a body that comes slowly.
type dripping struct {
	ctx   context.Context
	r     io.Reader
	pause time.Duration
}

func (d *dripping) Read(p []byte) (int, error) {
	select {
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	case <-time.After(d.pause):
		return d.r.Read(p[:min(len(p), 1024)])
	}
}

// keyIn is the key of an entry of a listing.
func keyIn(entry string, encoded bool) string {
	_, after, _ := strings.Cut(entry, "<Key>")
	key, _, _ := strings.Cut(after, "</Key>")
	var plain struct {
		Key string `xml:",chardata"`
	}
	if xml.Unmarshal([]byte("<k>"+key+"</k>"), &plain) == nil {
		key = plain.Key
	}
	if decoded, err := url.QueryUnescape(key); err == nil && encoded {
		key = decoded
	}
	return key
}

type contextKey int

const (
	faultKey contextKey = iota
	connKey
)

func withFault(ctx context.Context, f *fault) context.Context {
	return context.WithValue(ctx, faultKey, f)
}

func faultOf(ctx context.Context) *fault {
	f, _ := ctx.Value(faultKey).(*fault)
	return f
}

func connOf(ctx context.Context) net.Conn {
	conn, _ := ctx.Value(connKey).(net.Conn)
	return conn
}
