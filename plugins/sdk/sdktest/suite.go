package sdktest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	pb "github.com/trailship/trailship/plugins/sdk/outputpb"
)

// patience is how long the suite waits. The daemon waits as long for the
// handshake and for a call.
type patience struct {
	start  time.Duration // until the handshake line
	call   time.Duration // for an answer
	batch  time.Duration // for the answer to a full batch
	slow   time.Duration // for an answer that is held back
	exit   time.Duration // for the end of a process
	arrive time.Duration // until an acknowledged alert is read back
}

var daemonsPatience = patience{
	start: 10 * time.Second, call: 30 * time.Second, batch: time.Minute,
	slow: 2 * time.Second, exit: 5 * time.Second, arrive: 10 * time.Second,
}

// suite is one run of the checks.
type suite struct {
	Plugin
	patience
	dir     string // of everything the processes get
	folders int
	nonce   string // makes this run's alerts others than the last run's
	sent    map[string]bool
	said    transcript
	secrets []string

	starts     bool // the handshake was good
	tls        bool // the plugin speaks TLS
	about      *pb.DescribeResponse
	configures bool
	delivers   bool
}

// newSuite makes the folder for a run.
func newSuite(p Plugin) (*suite, error) {
	if len(p.Program) == 0 {
		return nil, errors.New("there is no program to test")
	}
	program, err := filepath.Abs(p.Program[0])
	if err != nil {
		return nil, err
	}
	p.Program = append([]string{program}, p.Program[1:]...)
	if p.Config != nil {
		if p.Config, err = object(p.Config); err != nil {
			return nil, err
		}
	}
	s := &suite{Plugin: p, patience: daemonsPatience, nonce: fmt.Sprintf("%d-%d", os.Getpid(), time.Now().UnixNano()), sent: map[string]bool{}}
	s.secrets = secretsOf(p.Config, nil)
	// The path of a socket is short: the temporary folder of a test may be too
	// long for it.
	parent := os.TempDir()
	if len(parent) > 40 {
		parent = "/tmp"
	}
	s.dir, err = os.MkdirTemp(parent, "sdktest-")
	return s, err
}

// object checks that a configuration is a JSON object.
func object(text json.RawMessage) (json.RawMessage, error) {
	var members map[string]any
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, fmt.Errorf("the configuration must be a JSON object: %w", err)
	}
	var compact bytes.Buffer
	err := json.Compact(&compact, text)
	return compact.Bytes(), err
}

func (s *suite) close() { os.RemoveAll(s.dir) }

// folder makes a folder of its own for a process: its state.
func (s *suite) folder() (string, error) {
	s.folders++
	dir := filepath.Join(s.dir, fmt.Sprint("state", s.folders))
	return dir, os.Mkdir(dir, 0o700)
}

// redact takes the configuration's secrets out of what is reported: a plugin
// that tells them is no reason to tell them too.
func (s *suite) redact(text string) string {
	for _, secret := range s.secrets {
		for _, form := range formsOf(secret) {
			text = strings.ReplaceAll(text, form, "•••")
		}
	}
	return text
}

// opened starts a process and configures it. Its end is the caller's.
func (s *suite) opened(ctx context.Context, stateDir string) (*process, error) {
	p, err := s.start(ctx, stateDir)
	if err != nil {
		return nil, err
	}
	if err := p.configured(ctx, s.Config); err != nil {
		p.kill()
		return nil, err
	}
	return p, nil
}

// running is opened with a folder of its own.
func (s *suite) running(ctx context.Context) (*process, error) {
	dir, err := s.folder()
	if err != nil {
		return nil, err
	}
	return s.opened(ctx, dir)
}

// during runs f with a plugin that is started before and ended after it.
func (s *suite) during(ctx context.Context, f func(*process) error) error {
	p, err := s.running(ctx)
	if err != nil {
		return err
	}
	defer p.kill()
	return f(p)
}

// transcript is everything a plugin wrote or answered, up to a bound.
type transcript struct {
	mu     sync.Mutex
	text   strings.Builder
	stdout int // lines on standard output that are not the handshake
	stderr int
}

// maxTranscript bounds what is kept of a talkative plugin, in bytes.
const maxTranscript = 32 << 20

func (t *transcript) add(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.text.Len()+len(text) < maxTranscript {
		t.text.WriteString(text)
		t.text.WriteByte('\n')
	}
}

func (t *transcript) line(stream *int, text string) {
	t.add(text)
	t.mu.Lock()
	defer t.mu.Unlock()
	*stream++
}

// counts returns how many lines the plugin wrote.
func (t *transcript) counts() (stdout, stderr int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stdout, t.stderr
}

func (t *transcript) holds(text string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Contains(t.text.String(), text)
}
