package config

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/trailship/trailship/core/diag"
)

var update = flag.Bool("update", false, "write the golden files again")

// world is the environment of the tests: what is not here does not exist.
func world() Env {
	env := map[string]string{
		"EXT_ID": "ext-id-value", "SIEM_TOKEN": `tok"en/value`, "AK": "ak-from-env", "SECRET_WORD": "xyzzy-secret", "BATCH": "7", "HOME": "/home/ops",
	}
	files := map[string]string{"/run/secrets/ak": "ak-value\n", "/run/secrets/sk": "sk-value", "/run/secrets/pager": "pager-value\r\n", "testdata/relative": "relative-value"}
	return Env{
		Lookup: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		ReadFile: func(path string) ([]byte, error) {
			if strings.HasSuffix(path, ".yaml") {
				return os.ReadFile(path)
			}
			if text, ok := files[filepath.ToSlash(path)]; ok {
				return []byte(text), nil
			}
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		},
	}
}

func load(t *testing.T, name string, sets ...string) *Config {
	t.Helper()
	c, list := Load(filepath.Join("testdata", name), sets, world())
	if len(list) > 0 {
		t.Fatal(list)
	}
	return c
}

var ignorePlaces = cmp.Options{
	cmpopts.IgnoreTypes(diag.Node{}, Place{}),
	cmpopts.IgnoreUnexported(Config{}),
	cmp.Transformer("text", func(s Secret) []byte { return []byte(s) }),
}

func TestTheDocumentedExample(t *testing.T) {
	got := load(t, "example.yaml")
	globs := []string{"**/*.json", "**/*.json.gz", "**/*.gz", "**/*.ndjson"}
	backlog := Backlog{MaxAlerts: 1_000_000, MaxBytes: 4 << 30, Full: "block"}
	want := &Config{
		Version: 1,
		DataDir: "/var/lib/trailship",
		Sources: []Source{
			{
				Name: "org-trail", Type: "s3", Bucket: "acme-org-cloudtrail", Prefix: "AWSLogs/o-abc123/", Region: "eu-west-1",
				Include: globs, Poll: time.Minute, SQS: "https://sqs.eu-west-1.amazonaws.com/111122223333/ct-new-objects",
				Start: Start{From: "since", Since: 24 * time.Hour}, OnDone: OnDone{Action: "keep"},
				AssumeRole: AssumeRole{ARN: "arn:aws:iam::111122223333:role/trailship", ExternalID: "ext-id-value"},
			},
			{
				Name: "actiontrail", Type: "s3", Bucket: "acme-actiontrail", Prefix: "AliyunLogs/Actiontrail/",
				Include: globs, Poll: time.Minute, Endpoint: "https://s3.oss-cn-hangzhou.aliyuncs.com",
				Start: Start{From: "beginning"}, OnDone: OnDone{Action: "keep"},
				Credentials: Credentials{AccessKeyID: "ak-value", SecretAccessKey: "sk-value"},
			},
			{
				Name: "local", Type: "dir", Path: "/var/log/trails",
				Include: []string{"**/*.json", "**/*.json.gz", "**/*.ndjson"}, Poll: 10 * time.Second,
				Start: Start{From: "beginning"}, OnDone: OnDone{Action: "keep"},
			},
		},
		Rules: Rules{Paths: []RulePath{{Path: "/etc/trailship/rules"}, {Pack: "kms"}}, Watch: true, RunTests: true},
		Outputs: []Output{
			{
				Name: "archive", Plugin: "file", Config: map[string]any{"path": "/var/log/trailship/alerts.ndjson"}, TLS: true,
				Batch: Batch{Max: 1000, Wait: 200 * time.Millisecond}, Retry: Retry{Initial: time.Second, Max: 5 * time.Minute}, Backlog: backlog,
			},
			{
				Name: "pager", Plugin: "webhook", TLS: true,
				Config: map[string]any{"url": "https://events.example.com/v2", "headers": map[string]any{"Authorization": "Bearer pager-value"}},
				Batch:  Batch{Max: 100, Wait: time.Second}, Retry: Retry{Initial: time.Second, Max: 5 * time.Minute, GiveUp: 24 * time.Hour}, Backlog: backlog,
			},
			{
				Name: "my-siem", Plugin: "my-siem", Config: map[string]any{"index": "cloud-alerts"}, TLS: true,
				Env: map[string]Secret{"SIEM_TOKEN": `tok"en/value`}, Sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
				Batch: Batch{Max: 1000, Wait: 200 * time.Millisecond}, Retry: Retry{Initial: time.Second, Max: 5 * time.Minute}, Backlog: backlog,
			},
		},
		Routes:    []Route{{To: []diag.String{{Value: "pager"}, {Value: "archive"}}, Continue: true}, {To: []diag.String{{Value: "archive"}}}},
		Retention: 35 * 24 * time.Hour,
		Limits:    Limits{MaxObject: 2 << 30, MaxRecord: 4 << 20},
		Telemetry: Telemetry{HTTP: "127.0.0.1:9810", Log: Log{Level: "info", Format: "text"}},
	}
	if diff := cmp.Diff(want, got, ignorePlaces); diff != "" {
		t.Error(diff)
	}
	if when := got.Routes[0].When.Value(); when != `severity in ["high", "critical"]` {
		t.Errorf("the route's condition is %q", when)
	}
	if list := got.ForDaemon(); list != nil {
		t.Error(list)
	}
}

