package plugins_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trailship/trailship/plugins/opensearch/bulktest"
	"github.com/trailship/trailship/plugins/sdk/sdktest"
)

// bin holds what a destination was sent.
type bin struct {
	mu    sync.Mutex
	items []string
	more  chan struct{} // closed with the next item; nil while nobody waits
}

func (b *bin) add(item string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.items = append(b.items, item)
	if b.more != nil {
		close(b.more)
		b.more = nil
	}
}

// wait returns when there are n items, or ctx is over.
func (b *bin) wait(ctx context.Context, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.items) < n && ctx.Err() == nil {
		if b.more == nil {
			b.more = make(chan struct{})
		}
		more := b.more
		b.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
		}
		b.mu.Lock()
	}
}

func (b *bin) held(context.Context) ([]string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.items[:len(b.items):len(b.items)], nil
}

// all is held once there is something of every hostile value: a message that was
// sent need not be read yet.
func (b *bin) all(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	b.wait(ctx, len(hostileValues))
	return b.held(ctx)
}

func intoSlack(t *testing.T) sdktest.Plugin {
	var web sink
	server := httptest.NewServer(&web)
	t.Cleanup(server.Close)
	return sdktest.Plugin{
		Config:   asJSON(t, map[string]any{"webhook_url": server.URL + "/services/T0/B0/s3cr3t", "interval": "0s"}),
		ReadBack: web.held,
	}
}

func intoSearch(t *testing.T) sdktest.Plugin {
	server := bulktest.Server{Authorization: "Basic dHJhaWxzaGlwOnMzY3IzdC1wYXNzd29yZA==", Judge: asAsked}
	server.Start(t)
	return sdktest.Plugin{
		Config: asJSON(t, map[string]any{"url": server.URL, "username": "trailship", "password": "s3cr3t-password"}),
		ReadBack: func(context.Context) ([]string, error) {
			var all []string
			for _, doc := range server.Docs() {
				all = append(all, doc.JSON)
			}
			return all, nil
		},
	}
}

// asAsked acts on the suite's words.
func asAsked(r *http.Request, doc string) (status int, errorType string) {
	switch {
	case strings.Contains(doc, sdktest.Refuse):
		return http.StatusBadRequest, "mapper_parsing_exception"
	case strings.Contains(doc, sdktest.Busy):
		return http.StatusTooManyRequests, "es_rejected_execution_exception"
	case strings.Contains(doc, sdktest.Slow):
		select {
		case <-r.Context().Done():
		case <-time.After(30 * time.Second):
		}
	}
	return 0, ""
}

func intoSyslog(t *testing.T) sdktest.Plugin {
	var got bin
	return sdktest.Plugin{Config: asJSON(t, map[string]any{"address": listenSyslog(t, &got)}), ReadBack: got.held}
}

// listenSyslog returns the address of a server that takes messages with their
// length in front.
func listenSyslog(t *testing.T, got *bin) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	t.Cleanup(func() { l.Close(); conns.Wait() })
	conns.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { readFrames(conn, got) })
		}
	})
	return l.Addr().String()
}

// readFrames reads until the other side is done. What is no frame is kept too,
// for a test to see.
func readFrames(conn net.Conn, got *bin) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	for {
		length, err := r.ReadString(' ')
		n, wrong := strconv.Atoi(strings.TrimSuffix(length, " "))
		if err == nil && wrong != nil {
			rest, _ := io.ReadAll(r)
			got.add("not a frame: " + length + string(rest))
			return
		}
		text := make([]byte, n)
		if _, short := io.ReadFull(r, text); err != nil || short != nil {
			return
		}
		got.add(string(text))
	}
}
