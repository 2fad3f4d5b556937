package plugins_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/trailship/trailship/plugins/sdk/sdktest"
)

// lake is a server that takes objects, and acts on the suite's words in them.
type lake struct {
	mu      sync.Mutex
	objects map[string]string
}

func (l *lake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, err := unzipped(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	switch {
	case strings.Contains(text, sdktest.Refuse):
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		io.WriteString(w, "<Error><Code>EntityTooLarge</Code><Message>never, not for "+r.Header.Get("X-Amz-Security-Token")+"</Message></Error>")
	case strings.Contains(text, sdktest.Busy):
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, "<Error><Code>SlowDown</Code><Message>busy</Message></Error>")
	case strings.Contains(text, sdktest.Slow):
		select {
		case <-r.Context().Done():
		case <-time.After(30 * time.Second):
		}
	default:
		l.mu.Lock()
		defer l.mu.Unlock()
		l.objects[r.URL.Path] = text
	}
}

func unzipped(object io.Reader) (string, error) {
	body, err := io.ReadAll(object)
	if err != nil {
		return "", err
	}
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(r)
	return string(text), err
}

// held returns the lines of all objects.
func (l *lake) held(context.Context) ([]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []string
	for _, text := range l.objects {
		all = append(all, strings.Split(strings.TrimSuffix(text, "\n"), "\n")...)
	}
	return all, nil
}

func intoS3(t *testing.T) sdktest.Plugin {
	l := &lake{objects: map[string]string{}}
	return sdktest.Plugin{
		Config: asJSON(t, map[string]any{
			"bucket": "lake", "endpoint": serve(t, l.ServeHTTP), "prefix": "{account}/{region}/{day}",
			"credentials": map[string]any{"access_key_id": "AKIDs3cr3t", "secret_access_key": "s3cr3t-key", "session_token": "s3cr3t-token"},
		}),
		ReadBack: l.held,
	}
}