// Relative paths of the file are relative to the file, and those of a flag to
// the working folder.
func TestTheOtherKeys(t *testing.T) {
	got := load(t, "also.yaml", "sources[1]={name: more, type: dir, path: trails, exclude: []}", "rules.paths.1=mine")
	globs := []string{"**/*.json", "**/*.json.gz", "**/*.gz", "**/*.ndjson"}
	want := &Config{
		Version: 1, DataDir: "testdata/state", PluginDirs: []string{"testdata/plugins", "/usr/lib/trailship"},
		Sources: []Source{
			{
				Name: "here", Type: "dir", Path: "testdata/trails", Include: globs, Exclude: []string{"**/digest/**"}, Poll: 10 * time.Second,
				Start:  Start{From: "at", At: time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)},
				Alerts: Alerts{MaxAge: 24 * time.Hour}, OnDone: OnDone{Action: "move", Move: "done/"},
			},
			{Name: "more", Type: "dir", Path: "trails", Include: globs, Exclude: []string{}, Poll: 10 * time.Second, Start: Start{From: "beginning"}, OnDone: OnDone{Action: "keep"}},
		},
		Rules: Rules{Paths: []RulePath{{Path: "testdata/rules"}, {Path: "mine"}}, RunTests: true},
		Outputs: []Output{{
			Name: "out", Plugin: "stdout", Config: map[string]any{}, Include: []string{"event", "raw"}, Backfill: true, User: "alerts", MaxFiles: 64,
			Batch: Batch{Max: 1000, Wait: 200 * time.Millisecond}, Retry: Retry{Initial: time.Second, Max: 5 * time.Minute},
			Backlog: Backlog{MaxAlerts: 10, MaxBytes: 1e6, Full: "dead_letter"},
		}},
		Retention: 35 * 24 * time.Hour,
		Limits:    Limits{MaxObject: 1 << 30, MaxRecord: 1 << 20},
		Telemetry: Telemetry{Log: Log{Level: "info", Format: "text"}},
	}
	if diff := cmp.Diff(want, got, ignorePlaces); diff != "" {
		t.Error(diff)
	}
}

// What is wrong with a file is answered in full; the answers are in testdata.
func TestBrokenFilesAreAnsweredInFull(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		golden := strings.TrimSuffix(file, ".yaml") + ".txt"
		if file == "testdata/example.yaml" || file == "testdata/also.yaml" {
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			var sets []string
			if file == "testdata/flags.yaml" {
				sets = []string{"sources[0].poll=soon", "sources[0].pth=x", "outputs[3].name=x", "retention", "telemetry.log.level=loud", "a..b=1", "sources.0.start={at: never}"}
			}
			c, list := Load(file, sets, world())
			if c != nil && list.HasErrors() {
				t.Error("a configuration with errors was returned")
			}
			got := filepath.ToSlash(list.String()) + "\n"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAFileThatCannotBeRead(t *testing.T) {
	_, list := Load("testdata/nowhere.yaml", nil, Env{})
	if got, want := list.String(), "testdata/nowhere.yaml: cannot be read: no such file or directory"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	large := Env{ReadFile: func(string) ([]byte, error) { return make([]byte, maxFile+1), nil }}
	_, list = Load("large.yaml", nil, large)
	if got, want := list.String(), "large.yaml: is larger than 1 MiB: this is no configuration"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Without a file the flags are all there is.
func TestFlagsAlone(t *testing.T) {
	c, list := Load("", []string{"sources[0].name=a", "sources[0].type=dir", "sources[0].path=trails"}, Env{})
	if list != nil || c.Sources[0].Path != "trails" {
		t.Errorf("%+v %v", c, list)
	}
	want := `(no configuration file): missing key "data_dir": the folder where the daemon keeps its positions and alerts`
	if got, _, _ := strings.Cut(c.ForDaemon().String(), "\n"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The pages of the codes show mistakes that are answered with these codes.
func TestTheExamplesOfTheConfigCodes(t *testing.T) {
	answered := func(text string) string {
		c, list := Load("c.yaml", nil, Env{Lookup: world().Lookup, ReadFile: func(string) ([]byte, error) { return []byte(text), nil }})
		if c != nil && strings.Contains(text, "version: 1") {
			list = append(list, c.ForDaemon()...)
		}
		codes := map[string]bool{}
		var ids []string
		for _, d := range list {
			if !codes[d.Code] {
				codes[d.Code] = true
				ids = append(ids, d.Code)
			}
		}
		return strings.Join(ids, " ")
	}
	for _, c := range diag.Codes() {
		if len(c.ID) != 4 || c.ID[1] != '1' {
			continue
		}
		switch c.ID {
		case "E100": // a command line
		case "E150", "E151", "E152", "E153", "E114", "W103", "W104", "W105": // only the caller knows
		case "E102":
			if got := answered(c.Wrong); got != c.ID {
				t.Errorf("%s: the wrong example is answered with %q", c.ID, got)
			}
		default:
			if got := answered(c.Wrong); got != c.ID {
				t.Errorf("%s: the wrong example is answered with %q", c.ID, got)
			}
			if got := answered(c.Right); got != "" {
				t.Errorf("%s: the right example is answered with %q", c.ID, got)
			}
		}
	}
}

func TestALineWithTwoSecretsShowsNeither(t *testing.T) {
	text := "outputs: [{name: a, plugin: webhook, config: {token: first-secret, password: other-secret}}]\n"
	_, list := Load("trailship.yaml", nil, Env{ReadFile: func(string) ([]byte, error) { return []byte(text), nil }})
	if got := list.String(); len(list) != 2 || strings.Contains(got, "-secret") {
		t.Error(got)
	}
}
