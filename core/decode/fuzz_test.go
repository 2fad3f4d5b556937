package decode

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/core/event"
)

// FuzzReader: whatever the bytes, the reader comes to an end, says the same
// whatever the read sizes, returns only valid JSON objects, and finds every
// record of an object that encoding/json can read.
func FuzzReader(f *testing.F) {
	for _, c := range readings {
		f.Add([]byte(c.input))
	}
	limits := Limits{MaxRecord: 4 << 10, MaxObject: 1 << 20}
	f.Fuzz(func(t *testing.T, object []byte) {
		var raws []string
		r := NewReader(bytes.NewReader(object), limits)
		for {
			rec, err := r.Next()
			if err == nil {
				if !json.Valid(rec.Raw) || rec.Raw[0] != '{' {
					t.Fatalf("record %q is no JSON object", rec.Raw)
				}
				raws = append(raws, string(rec.Raw))
			} else if _, lost := err.(*Reject); !lost {
				break
			}
		}
		got := outcome(NewReader(bytes.NewReader(object), limits))
		if len(object) < 4<<10 {
			slow := outcome(NewReader(iotest.OneByteReader(bytes.NewReader(object)), limits))
			if diff := cmp.Diff(got, slow); diff != "" {
				t.Fatalf("read byte by byte: -whole +bytewise\n%s", diff)
			}
		}
		if want, ok := oracle(object); ok {
			for _, raw := range want {
				if len(raw) <= int(limits.MaxRecord) && isRecord(raw) && !contains(raws, raw) {
					t.Fatalf("record %s is missing from %q", raw, raws)
				}
			}
		}
	})
}

// oracle is what encoding/json finds in an S3 object or an array.
func oracle(object []byte) (records []string, ok bool) {
	var envelope struct{ Records []json.RawMessage }
	var list []json.RawMessage
	if !json.Valid(object) {
		return nil, false
	}
	if json.Unmarshal(object, &list) != nil {
		if names := memberNames(object); names["Records"] != 1 || json.Unmarshal(object, &envelope) != nil {
			return nil, false
		}
		list = envelope.Records
	}
	for _, raw := range list {
		records = append(records, string(raw))
	}
	return records, true
}

// memberNames counts the members of an object by their exact spelling.
func memberNames(object []byte) map[string]int {
	names := map[string]int{}
	d := json.NewDecoder(bytes.NewReader(object))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return names
	}
	for d.More() {
		name, _ := d.Token()
		s, _ := name.(string)
		names[s]++
		if bytes.Contains(object, []byte(`\u`)) {
			names[s] += 2 // the reader wants the names of envelopes unescaped
		}
		var skip json.RawMessage
		if d.Decode(&skip) != nil {
			break
		}
	}
	return names
}

// isRecord reports whether a text is clearly a bare CloudTrail record.
func isRecord(raw string) bool {
	var d document
	if d.parse([]byte(raw)) != nil {
		return false
	}
	d.recognize()
	return d.format != nil
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// FuzzNormalize: whatever the record, no panic, and an event is valid JSON
// that satisfies what OCSF demands of every event.
func FuzzNormalize(f *testing.F) {
	for _, file := range fixtures(f) {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var ev event.Event
		if err := Normalize(&ev, Record{Raw: raw}); err != nil {
			if _, ok := err.(*Reject); !ok {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		var out map[string]any
		text := ev.AppendOCSF(nil)
		if err := json.Unmarshal(text, &out); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		for _, name := range []string{"metadata", "time", "class_uid", "type_uid", "activity_id", "category_uid", "severity_id", "cloud"} {
			if out[name] == nil {
				t.Fatalf("no %s in %s", name, text)
			}
		}
		if strings.Contains(string(text), "\n") {
			t.Fatalf("not compact: %q", text)
		}
		if err := ev.Load(event.PartRequest | event.PartResponse | event.PartRaw | event.PartUnmapped); err != nil {
			t.Fatalf("loading: %v", err)
		}
		if ev.ID == "" || ev.Action == "" || ev.Provider == "" {
			t.Fatalf("a nameless event: %+v", ev)
		}
		finding := event.Finding{ID: "x", Title: ev.Action, Severity: "low", Fields: []event.Field{{Name: ev.Action, Value: ev.Resources}, {Name: "raw", Value: ev.Raw}}}
		if text := event.Include(finding.Append(nil, &ev), text, raw); !json.Valid(text) {
			t.Fatalf("finding: %s", text)
		}
		if _, err := Explain(Record{Raw: raw}); err != nil {
			t.Fatalf("explaining: %v", err)
		}
	})
}
