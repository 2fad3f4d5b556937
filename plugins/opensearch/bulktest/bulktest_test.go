package bulktest

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opensearch-project/opensearch-go/v4"
	"github.com/opensearch-project/opensearch-go/v4/opensearchapi"
	"github.com/opensearch-project/opensearch-go/v4/opensearchutil"
)

// OpenSearch's own client sends what the server takes, and understands what it
// answers.
func TestTheOfficialClientIsUnderstoodAndUnderstands(t *testing.T) {
	for _, compress := range []bool{false, true} {
		server := Server{Authorization: "Basic dTpw", Judge: func(_ *http.Request, doc string) (int, string) {
			if strings.Contains(doc, "busy") {
				return http.StatusTooManyRequests, "es_rejected_execution_exception"
			}
			return 0, ""
		}}
		server.Start(t)
		client, err := opensearchapi.NewClient(opensearchapi.Config{Client: opensearch.Config{
			Addresses: []string{server.URL}, Username: "u", Password: "p", CompressRequestBody: compress,
		}})
		if err != nil {
			t.Fatal(err)
		}
		ops := map[string][2]string{
			"1 create": {"a", `{"n":1}`}, "2 create": {"a", `{"n":2}`}, "3 index": {"a", `{"n":3}`},
			"4 index": {"b", `{"n":4}`}, "5 index": {"c", `no JSON`}, "6 create": {"d", `{"n":"busy"}`},
		}
		want := []string{
			"1 create 201 created", "2 create 409 version_conflict_engine_exception", "3 index 200 updated",
			"4 index 201 created", "5 index 400 mapper_parsing_exception", "6 create 429 es_rejected_execution_exception",
		}
		if diff := cmp.Diff(want, send(t, client, ops)); diff != "" {
			t.Error(diff)
		}
		docs := []Doc{{"alerts", "a", 2, `{"n":3}`}, {"alerts", "b", 1, `{"n":4}`}}
		if diff := cmp.Diff(docs, server.Docs()); diff != "" || server.Requests() != 1 {
			t.Errorf("%d requests\n%s", server.Requests(), diff)
		}
	}
}

// send carries operations out in the order of their names, and returns what
// the client understood.
func send(t *testing.T, client *opensearchapi.Client, ops map[string][2]string) []string {
	t.Helper()
	var mu sync.Mutex
	var got []string
	note := func(name string, item opensearchapi.BulkRespItem, err error) {
		mu.Lock()
		defer mu.Unlock()
		what := item.Result
		if item.Error != nil {
			what = item.Error.Type
		}
		if err != nil {
			what = err.Error()
		}
		got = append(got, fmt.Sprint(name, " ", item.Status, " ", what))
	}
	bulk, err := opensearchutil.NewBulkIndexer(opensearchutil.BulkIndexerConfig{
		Client: client, NumWorkers: 1, OnError: func(_ context.Context, err error) { t.Error(err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(ops)) {
		err := bulk.Add(t.Context(), opensearchutil.BulkIndexerItem{
			Index: "alerts", Action: name[2:], DocumentID: ops[name][0], Body: strings.NewReader(ops[name][1]),
			OnSuccess: func(_ context.Context, _ opensearchutil.BulkIndexerItem, r opensearchapi.BulkRespItem) {
				note(name, r, nil)
			},
			OnFailure: func(_ context.Context, _ opensearchutil.BulkIndexerItem, r opensearchapi.BulkRespItem, err error) {
				note(name, r, err)
			},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := bulk.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	return got
}

func TestWhatIsNoBulkRequestIsRefusedAsAWhole(t *testing.T) {
	var server Server
	server.Start(t)
	for _, test := range []struct {
		path, kind, body string
		want             int
	}{
		{"/_bulk", "application/x-ndjson", "{\"create\":{\"_index\":\"i\",\"_id\":\"1\"}}\n{}\n", 200},
		{"/_bulk", "application/x-ndjson", "{\"create\":{\"_index\":\"i\",\"_id\":\"1\"}}\n{}", 400},
		{"/_bulk", "application/x-ndjson", "{\"create\":{\"_index\":\"i\",\"_id\":\"1\"}}\n", 400},
		{"/_bulk", "application/x-ndjson", "{\"create\":{\"_index\":\"i\",\"_idx\":\"1\"}}\n{}\n", 400},
		{"/_bulk", "application/x-ndjson", "{\"create\":{}}\n{}\n", 400},
		{"/_bulk", "application/x-ndjson", "{\"put\":{\"_index\":\"i\"}}\n{}\n", 400},
		{"/_bulk", "application/x-ndjson", "{}\n{}\n\n", 400},
		{"/_bulk", "text/plain", "", 406},
		{"/i/_doc", "application/json", "{}", 405},
	} {
		resp, err := http.Post(server.URL+test.path, test.kind, strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != test.want {
			t.Errorf("%q: %d %s, want %d", test.body, resp.StatusCode, text, test.want)
		}
	}
}
