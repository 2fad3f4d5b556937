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
}

func (b *bin) add(item string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.items = append(b.items, item)
}

func (b *bin) held(context.Context) ([]string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.items[:len(b.items):len(b.items)], nil
}

// lastItem is sent by a test itself, behind everything else.
const lastItem = "nothing comes after this"

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
	server := listenSyslog(t)
	return sdktest.Plugin{Config: asJSON(t, map[string]any{"address": server.Addr().String()}), ReadBack: server.held}
}

// syslogServer takes messages with their length in front.
type syslogServer struct {
	net.Listener
	conns sync.WaitGroup
	bin
}

func listenSyslog(t *testing.T) *syslogServer {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &syslogServer{Listener: l}
	t.Cleanup(func() { s.Close(); s.conns.Wait() })
	s.conns.Go(func() {
		for {
			conn, err := s.Accept()
			if err != nil {
				return
			}
			s.conns.Go(func() { readFrames(conn, &s.bin) })
		}
	})
	return s
}

// heldAtTheEnd is held once everything that was sent is read; senders must be
// gone. Connections are accepted in order: after one of ours, there is no other.
func (s *syslogServer) heldAtTheEnd(ctx context.Context) ([]string, error) {
	last, err := new(net.Dialer).DialContext(ctx, "tcp", s.Addr().String())
	if err != nil {
		return nil, err
	}
	defer last.Close()
	defer context.AfterFunc(ctx, func() { last.Close() })()
	if err := last.(*net.TCPConn).CloseWrite(); err != nil {
		return nil, err
	}
	if _, err := io.ReadAll(last); err != nil {
		return nil, err
	}
	s.Close()
	s.conns.Wait()
	return s.held(ctx)
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
