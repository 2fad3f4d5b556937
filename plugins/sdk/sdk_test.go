package sdk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"encoding/json"

	"github.com/google/go-cmp/cmp"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/trailship/trailship/plugins/sdk/outputpb"
)

type sample struct {
	URL     string            `json:"url" required:"true" doc:"Where to"`
	Token   Secret            `json:"token"`
	Method  string            `json:"method" enum:"GET,POST"`
	Timeout time.Duration     `json:"timeout"`
	Retries int               `json:"retries"`
	Share   float64           `json:"share"`
	On      *bool             `json:"on"`
	Headers map[string]Secret `json:"headers"`
	Hosts   []host            `json:"hosts"`
	Extra   any               `json:"extra"`
	Since   time.Time         `json:"since"`
	Hidden  string            `json:"-"`
	host
}

type host struct {
	Name string `json:"name"`
	Port uint16 `json:"port"`
}

func TestDecodeReadsEveryKindOfValue(t *testing.T) {
	var got sample
	errs := decode([]byte(`{"url":"u","token":"t","method":"GET","timeout":"90s","retries":3,"share":0.5,"on":true,
		"headers":{"A":"b"},"hosts":[{"name":"x","port":1}],"extra":{"k":[1]},"since":"2026-01-02T03:04:05Z","name":"n"}`), &got)
	on := true
	want := sample{URL: "u", Token: "t", Method: "GET", Timeout: 90 * time.Second, Retries: 3, Share: 0.5, On: &on,
		Headers: map[string]Secret{"A": "b"}, Hosts: []host{{"x", 1}}, Extra: map[string]any{"k": []any{1.0}},
		Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), host: host{Name: "n"}}
	if errs != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\n%+v", errs, got)
	}
}

func TestDecodeFindsEveryErrorAndSaysWhere(t *testing.T) {
	for config, want := range map[string]string{
		`{`:            "the configuration is not JSON: unexpected EOF",
		`[]`:           "must be a map, not a list",
		``:             `"url" is missing`,
		`null`:         `"url" is missing`,
		`{"url":""}`:   "/url: must not be empty",
		`{"url":null}`: "/url: must be a string, not empty",
		`{"url":"u","tokn":"x","retries":1.5,"share":"x","on":"yes","timeout":10,"method":"HEAD","headers":{"a/b":1},"hosts":[{},{"port":70000,"prot":1}],"since":"today"}`: strings.Join([]string{
			`/headers/a~1b: must be a string, not the number 1`,
			`/hosts/1/port: must be a whole number that is not negative, not the number 70000`,
			`/hosts/1/prot: unknown key "prot" (did you mean "port"?)`,
			`/method: must be one of GET, POST, not "HEAD"`,
			`/on: must be true or false, not a string`,
			`/retries: must be a whole number, not the number 1.5`,
			`/share: must be a number, not a string`,
			`/since: parsing time "today" as "2006-01-02T15:04:05Z07:00": cannot parse "today" as "2006"`,
			`/timeout: must be a duration such as "10s" or "5m"`,
			`/tokn: unknown key "tokn" (did you mean "token"?)`,
		}, "\n"),
	} {
		var c sample
		if diff := cmp.Diff(want, decode([]byte(config), &c).Error()); diff != "" {
			t.Errorf("%s\n%s", config, diff)
		}
	}
}

