package opensearch

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

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/plugins/opensearch/bulktest"
	"github.com/trailship/trailship/plugins/sdk"
)

func alert(id, text string) sdk.Alert {
	return sdk.Alert{ID: id, Time: time.Date(2026, 8, 3, 9, 12, 44, 5e6, time.UTC), JSON: json.RawMessage(text)}
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
		all = append(all, fmt.Sprint(id, " ", permanent, " ", after, " ", failed[id]))
	}
	return all
}

func TestAnAlertIsADocumentUnderItsID(t *testing.T) {
	for _, zip := range []bool{false, true} {
		server := bulktest.Server{Authorization: "Basic dHM6czNjcjN0"}
		server.Start(t)
		out := opened(t, config{URL: server.URL + "/", Index: "alerts-%Y.%m.%d", Username: "ts", Password: "s3cr3t", Gzip: zip})
		alerts := []sdk.Alert{alert("a", `{"message":"é <b>"}`), alert("b", "{\r\n\"a\":\n1}"), alert("c", "{}"), alert("d", "{\"a\":\"\xff\"}")}
		if err := out.Deliver(t.Context(), alerts); err != nil {
			t.Fatal(err)
		}
		want := []bulktest.Doc{
			{Index: "alerts-2026.08.03", ID: "a", Version: 1, JSON: `{"@timestamp":"2026-08-03T09:12:44.005Z","message":"é <b>"}`},
			{Index: "alerts-2026.08.03", ID: "b", Version: 1, JSON: `{"@timestamp":"2026-08-03T09:12:44.005Z",  "a": 1}`},
			{Index: "alerts-2026.08.03", ID: "c", Version: 1, JSON: `{}`},
			{Index: "alerts-2026.08.03", ID: "d", Version: 1, JSON: `{"@timestamp":"2026-08-03T09:12:44.005Z","a":"�"}`},
		}
		if diff := cmp.Diff(want, server.Docs()); diff != "" {
			t.Error(diff)
		}
	}
}

func TestAnAlertThatComesAgainIsThereOnce(t *testing.T) {
	for op, version := range map[string]int{"create": 1, "index": 2} {
		var server bulktest.Server
		server.Start(t)
		out := opened(t, config{URL: server.URL, Op: op})
		for range 2 {
			if err := out.Deliver(t.Context(), []sdk.Alert{alert("a", `{"n":1}`)}); err != nil {
				t.Fatal(err)
			}
		}
		if docs := server.Docs(); len(docs) != 1 || docs[0].Version != version || docs[0].Index != "trailship-alerts-2026.08" {
			t.Errorf("%s: %+v", op, docs)
		}
	}
}

func TestEachAlertIsJudgedByItsOwnItem(t *testing.T) {
	statuses := map[string]int{"mapping": 400, "busy": 429, "down": 503, "missing": 404, "cluster_block": 403, "forbidden": 403}
	server := bulktest.Server{Judge: func(_ *http.Request, doc string) (int, string) {
		for word, status := range statuses {
			if strings.Contains(doc, word) {
				return status, word + "_exception"
			}
		}
		return 0, ""
	}}
	server.Start(t)
	var alerts []sdk.Alert
	for _, word := range []string{"busy", "down", "fine", "forbidden", "mapping", "missing", "cluster_block"} {
		alerts = append(alerts, alert(word, `{"w":"`+word+`"}`))
	}
	alerts = append(alerts, alert("zzz", `{"no":`))
	err := opened(t, config{URL: server.URL}).Deliver(t.Context(), alerts)
	const because = `"because of {\"@timestamp\":\"2026-08-03T09:12:44.005Z\""`
	want := []string{
		"busy false 0s the index answered 429 busy_exception: " + because,
		"cluster_block false 0s the index answered 403 cluster_block_exception: " + because,
		"down false 0s the index answered 503 down_exception: " + because,
		"forbidden false 0s the index answered 403 forbidden_exception: " + because,
		"mapping true 0s the index answered 400 mapping_exception: " + because,
		"missing false 0s the index answered 404 missing_exception: " + because,
		"zzz true 0s the alert is not JSON",
	}
	if diff := cmp.Diff(want, verdicts(err)); diff != "" {
		t.Error(diff)
	}
	if docs := server.Docs(); len(docs) != 1 || docs[0].ID != "fine" {
		t.Errorf("%+v", docs)
	}
}

func TestARequestThatIsTooLargeIsHalved(t *testing.T) {
	server := bulktest.Server{MaxBody: 500}
	server.Start(t)
	var alerts []sdk.Alert
	for i := range 20 {
		alerts = append(alerts, alert(fmt.Sprint(i), `{}`))
	}
	alerts = append(alerts, alert("large", `{"x":"`+strings.Repeat("x", 600)+`"}`))
	err := opened(t, config{URL: server.URL}).Deliver(t.Context(), alerts)
	got := verdicts(err)
	if len(got) != 1 || !strings.HasPrefix(got[0], "large true 0s the server answered 413 Request Entity Too Large") || len(server.Docs()) != 20 {
		t.Errorf("%q, %d documents", got, len(server.Docs()))
	}
}

