package main

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRunSumsUpWhatItWrote(t *testing.T) {
	dir := t.TempDir()
	ids := filepath.Join(dir, "ids.tsv")
	var stdout bytes.Buffer
	err := run([]string{"-out", filepath.Join(dir, "trails"), "-seed", "3", "-files", "4", "-records", "50", "-duplicates", "0", "-matching", "0.1", "-ids", ids, "-o", "json"}, &stdout, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"files":4`, `"records":200`, `"distinct":200`} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("the summary %s lacks %s", &stdout, want)
		}
	}
	text, err := os.ReadFile(ids)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(text), "\n"); got != 200 {
		t.Errorf("%d ids are listed, want 200", got)
	}
	if strings.Count(string(text), "\tmatching\n") == 0 {
		t.Error("no id is listed as matching")
	}
}

func TestRunRefusesWhatItCannotMake(t *testing.T) {
	for args, want := range map[string]string{
		"-files 1":                       "-out is missing: say which folder to write into",
		"-out x":                         "nothing to make: give -files or -bytes",
		"-out x -files 1 -records 0":     "-records must be at least 1",
		"-out x -files 1 -matching 2":    "-matching must be between 0 and 1, not 2",
		"-out x -files 1 -o yaml":        `-o must be text or json, not "yaml"`,
		"-out x -files 1 more":           `unexpected argument "more"`,
		"-out x -bytes many":             "reading -bytes",
		"-out x -files 1 -start tuesday": "reading -start",
	} {
		err := run(strings.Fields(args), io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("trailgen %s: error %v, want %s", args, err, want)
		}
	}
	if err := run([]string{"-h"}, io.Discard, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: error %v", err)
	}
}
