package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

var secretsOfTheExample = []string{"ext-id-value", "ak-value", "sk-value", "pager-value", `tok"en/value`, `tok\"en/value`}

// Whatever is printed of a configuration, in whatever way, holds no secret.
func TestSecretsAreShownNowhere(t *testing.T) {
	c := load(t, "example.yaml")
	var out strings.Builder
	for _, x := range []any{c, *c, c.Sources, &c.Sources[0], c.Outputs, c.Outputs[2], c.Outputs[2].Env, c.Sources[1].Credentials, c.Sources[0].AssumeRole, c.Outputs[2].Env["SIEM_TOKEN"]} {
		fmt.Fprintf(&out, "%v %+v %#v %s %q %x %d\n", x, x, x, x, x, x, x)
		if text, err := json.Marshal(x); err != nil {
			t.Error(err)
		} else {
			out.Write(text)
		}
		for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(h).Info("configuration", "x", x, slog.Group("g", "x", x))
		}
	}
	for _, s := range secretsOfTheExample {
		if strings.Contains(out.String(), s) {
			t.Errorf("%q is shown", s)
		}
	}
	if !strings.Contains(out.String(), mask) || !strings.Contains(out.String(), "acme-org-cloudtrail") {
		t.Error("what is no secret is not shown either")
	}
}

func TestAConfigurationIsShownAsItWasWritten(t *testing.T) {
	c := load(t, "also.yaml", "store=${env:SECRET_WORD}", "outputs[0].config.url=https://x/${env:SECRET_WORD}/y")
	got, err := json.Marshal(c.Outputs[0])
	if err != nil {
		t.Fatal(err)
	}
	want := `{"backfill":true,"backlog":{"full":"dead_letter","max_alerts":10,"max_bytes":"1MB"},"config":{"url":"•••"},"include":["event","raw"],"max_files":64,"name":"out","plugin":"stdout","tls":"off","user":"alerts"}`
	if string(got) != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if string(c.Store) != "xyzzy-secret" || c.Outputs[0].Config["url"] != "https://x/xyzzy-secret/y" {
		t.Error("the values themselves are wrong")
	}
}

func TestRedactMasksWhatOthersSay(t *testing.T) {
	c := load(t, "example.yaml")
	got := c.Redact(`POST https://x/?t=tok%22en%2Fvalue: {"token":"tok\"en/value"}, tok"en/value, Bearer pager-value, ak-value and sk-valu`)
	want := `POST https://x/?t=•••: {"token":"•••"}, •••, •••, ••• and sk-valu`
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	c, list := Load("testdata/secrets.yaml", []string{"outputs[0].sha256="}, world())
	if list.HasErrors() {
		t.Fatal(list)
	}
	if got := c.Redact("hunter22 hunter23"); got != "••• •••" {
		t.Errorf("what was written in the file is shown: %s", got)
	}
}

// References stand for text: inside a longer text, in folded and quoted
// scalars, in settings of outputs; numbers and durations of ours are read from
// them.
func TestReferencesAreExpanded(t *testing.T) {
	const text = `
data_dir: ${env:HOME}/${file:relative}
outputs:
  - name: out
    plugin: x
    batch: {max: "${env:BATCH}"}
    config:
      number: ${env:BATCH}
      tagged: !!int ${env:BATCH}
      list: [a, "b${env:BATCH}${env:BATCH}"]
      folded: >-
        one ${env:BATCH}
        two
      literal: $${env:BATCH} ${message}
`
	env := world()
	files := env.ReadFile
	env.ReadFile = func(path string) ([]byte, error) {
		if path == "testdata/c.yaml" {
			return []byte(text), nil
		}
		return files(path)
	}
	c, list := Load("testdata/c.yaml", nil, env)
	if list != nil {
		t.Fatal(list)
	}
	got, err := json.Marshal(c.Outputs[0].Config)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"folded":"one 7 two","list":["a","b77"],"literal":"${env:BATCH} ${message}","number":"7","tagged":7}`
	if string(got) != want || c.Outputs[0].Batch.Max != 7 || c.DataDir != "/home/ops/relative-value" {
		t.Errorf("got %s, %d, %s\nwant %s", got, c.Outputs[0].Batch.Max, c.DataDir, want)
	}
}

func TestASettingIsFoundByItsPointer(t *testing.T) {
	c := load(t, "example.yaml")
	for pointer, want := range map[string]string{
		"":                       "testdata/example.yaml:38:13: wrong",
		"/headers/Authorization": "testdata/example.yaml:38:75: wrong",
		"/headers/missing":       "testdata/example.yaml:38:59: wrong",
		"/url":                   "testdata/example.yaml:38:19: wrong",
	} {
		got, _, _ := strings.Cut(c.Outputs[1].At(pointer).Errorf("E151", "wrong").String(), "\n")
		if got != want {
			t.Errorf("%q: got %s, want %s", pointer, got, want)
		}
	}
	if got := c.Redact(c.Outputs[1].At("/headers/Authorization").Errorf("E151", "wrong").String()); !bytes.Contains([]byte(got), []byte("${file:/run/secrets/pager}")) {
		t.Errorf("the line is not shown as it was written: %s", got)
	}
}
