package slack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/plugins/sdk"
)

const finding1 = `{
	"message": "mallory <disabled> a key", "finding_info": {"title": "KMS key disabled", "related_events": [{"uid": "3b2b9730-c0be-49a7"}]},
	"actor": {"user": {"name": "mallory", "uid": "arn:aws:iam::111122223333:user/mallory"}},
	"cloud": {"provider": "AWS", "region": "eu-west-1", "account": {"uid": "111122223333"}},
	"evidences": [{"src_endpoint": {"ip": "198.51.100.7"}}],
	"unmapped": {"runbook": "https://wiki.example.com/kms?a=1&b=2", "fields": {"key": "1234", "mfa": false, "none": null}}
}`

func alert(id string) sdk.Alert {
	return sdk.Alert{ID: id, RuleID: "kms-key-disabled", Severity: "high", Time: time.Date(2026, 8, 3, 9, 12, 44, 0, time.UTC), JSON: []byte(finding1)}
}

// show writes a message as its reader sees it: a block a line, links in
// brackets.
func show(m message) string {
	text := "(" + m.Text + ")\n"
	for _, b := range m.Blocks {
		if b.Text != nil {
			text += "# " + b.Text.Text
		}
		for _, s := range b.Elements {
			for _, e := range s.Elements {
				switch {
				case e.URL != "":
					text += "[" + e.Text + " " + e.URL + "]"
				case e.Style != nil && e.Style.Bold:
					text += "*" + e.Text + "*"
				case e.Style != nil && e.Style.Code:
					text += "`" + e.Text + "`"
				default:
					text += e.Text
				}
			}
		}
		text += "\n"
	}
	return text
}

func TestAMessageForPeople(t *testing.T) {
	want := "(🔴 HIGH: KMS key disabled: mallory &lt;disabled&gt; a key)\n" +
		"# 🔴 HIGH: KMS key disabled\n" +
		"mallory <disabled> a key\n" +
		"*Principal *`mallory (arn:aws:iam::111122223333:user/mallory)`\n" +
		"*Account *`111122223333`\n*Region *`eu-west-1`\n*Source IP *`198.51.100.7`\n*Event time *`2026-08-03T09:12:44Z`\n" +
		"*Rule *`kms-key-disabled`\n*Alert *`id1`\n*key *`1234`\n*mfa *`false`\n" +
		"[Runbook https://wiki.example.com/kms?a=1&b=2]  " +
		"[Event in CloudTrail https://eu-west-1.console.aws.amazon.com/cloudtrailv2/home?region=eu-west-1#/events/3b2b9730-c0be-49a7]\n"
	if diff := cmp.Diff(want, show(newMessage(alert("id1"), ""))); diff != "" {
		t.Error(diff)
	}
	bare := newMessage(sdk.Alert{ID: "id2", RuleID: "r", Severity: "odd", JSON: []byte(`{"unmapped":{"runbook":"ask Bob"}}`)}, "")
	want = "(ODD: r: )\n# ODD: r\n*Event time *`0001-01-01T00:00:00Z`\n*Rule *`r`\n*Alert *`id2`\n*Runbook *`ask Bob`\n"
	if diff := cmp.Diff(want, show(bare)); diff != "" {
		t.Error(diff)
	}
}