func TestDecodePutsDefaultsWhereKeysAreAbsent(t *testing.T) {
	type inner struct {
		Header string `json:"header" default:"X"`
	}
	type config struct {
		Method  string        `json:"method" enum:"GET,POST" default:"GET"`
		Code    string        `json:"code" default:"0600"`
		Timeout time.Duration `json:"timeout" default:"10s"`
		Tries   int           `json:"tries" default:"4"`
		On      bool          `json:"on" default:"true"`
		Inner   *inner        `json:"inner"`
	}
	for text, want := range map[string]config{
		`{}`: {"GET", "0600", 10 * time.Second, 4, true, nil},
		`{"method":"POST","code":"","timeout":"0s","tries":0,"on":false,"inner":{}}`: {Method: "POST", Inner: &inner{"X"}},
	} {
		var got config
		if errs := decode([]byte(text), &got); errs != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v %+v", text, errs, got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"url":"u","hosts":[{"port":1}],"headers":{"a":"b"}}`))
	f.Fuzz(func(t *testing.T, config []byte) {
		var c sample
		if errs := decode(config, &c); len(errs) == 0 && c.URL == "" {
			t.Errorf("%q was accepted without the required key", config)
		}
	})
}

func TestSchemaSaysWhatDecodeDemands(t *testing.T) {
	type config struct {
		URL     string            `json:"url" required:"true" doc:"Where to"`
		Method  string            `json:"method" enum:"GET,POST"`
		Timeout time.Duration     `json:"timeout" default:"5s"`
		Tries   int               `json:"tries" default:"3"`
		Headers map[string]Secret `json:"headers"`
		Hosts   []host            `json:"hosts"`
	}
	want := map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "trailship output x", "type": "object",
		"additionalProperties": false, "required": []any{"url"},
		"properties": map[string]any{
			"url":     map[string]any{"type": "string", "description": "Where to"},
			"method":  map[string]any{"type": "string", "enum": []any{"GET", "POST"}},
			"timeout": map[string]any{"type": "string", "examples": []any{"10s"}, "default": "5s"},
			"tries":   map[string]any{"type": "integer", "default": 3.0},
			"headers": map[string]any{"type": "object", "additionalProperties": map[string]any{"type": "string", "writeOnly": true}},
			"hosts": map[string]any{"type": "array", "items": map[string]any{
				"type": "object", "additionalProperties": false, "properties": map[string]any{
					"name": map[string]any{"type": "string"}, "port": map[string]any{"type": "integer", "minimum": 0.0},
				},
			}},
		},
	}
	var got map[string]any
	if err := json.Unmarshal(schema("x", reflect.TypeFor[config]()), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestASecretIsNeverPrinted(t *testing.T) {
	c := sample{Token: "hunter2", Headers: map[string]Secret{"A": "hunter2"}}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "token", c.Token, "config", c)
	inJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		fmt.Sprint(c.Token), fmt.Sprintf("%q %x %#v %d", c.Token, c.Token, c.Token, c.Token), fmt.Sprintf("%+v %#v", c, c),
		log.String(), string(inJSON), fmt.Errorf("bad token %s", c.Token).Error(),
	} {
		if strings.Contains(text, "hunter2") || strings.Contains(text, "68756e74657232") {
			t.Error(text)
		}
	}
}

func TestSecretsAreTakenOutOfTextInEveryForm(t *testing.T) {
	var r redactor
	r.hide(secrets(reflect.ValueOf(sample{Token: `a"b/c d`, Headers: map[string]Secret{"A": "p&q"}})))
	got := r.redact(`raw a"b/c d, json a\"b/c d, query a%22b%2Fc+d, path a%22b%2Fc%20d, other p&q and p\u0026q`)
	if want := "raw •••, json •••, query •••, path •••, other ••• and •••"; got != want {
		t.Error(got)
	}
}

func TestASecretThatAServerRepeatsIsNotCutInHalf(t *testing.T) {
	t.Cleanup(func() { hidden = redactor{} })
	token := strings.Repeat("t0k3n", 100)
	Hide(token)
	answer := httptest.NewRecorder()
	http.Error(answer, strings.Repeat("x", answerBytes-20)+token, http.StatusUnauthorized)
	if err := HTTP(answer.Result(), nil); strings.Contains(err.Error(), "t0k3n") || !strings.Contains(err.Error(), mask) {
		t.Error(err)
	}
}

func TestEachTriesEveryAlertUnlessItIsAskedToWait(t *testing.T) {
	alerts := []Alert{{ID: "a"}, {ID: "b"}, {ID: "c"}}
	for name, test := range map[string]struct {
		err   error
		tried string
		want  error
	}{
		"nothing fails": {nil, "abc", nil},
		"one fails":     {errors.New("no"), "abc", Failed{"b": errors.New("no")}},
		"refused":       {Permanent(errors.New("no")), "abc", Failed{"b": Permanent(errors.New("no"))}},
		"asked to wait": {RetryAfter(errors.New("no"), time.Second), "ab", Failed{"b": RetryAfter(errors.New("no"), time.Second), "c": RetryAfter(errors.New("no"), time.Second)}},
	} {
		tried := ""
		got := Each(func(_ context.Context, a Alert) error {
			tried += a.ID
			if a.ID == "b" {
				return test.err
			}
			return nil
		}).Deliver(t.Context(), alerts)
		if tried != test.tried || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: tried %s, got %v", name, tried, got)
		}
	}
}

func TestJudge(t *testing.T) {
	boom := errors.New("boom")
	for _, test := range []struct {
		err       error
		permanent bool
		after     time.Duration
	}{
		{boom, false, 0},
		{Permanent(boom), true, 0},
		{fmt.Errorf("while sending: %w", Permanent(boom)), true, 0},
		{RetryAfter(boom, time.Minute), false, time.Minute},
	} {
		if permanent, after := Judge(test.err); permanent != test.permanent || after != test.after {
			t.Errorf("%v: %v %v", test.err, permanent, after)
		}
	}
	if Permanent(nil) != nil || RetryAfter(nil, 1) != nil || !errors.Is(Permanent(boom), boom) {
		t.Error("nil is not nil, or the cause is lost")
	}
}