func TestAnswersThatAreNotOfTheBulkAPI(t *testing.T) {
	long := strings.Repeat(`{"create":{"status":201}},`, 3)
	for _, test := range []struct {
		status     int
		body, want string
	}{
		{200, "<html>", "a false 0s the answer is not one of the bulk API: is url right? invalid character '<' looking for beginning of value"},
		{200, `{"errors":false}`, "a false 0s the answer is about 0 alerts of 1: is url right?"},
		{200, `{"items":[` + strings.TrimSuffix(long, ",") + `]}`, "a false 0s the answer is about 3 alerts of 1: is url right?"},
		{200, `{"items":[{}]}`, "a false 0s the answer does not say what became of it"},
		{200, `{"items":[{"create":{}}]}`, `a false 0s the index answered 0 : ""`},
		{204, "", "a false 0s the server answered 204 No Content to a bulk request: is url right?"},
		{301, "", "a false 0s check url: the server answered 301 Moved Permanently"},
		{401, `{"error":"no"}`, `a false 0s check username and password, or api_key: the server answered 401 Unauthorized: "{\"error\":\"no\"}"`},
		{400, "", "a true 0s the server answered 400 Bad Request"},
		{403, "", "a false 0s allow the account to write to the index: the server answered 403 Forbidden"},
		{429, "", "a false 7s the server answered 429 Too Many Requests"},
		{502, "", "a false 7s the server answered 502 Bad Gateway"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.Header().Set("Retry-After", "7")
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(test.status)
			io.WriteString(w, test.body)
		}))
		err := opened(t, config{URL: server.URL}).Deliver(t.Context(), []sdk.Alert{alert("a", `{}`)})
		server.Close()
		if diff := cmp.Diff([]string{test.want}, verdicts(err)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestAnAnswerWithoutEndIsBounded(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, `{"items":[{"create":{"status":400,"error":{"reason":"`)
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, strings.Repeat("x", 1<<20)); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	err := opened(t, config{URL: server.URL}).Deliver(t.Context(), []sdk.Alert{alert("a", `{}`)})
	if got := verdicts(err); len(got) != 1 || !strings.HasSuffix(got[0], "unexpected EOF") {
		t.Errorf("%q", got)
	}
}

func TestMistakesInTheConfigurationAreSaidWithoutSecrets(t *testing.T) {
	const url = "https://search.example.com:9200"
	for _, test := range []struct {
		config config
		want   string
	}{
		{config{URL: "search:9200", Index: "Alerts-%y", TLS: sdk.TLS{CA: "/no/such/file"}}, `/url: must be a URL such as https://search.example.com:9200
/index: after % comes Y, m or d: the year, month or day of the event
/tls/ca: open /no/such/file: no such file or directory`},
		{config{URL: "https://u:s3cr3t@search:9200", Index: "Alerts"}, "/url: holds a password: write username and password instead\n/index: must be in lower case"},
		{config{URL: url, Index: "-a"}, "/index: must not begin with -, _ or +, nor be a dot or two"},
		{config{URL: url, Index: "a/../b"}, `/index: must be without \ / * ? " < > | , # : and spaces`},
		{config{URL: url, Index: "a%Y%"}, "/index: after % comes Y, m or d: the year, month or day of the event"},
		{config{URL: url, Index: strings.Repeat("a", 256)}, "/index: must be at most 255 bytes long"},
		{config{URL: url, APIKey: "s3cr3t", Username: "u"}, "/api_key: is one way and username with password the other: choose one"},
		{config{URL: url, APIKey: "s3cr3t\n"}, "/api_key: is no key: it has line ends"},
		{config{URL: url, Password: "s3cr3t"}, "/password: needs username"},
		{config{URL: url, Username: "a:b"}, "/username: must not have a colon"},
	} {
		_, err := test.config.open()
		if diff := cmp.Diff(test.want, fmt.Sprint(err)); diff != "" {
			t.Error(diff)
		}
	}
}

func FuzzADocumentIsOneLine(f *testing.F) {
	f.Add("id\n", []byte("{\"a\":\n1}"))
	f.Add("\xff\"", []byte("{\"a\":\"\xff\u2028\"}"))
	f.Add("", []byte(" {} "))
	ix := indexer{index: "i-%Y"}
	f.Fuzz(func(t *testing.T, id string, text []byte) {
		if !json.Valid(text) {
			return
		}
		got, err := ix.lines(sdk.Alert{ID: id, JSON: text})
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(got), "\n")
		if len(lines) != 3 || lines[2] != "" || !json.Valid([]byte(lines[0])) || !json.Valid([]byte(lines[1])) || strings.Contains(string(got), "\r") {
			t.Errorf("%q", got)
		}
	})
}
