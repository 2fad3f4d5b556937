package plugins_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/plugins/opensearch/bulktest"
	pb "github.com/trailship/trailship/plugins/sdk/outputpb"
	"github.com/trailship/trailship/plugins/sdk/sdktest"
)

func both(checks ...func(*pb.Alert, string) error) func(*pb.Alert, string) error {
	return func(a *pb.Alert, item string) error {
		for _, check := range checks {
			if err := check(a, item); err != nil {
				return err
			}
		}
		return nil
	}
}

// isTheAlert wants the alert itself, every value where it was, and on one line.
func isTheAlert(a *pb.Alert, item string) error {
	if strings.ContainsFunc(item, func(r rune) bool { return r < ' ' }) {
		return fmt.Errorf("there are control characters")
	}
	var want, got any
	if err := json.Unmarshal(a.Json, &want); err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(item), &got); err != nil {
		return err
	}
	if diff := cmp.Diff(want, got); diff != "" {
		return fmt.Errorf("it is another alert:\n%s", diff)
	}
	return nil
}

// prints wants nothing a terminal obeys.
func prints(_ *pb.Alert, item string) error {
	for _, r := range item {
		if !unicode.IsPrint(r) && r != '\ufeff' {
			return fmt.Errorf("%U is there", r)
		}
	}
	return nil
}

// isALine wants a line for people.
func isALine(a *pb.Alert, item string) error {
	if !strings.HasPrefix(item, "2026-08-03T09:12:44Z HIGH     kms-key-disabled: ") {
		return fmt.Errorf("the line does not begin as lines do")
	}
	return prints(a, item)
}

func ontoStdoutAs(format string) func(*testing.T) sdktest.Plugin {
	return func(t *testing.T) sdktest.Plugin {
		d := ontoStdout(t)
		d.Config = asJSON(t, map[string]any{"format": format})
		if format == "text" { // it shows no ids: each line is one of an alert, in their order
			lines := d.ReadBack
			d.ReadBack = func(ctx context.Context) ([]string, error) {
				all, err := lines(ctx)
				for i, value := range sorted(hostileValues) {
					if i < len(all) {
						all[i] += " " + hostileAlert(value, "").Id
					}
				}
				return all, err
			}
		}
		return d
	}
}

const (
	jsonBody = `{"id": "{{.finding_info.uid}}", "name": "{{.actor.user.name}}", "fields": {{json .unmapped.fields}}}`
	formBody = `id={{.finding_info.uid}}&name={{.actor.user.name}}`
)

// request is what a web server got, all of it.
type request struct {
	Target string // method, path and query
	Header []string
	Body   string
}

func intoWebAs(contentType, body string) func(*testing.T) sdktest.Plugin {
	return func(t *testing.T) sdktest.Plugin {
		var got bin
		config := map[string]any{"headers": map[string]any{"X-Token": "t"}, "hmac": map[string]any{"secret": "k"}}
		if body != "" {
			config["content_type"], config["body"] = contentType, body
		}
		config["url"] = serve(t, func(_ http.ResponseWriter, r *http.Request) {
			text, _ := io.ReadAll(r.Body)
			inJSON, _ := json.Marshal(request{r.Method + " " + r.URL.String(), sorted(r.Header), strconv.QuoteToASCII(string(text))})
			got.add(string(inJSON))
		}) + "/hook?a=1"
		return sdktest.Plugin{Config: asJSON(t, config), ReadBack: got.held}
	}
}

// isARequest wants a request that differs from others in its body alone.
func isARequest(check func(*pb.Alert, string) error) func(*pb.Alert, string) error {
	return func(a *pb.Alert, item string) error {
		var r request
		if err := json.Unmarshal([]byte(item), &r); err != nil {
			return err
		}
		want := []string{"Accept-Encoding", "Content-Length", "Content-Type", "Idempotency-Key", "User-Agent", "X-Token", "X-Trailship-Signature"}
		if diff := cmp.Diff(want, r.Header); diff != "" || r.Target != "POST /hook?a=1" {
			return fmt.Errorf("%s\n%s", r.Target, diff)
		}
		body, err := strconv.Unquote(r.Body)
		if err != nil {
			return err
		}
		return check(a, body)
	}
}