func TestHTTPJudgesAnswers(t *testing.T) {
	for status, want := range map[int]string{
		200: "<nil>", 204: "<nil>",
		301: "permanent: the server answered 301 Moved Permanently: \"why \\x1b[31m\"",
		400: "permanent: the server answered 400 Bad Request: \"why \\x1b[31m\"",
		404: "permanent: the server answered 404 Not Found: \"why \\x1b[31m\"",
		408: "the server answered 408 Request Timeout: \"why \\x1b[31m\"",
		425: "the server answered 425 Too Early: \"why \\x1b[31m\"",
		429: "after 7s: the server answered 429 Too Many Requests: \"why \\x1b[31m\"",
		503: "after 7s: the server answered 503 Service Unavailable: \"why \\x1b[31m\"",
	} {
		w := httptest.NewRecorder()
		if status == 429 || status == 503 {
			w.Header().Set("Retry-After", "7")
		}
		w.WriteHeader(status)
		if status != 204 {
			w.WriteString("why \x1b[31m")
		}
		err := HTTP(w.Result(), nil)
		got := fmt.Sprint(err)
		if permanent, after := Judge(err); permanent {
			got = "permanent: " + got
		} else if after > 0 {
			got = fmt.Sprintf("after %s: %s", after, got)
		}
		if got != want {
			t.Errorf("%d: %s", status, got)
		}
	}
}

func TestHTTPErrorsDoNotHoldTheURL(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	resp, err := http.Get(server.URL + "/hooks/s3cr3t?token=s3cr3t")
	err = HTTP(resp, err)
	if err == nil || strings.Contains(err.Error(), "s3cr3t") || !strings.Contains(err.Error(), "connection refused") {
		t.Error(err)
	}
	if permanent, _ := Judge(err); permanent {
		t.Error("no answer is not an answer")
	}
}

func TestRetryAfterHeader(t *testing.T) {
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "120": 2 * time.Minute, "-1": 0, "soon": 0, "99999999999999": 0,
		"Sat, 21 Nov 2026 10:00:30 GMT": 30 * time.Second, "Sat, 21 Nov 2026 09:00:00 GMT": 0,
	} {
		if got := retryAfterHeader(value, now); got != want {
			t.Errorf("%q: %s", value, got)
		}
	}
}

// newServer is a server whose Output is made by open.
func newServer(open func() (Output, error)) *server {
	return &server{redactor: &redactor{}, turn: make(chan struct{}, 1), open: func(context.Context, []byte, func([]string)) (Output, error) { return open() }}
}

func TestTheServerKeepsItsPromises(t *testing.T) {
	closed := 0
	out := &scripted{close: func() error { closed++; return nil }}
	s := newServer(func() (Output, error) { return out, nil })
	batch := &pb.DeliverRequest{Alerts: []*pb.Alert{{Id: "a"}, {Id: "b"}}}

	if _, err := s.Deliver(t.Context(), batch); err == nil {
		t.Error("delivered before it was configured")
	}
	if _, err := s.Configure(t.Context(), &pb.ConfigureRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Configure(t.Context(), &pb.ConfigureRequest{}); err == nil {
		t.Error("configured twice")
	}
	out.deliver = func([]Alert) error { t.Error("an empty batch was delivered"); return nil }
	if _, err := s.Deliver(t.Context(), &pb.DeliverRequest{}); err != nil {
		t.Error(err)
	}
	out.deliver = func([]Alert) error { panic("oh") }
	resp, err := s.Deliver(t.Context(), batch)
	if status.Code(err) != codes.Internal || status.Convert(err).Message() != "the plugin panicked: oh" {
		t.Error(resp, err)
	}
	out.deliver = func([]Alert) error { return Failed{"b": Permanent(errors.New("no"))} }
	resp, err = s.Deliver(t.Context(), batch)
	if err != nil || len(resp.Failed) != 1 || resp.Failed[0].Id != "b" || resp.Failed[0].Class != pb.Failure_PERMANENT {
		t.Error(resp, err)
	}
	for range 2 {
		if _, err := s.Drain(t.Context(), &pb.DrainRequest{}); err != nil || closed != 1 {
			t.Error(err, closed)
		}
	}
	if _, err := s.Deliver(t.Context(), batch); err == nil {
		t.Error("delivered after it was drained")
	}
}

func TestOpensErrorsBecomePointers(t *testing.T) {
	s := newServer(func() (Output, error) {
		return nil, errors.Join(Invalidf("/url", "is %s", "bad"), fmt.Errorf("opening: %w", Invalidf("/x", "is worse")), errors.New("all is lost"))
	})
	resp, err := s.Configure(t.Context(), &pb.ConfigureRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range resp.Errors {
		got = append(got, e.Pointer+" "+e.Message)
	}
	if diff := cmp.Diff([]string{"/url is bad", "/x is worse", " all is lost"}, got); diff != "" {
		t.Error(diff)
	}
}

type scripted struct {
	deliver func([]Alert) error
	close   func() error
}

func (s *scripted) Deliver(_ context.Context, alerts []Alert) error { return s.deliver(alerts) }
func (s *scripted) Close() error                                    { return s.close() }
