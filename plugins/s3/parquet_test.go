package s3

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"github.com/trailship/trailship/plugins/sdk"
)

// full is an alert with everything the daemon may write into one.
const full = `{"evidences":[{
	"data":{"eventVersion":"1.08","n":12345678901234567890},
	"actor":{"user":{"type":"User","type_id":1,"uid":"AIDA","uid_alt":"arn:aws:iam::111122223333:user/mallory","name":"mallory","account":{"uid":"111122223333","name":"prod","type":"AWS Account","type_id":10}},
		"session":{"created_time":1785748000000,"is_mfa":false,"credential_uid":"AKIA","issuer":"arn","uid_alt":"s"},"idp":{"name":"sso"},"app_name":"console"},
	"api":{"operation":"DisableKey","version":"2014","service":{"name":"kms.amazonaws.com","uid":"kms"},"request":{"uid":"r1","data":{"keyId":"k","list":[1,"two"]}},"response":{"error":"AccessDenied","error_message":"no","data":{"x":1}}},
	"src_endpoint":{"ip":"198.51.100.7","name":"Internal","uid":"vpce-1","vpc_uid":"vpc-1"},
	"http_request":{"user_agent":"curl \u202e \u0000"},
	"resources":[{"uid":"arn:1","name":"k","type":"AWS::KMS::Key","owner":{"account":{"uid":"111122223333"}}},{"uid":"arn:2"}]}],
	"metadata":{"version":"1.8.0","uid":"aaaaaaaaaaaaaaaaaaaaaaaaaa","original_time":"2026-08-03T09:12:44Z","processed_time":1785748365000,"log_provider":"trailship","correlation_uid":"c","product":{"name":"trailship","vendor_name":"trailship","version":"1"},"profiles":["cloud","host"]},
	"time":1785748364000,"category_uid":2,"category_name":"Findings","class_uid":2004,"class_name":"Detection Finding","activity_id":1,"activity_name":"Create","type_uid":200401,"type_name":"Detection Finding: Create","severity_id":4,"severity":"High","status_id":1,"status":"New",
	"message":"mallory \r\n disabled 漢 é","is_alert":true,
	"finding_info":{"uid":"aaaaaaaaaaaaaaaaaaaaaaaaaa","title":"T","desc":"D","types":["a","b"],"created_time":1785748365000,"first_seen_time":1785748364000,"last_seen_time":1785748364001,"data_sources":["CloudTrail"],
		"analytic":{"type_id":1,"type":"Rule","uid":"kms-key-disabled","name":"T","version":"1.2"},
		"attacks":[{"tactic":{"uid":"TA0040"}},{"technique":{"uid":"T1485"}},{"technique":{"uid":"T1562"},"sub_technique":{"uid":"T1562.008"}}],
		"related_events":[{"uid":"e1","type_uid":600301,"type":"API Activity: Create","product":{"name":"CloudTrail","vendor_name":"AWS"}},{"uid":"e0"}]},
	"cloud":{"provider":"AWS","account":{"uid":"111122223333"},"region":"eu-west-1"},
	"actor":{"user":{"type_id":0,"name":"mallory"}},
	"api":{"operation":"DisableKey","service":{"name":"kms.amazonaws.com"}},
	"resources":[{"uid":"arn:1"}],
	"unmapped":{"rule_severity":"high","owner":"sec","tags":["x"],"meta":{"n":1,"team":"a"},"fields":{"key":"k","mfa":false},"window":{"count":3,"key":"g"},"source":"s","object":"o.json.gz","record":7,"backfill":true,"event":{"class_uid":6003}}}`

// minimal is the alert about a refused reload, which has no event.
const minimal = `{"metadata":{"uid":"b","product":{"name":"trailship"}},"time":1785748364000,"class_uid":2004,"finding_info":{"uid":"b"},"unmapped":{"rule_severity":"high","fields":{}}}`

