package decode

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/trailship/trailship/core/event"
	"github.com/trailship/trailship/core/event/ocsftest"
)

// corpusFiles lists the files below a folder of the corpus.
func corpusFiles(t testing.TB, name string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(ocsftest.Shared(t, name), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// tally counts what became of the records of some files.
type tally struct {
	records, events int
	ids             map[string]int
	rejects         map[string]int
	damages         []string
}

func readCorpus(t *testing.T, files []string, each func(file string, ev *event.Event)) *tally {
	t.Helper()
	sum := &tally{ids: map[string]int{}, rejects: map[string]int{}}
	r := NewReader(strings.NewReader(""), Limits{})
	var ev event.Event
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		r.Reset(f)
		for {
			rec, err := r.Next()
			if err == io.EOF {
				break
			}
			if err == nil {
				err = Normalize(&ev, rec)
			}
			if d, ok := err.(*Damage); ok {
				sum.damages = append(sum.damages, filepath.Base(file)+": "+d.Error())
				break
			}
			sum.records++
			if reject, ok := err.(*Reject); ok {
				sum.rejects[filepath.Base(filepath.Dir(file))+" "+reject.Reason]++
				continue
			} else if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			sum.events++
			sum.ids[ev.ID]++
			if each != nil {
				each(file, &ev)
			}
		}
		f.Close()
	}
	return sum
}

func TestCorpusGivesOnlyValidEventsAndReasons(t *testing.T) {
	schema := ocsftest.Load(t)
	invalid := 0
	sum := readCorpus(t, corpusFiles(t, "corpus"), func(file string, ev *event.Event) {
		out := ev.AppendOCSF(nil)
		if report := schema.Check(out); len(report.Errors) > 0 || len(report.Warnings) > 0 {
			if invalid++; invalid < 20 {
				t.Errorf("%s, event %s: %v %v\n%s", filepath.Base(file), ev.ID, report.Errors, report.Warnings, out)
			}
		}
	})
	t.Logf("%d records, %d events, rejects %v, damage %v", sum.records, sum.events, sum.rejects, sum.damages)
}

func TestS3LabCountsExactly(t *testing.T) {
	var want struct {
		Lab struct {
			Files, Records int
			Distinct       int `json:"distinct_eventIDs"`
			EventName      map[string]int
			ErrorCode      map[string]int
		} `json:"s3-lab"`
	}
	text, err := os.ReadFile(ocsftest.Shared(t, "corpus/aws/counts.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	names, codes := map[string]int{}, map[string]int{}
	files := corpusFiles(t, "corpus/aws/s3-lab")
	sum := readCorpus(t, files, func(_ string, ev *event.Event) {
		names[ev.Action]++
		codes[or(ev.Error.Code, "None")]++
	})
	got := []int{len(files), sum.records, sum.events, len(sum.ids)}
	if want := []int{want.Lab.Files, want.Lab.Records, want.Lab.Records, want.Lab.Distinct}; !slices.Equal(got, want) {
		t.Errorf("files, records, events, distinct ids: got %v, want %v", got, want)
	}
	if !mapsEqual(names, want.Lab.EventName) || !mapsEqual(codes, want.Lab.ErrorCode) {
		t.Errorf("actions %v\nwant %v\ncodes %v\nwant %v", names, want.Lab.EventName, codes, want.Lab.ErrorCode)
	}
}

func mapsEqual(a, b map[string]int) bool {
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return len(a) == len(b)
}

func readJSON(t testing.TB, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}
