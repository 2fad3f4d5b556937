package stdout

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/plugins/sdk"
)

func alert(message string, fields string) sdk.Alert {
	text, err := json.Marshal(map[string]any{"message": message, "unmapped": map[string]any{"fields": json.RawMessage(fields)}})
	if err != nil {
		panic(err)
	}
	return sdk.Alert{ID: "id", RuleID: "kms-key-disabled", Severity: "high", Time: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC), JSON: text}
}

func TestALineForPeople(t *testing.T) {
	for name, test := range map[string]struct {
		alert  sdk.Alert
		colour bool
		want   string
	}{
		"plain": {
			alert("alice disabled a key", `{"key":"1234","who":"alice b","n":3,"list":["a",1],"none":""}`), false,
			`2026-11-21T10:00:00Z HIGH     kms-key-disabled: alice disabled a key  key=1234 who="alice b" n=3 list=["a",1] none=""`,
		},
		"without fields": {alert("alice disabled a key", `{}`), false, `2026-11-21T10:00:00Z HIGH     kms-key-disabled: alice disabled a key`},
		"in colour": {
			alert("m", `{"k":"v"}`), true,
			"\x1b[2m2026-11-21T10:00:00Z\x1b[0m \x1b[31mHIGH    \x1b[0m kms-key-disabled: m  \x1b[2mk=\x1b[0mv",
		},
		"hostile": {
			alert("a\x1b[2Jb\r\nc\u202ed\u009b31m\\", `{"x\u001b":"y\u0007 \" z"}`), false,
			`2026-11-21T10:00:00Z HIGH     kms-key-disabled: a\x1b[2Jb\r\nc\u202ed\u009b31m\\  x\x1b="y\a \" z"`,
		},
		"not JSON": {sdk.Alert{RuleID: "r", JSON: []byte("\x1b{")}, false, `0001-01-01T00:00:00Z          r: \x1b{`},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, string(appendText(nil, test.alert, test.colour))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestJSONSaysTheSameWithoutAnythingATerminalObeys(t *testing.T) {
	in := "{\"a\":\"é \u009b31m \u202e \U000e0001 \x7f \\u001b ok\"}"
	out := appendJSON(nil, sdk.Alert{JSON: []byte(in)})
	if want := "{\"a\":\"é \\u009b31m \\u202e \\udb40\\udc01 \\u007f \\u001b ok\"}"; string(out) != want {
		t.Errorf("%s", out)
	}
	var before, after any
	if json.Unmarshal([]byte(in), &before) != nil || json.Unmarshal(out, &after) != nil || cmp.Diff(before, after) != "" {
		t.Error(cmp.Diff(before, after))
	}
}

func FuzzRender(f *testing.F) {
	f.Add([]byte(`{"message":"a\u001b[2J","unmapped":{"fields":{"k":"v"}}}`))
	f.Add([]byte(""))
	f.Add([]byte("{\"message\":\"\xff\u0085\"}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		a := sdk.Alert{RuleID: string(text), Severity: string(text), JSON: text}
		lines := []string{string(appendText(nil, a, false))}
		if json.Valid(text) { // of anything else nothing is promised
			lines = append(lines, string(appendJSON(nil, a)))
		}
		for _, line := range lines {
			if i := strings.IndexFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
				t.Errorf("%q", line)
			}
		}
	})
}

func TestABatchIsOneWriteAndItsErrorIsReported(t *testing.T) {
	var w countingWriter
	p := &printer{w: &w, render: appendJSON}
	if err := p.Deliver(t.Context(), []sdk.Alert{{JSON: []byte("{}")}, {JSON: []byte("[]")}}); err != nil {
		t.Error(err)
	}
	if w.writes != 1 || w.String() != "{}\n[]\n" {
		t.Errorf("%d writes: %q", w.writes, w.String())
	}
	w.err = errors.New("broken pipe")
	if err := p.Deliver(t.Context(), []sdk.Alert{{}}); err == nil || err.Error() != "writing to the daemon's standard output: broken pipe" {
		t.Error(err)
	}
}

type countingWriter struct {
	bytes.Buffer
	writes int
	err    error
}

func (w *countingWriter) Write(p []byte) (int, error) {
	w.writes++
	if w.err != nil {
		return 0, w.err
	}
	return w.Buffer.Write(p)
}

func TestWithoutTheDaemonsStdoutItDoesNotOpen(t *testing.T) {
	if _, err := (config{}).open(); err == nil || err.Error() != "the daemon did not pass on its standard output" {
		t.Error(err)
	}
}