func TestOnlyPagesOfTheConsoleAndTheWebAreLinked(t *testing.T) {
	for name, test := range map[string]struct{ region, event, runbook, want string }{
		"China":              {"cn-north-1", "e1", "", "Event in CloudTrail https://cn-north-1.console.amazonaws.cn/cloudtrailv2/home?region=cn-north-1#/events/e1"},
		"GovCloud":           {"us-gov-west-1", "e1", "", "Event in CloudTrail https://us-gov-west-1.console.amazonaws-us-gov.com/cloudtrailv2/home?region=us-gov-west-1#/events/e1"},
		"a hostile region":   {"evil.example.com/", "e1", "", ""},
		"a hostile event":    {"eu-west-1", "e1|<x>", "", ""},
		"a script":           {"", "", "javascript:alert(1)", ""},
		"a file":             {"", "", "file:///etc/passwd", ""},
		"quotes in a URL":    {"", "", "https://x/\"><b>", "Runbook https://x/%22%3E%3Cb%3E"},
		"line ends in a URL": {"", "", "https://x/\n<!channel>", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var f finding
			f.Cloud.Provider, f.Cloud.Region, f.Unmapped.Runbook = "AWS", test.region, test.runbook
			f.Info.Related = []struct{ UID string }{{test.event}}
			var got []string
			for _, e := range f.links() {
				if e.Type == "link" {
					got = append(got, e.Text+" "+e.URL)
				}
			}
			if strings.Join(got, ", ") != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func FuzzAMessageKeepsSlacksLimitsAndHasNoMarkup(f *testing.F) {
	f.Add("<!channel> @here *b* `c` <http://x|y> &lt;", "high")
	f.Add("\x00\x1b[31m\u202e\u2028\r\n\xff", "\n")
	f.Add(strings.Repeat("\U0001f600", 5000), strings.Repeat("\"", 500))
	f.Fuzz(func(t *testing.T, value, severity string) {
		type m = map[string]any
		fields := m{}
		for i := range 20 {
			fields[fmt.Sprint(value, i)] = value
		}
		text, _ := json.Marshal(m{
			"message": value, "finding_info": m{"title": value, "related_events": []m{{"uid": value}}},
			"actor": m{"user": m{"name": value, "uid": value}}, "cloud": m{"provider": "AWS", "region": value, "account": m{"uid": value}},
			"evidences": []m{{"src_endpoint": m{"ip": value}}}, "unmapped": m{"runbook": value, "fields": fields},
		})
		got := newMessage(sdk.Alert{ID: value, RuleID: value, Severity: severity, JSON: text}, "")
		if strings.ContainsAny(got.Text, "<>") || got.Markdown || len(got.Blocks) > 50 {
			t.Errorf("%+v", got)
		}
		all := 0
		for _, b := range got.Blocks {
			pieces := []string{}
			if b.Text != nil {
				pieces = append(pieces, b.Text.Text)
				if n := len(utf16.Encode([]rune(b.Text.Text))); n > 150 || b.Text.Type != "plain_text" {
					t.Errorf("a header of %d characters", n)
				}
			}
			for _, s := range b.Elements {
				for _, e := range s.Elements {
					if e.Type != "text" && e.Type != "link" || e.Text == "" {
						t.Errorf("%+v", e)
					}
					pieces = append(pieces, strings.TrimPrefix(e.Text, "\n"))
				}
			}
			for _, p := range pieces {
				all += utf8.RuneCountInString(p)
				if strings.IndexFunc(p, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0 || utf8.RuneCountInString(p) > 3000 {
					t.Errorf("%q", p)
				}
			}
		}
		if all > 8000 {
			t.Errorf("%d characters", all)
		}
	})
}

// serve returns the URL of a Slack that answers with handle, and the messages
// it got.
func serve(t *testing.T, handle http.HandlerFunc) (string, *[]message) {
	var got []message
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var m message
		if err := json.Unmarshal(body, &m); err != nil {
			t.Error(err)
		}
		got = append(got, m)
		handle(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, &got
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

// verdicts says what became of the alerts that failed.
func verdicts(err error) []string {
	var failed sdk.Failed
	errors.As(err, &failed)
	var all []string
	for _, id := range slices.Sorted(maps.Keys(failed)) {
		permanent, after := sdk.Judge(failed[id])
		all = append(all, fmt.Sprint(id, " ", permanent, " ", after.Round(time.Second), " ", failed[id]))
	}
	return all
}

func TestABotPostsToItsChannel(t *testing.T) {
	var requests []string
	url, got := serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests = append(requests, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization")+" "+r.Header.Get("Content-Type"))
		io.WriteString(w, `{"ok":true}`)
	})
	out := opened(t, config{APIURL: url + "/api/", Token: "xoxb-1", Channel: "C1"})
	if err := out.Deliver(t.Context(), []sdk.Alert{alert("a"), alert("b")}); err != nil {
		t.Fatal(err)
	}
	want := "POST /api/chat.postMessage Bearer xoxb-1 application/json; charset=utf-8"
	if diff := cmp.Diff([]string{want, want}, requests); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]message{newMessage(alert("a"), "C1"), newMessage(alert("b"), "C1")}, *got); diff != "" {
		t.Error(diff)
	}
}

func TestEachRefusalIsJudged(t *testing.T) {
	for said, want := range map[string]string{
		`{"ok":false,"error":"invalid_auth"}`:   `a true 0s the answer is "invalid_auth"`,
		`{"ok":false,"error":"internal_error"}`: `a false 0s the answer is "internal_error"`,
		`{"ok":false,"error":"ratelimited"}`:    `a false 1m0s the answer is "ratelimited"`,
		`{"ok":false,"error":"invalid_blocks","response_metadata":{"messages":["[ERROR] too \u001b long"]}}`: `a true 0s the answer is "invalid_blocks; [ERROR] too \x1b long"`,
		`<html>`: "a false 0s the answer is not JSON: is api_url right? invalid character '<' looking for beginning of value",
	} {
		url, _ := serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, said) })
		err := opened(t, config{APIURL: url, Token: "t", Channel: "c"}).Deliver(t.Context(), []sdk.Alert{alert("a")})
		if diff := cmp.Diff([]string{want}, verdicts(err)); diff != "" {
			t.Error(diff)
		}
	}
	for status, want := range map[int]string{
		404: `a true 0s the server answered 404 Not Found: "no_service"`,
		302: `a true 0s the server answered 302 Found: "no_service"`,
		500: `a false 0s the server answered 500 Internal Server Error: "no_service"`,
	} {
		url, _ := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no_service", status) })
		for _, c := range []config{{WebhookURL: sdk.Secret(url)}, {APIURL: url, Token: "t", Channel: "c"}} {
			if diff := cmp.Diff([]string{want}, verdicts(opened(t, c).Deliver(t.Context(), []sdk.Alert{alert("a")}))); diff != "" {
				t.Error(diff)
			}
		}
	}
}

