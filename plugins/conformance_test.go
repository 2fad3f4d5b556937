package plugins_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/trailship/trailship/plugins"
	"github.com/trailship/trailship/plugins/sdk/sdktest"
)

// The test binary is the shipped outputs' program too: `plugins.test plugin NAME`.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "plugin" {
		plugins.Shipped[os.Args[2]]()
	}
	os.Exit(m.Run())
}

// destinations make, for each shipped output, a destination and the rest of
// what the conformance suite wants to know.
var destinations = map[string]func(t *testing.T) sdktest.Plugin{
	"elasticsearch": intoSearch,
	"file":          intoFile,
	"kafka":         intoKafka,
	"opensearch":    intoSearch,
	"s3":            intoS3,
	"slack":         intoSlack,
	"stdout":        ontoStdout,
	"syslog":        intoSyslog,
	"webhook":       intoWeb,
}

func TestEveryShippedOutputKeepsTheProtocol(t *testing.T) {
	for name := range plugins.Shipped {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of the time is spent waiting
			destination := destinations[name]
			if destination == nil {
				t.Fatal("no destination for this output: add a row")
			}
			p := destination(t)
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			p.Program = []string{self, "plugin", name}
			p.Run(t)
		})
	}
}

func intoFile(t *testing.T) sdktest.Plugin {
	path := filepath.Join(t.TempDir(), "alerts.ndjson")
	return sdktest.Plugin{Config: asJSON(t, map[string]any{"path": path}), ReadBack: linesOf(path)}
}

func ontoStdout(t *testing.T) sdktest.Plugin {
	f, err := os.OpenFile(filepath.Join(t.TempDir(), "stdout"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return sdktest.Plugin{Config: asJSON(t, map[string]any{"format": "json"}), ReadBack: linesOf(f.Name()), Stdout: f}
}

func intoWeb(t *testing.T) sdktest.Plugin {
	var web sink
	server := httptest.NewServer(&web)
	t.Cleanup(server.Close)
	return sdktest.Plugin{
		Config: asJSON(t, map[string]any{
			"url": server.URL + "/hooks/s3cr3t-path", "headers": map[string]any{"X-Token": "s3cr3t-token"},
			"hmac": map[string]any{"secret": "s3cr3t-key"},
		}),
		ReadBack: web.held,
	}
}

// sink is a web server that holds what it is sent, and acts on the suite's
// words.
type sink struct {
	mu     sync.Mutex
	bodies []string
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	switch {
	case bytes.Contains(body, []byte(sdktest.Refuse)):
		http.Error(w, "never, not with "+r.Header.Get("X-Token"), http.StatusUnprocessableEntity)
	case bytes.Contains(body, []byte(sdktest.Busy)):
		http.Error(w, "busy at "+r.URL.Path, http.StatusServiceUnavailable)
	case bytes.Contains(body, []byte(sdktest.Slow)):
		select {
		case <-r.Context().Done():
		case <-time.After(30 * time.Second):
		}
	default:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.bodies = append(s.bodies, string(body))
	}
}

func (s *sink) held(context.Context) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bodies[:len(s.bodies):len(s.bodies)], nil
}

// linesOf reads back a file, which need not be there yet.
func linesOf(path string) sdktest.ReadBack {
	return func(context.Context) ([]string, error) {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		defer f.Close()
		var all []string
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 64<<20)
		for lines.Scan() {
			all = append(all, lines.Text())
		}
		return all, lines.Err()
	}
}

func asJSON(t *testing.T, v any) json.RawMessage {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