// nameIn is the hostile value of an alert.
func nameIn(a *pb.Alert) string {
	var alert struct {
		Actor struct{ User struct{ Name string } }
	}
	json.Unmarshal(a.Json, &alert)
	return alert.Actor.User.Name
}

// isTheObject wants jsonBody with three values.
func isTheObject(a *pb.Alert, body string) error {
	var got any
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		return err
	}
	name := nameIn(a)
	if diff := cmp.Diff(map[string]any{"id": a.Id, "name": name, "fields": map[string]any{name: name}}, got); diff != "" {
		return fmt.Errorf("%s", diff)
	}
	return nil
}

// isTheForm wants formBody with two values.
func isTheForm(a *pb.Alert, body string) error {
	got, err := url.ParseQuery(body)
	if err != nil {
		return err
	}
	if diff := cmp.Diff(url.Values{"id": {a.Id}, "name": {nameIn(a)}}, got); diff != "" {
		return fmt.Errorf("%s", diff)
	}
	return nil
}

func intoSlackAsBot(t *testing.T) sdktest.Plugin {
	var got bin
	api := serve(t, func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		got.add(string(text))
		io.WriteString(w, `{"ok":true}`)
	})
	config := map[string]any{"api_url": api, "token": "xoxb-1", "channel": "C1", "interval": "0s"}
	return sdktest.Plugin{Config: asJSON(t, config), ReadBack: got.held}
}

// isAMessage wants nothing in which Slack looks for markup, and no link but to
// AWS's console.
func isAMessage(_ *pb.Alert, item string) error {
	var m struct {
		Text   string
		Mrkdwn bool
		Blocks any
	}
	d := json.NewDecoder(strings.NewReader(item))
	if err := d.Decode(&m); err != nil {
		return err
	}
	if strings.ContainsAny(m.Text, "<>") || m.Mrkdwn || d.More() || len(item) > 13000 {
		return fmt.Errorf("markup in the text of the notification, or %d bytes", len(item))
	}
	return isPlain(m.Blocks)
}

// isPlain looks at every object of a message's blocks.
func isPlain(v any) error {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			if err := isPlain(item); err != nil {
				return err
			}
		}
	case map[string]any:
		switch v["type"] {
		case "header", "plain_text", "rich_text", "rich_text_section", "text":
		default:
			return fmt.Errorf("there is an object of the type %v", v["type"])
		}
		if text, ok := v["text"].(string); ok {
			if err := prints(nil, strings.TrimPrefix(text, "\n")); err != nil {
				return err
			}
		}
		for key := range v {
			if err := isPlain(v[key]); key != "style" && err != nil {
				return err
			}
		}
	}
	return nil
}

func intoSyslogAs(format string) func(t *testing.T) sdktest.Plugin {
	return func(t *testing.T) sdktest.Plugin {
		server := listenSyslog(t)
		return sdktest.Plugin{Config: asJSON(t, map[string]any{"address": server.Addr().String(), "format": format}), ReadBack: server.heldAtTheEnd}
	}
}

func intoSyslogOverUDP(t *testing.T) sdktest.Plugin {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var got bin
	done := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-done })
	go func() {
		defer close(done)
		for text := make([]byte, 1<<16); ; {
			n, _, err := conn.ReadFrom(text)
			if err != nil || string(text[:n]) == lastItem {
				return
			}
			got.add(string(text[:n]))
		}
	}()
	return sdktest.Plugin{
		Config: asJSON(t, map[string]any{"address": conn.LocalAddr().String(), "protocol": "udp"}),
		ReadBack: func(ctx context.Context) ([]string, error) {
			if _, err := conn.WriteTo([]byte(lastItem), conn.LocalAddr()); err != nil {
				return nil, err
			}
			select {
			case <-done:
				return got.held(ctx)
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		},
	}
}

