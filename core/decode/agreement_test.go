package decode

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/trailship/trailship/core/event"
	"github.com/trailship/trailship/core/event/ocsftest"
)

// The driver of the reference mapper: a record per line in, its event (or
// null, when the mapper cannot take the record) per line out.
const driver = `
import sys, json, importlib.util
spec = importlib.util.spec_from_file_location("map", sys.argv[1]); m = importlib.util.module_from_spec(spec); spec.loader.exec_module(m)
for line in sys.stdin:
    r = json.loads(line)
    try:
        if "insightDetails" in r and "eventName" not in r: e = m.insight(r, "AWS" if "awsRegion" in r else "Alibaba Cloud")
        elif "awsRegion" in r: e = m.cloudtrail(r)
        else: e = m.actiontrail(r)
        print(json.dumps(m.clean(e)))
    except Exception as x: print("null")
`

// differences are the paths where we differ from the reference on purpose.
var differences = []struct {
	path, why string
	when      func(want, got any, ev map[string]any) bool
}{
	{"unmapped.*", "members the reference does not know survive, and resources of classes without that attribute", func(want, _ any, _ map[string]any) bool { return want == nil }},
	{"cloud.account.type", "the reference leaves the account's kind out of insights", isInsight},
	{"cloud.account.type_id", "same", isInsight},
	{"metadata.log_version", "the reference leaves eventVersion out of insights", isInsight},
	{"metadata.product.version", "same", isInsight},
	{"*", "RenewRole and the Identity Center sign-ins are sign-ins", func(_, _ any, ev map[string]any) bool {
		return slices.Contains([]string{"RenewRole", "ExternalIdPDirectoryLogin", "CredentialChallenge", "CredentialVerification", "UserAuthentication"}, operation(ev))
	}},
	{"resources", "the reference makes a resource of neither ARN nor name, which the schema refuses; ours has the ARNPrefix", isARNPrefix},
	{"api.service.name", "the reference has no fallback for a missing service", func(want, _ any, _ map[string]any) bool { return want == nil }},
	{"service.name", "same", func(want, _ any, _ map[string]any) bool { return want == nil }},
}

func isInsight(want, _ any, ev map[string]any) bool {
	return want == nil && ev["class_uid"] == float64(event.ClassDetectionFinding)
}

// isARNPrefix reports whether the resources differ in uids only where the
// reference has none.
func isARNPrefix(want, got any, _ map[string]any) bool {
	w, _ := want.([]any)
	g, _ := got.([]any)
	for i := range w {
		if i >= len(g) {
			return false
		}
		theirs, ours := w[i].(map[string]any), g[i].(map[string]any)
		if theirs["uid"] != nil && theirs["uid"] != ours["uid"] || theirs["type"] != ours["type"] {
			return false
		}
	}
	return len(w) == len(g)
}

func operation(ev map[string]any) string {
	api, _ := ev["api"].(map[string]any)
	name, _ := api["operation"].(string)
	return name
}

func TestAgreesWithTheReferenceMapper(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("the reference mapper needs python3, which is not installed")
	}
	mapper := ocsftest.Shared(t, "ocsf/map.py")
	var input bytes.Buffer
	var ours [][]byte
	readCorpus(t, corpusFiles(t, "corpus"), func(_ string, ev *event.Event) {
		if err := json.Compact(&input, ev.RawJSON); err != nil {
			t.Fatal(err)
		}
		input.WriteByte('\n')
		ours = append(ours, ev.AppendOCSF(nil))
	})
	cmd := exec.Command(python, "-c", driver, mapper)
	cmd.Stdin = &input
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	theirs := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if len(theirs) != len(ours) {
		t.Fatalf("%d events from the reference, %d from us", len(theirs), len(ours))
	}
	refused, different := 0, map[string]int{}
	for i := range ours {
		var want, got map[string]any
		if err := json.Unmarshal(theirs[i], &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(ours[i], &got); err != nil {
			t.Fatal(err)
		}
		if want == nil {
			refused++
			continue
		}
		diff("", want, clean(got), func(path string, want, got any) {
			if justified(path, want, got, got2map(ours[i])) {
				return
			}
			if different[path]++; different[path] <= 3 {
				t.Errorf("%s: got %v, want %v in %s", path, got, want, ours[i])
			}
		})
	}
	t.Logf("%d events compared, %d records the reference cannot take, differences %v", len(ours)-refused, refused, different)
}

func TestAgreesWithTheReferenceSamples(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(ocsftest.Shared(t, "ocsf/samples"), "*.in.json"))
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".in.json"), func(t *testing.T) {
			var want map[string]any
			readJSON(t, strings.TrimSuffix(file, ".in.json")+".ocsf.json", &want)
			readCorpus(t, []string{file}, func(_ string, ev *event.Event) {
				out := ev.AppendOCSF(nil)
				diff("", want, clean(got2map(out)), func(path string, want, got any) {
					if !justified(path, want, got, got2map(out)) {
						t.Errorf("%s: got %v, want %v", path, got, want)
					}
				})
			})
		})
	}
}

func got2map(text []byte) (m map[string]any) {
	if err := json.Unmarshal(text, &m); err != nil {
		panic(fmt.Sprintf("%v in %s", err, text))
	}
	return m
}

func justified(path string, want, got any, ev map[string]any) bool {
	for _, d := range differences {
		prefix, wild := strings.CutSuffix(d.path, "*")
		if (path == d.path || wild && strings.HasPrefix(path, prefix)) && d.when(want, got, ev) {
			return true
		}
	}
	return false
}

// diff calls report for every path at which two JSON values differ.
func diff(path string, want, got any, report func(path string, want, got any)) {
	w, isMap := want.(map[string]any)
	g, areMaps := got.(map[string]any)
	if !(isMap || want == nil) || !(areMaps || got == nil) || !isMap && !areMaps {
		if !reflect.DeepEqual(want, got) {
			report(path, want, got)
		}
		return
	}
	if path != "" {
		path += "."
	}
	for name := range w {
		diff(path+name, w[name], g[name], report)
	}
	for name := range g {
		if _, ok := w[name]; !ok {
			diff(path+name, nil, g[name], report)
		}
	}
}

// clean drops what says nothing, as the reference does.
func clean(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, x := range v {
			if x = clean(x); !blank(x) {
				out[name] = x
			}
		}
		return out
	case []any:
		out := []any{}
		for _, x := range v {
			out = append(out, clean(x))
		}
		return out
	}
	return v
}

func blank(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return false
}
