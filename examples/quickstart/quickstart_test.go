// Package quickstart_test holds the example to what it promises: the
// configuration is right, the rules pass their tests, and the sample day raises
// these alerts.
package quickstart_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/core/config"
	"github.com/trailship/trailship/core/decode"
	"github.com/trailship/trailship/core/event"
	"github.com/trailship/trailship/core/rule"
	"github.com/trailship/trailship/rules"
)

func TestTheConfigurationIsRight(t *testing.T) {
	c, problems := config.Load("trailship.yaml", nil, config.Env{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for _, s := range c.Sources {
		if info, err := os.Stat(s.Path); err != nil || !info.IsDir() {
			t.Errorf("source %s: %v", s.Name, err)
		}
	}
}

func TestTheRulesPassTheirTests(t *testing.T) {
	for _, result := range load(t).Test() {
		if !result.Passed() {
			t.Errorf("%s, %s: alerts %q\n%s", result.Rule, result.Name, result.Messages, result.Failures)
		}
	}
}

func TestTheSampleDayRaisesTheseAlerts(t *testing.T) {
	m := load(t).NewMatcher()
	alerts := map[string]string{} // id → line; the same id is the same alert
	for _, object := range objects(t, filepath.Join("..", "trails", "sample")) {
		for _, ev := range events(t, object) {
			for _, match := range m.Match(ev) {
				line := fmt.Sprintf("%-8s %s: %s", match.Rule.Severity, match.Rule.ID, match.Message)
				if _, again := alerts[match.ID]; !again {
					alerts[match.ID] = line
				}
			}
		}
	}
	var got []string
	for _, line := range alerts {
		got = append(got, line)
	}
	slices.Sort(got)
	want, err := os.ReadFile(filepath.Join("testdata", "alerts.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), strings.Join(got, "\n")+"\n"); diff != "" {
		t.Errorf("testdata/alerts.txt (-) and the alerts (+) differ:\n%s", diff)
	}
}

func load(t *testing.T) *rule.Set {
	t.Helper()
	pack, _ := rules.Pack("kms")
	set, problems := rule.Load([]rule.Root{{FS: os.DirFS("rules"), Path: "rules"}, {FS: pack, Path: "pack:kms", Pack: "kms"}}, rule.Options{Normalize: normalize})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return set
}

func normalize(raw []byte) (*event.Event, error) {
	record, err := decode.NewReader(bytes.NewReader(raw), decode.Limits{}).Next()
	if err != nil {
		return nil, err
	}
	ev := new(event.Event)
	return ev, decode.Normalize(ev, record)
}

func objects(t *testing.T, dir string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil || len(paths) == 0 {
		t.Fatalf("no objects below %s: %v", dir, err)
	}
	return paths
}

func events(t *testing.T, path string) (all []*event.Event) {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := decode.NewReader(bytes.NewReader(body), decode.Limits{})
	for {
		record, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		record.Raw = slices.Clone(record.Raw) // the events outlive the reader
		ev := new(event.Event)
		if err := decode.Normalize(ev, record); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all = append(all, ev)
	}
}