// syslogHead is the header and the structured data of RFC 5424, with nothing in
// them that does not print.
var syslogHead = regexp.MustCompile(`^<131>1 2026-08-03T09:12:44\.000Z [!-~]{1,255} trailship - kms-key-disabled \[trailship@32473 id="id-[A-Za-z0-9-]+" rule="kms-key-disabled" severity="high"( (principal|account|region|ip)="([^"\\\]\pC\p{Zl}\p{Zp}]|\\["\\\]])*")*( cut="1")?\] `)

// isASyslog wants one well-formed message.
func isASyslog(check func(*pb.Alert, string) error) func(*pb.Alert, string) error {
	return func(a *pb.Alert, item string) error {
		head := syslogHead.FindString(item)
		if head == "" {
			return fmt.Errorf("it does not begin as messages do")
		}
		return check(a, strings.TrimPrefix(item, head))
	}
}

// isADatagram wants one that is whole, or cut and says so.
func isADatagram(a *pb.Alert, item string) error {
	if strings.Contains(item, ` cut="1"] `) {
		return isASyslog(prints)(a, item)
	}
	return isASyslog(isTheAlert)(a, item)
}

// intoSearchAsLines reads documents back with their index and id.
func intoSearchAsLines(t *testing.T) sdktest.Plugin {
	var server bulktest.Server
	server.Start(t)
	return sdktest.Plugin{
		Config: asJSON(t, map[string]any{"url": server.URL, "index": "alerts-%Y"}),
		ReadBack: func(context.Context) ([]string, error) {
			var all []string
			for _, doc := range server.Docs() {
				all = append(all, doc.Index+" "+doc.ID+" "+doc.JSON)
			}
			return all, nil
		},
	}
}

// isADocument wants one under the id of the alert in the index of its year.
func isADocument(a *pb.Alert, item string) error {
	text, ok := strings.CutPrefix(item, "alerts-2026 "+a.Id+" ")
	if !ok {
		return fmt.Errorf("it is elsewhere")
	}
	const timestamp = `"@timestamp":"2026-08-03T09:12:44.000Z",`
	if !strings.Contains(text, timestamp) {
		return fmt.Errorf("it has no time")
	}
	return isTheAlert(a, strings.Replace(text, timestamp, "", 1))
}

// intoS3WithKeys reads each line back with the path of its object, in which
// stand the account and the region of the alert.
func intoS3WithKeys(t *testing.T) sdktest.Plugin {
	l := &lake{objects: map[string]string{}}
	d := intoS3(t)
	var config map[string]any
	if err := json.Unmarshal(d.Config, &config); err != nil {
		t.Fatal(err)
	}
	config["endpoint"] = serve(t, l.ServeHTTP)
	return sdktest.Plugin{Config: asJSON(t, config), ReadBack: func(context.Context) ([]string, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		var all []string
		for path, text := range l.objects {
			for line := range strings.Lines(text) {
				all = append(all, path+" "+strings.TrimSuffix(line, "\n"))
			}
		}
		return all, nil
	}}
}

// objectPath is bucket, account, region, day and the object's name, whatever
// strangers say an account is called.
var objectPath = regexp.MustCompile(`^/lake/[\w.-]+/[\w.-]+/20260803/[\w.-]+$`)

// isInAnObject wants the alert in an object whose key has as many steps as
// every other.
func isInAnObject(a *pb.Alert, item string) error {
	key, line, _ := strings.Cut(item, " ")
	if !objectPath.MatchString(key) || path.Clean(key) != key {
		return fmt.Errorf("its key is %q", key)
	}
	return isTheAlert(a, line)
}

func serve(t *testing.T, handle http.HandlerFunc) string {
	server := httptest.NewUnstartedServer(handle)
	server.Config.ReadHeaderTimeout = time.Second // Kafka's clients do not talk HTTP
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}
