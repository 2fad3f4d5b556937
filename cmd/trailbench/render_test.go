package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/examples/trails"
)

func TestAConditionIsWrittenInEveryLanguage(t *testing.T) {
	c := condition{
		is(service, "==", "kms.amazonaws.com"), is(action, "in", "Encrypt", "Sign"), is(identity, "!=", "AWSService"),
		is(region, "not in", "us-east-1", "it's"), is(ip, "startsWith", "203."), is(principal, "contains", ":user/"), is(failure, "==", ""),
	}
	for name, want := range map[string]struct {
		dialect
		text string
	}{
		"ours": {ourDialect, `(service == "kms" and action in ["Encrypt", "Sign"] and principal.type != "service"` +
			` and region not in ["us-east-1", "it's"] and ip startsWith "203." and principal.arn contains ":user/" and error.code == "")`},
		"jq": {jqDialect, `($service == "kms.amazonaws.com" and ($action == "Encrypt" or $action == "Sign") and $principal_type != "AWSService"` +
			` and ($region != "us-east-1" and $region != "it's") and ($ip | startswith("203.")) and ($principal_arn | contains(":user/")) and $error_code == "")`},
		"SQL": {sqlDialect, `(service = 'kms.amazonaws.com' AND action IN ('Encrypt', 'Sign') AND principal_type <> 'AWSService'` +
			` AND region NOT IN ('us-east-1', 'it''s') AND starts_with(ip, '203.') AND contains(principal_arn, ':user/') AND error_code = '')`},
		"RainerScript": {syslogDialect, `($!eventSource == "kms.amazonaws.com" and $!eventName == ["Encrypt", "Sign"] and $!userIdentity!type != "AWSService"` +
			` and not ($!awsRegion == ["us-east-1", "it's"]) and $!sourceIPAddress startswith "203." and $!userIdentity!arn contains ":user/" and $!errorCode == "")`},
		"CEL": {celDialect, `(service == "kms.amazonaws.com" && action in ["Encrypt", "Sign"] && principal_type != "AWSService"` +
			` && !(region in ["us-east-1", "it's"]) && ip.startsWith("203.") && principal_arn.contains(":user/") && error_code == "")`},
		"Rego": {regoDialect, `(input.service == "kms.amazonaws.com"; input.action in {"Encrypt", "Sign"}; input.principal_type != "AWSService"` +
			`; not input.region in {"us-east-1", "it's"}; startswith(input.ip, "203."); contains(input.principal_arn, ":user/"); input.error_code == "")`},
	} {
		if diff := cmp.Diff(want.text, want.condition(c)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestTheConditionsMatchWhatTheySay holds our engine to a plain reading of the
// conditions, over real trails: every basic condition finds something, the
// others nothing, and about one record of fifty matches.
func TestTheConditionsMatchWhatTheySay(t *testing.T) {
	records, all := made(t), conditions(100)
	hits := make([]int, len(all))
	var matching []string
	for _, record := range records {
		hit := false
		for i, c := range all {
			if c.holds(record) {
				hit = true
				hits[i]++
			}
		}
		if hit {
			matching = append(matching, at(record, "eventID"))
		}
	}
	for i, n := range hits {
		if (n > 0) != (i < len(basic)) {
			t.Errorf("condition %d matches %d records", i, n)
		}
	}
	if share := float64(len(matching)) / float64(len(records)); share < 0.01 || share > 0.03 {
		t.Errorf("%.3f of the records match, want about 0.02", share)
	}
	ours, err := ourEngine(rules(conditions(100)), lines(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := sameIDs("plainly read", "our engine", set(matching), set(ours.IDs)); err != nil {
		t.Error(err)
	}
}

// holds reads a condition plainly.
func (c condition) holds(record map[string]any) bool {
	for _, t := range c {
		value, holds := at(record, t.path...), false
		switch t.op {
		case "==", "in":
			holds = slices.Contains(t.values, value)
		case "!=", "not in":
			holds = !slices.Contains(t.values, value)
		case "startsWith":
			holds = strings.HasPrefix(value, t.values[0])
		case "contains":
			holds = strings.Contains(value, t.values[0])
		}
		if !holds {
			return false
		}
	}
	return true
}

var trail = trails.Options{Seed: 1, Files: 12, Records: 1000, Matching: 0.014, NDJSON: true}

func lines(t *testing.T) (lines [][]byte) {
	t.Helper()
	for o := range trail.Objects() {
		for line := range bytes.Lines(o.Body) {
			lines = append(lines, line)
		}
	}
	return lines
}

func made(t *testing.T) (records []map[string]any) {
	t.Helper()
	for _, line := range lines(t) {
		var record map[string]any
		if err := json.Unmarshal(line, &record); err != nil {
			t.Fatal(err)
		}
		records = append(records, record)
	}
	return records
}

func TestIDsAreReadFromAlertsAndRecords(t *testing.T) {
	dir := t.TempDir()
	alerts, records := filepath.Join(dir, "alerts"), filepath.Join(dir, "records")
	write(t, alerts, `{"finding_info":{"uid":"x","related_events":[{"uid":"a"}]}}`+"\n"+`{"finding_info":{"related_events":[{"uid":"b"},{"uid":"a"}]}}`+"\n")
	write(t, records, `{"eventID":"a","eventName":"x"}`+"\n"+`{"eventID":"b"}`+"\n"+`{"eventID":"`+lastID+`"}`+"\n")
	for path, read := range map[string]func(string) (map[string]bool, error){alerts: alertedIDs, records: recordIDs, filepath.Join(dir, "none"): recordIDs} {
		want := set([]string{"a", "b"})
		if filepath.Base(path) == "none" {
			want = map[string]bool{}
		}
		if got, err := read(path); err != nil || !cmp.Equal(got, want) {
			t.Errorf("%s: ids %v (%v), want %v", filepath.Base(path), got, err, want)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestRunRefusesWhatItCannotMeasure(t *testing.T) {
	for args, want := range map[string]string{
		"":                                "say what to measure",
		"peers":                           "-dir is missing: say which folder to work in",
		"peers -dir x -pairs 0":           "-pairs must be at least 1",
		"peers -dir x -size many":         "reading -size",
		"peers -dir x -o yaml":            `-o must be text or json, not "yaml"`,
		"peers -dir x -trailship nowhere": "finding a program to run (make builds it)",
	} {
		err := run(t.Context(), strings.Fields(args), io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("trailbench %s: error %v, want %s", args, err, want)
		}
	}
	if err := run(t.Context(), []string{"peers", "-h"}, io.Discard, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: error %v", err)
	}
}