// rows reads an object back with the library that wrote it.
func rows(t *testing.T, object []byte) []finding {
	t.Helper()
	all, err := parquet.Read[finding](bytes.NewReader(object), int64(len(object)))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestNothingOfAnAlertIsLostInParquet(t *testing.T) {
	for _, alert := range []string{full, minimal} {
		object, failed := encodeParquet(&part{alerts: []sdk.Alert{{ID: "a", JSON: []byte(alert)}}})
		if len(failed) > 0 {
			t.Fatal(failed)
		}
		back, err := json.Marshal(rows(t, object)[0])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(plain(t, alert), plain(t, string(back))); diff != "" {
			t.Error(diff)
		}
	}
}

// plain is JSON without what is empty, because a column cannot tell it from
// what is not there. Open objects are compared as text, as they are in Parquet.
func plain(t *testing.T, alert string) map[string]any {
	t.Helper()
	v := parsed(t, alert).(map[string]any)
	open, _ := v["unmapped"].(map[string]any)
	for name, value := range open {
		open[name] = textOf(t, value)
	}
	return flatten(t, v).(map[string]any)
}

func parsed(t *testing.T, text string) (v any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// textOf is a value as JSON with its members sorted; one that is JSON in a text
// already is the same.
func textOf(t *testing.T, v any) string {
	t.Helper()
	if s, is := v.(string); is {
		if !json.Valid([]byte(s)) {
			return s
		}
		v = parsed(t, s)
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// flatten drops what is empty, and makes every member called data text.
func flatten(t *testing.T, v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, item := range v {
			if name == "data" && !empty(item) {
				item = textOf(t, item)
			}
			if item = flatten(t, item); empty(item) {
				delete(v, name)
				continue
			}
			v[name] = item
		}
	case []any:
		for i := range v {
			v[i] = flatten(t, v[i])
		}
	}
	return v
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case json.Number:
		return v == "0"
	case bool:
		return !v
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return false
}

func TestWhatIsNoFindingDoesNotTakeTheOthersWithIt(t *testing.T) {
	p := part{alerts: []sdk.Alert{{ID: "a", JSON: []byte(minimal)}, {ID: "b", JSON: []byte(`{"time":"soon"}`)}, {ID: "c", JSON: []byte(`[`)}}}
	object, failed := encodeParquet(&p)
	if got := rows(t, object); len(got) != 1 || len(p.alerts) != 1 || p.alerts[0].ID != "a" {
		t.Error(len(got), p.alerts)
	}
	for _, id := range []string{"b", "c"} {
		if permanent, _ := sdk.Judge(failed[id]); !permanent {
			t.Errorf("%s: %v", id, failed[id])
		}
	}
}

// A reader that meets a byte that is not UTF-8 refuses all of the object: one
// alert could hide the others.
func TestNoAlertMakesTheObjectUnreadable(t *testing.T) {
	for _, value := range []string{"\xff\xfe \xc3( \xf0\x9f", `\ud800 \udfff`, `a\u0000b`, `\"],[{\n`, strings.Repeat("A", 3<<20)} {
		for _, place := range []string{"mallory", `"two"`, `"key":"k"`, "prod", "eventVersion"} {
			with := value
			switch place {
			case `"key":"k"`:
				with = `"` + value + `":"` + value + `"`
			case `"two"`:
				with = `"` + value + `"`
			}
			object, failed := encodeParquet(&part{alerts: []sdk.Alert{{ID: "a", JSON: []byte(strings.Replace(full, place, with, 1))}, {ID: "b", JSON: []byte(minimal)}}})
			if len(failed) > 0 {
				t.Fatal(failed)
			}
			all := rows(t, object)
			text := fmt.Sprintf("%+v %+v %+v", all[0].Unmapped, all[0].Evidences[0].Data, all[0].Evidences[0].API.Request)
			if len(all) != 2 || !utf8.ValidString(text) {
				t.Errorf("%.20q at %s", value, place)
			}
			if dir := os.Getenv("TRAILSHIP_DUCKDB"); dir != "" && len(value) < 100 {
				if got := query(t, dir, object, "SELECT count(*) AS n, max(len(message)) AS m, max(len(CAST(unmapped AS VARCHAR))) AS u, max(len(CAST(evidences AS VARCHAR))) AS e FROM '%s'"); !strings.HasPrefix(got, `[{"n":"2"`) {
					t.Error(got)
				}
			}
		}
	}
}

// What Security Lake asks of a file, as far as the file can show it.
func TestAnObjectIsWhatSecurityLakeAsksFor(t *testing.T) {
	var p part
	for i := range 1000 {
		p.alerts = append(p.alerts, sdk.Alert{ID: fmt.Sprint(i), Time: time.UnixMilli(1785748364000 + int64(i)), JSON: []byte(strings.Replace(full, `"time":1785748364000`, fmt.Sprintf(`"time":%d`, 1785748364000+i), 1))})
	}
	object, failed := encodeParquet(&p)
	if len(failed) > 0 {
		t.Fatal(failed)
	}
	f, err := parquet.OpenFile(bytes.NewReader(object), int64(len(object)))
	if err != nil {
		t.Fatal(err)
	}
	groups := f.Metadata().RowGroups
	if len(groups) != 1 || groups[0].NumRows != 1000 || len(groups[0].SortingColumns) != 1 {
		t.Errorf("%d row groups: %+v", len(groups), groups[0].SortingColumns)
	}
	for _, column := range groups[0].Columns {
		if got := column.MetaData.Codec.String(); got != "ZSTD" {
			t.Errorf("%v is compressed with %s", column.MetaData.PathInSchema, got)
		}
	}
	for _, group := range f.RowGroups() {
		for _, column := range group.ColumnChunks() {
			pages := column.Pages()
			for {
				page, err := pages.ReadPage()
				if err != nil {
					break
				}
				if page.Size() > pageBytes {
					t.Errorf("column %d has a page of %d bytes", column.Column(), page.Size())
				}
			}
			pages.Close()
		}
	}
}

func BenchmarkParquet(b *testing.B) {
	var p part
	for i := range 1000 {
		p.alerts = append(p.alerts, sdk.Alert{ID: fmt.Sprint(i), JSON: []byte(full)})
	}
	b.SetBytes(int64(len(full) * 1000))
	for b.Loop() {
		if _, failed := encodeParquet(&p); len(failed) > 0 {
			b.Fatal(failed)
		}
	}
}
