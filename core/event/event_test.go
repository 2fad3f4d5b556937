package event

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/core/event/rawjson"
)

func TestLoadParsesOnlyWhatIsAsked(t *testing.T) {
	ev := Event{
		RequestRaw:  []byte(`{"n":7,"big":18446744073709551616,"f":1.5,"a":[true,null]}`),
		ResponseRaw: []byte(`{"ok":true}`),
		RawJSON:     []byte(`{"x":{"y":1}}`),
		UnmappedRaw: []Pair{{"readOnly", []byte(`true`)}, {"tls", []byte(`{"v":"1.3"}`)}},
	}
	if err := ev.Load(PartRequest | PartUnmapped); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"n": int64(7), "big": "18446744073709551616", "f": 1.5, "a": []any{true, nil}}
	if diff := cmp.Diff(any(want), ev.Request); diff != "" {
		t.Errorf("request: %s", diff)
	}
	if diff := cmp.Diff(any(want), ev.API.Request.Data); diff != "" {
		t.Errorf("api.request.data: %s", diff)
	}
	if diff := cmp.Diff(any(map[string]any{"readOnly": true, "tls": map[string]any{"v": "1.3"}}), ev.Unmapped); diff != "" {
		t.Errorf("unmapped: %s", diff)
	}
	if ev.Response != nil || ev.Raw != nil {
		t.Error("parsed what nobody asked for")
	}
	ev.RequestRaw = []byte(`broken`)
	if err := ev.Load(PartRequest | PartRaw | PartResponse); err != nil {
		t.Errorf("a part was parsed twice: %v", err)
	}
	if diff := cmp.Diff(any(map[string]any{"x": map[string]any{"y": int64(1)}}), ev.Raw); diff != "" {
		t.Errorf("raw: %s", diff)
	}
}

// filled notes what is asked of it.
type filled []Parts

func (f *filled) Fill(_ *Event, parts Parts) { *f = append(*f, parts) }

