package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// telemetry answers /healthz, /readyz and /metrics.
type telemetry struct {
	Registry *prometheus.Registry
	// Status says how the daemon is, at the moment it is asked.
	Status func() status
}

// status is the body of /readyz.
type status struct {
	Ready    bool           `json:"ready"`
	Why      []string       `json:"why,omitempty"` // what is missing for ready
	Draining bool           `json:"draining"`
	Rules    int            `json:"rules"`
	Reload   string         `json:"last_reload"` // "ok", or the first diagnostic
	Sources  []sourceStatus `json:"sources"`
	Outputs  []outputStatus `json:"outputs"`
	Letters  lettersStatus  `json:"dead_letters"`
}

// sourceStatus shows a source; objects that cannot be read, and listings that
// fail later than the first, do not make the daemon unready.
type sourceStatus struct {
	Name   string        `json:"name"`
	Listed bool          `json:"listed"` // in full, once
	Error  string        `json:"error,omitempty"`
	Parked int           `json:"parked"` // objects that could not be read and are tried again
	Oldest *parkedStatus `json:"parked_longest,omitempty"`
}

// parkedStatus is the object that could not be read for the longest time.
type parkedStatus struct {
	Object  string `json:"object"`
	Error   string `json:"error"`
	Failing string `json:"failing"`
}

// lettersStatus counts dead letters, as they were a minute ago at most.
type lettersStatus struct {
	Outputs int `json:"outputs"`
	Sources int `json:"sources"`
}

// outputStatus shows an output; one that is down does not make the daemon
// unready.
type outputStatus struct {
	Name   string `json:"name"`
	Queued int64  `json:"queued"`
	Bytes  int64  `json:"bytes"`
	Up     bool   `json:"up"`
	Open   bool   `json:"circuit_open,omitempty"` // one alert is tried at each step
	Error  string `json:"error,omitempty"`
	Retry  string `json:"retry_in,omitempty"` // until the next try, or the end of a pause the output asked for
}

func (t *telemetry) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		s := t.Status()
		w.Header().Set("Content-Type", "application/json")
		if !s.Ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(s)
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(t.Registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		_ = enc.Encode(t.Status())
	})
	return mux
}

// serve answers on the listener until ctx ends.
func (t *telemetry) serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{Handler: t.handler(), ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	if err := srv.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving telemetry: %w", err)
	}
	return nil
}

// listenLoopback opens the telemetry port. Anything but loopback is refused:
// the endpoints have no access control of their own.
func listenLoopback(addr string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("telemetry.http %q: %w", addr, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("telemetry.http %q is not a loopback address: put a proxy with authentication in front of 127.0.0.1 instead", addr)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("opening telemetry.http: %w", err)
	}
	return l, nil
}