func TestWhenSlackAsksForAPauseTheRestWaits(t *testing.T) {
	url, got := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	err := opened(t, config{WebhookURL: sdk.Secret(url)}).Deliver(t.Context(), []sdk.Alert{alert("a"), alert("b")})
	want := []string{"a false 30s the server answered 429 Too Many Requests", "b false 30s the server answered 429 Too Many Requests"}
	if diff := cmp.Diff(want, verdicts(err)); diff != "" || len(*got) != 1 {
		t.Errorf("%s\n%d requests", diff, len(*got))
	}
}

func TestABurstIsSpreadAndEachAlertHasItsSecond(t *testing.T) {
	url, got := serve(t, func(http.ResponseWriter, *http.Request) {})
	var alerts []sdk.Alert
	for i := range 8 {
		alerts = append(alerts, alert(fmt.Sprint(i)))
	}
	err := opened(t, config{WebhookURL: sdk.Secret(url), Interval: time.Hour}).Deliver(t.Context(), alerts)
	want := []string{
		"5 false 1h0m0s waiting for its turn: Slack takes one message a second",
		"6 false 2h0m0s waiting for its turn: Slack takes one message a second",
		"7 false 3h0m0s waiting for its turn: Slack takes one message a second",
	}
	if diff := cmp.Diff(want, verdicts(err)); diff != "" || len(*got) != 5 {
		t.Errorf("%s\n%d messages", diff, len(*got))
	}
}

func TestThePaceIsOneMessageAnIntervalAfterABurst(t *testing.T) {
	p := pace{interval: time.Second}
	start := time.Date(2026, 8, 3, 0, 0, 0, 0, time.UTC)
	var got []time.Duration
	for _, at := range []time.Duration{0, 0, 0, 0, 0, 0, 1, 1, 60, 60, 60, 60, 60, 60} {
		got = append(got, p.next(start.Add(at*time.Second)))
	}
	if diff := cmp.Diff([]time.Duration{0, 0, 0, 0, 0, time.Second, 0, time.Second, 0, 0, 0, 0, 0, time.Second}, got); diff != "" {
		t.Error(diff)
	}
}

func TestMistakesInTheConfigurationAreSaidWithoutSecrets(t *testing.T) {
	for _, test := range []struct {
		config config
		want   string
	}{
		{config{}, "needs webhook_url, or token and channel"},
		{config{Token: "s3cr3t"}, "needs webhook_url, or token and channel"},
		{config{WebhookURL: "s3cr3t", Token: "s3cr3t"}, "/webhook_url: is one way and token with channel the other: choose one"},
		{config{WebhookURL: "s3cr3t"}, "/webhook_url: must be a URL that begins with https:// or http://"},
		{config{Token: "s3cr3t\n", Channel: "c", APIURL: "slack.com"},
			"/api_url: must be a URL that begins with https:// or http://\n/token: is no token: it has line ends"},
	} {
		_, err := test.config.open()
		if diff := cmp.Diff(test.want, fmt.Sprint(err)); diff != "" {
			t.Error(diff)
		}
	}
}
