package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/plugins/sdk"
)

// serve returns the URL of a server that answers with handle and the requests
// it got.
func serve(t *testing.T, handle http.HandlerFunc) (string, *requests) {
	var got requests
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got.add(r, string(body))
		handle(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, &got
}

type requests struct {
	mu   sync.Mutex
	all  []*http.Request
	body []string
}

func (q *requests) add(r *http.Request, body string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.all = append(q.all, r)
	q.body = append(q.body, body)
}

func opened(t *testing.T, c config) sdk.Output {
	t.Helper()
	out, err := c.open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	return out
}

func fine(http.ResponseWriter, *http.Request) {}

func TestTheAlertIsSentAsItIs(t *testing.T) {
	url, got := serve(t, fine)
	out := opened(t, config{
		URL: sdk.Secret(url + "/hook?key=1"), Method: "PUT",
		Headers: map[string]sdk.Secret{"authorization": "Bearer x"},
		HMAC:    &signature{Secret: "key"},
	})
	if err := out.Deliver(t.Context(), []sdk.Alert{{ID: "id1", JSON: []byte(`{"message":"<b>"}`)}}); err != nil {
		t.Fatal(err)
	}
	r := got.all[0]
	summary := []string{r.Method, r.URL.String(), got.body[0]}
	for _, name := range []string{"Authorization", "Content-Type", "Idempotency-Key", "User-Agent", "X-Trailship-Signature"} {
		summary = append(summary, name+": "+r.Header.Get(name))
	}
	want := []string{
		"PUT", "/hook?key=1", `{"message":"<b>"}`,
		"Authorization: Bearer x", "Content-Type: application/json", "Idempotency-Key: id1", "User-Agent: trailship",
		// printf '%s' '{"message":"<b>"}' | openssl dgst -sha256 -hmac key
		"X-Trailship-Signature: " + sign("key", []byte(`{"message":"<b>"}`)),
	}
	if diff := cmp.Diff(want, summary); diff != "" {
		t.Error(diff)
	}
	// The example of RFC 4231, section 4.3.
	if got := sign("Jefe", []byte("what do ya want for nothing?")); got != "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" {
		t.Error(got)
	}
}

func TestValuesCannotLeaveTheirPlaceInATemplate(t *testing.T) {
	const alert = `{"message":"\"},\"x\":{{.n}} <!channel>\r\n\u001b","n":12345678901234567890,"on":true,"null":null,"list":["a\"",1],"actor":{"user":{"name":"al"}}}`
	for _, test := range []struct{ contentType, body, want string }{
		{"application/json", `{"text": "{{.message}}"}`, `{"text": "\"},\"x\":{{.n}} <!channel>\r\n\u001b"}`},
		{"application/json", `{"text": {{json .message}}, "n": {{.n}}, "on": {{.on}}, "l": {{.list}}, "m": {{.list | json}}}`,
			`{"text": "\"},\"x\":{{.n}} <!channel>\r\n\u001b", "n": 12345678901234567890, "on": true, "l": ["a\"",1], "m": ["a\"",1]}`},
		{"application/json", `"{{.actor.user.name}}{{.no.such.path}}{{.null}}{{.null.x}}"`, `"al"`},
		{"application/json", `{{range $i, $x := .list}}"{{$x}}"{{end}}{{if .on}}"{{.message | printf "%.1s"}}"{{end}}{{with .actor}}"{{.user.name}}"{{end}}`, `"a\"""1""\"""al"`},
		{"application/vnd.x+json; charset=utf-8", `"{{index .list 0}}"`, `"a\""`},
		{"application/x-www-form-urlencoded", `text={{.message}}&l={{.list}}`, `text=%22%7D%2C%22x%22%3A%7B%7B.n%7D%7D+%3C%21channel%3E%0D%0A%1B&l=%5B%22a%5C%22%22%2C1%5D`},
		{"text/plain", `{{.message}}`, "\"},\"x\":{{.n}} <!channel>\uFFFD\uFFFD\uFFFD"},
		{"application/json", `{{define "t"}}"{{.message}}"{{end}}{{template "t" .}}`, `"\"},\"x\":{{.n}} <!channel>\r\n\u001b"`},
	} {
		b, err := parseBody(test.body, test.contentType)
		if err != nil {
			t.Fatal(err)
		}
		got, err := b.render(sdk.Alert{JSON: []byte(alert)})
		if err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(test.want, string(got)); diff != "" {
			t.Errorf("%s\n%s", test.body, diff)
		}
	}
}

func FuzzValuesStayInsideJSON(f *testing.F) {
	f.Add(`"}`)
	f.Add("\u2028\xff\x00")
	b, err := parseBody(`{"a":"{{.m}}","b":{{json .m}}}`, "application/json")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, value string) {
		text, err := toJSON(map[string]string{"m": value})
		if err != nil {
			t.Skip()
		}
		got, err := b.render(sdk.Alert{JSON: []byte(text)})
		if err != nil {
			t.Fatal(err)
		}
		var sent struct{ M string }
		var body struct{ A, B string }
		if err := errors.Join(json.Unmarshal([]byte(text), &sent), json.Unmarshal(got, &body)); err != nil || body.A != sent.M || body.B != sent.M {
			t.Errorf("%v: %s", err, got)
		}
	})
}

