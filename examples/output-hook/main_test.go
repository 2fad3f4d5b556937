package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/core/deliver"
	"github.com/trailship/trailship/core/store"
)

// TestItIsShort holds the example to what the documentation promises.
func TestItIsShort(t *testing.T) {
	text, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		if strings.TrimSpace(line) != "" {
			n++
		}
	}
	if n >= 25 {
		t.Errorf("%d lines that are not blank, want under 25", n)
	}
}

// TestDelivers builds the program as a user would, and has the daemon's own
// supervisor run it against a server that is busy at first.
func TestDelivers(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "trailship-output-my-hook"), ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	program, err := deliver.Find("my-hook", []string{dir})
	if err != nil {
		t.Fatal(err)
	}
	var server recorder
	web := httptest.NewServer(&server)
	defer web.Close()
	config, err := json.Marshal(map[string]string{"url": web.URL})
	if err != nil {
		t.Fatal(err)
	}

	alerts := &queue{alerts: []store.Queued{
		{Seq: 1, Alert: store.Alert{ID: "a", JSON: []byte(`{"message":"one"}`)}},
		{Seq: 2, Alert: store.Alert{ID: "b", JSON: []byte(`{"message":"two"}`)}},
		{Seq: 3, Alert: store.Alert{ID: "bad", JSON: []byte(`{"message":"three"}`)}},
	}}
	d := &deliver.Deliverer{
		Output: deliver.Output{
			Name: "hook", Program: program, Config: config, TLS: true,
			Retry: deliver.Retry{Initial: time.Millisecond},
		},
		Store: alerts,
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	flushing, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	if err := d.Flush(flushing); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}

	slices.Sort(server.taken) // the one that met the busy server came later
	want := []string{`a {"message":"one"}`, `b {"message":"two"}`}
	if diff := cmp.Diff(want, server.taken); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{`the server answered 400 Bad Request: "I do not like it"`}, alerts.dead); diff != "" {
		t.Error(diff)
	}
}

// recorder takes every alert but the one called bad, after it was busy once.
type recorder struct {
	mu    sync.Mutex
	busy  bool
	taken []string
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	body, _ := io.ReadAll(req.Body)
	id := req.Header.Get("Idempotency-Key")
	switch {
	case !r.busy:
		r.busy = true
		http.Error(w, "", http.StatusServiceUnavailable)
	case id == "bad":
		http.Error(w, "I do not like it", http.StatusBadRequest)
	default:
		r.taken = append(r.taken, id+" "+string(bytes.TrimSpace(body)))
	}
}

// queue is a store with nothing but the alerts of one output.
type queue struct {
	mu     sync.Mutex
	alerts []store.Queued
	dead   []string
}

func (q *queue) Next(_ string, after uint64, _, _ int) ([]store.Queued, bool, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var found []store.Queued
	for _, a := range q.alerts {
		if a.Seq > after {
			found = append(found, a)
		}
	}
	return found, false, nil
}

func (q *queue) Settle(_ string, done []uint64, dead []store.Refusal) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	gone := map[uint64]bool{}
	for _, seq := range done {
		gone[seq] = true
	}
	for _, r := range dead {
		gone[r.Seq] = true
		q.dead = append(q.dead, r.Reason)
	}
	var left []store.Queued
	for _, a := range q.alerts {
		if !gone[a.Seq] {
			left = append(left, a)
		}
	}
	q.alerts = left
	return nil
}

func (q *queue) Backlog(string) (store.Backlog, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return store.Backlog{Alerts: int64(len(q.alerts))}, nil
}

func (q *queue) DeadLetters() ([]store.DeadLetter, error) { return nil, nil }
