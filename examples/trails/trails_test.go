package trails

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
)

func TestTheSameSeedMakesTheSameBytes(t *testing.T) {
	o := Options{Seed: 7, Files: 6, Records: 50, Alibaba: 0.5, Duplicates: 0.1, Matching: 0.1}
	first, second := slices.Collect(o.Objects()), slices.Collect(o.Objects())
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("two runs differ:\n%s", diff)
	}
	o.Seed = 8
	if cmp.Equal(first, slices.Collect(o.Objects())) {
		t.Error("another seed makes the same bytes")
	}
}

// TestWhatIsReportedIsWhatIsThere reads every object back and counts.
func TestWhatIsReportedIsWhatIsThere(t *testing.T) {
	for _, o := range []Options{
		{Seed: 1, Files: 45, Records: 40, Alibaba: 0.4, Duplicates: 0.1, Matching: 0.05},
		{Seed: 2, Files: 5, Records: 100, NDJSON: true, Alibaba: 0.5, Duplicates: 0.3, Matching: 0.5},
		{Seed: 2, Files: 5, Records: 100, NDJSON: true, Gzip: true},
		{Seed: 3, Files: 3, Records: 1},
		{Seed: 4, Bytes: 500_000, Records: 70},
	} {
		dir := t.TempDir()
		made, err := o.Write(dir)
		if err != nil {
			t.Fatal(err)
		}
		found := Result{}
		seen := map[string]string{}
		for _, path := range files(t, dir) {
			stored, inflated, records := readBack(t, path)
			found.Files++
			found.Stored += stored
			found.Bytes += inflated
			for _, r := range records {
				found.Records++
				id := text(r, "eventID") + text(r, "eventId")
				whole, _ := json.Marshal(r)
				if before, again := seen[id]; again && before != string(whole) {
					t.Errorf("id %s stands on two different records", id)
				} else if !again {
					found.IDs = append(found.IDs, id)
					if text(r, "eventName") == "ScheduleKeyDeletion" {
						found.MatchingIDs = append(found.MatchingIDs, id)
					}
				}
				seen[id] = string(whole)
			}
		}
		found.Distinct, found.Matching = len(found.IDs), len(found.MatchingIDs)
		for _, r := range []*Result{&made, &found} {
			slices.Sort(r.IDs)
			slices.Sort(r.MatchingIDs)
		}
		if diff := cmp.Diff(found, made); diff != "" {
			t.Errorf("%+v: found (-) and reported (+) differ:\n%s", o, diff)
		}
		if o.Files > 0 && (made.Files != o.Files || made.Records != o.Files*o.Records) {
			t.Errorf("%+v: made %d files and %d records", o, made.Files, made.Records)
		}
		if o.Bytes > 0 && (made.Bytes < o.Bytes || made.Bytes > o.Bytes+200_000) {
			t.Errorf("%+v: made %d bytes", o, made.Bytes)
		}
	}
}

func TestObjectsHaveTheirDeliveredNames(t *testing.T) {
	want := regexp.MustCompile(`^(` +
		`AWSLogs/\d{12}/CloudTrail(-Insight)?/[a-z0-9-]+/2026/03/0[23]/\d{12}_CloudTrail(-Insight)?_[a-z0-9-]+_2026030[23]T\d{4}Z_[A-Za-z0-9]{16}\.json\.gz|` +
		`AliyunLogs/Actiontrail(-Insight)?/[a-z0-9-]+/2026/03/0[23]/Actiontrail_[a-z0-9-]+_2026030[23]\d{6}_1002_5_\d+_[0-9A-F]{32}\.gz)$`)
	seen := map[string]bool{}
	for o := range (Options{Seed: 1, Files: 200, Records: 5, Alibaba: 0.5}).Objects() {
		if !want.MatchString(o.Path) {
			t.Errorf("unexpected name %s", o.Path)
		}
		if seen[o.Path] {
			t.Errorf("%s is made twice", o.Path)
		}
		seen[o.Path] = true
	}
}