func TestEachAlertIsJudgedByItsOwnAnswer(t *testing.T) {
	url, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("Idempotency-Key") {
		case "bad":
			http.Error(w, "no such field", http.StatusUnprocessableEntity)
		case "moved":
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		case "busy":
			w.WriteHeader(http.StatusBadGateway)
		}
	})
	err := opened(t, config{URL: sdk.Secret(url)}).Deliver(t.Context(), []sdk.Alert{{ID: "a"}, {ID: "bad"}, {ID: "moved"}, {ID: "busy"}, {ID: "b"}})
	var failed sdk.Failed
	if !errors.As(err, &failed) {
		t.Fatal(err)
	}
	var got []string
	for _, id := range slices.Sorted(maps.Keys(failed)) {
		permanent, _ := sdk.Judge(failed[id])
		got = append(got, fmt.Sprint(id, " ", permanent, " ", failed[id]))
	}
	want := []string{
		"bad true the server answered 422 Unprocessable Entity: \"no such field\"",
		"busy false the server answered 502 Bad Gateway",
		"moved true the server answered 307 Temporary Redirect",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	elsewhere, stolen := serve(t, fine)
	url, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere, http.StatusPermanentRedirect)
	})
	err := opened(t, config{URL: sdk.Secret(url), Headers: map[string]sdk.Secret{"X-Key": "k"}}).Deliver(t.Context(), []sdk.Alert{{ID: "a"}})
	if err == nil || len(stolen.all) > 0 {
		t.Errorf("%v, %d requests elsewhere", err, len(stolen.all))
	}
}

func TestAServerThatAsksForAPauseIsLeftAlone(t *testing.T) {
	url, got := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	var alerts []sdk.Alert
	for i := range 100 {
		alerts = append(alerts, sdk.Alert{ID: fmt.Sprint(i)})
	}
	err := opened(t, config{URL: sdk.Secret(url), Concurrency: 2}).Deliver(t.Context(), alerts)
	var failed sdk.Failed
	if !errors.As(err, &failed) || len(failed) != 100 || len(got.all) > 4 {
		t.Fatalf("%d of 100 failed with %d requests", len(failed), len(got.all))
	}
	for id, err := range failed {
		if _, after := sdk.Judge(err); after != 30*time.Second {
			t.Errorf("%s: %v", id, err)
		}
	}
}

func TestAServerThatHangsIsGivenUp(t *testing.T) {
	release := make(chan struct{})
	url, _ := serve(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	out := opened(t, config{URL: sdk.Secret(url), Timeout: 20 * time.Millisecond})
	if err := out.Deliver(t.Context(), []sdk.Alert{{ID: "a"}}); err == nil {
		t.Error("no error")
	}
	out = opened(t, config{URL: sdk.Secret(url)})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := out.Deliver(ctx, []sdk.Alert{{ID: "a"}, {ID: "b"}}); !errors.Is(err.(sdk.Failed)["a"], context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestMistakesInTheConfigurationAreSaidWithoutSecrets(t *testing.T) {
	_, err := config{
		URL: "ftp://user:s3cr3t@x", Headers: map[string]sdk.Secret{"a b": "s3cr3t"}, Body: "{{.x", Concurrency: -1,
		HMAC: &signature{Secret: "s3cr3t", Header: "x:y"},
	}.open()
	want := strings.Join([]string{
		"/url: must be a URL that begins with http:// or https://",
		"/headers/a b: is not a header: a name has no spaces, a value no line ends",
		"/concurrency: must not be negative",
		"/hmac/header: is not a header's name",
		"/body: template: body:1: unclosed action",
	}, "\n")
	if diff := cmp.Diff(want, fmt.Sprint(err)); diff != "" {
		t.Error(diff)
	}
}