func TestLoadAsksForWhatIsMissingOnce(t *testing.T) {
	var asked filled
	ev := Event{Rest: &asked}
	ev.LeaveOut(PartError)
	for _, parts := range []Parts{PartError, PartIP, PartIP | PartID, PartOutcome, PartError | PartID} {
		if err := ev.Load(parts); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(filled{PartIP, PartID, PartOutcome}, asked); diff != "" {
		t.Errorf("(-want +asked)\n%s", diff)
	}
	asked, ev = nil, Event{Rest: &asked}
	if err := ev.Load(PartOutcome); err != nil || !cmp.Equal(asked, filled{PartError | PartOutcome}) {
		t.Errorf("%v; the outcome needs the error: asked for %b", err, asked)
	}
}

func TestLoadSaysWhichPartIsBroken(t *testing.T) {
	ev := Event{ID: "e1", RequestRaw: []byte(`{`), ResponseRaw: []byte(`{"ok":true}`)}
	err := ev.Load(PartRequest | PartResponse)
	if want := "parsing the request of event e1: the text ends inside a value"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if ev.Response == nil {
		t.Error("the other part is missing")
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(`{"a":[1,2.5,"x",null,{"b":1e400}]}`), []byte(`[`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		ev := Event{RequestRaw: a, ResponseRaw: b, RawJSON: a, UnmappedRaw: []Pair{{string(b), a}}}
		err := ev.Load(PartRequest | PartResponse | PartRaw | PartUnmapped)
		valid := func(x []byte) bool { return len(x) == 0 || json.Valid(x) }
		if err == nil && !(valid(a) && valid(b)) {
			t.Fatalf("loaded %q and %q", a, b)
		}
		if n := deepNumbers(ev.Request); n > 0 {
			t.Fatalf("%d values of a type rules do not know in %q", n, a)
		}
	})
}

// deepNumbers counts values of other types than the promised ones.
func deepNumbers(v any) (n int) {
	switch v := v.(type) {
	case nil, string, bool, int64, float64:
		return 0
	case map[string]any:
		for _, x := range v {
			n += deepNumbers(x)
		}
		return n
	case []any:
		for _, x := range v {
			n += deepNumbers(x)
		}
		return n
	}
	return 1
}

func sampleEvent() *Event {
	return &Event{
		ID: "e1", Time: time.UnixMilli(1785574804000).UTC(), ClassUID: ClassAPIActivity, ClassName: "API Activity", CategoryUID: 6,
		CategoryName: "Application Activity", ActivityID: 3, ActivityName: "Update", TypeUID: 600303, TypeName: "API Activity: Update",
		SeverityID: 1, StatusID: 1, Status: "Success",
		Metadata:    Metadata{UID: "e1", Version: "1.8.0", OriginalTime: "2026-08-01T09:00:04Z", Product: Product{Name: "CloudTrail", VendorName: "AWS"}},
		Cloud:       Cloud{Provider: "AWS", Region: "eu-west-1"},
		API:         API{Operation: "DisableKey", Service: APIService{Name: "kms.amazonaws.com"}, Request: APIRequest{UID: "r1"}},
		Actor:       Actor{User: User{Type: "IAMUser", TypeID: 1, Name: "alice"}},
		SrcEndpoint: Endpoint{IP: "192.0.2.1"}, Resources: []Resource{{ID: "k", UID: "k", Type: "AWS::KMS::Key"}, {ID: "asked", UID: "asked", Asked: true}},
		RequestRaw: []byte("{ \"keyId\" :\n \"k\" }"),
	}
}

func TestFindingIsWrittenWhole(t *testing.T) {
	f := Finding{
		ID: "alertid", Message: "alice disabled k", Severity: "high", Title: "Key disabled", Description: "Gone.", RuleID: "kms-key", Pack: "kms",
		Tags: []string{"kms"}, Mitre: []string{"TA0040", "T1485", "T1562.008"}, Owner: "sec", Runbook: "https://example.com/r",
		References: []string{"https://example.com"}, FalsePositives: []string{"drills"}, Meta: map[string]any{"b": 1, "a": []any{"x", nil}},
		Fields: []Field{{"who", "ali\"ce"}, {"when", time.UnixMilli(0).UTC()}, {"what", Resource{ID: "k", UID: "k"}}, {"ratio", math.NaN()}, {"n", int64(3)}},
		Source: "trails", Object: "a/b.json.gz", Record: 4, Created: time.UnixMilli(1785574900000).UTC(),
	}
	want := `{"evidences":[{"actor":{"user":{"type":"IAMUser","type_id":1,"name":"alice"}},"api":{"operation":"DisableKey","service":{"name":"kms.amazonaws.com"},` +
		`"request":{"uid":"r1","data":{"keyId":"k"}}},"src_endpoint":{"ip":"192.0.2.1"},"resources":[{"uid":"k","type":"AWS::KMS::Key"}]}],` +
		`"metadata":{"version":"1.8.0","uid":"alertid","original_time":"2026-08-01T09:00:04Z","processed_time":1785574900000,"log_provider":"trailship",` +
		`"product":{"name":"trailship","vendor_name":"trailship"},"profiles":["cloud","host"]},"time":1785574804000,"category_uid":2,"category_name":"Findings",` +
		`"class_uid":2004,"class_name":"Detection Finding","activity_id":1,"activity_name":"Create","type_uid":200401,"type_name":"Detection Finding: Create",` +
		`"severity_id":4,"severity":"High","status_id":1,"status":"New","message":"alice disabled k","is_alert":true,` +
		`"finding_info":{"uid":"alertid","title":"Key disabled","desc":"Gone.","types":["kms"],"created_time":1785574900000,"first_seen_time":1785574804000,` +
		`"last_seen_time":1785574804000,"data_sources":["CloudTrail"],"analytic":{"type_id":1,"type":"Rule","uid":"kms-key","name":"Key disabled"},` +
		`"attacks":[{"tactic":{"uid":"TA0040"}},{"technique":{"uid":"T1485"}},{"technique":{"uid":"T1562"},"sub_technique":{"uid":"T1562.008"}}],` +
		`"related_events":[{"uid":"e1","type_uid":600303,"type":"API Activity: Update","product":{"name":"CloudTrail","vendor_name":"AWS"}}]},` +
		`"cloud":{"provider":"AWS","region":"eu-west-1"},"actor":{"user":{"type":"IAMUser","type_id":1,"name":"alice"}},` +
		`"api":{"operation":"DisableKey","service":{"name":"kms.amazonaws.com"},"request":{"uid":"r1","data":{"keyId":"k"}}},` +
		`"resources":[{"uid":"k","type":"AWS::KMS::Key"}],"unmapped":{"rule_severity":"high","owner":"sec","runbook":"https://example.com/r","pack":"kms",` +
		`"tags":["kms"],"references":["https://example.com"],"false_positives":["drills"],"meta":{"a":["x",null],"b":1},` +
		`"fields":{"who":"ali\"ce","when":"1970-01-01T00:00:00Z","what":{"id":"k","uid":"k","name":"","type":"","owner":{"account":{"uid":"","name":"","type":"","type_id":0}}},` +
		`"ratio":"NaN","n":3},"source":"trails","object":"a/b.json.gz","record":4,"backfill":false}}`
	got := string(f.Append([]byte("kept:"), sampleEvent()))
	if diff := cmp.Diff("kept:"+want, got); diff != "" {
		t.Error(diff)
	}
}

func TestIncludeAddsEventAndRecord(t *testing.T) {
	ev := sampleEvent()
	f := Finding{ID: "x", RuleID: "r", Severity: "low"}
	plain := f.Append(nil, ev)
	parse := func(text []byte) (m map[string]any) {
		t.Helper()
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		return m
	}
	want := parse(plain)
	if diff := cmp.Diff(want, parse(Include(plain, nil, nil))); diff != "" {
		t.Errorf("nothing included: %s", diff)
	}
	want["unmapped"].(map[string]any)["event"] = parse(ev.AppendOCSF(nil))
	want["evidences"].([]any)[0].(map[string]any)["data"] = map[string]any{"a": "b"}
	if diff := cmp.Diff(want, parse(Include(plain, ev.AppendOCSF(nil), []byte("{\n\"a\": \"b\"}")))); diff != "" {
		t.Errorf("both included: %s", diff)
	}
	if got := Include([]byte(`{"x":1}`), []byte(`{}`), nil); string(got) != `{"x":1}` {
		t.Errorf("not a finding: %s", got)
	}
}

func TestHostileTextStaysText(t *testing.T) {
	hostile := "\"},{\\\x00\x1f\xff\u2028</script>\r\n${x}{{.}}"
	ev := sampleEvent()
	ev.UserAgent, ev.HTTPRequest.UserAgent = hostile, hostile
	ev.Metadata.UID, ev.API.Operation, ev.Actor.User.Name = hostile, hostile, hostile
	ev.UnmappedRaw = []Pair{{hostile, []byte("\"\xff\"")}, {"empty", []byte(`{ }`)}, {"none", []byte(`""`)}}
	var out struct {
		Metadata struct{ UID string }
		Unmapped map[string]string
	}
	text := ev.AppendOCSF(nil)
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	clean := strings.ToValidUTF8(hostile, "\ufffd")
	if out.Metadata.UID != clean || !cmp.Equal(out.Unmapped, map[string]string{clean: "\ufffd"}) {
		t.Errorf("got %q and %q", out.Metadata.UID, out.Unmapped)
	}
	f := Finding{ID: hostile, Severity: hostile, Title: hostile, RuleID: hostile, Tags: []string{hostile}, Fields: []Field{{hostile, map[string]any{hostile: hostile}}}}
	if text := f.Append(nil, ev); !json.Valid(text) {
		t.Errorf("finding %s", text)
	}
}

func TestResourcesOfSignInsAreKept(t *testing.T) {
	ev := sampleEvent()
	ev.ClassUID = ClassAuthentication
	if err := ev.Load(PartUnmapped); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"resources": []any{map[string]any{"uid": "k", "type": "AWS::KMS::Key"}}}
	if diff := cmp.Diff(any(want), ev.Unmapped); diff != "" {
		t.Error(diff)
	}
	out, err := rawjson.Parse(ev.AppendOCSF(nil))
	if err != nil {
		t.Fatal(err)
	}
	event := out.(map[string]any)
	if diff := cmp.Diff(any(want), event["unmapped"]); diff != "" || event["resources"] != nil {
		t.Errorf("%v %s", event["resources"], diff)
	}
}

func TestTextOutlivesTheEvent(t *testing.T) {
	var ev Event
	ev.Reset()
	var kept []string
	for i := range 3000 {
		kept = append(kept, ev.Text.Copy([]byte(strings.Repeat(string(rune('a'+i%26)), 1+i%40))))
		ev.Text.Intern([]byte{byte(i), byte(i >> 8)})
		ev.Reset()
	}
	for i, s := range kept {
		if s != strings.Repeat(string(rune('a'+i%26)), 1+i%40) {
			t.Fatalf("string %d became %q", i, s)
		}
	}
}

func TestEventsCostNoMemoryInSteadyState(t *testing.T) {
	ev := sampleEvent()
	out := ev.AppendOCSF(nil)
	if n := testing.AllocsPerRun(100, func() { out = ev.AppendOCSF(out[:0]) }); n != 0 {
		t.Errorf("AppendOCSF allocates %v times", n)
	}
}