// TestRecordsAreRealistic holds the generator to what delivered files look like.
func TestRecordsAreRealistic(t *testing.T) {
	for provider, o := range map[string]Options{
		AWS:     {Seed: 1, Files: 20, Records: 1000},
		Alibaba: {Seed: 1, Files: 20, Records: 1000, Alibaba: 1},
	} {
		var bytes, stored, records, reads, denied int
		kinds, identities, names, services := map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}
		for object := range o.Objects() {
			bytes += int(object.Inflated)
			stored += len(object.Body)
			for _, r := range decode(t, inflate(t, object.Body)) {
				records++
				if r["readOnly"] == true || r["eventRW"] == "Read" {
					reads++
				}
				if r["errorCode"] != nil {
					denied++
				}
				kinds[text(r, "eventType")+"/"+text(r, "eventCategory")]++
				names[text(r, "eventSource")+text(r, "serviceName")+":"+text(r, "eventName")]++
				services[service(r)]++
				who, _ := r["userIdentity"].(map[string]any)
				identities[text(who, "type")]++
			}
		}
		within(t, provider, "bytes a record", bytes/records, 1000, 1700)
		within(t, provider, "compression, in tenths", 10*bytes/stored, 70, 100)
		within(t, provider, "reads, in percent", 100*reads/records, 65, 95)
		within(t, provider, "refused, in per mille", 1000*denied/records, 5, 40)
		within(t, provider, "kinds", len(kinds), 3, 9)
		within(t, provider, "identity types", len(identities), 4, 9)
		within(t, provider, "different calls", len(names), 20, 300)
		within(t, provider, "services", len(services), map[string]int{AWS: 60, Alibaba: 10}[provider], 90)
	}
}

func TestTimesStayInTheSpan(t *testing.T) {
	start := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	for object := range (Options{Seed: 1, Files: 24, Records: 20, Start: start, Span: 48 * time.Hour}).Objects() {
		for _, r := range decode(t, inflate(t, object.Body)) {
			at, err := time.Parse(time.RFC3339, text(r, "eventTime"))
			if err != nil || at.Before(start) || at.After(start.Add(48*time.Hour)) {
				t.Errorf("time %v is outside the span (%v)", at, err)
			}
		}
	}
}

func BenchmarkObjects(b *testing.B) {
	o := Options{Seed: 1, Files: 4, Records: 1000, Alibaba: 0.3, Duplicates: 0.02, Matching: 0.01}
	for b.Loop() {
		var bytes int64
		for object := range o.Objects() {
			bytes += object.Inflated
		}
		b.SetBytes(bytes)
	}
}

func within(t *testing.T, provider, what string, got, low, high int) {
	t.Helper()
	if got < low || got > high {
		t.Errorf("%s: %s: %d, want %d to %d", provider, what, got, low, high)
	}
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func readBack(t *testing.T, path string) (stored, inflated int64, records []map[string]any) {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	plain := body
	if filepath.Ext(path) == ".gz" {
		plain = inflate(t, body)
	}
	return int64(len(body)), int64(len(plain)), decode(t, plain)
}

func inflate(t *testing.T, body []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

// decode reads an object in whichever of the three forms it has.
func decode(t *testing.T, plain []byte) (records []map[string]any) {
	t.Helper()
	if bytes.HasPrefix(plain, []byte("[")) {
		must(t, json.Unmarshal(plain, &records))
		return records
	}
	if bytes.HasPrefix(plain, []byte(`{"Records":[`)) {
		var envelope struct{ Records []map[string]any }
		must(t, json.Unmarshal(plain, &envelope))
		return envelope.Records
	}
	for line := range bytes.Lines(plain) {
		var r map[string]any
		must(t, json.Unmarshal(line, &r))
		records = append(records, r)
	}
	return records
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func text(r map[string]any, name string) string {
	if r[name] == nil {
		return ""
	}
	return fmt.Sprint(r[name])
}

func service(r map[string]any) string {
	if name := text(r, "serviceName"); name != "" {
		return name
	}
	return text(r, "eventSource")
}
