package stdout

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/trailship/trailship/plugins/sdk"
)

// colours of severities: bright red, red, yellow, cyan, none.
var colours = map[string]string{"critical": "\x1b[1;91m", "high": "\x1b[31m", "medium": "\x1b[33m", "low": "\x1b[36m"}

const (
	dim   = "\x1b[2m"
	plain = "\x1b[0m"
)

// appendText renders an alert as a line for people:
//
//	2026-11-21T10:00:00Z HIGH     kms-key-disabled: alice disabled a key  key=1234 account=111122223333
//
// Nothing a stranger wrote can move the cursor, change the line's order, or
// begin a line of its own.
func appendText(dst []byte, a sdk.Alert, colour bool) []byte {
	paint := func(dst []byte, code, text string) []byte {
		if !colour || code == "" {
			return append(dst, text...)
		}
		return append(append(append(dst, code...), text...), plain...)
	}
	message, fields := parts(a.JSON)
	dst = paint(dst, dim, a.Time.UTC().Format(time.RFC3339))
	dst = append(dst, ' ')
	dst = paint(dst, colours[a.Severity], fmt.Sprintf("%-8s", strings.ToUpper(visible(a.Severity))))
	dst = append(dst, ' ')
	dst = append(dst, visible(a.RuleID)+": "+visible(message)...)
	if len(fields) > 0 {
		dst = append(dst, ' ')
	}
	for _, f := range fields {
		dst = append(dst, ' ')
		dst = paint(dst, dim, visible(f.name)+"=")
		dst = append(dst, f.text()...)
	}
	return dst
}

// appendJSON appends the alert as it is, but for characters a terminal might
// obey, which JSON can say in another way.
func appendJSON(dst []byte, a sdk.Alert) []byte {
	for text := []byte(a.JSON); len(text) > 0; {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(dst, `\ufffd`...)
		case r == '\n' || r == '\r' || r == '\t': // white space between members
			dst = append(dst, ' ')
		case r < utf8.RuneSelf && r != 0x7f, strconv.IsPrint(r):
			dst = append(dst, text[:size]...)
		case r > 0xffff:
			high, low := (r-0x10000)>>10+0xd800, (r-0x10000)&0x3ff+0xdc00
			dst = fmt.Appendf(dst, `\u%04x\u%04x`, high, low)
		default:
			dst = fmt.Appendf(dst, `\u%04x`, r)
		}
		text = text[size:]
	}
	return dst
}

// field is one of the rule's fields, its value still JSON.
type field struct {
	name  string
	value json.RawMessage
}

// text renders the value; a string that is one word goes without quotes.
func (f field) text() string {
	var s string
	if json.Unmarshal(f.value, &s) != nil {
		return visible(string(f.value))
	}
	if s == "" || strings.ContainsAny(s, " \"=") || visible(s) != s {
		return `"` + strings.ReplaceAll(visible(s), `"`, `\"`) + `"`
	}
	return s
}

// parts returns what people want to read of an alert: the message, and the
// rule's fields in their order.
func parts(alert json.RawMessage) (message string, fields []field) {
	var a struct {
		Message  string `json:"message"`
		Unmapped struct {
			Fields json.RawMessage `json:"fields"`
		} `json:"unmapped"`
	}
	if err := json.Unmarshal(alert, &a); err != nil {
		return string(alert), nil
	}
	d := json.NewDecoder(bytes.NewReader(a.Unmapped.Fields))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return a.Message, nil
	}
	for d.More() {
		name, err := d.Token()
		var f field
		if err != nil || d.Decode(&f.value) != nil {
			break
		}
		f.name, _ = name.(string)
		fields = append(fields, f)
	}
	return a.Message, fields
}

// visible escapes everything that does not print as itself: control
// characters, terminal escapes, marks that turn the direction of text, and
// bytes that are no text. Line ends become escapes too.
func visible(s string) string {
	safe := true
	for _, r := range s {
		safe = safe && strconv.IsPrint(r) && r != utf8.RuneError && r != '\\'
	}
	if safe {
		return s
	}
	quoted := strconv.Quote(s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}
