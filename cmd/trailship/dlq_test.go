package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// pagerConfig has an output that can refuse.
const pagerConfig = `
version: 1
data_dir: data
sources: [{name: local, type: dir, path: trails, poll: 200ms}]
rules: {paths: [rules]}
outputs:
  - name: pager
    plugin: webhook
    include: [raw]
    config: {url: %q, headers: {Authorization: "Bearer ${file:token}"}}
    batch: {wait: 0s}
`

// refuser is a service alerts are posted to.
type refuser struct {
	*httptest.Server
	refuses atomic.Bool
	mu      sync.Mutex
	got     []string // bodies that were taken
}

func newRefuser(t *testing.T) *refuser {
	p := &refuser{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if p.refuses.Load() {
			http.Error(w, "no such service key; you sent "+r.Header.Get("Authorization"), http.StatusBadRequest)
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.got = append(p.got, string(body))
	}))
	t.Cleanup(p.Server.Close)
	return p
}

// taken are the ids of the alerts it took.
func (p *refuser) taken() (ids []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, body := range p.got {
		ids = append(ids, alertUID.FindStringSubmatch(body)[1])
	}
	return ids
}

var alertUID = regexp.MustCompile(`"uid":"([a-z2-7]{26})"`)

// trailship runs a verb to its end.
func (d *daemonTest) trailship(code int, args ...string) (stdout, stderr string) {
	d.Helper()
	cmd := exec.Command(d.bin, append(args, "-c", d.path("trailship.yaml"))...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	_ = cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != code {
		d.Fatalf("trailship %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, code, out.String(), said.String())
	}
	return out.String(), said.String()
}

func TestARefusedAlertIsReplayedUnderTheIDItHad(t *testing.T) {
	service := newRefuser(t)
	service.refuses.Store(true)
	const record = `{"eventVersion":"1.11","eventID":"a","eventTime":"2026-08-01T09:00:00Z","eventSource":"kms.amazonaws.com","eventName":"ListKeys","awsRegion":"eu-west-1","requestParameters":{"sessionToken":"hush-hush","name":"x\u009b31m"}}`
	d := newDaemonTest(t, map[string]string{
		"trailship.yaml": fmt.Sprintf(pagerConfig, service.URL), "token": "a very secret token",
		"rules/r.yaml": ruleFile("everything"), "trails/a.json": "[" + record + "]",
	})
	d.start()
	d.hears("dead letter")
	_, said := d.trailship(1, "dlq", "list")
	if !strings.Contains(said, "a daemon runs on data_dir") || !strings.Contains(said, "stop it") {
		t.Errorf("while the daemon runs: %s", said)
	}
	d.stop()

	out, _ := d.trailship(0, "dlq", "list", "-o", "json")
	var rows []letterRow
	if err := json.Unmarshal([]byte(out), &rows); err != nil || len(rows) != 1 {
		t.Fatalf("%v in %s, want one row", err, out)
	}
	row := rows[0]
	want := letterRow{ID: "pager:" + row.What, Time: row.Time, Kind: "alert", Output: "pager", What: row.What, Reason: "refused", Detail: row.Detail, Replay: "yes"}
	if diff := gocmp.Diff(want, row); diff != "" || !strings.Contains(row.Detail, "no such service key") {
		t.Errorf("row (-want +got):\n%s%s", diff, row.Detail)
	}

	if byAlert, _ := d.trailship(0, "dlq", "show", row.What[:8]); !strings.Contains(byAlert, row.ID) {
		t.Errorf("the alert's own id finds\n%s", byAlert)
	}
	shown, _ := d.trailship(0, "dlq", "show", row.ID)
	if !strings.Contains(shown, `"sessionToken": "•••"`) || strings.Contains(shown, "hush") || strings.Contains(shown, "\u009b") {
		t.Errorf("a secret or a terminal's command is shown:\n%s", shown)
	}
	for _, want := range []string{"\nrule      everything\n", "\nseverity  info\n", `"eventID": "a"`, `"uid": "` + row.What + `"`} {
		if !strings.Contains(shown, want) {
			t.Errorf("there is no %q in:\n%s", want, shown)
		}
	}
	if everything := shown + out; strings.Contains(everything, "a very secret token") {
		t.Errorf("a secret of the configuration is shown:\n%s", everything)
	}
	if raw, _ := d.trailship(0, "dlq", "show", row.ID, "--raw", "-o", "json"); !strings.Contains(raw, `"sessionToken":"hush-hush"`) {
		t.Errorf("--raw does not show what is there:\n%s", raw)
	}

	// An output that is gone takes nothing.
	mine := readFile(t, d.path("trailship.yaml"))
	write(t, d.path("trailship.yaml"), strings.ReplaceAll(mine, "name: pager", "name: other"))
	_, said = d.trailship(1, "dlq", "replay", "--all")
	if !strings.Contains(said, "the configuration has no output pager any more") {
		t.Errorf("for an output that is gone: %s", said)
	}
	write(t, d.path("trailship.yaml"), mine)

	service.refuses.Store(false)
	_, said = d.trailship(0, "dlq", "replay", "--to", "pager")
	if want := "1 of 1 dead letters were taken back: 1 alerts wait for pager\n"; said != want {
		t.Errorf("replay says %q, want %q", said, want)
	}
	d.trailship(0, "run", "--once")
	if got := service.taken(); len(got) != 1 || got[0] != row.What {
		t.Errorf("the pager took %v, want %s once", got, row.What)
	}
	if out, _ := d.trailship(0, "dlq", "list"); out != "" {
		t.Errorf("there still is %s", out)
	}
}

func TestWhatSoundsSecretInAPayloadIsHidden(t *testing.T) {
	known := strings.NewReplacer("hunter2", "•••")
	hide := veil{redact: known.Replace, keys: true}
	for payload, want := range map[string]string{
		``:                               ``,
		`{"b":[{"password":"x"}],"a":1}`: `{"a":1,"b":[{"password":"•••"}]}`,
		`{"secretAccessKey":"x","accessKeyId":"AKIA","key":"trails/a.json","sessionToken":["x","y"]}`: `{"accessKeyId":"AKIA","key":"trails/a.json","secretAccessKey":"•••","sessionToken":["•••","•••"]}`,
		`{"url":"https://me:hunter2@host","n":12345678901234567890,"token":null,"authorization":""}`:  `{"authorization":"","n":12345678901234567890,"token":null,"url":"https://me:•••@host"}`,
		`not JSON, hunter2`: `"not JSON, •••"`,
		`{"a":1} {"b":2}`:   `"{\"a\":1} {\"b\":2}"`,
	} {
		if got := string(hide.json([]byte(payload))); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", payload, got, want)
		}
	}
}

func FuzzPayloads(f *testing.F) {
	for _, seed := range []string{`{"a":{"password":"x"}}`, `[1,"x",null]`, `{`, "\x00\xff", `{"a":1e999}`} {
		f.Add([]byte(seed))
	}
	hide := veil{redact: func(s string) string { return s }, keys: true}
	f.Fuzz(func(t *testing.T, payload []byte) {
		if got := hide.json(payload); len(payload) > 0 && !json.Valid(got) {
			t.Errorf("%q is shown as %q", payload, got)
		}
	})
}
