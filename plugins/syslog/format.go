package syslog

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/trailship/trailship/plugins/sdk"
)

// facilityNames are in the order of their numbers (RFC 5424, table 1).
var facilityNames = []string{
	"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
	"ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
}

var facilities = func() map[string]int {
	numbers := map[string]int{}
	for number, name := range facilityNames {
		numbers[name] = number
	}
	return numbers
}()

// severities are those of RFC 5424, table 2: critical is crit, high err, medium
// warning, low notice and info informational.
var severities = map[string]int{"critical": 2, "high": 3, "medium": 4, "low": 5, "info": 6}

// sdID names our structured data. 32473 is the enterprise number for examples
// (RFC 5612); trailship has none of its own.
const sdID = "trailship@32473"

// format is what messages look like.
type format struct {
	facility  int
	host, app string
	text      bool // a line for people instead of JSON
	limit     int  // of a message in bytes; 0 is none
}

// message renders an alert as RFC 5424, section 6 has it:
//
//	<131>1 2026-08-03T09:12:44.000Z host trailship - kms-key-disabled [trailship@32473 id="…" …] …
//
// Nothing a stranger wrote can leave its place: names are ASCII without
// spaces, values are escaped, and the message has no control characters. One
// longer than the limit is cut, and says so with cut="1".
func (f format) message(a sdk.Alert) (text []byte, cut bool) {
	s := summaryOf(a)
	severity, ok := severities[a.Severity]
	if !ok {
		severity = severities["info"]
	}
	head := fmt.Sprintf("<%d>1 %s %s %s - %s ", f.facility*8+severity, a.Time.UTC().Format("2006-01-02T15:04:05.000Z07:00"),
		or(f.host, "-"), f.app, or(ascii(a.RuleID, 32), "-"))
	body := asciiJSON(a.JSON)
	if f.text {
		body = s.line(a)
	}
	whole := head + s.structured(a, false) + " " + body
	if f.limit == 0 || len(whole) <= f.limit {
		return []byte(whole), false
	}
	return []byte(shorten(head+s.structured(a, true)+" "+body, f.limit)), true
}

// shorten cuts text to a number of bytes, between two characters.
func shorten(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}

// summary is what people want to read of an alert.
type summary struct {
	Message string
	Actor   struct{ User struct{ Name, UID string } }
	Cloud   struct {
		Region  string
		Account struct{ UID string }
	}
	Evidences []struct {
		Endpoint struct{ IP string } `json:"src_endpoint"`
	}
}

func summaryOf(a sdk.Alert) summary {
	var s summary
	json.Unmarshal(a.JSON, &s) // what is missing is left out
	return s
}

// param is a name of the structured data with its value.
type param struct{ name, value string }

func (s summary) params() []param {
	ip := ""
	if len(s.Evidences) > 0 {
		ip = s.Evidences[0].Endpoint.IP
	}
	return []param{
		{"principal", cmp.Or(s.Actor.User.Name, s.Actor.User.UID)}, {"account", s.Cloud.Account.UID},
		{"region", s.Cloud.Region}, {"ip", ip},
	}
}

// maxValue bounds a value of the structured data, escapes included, in bytes.
const maxValue = 160

// structured renders the element of structured data.
func (s summary) structured(a sdk.Alert, cut bool) string {
	all := append([]param{{"id", a.ID}, {"rule", a.RuleID}, {"severity", a.Severity}}, s.params()...)
	if cut {
		all = append(all, param{"cut", "1"})
	}
	var text strings.Builder
	text.WriteString("[" + sdID)
	for _, p := range all {
		if p.value != "" {
			fmt.Fprintf(&text, ` %s="%s"`, p.name, sdValue(p.value))
		}
	}
	text.WriteByte(']')
	return text.String()
}

// sdValue escapes a value as RFC 5424, 6.3.3 asks.
func sdValue(value string) string {
	var text strings.Builder
	for _, r := range shorten(value, maxValue) {
		escaped := string(printable(r))
		if strings.ContainsRune(`"\]`, r) {
			escaped = `\` + escaped
		}
		if text.Len()+len(escaped) > maxValue {
			break
		}
		text.WriteString(escaped)
	}
	return text.String()
}

// line renders an alert for people. Text that is not ASCII begins with a BOM
// (RFC 5424, 6.4).
func (s summary) line(a sdk.Alert) string {
	text := strings.ToUpper(a.Severity) + " " + a.RuleID + ": " + s.Message
	for _, p := range s.params() {
		if p.value != "" {
			text += " " + p.name + "=" + strconv.Quote(p.value)
		}
	}
	text = strings.Map(printable, text)
	if ascii(text, len(text)) != strings.ReplaceAll(text, " ", "") {
		return "\ufeff" + text
	}
	return text
}

// printable replaces what does not print, line ends and marks that turn the
// direction of text among it.
func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return '\uFFFD'
}

// ascii keeps the printable ASCII of a name but for spaces, up to a length.
func ascii(name string, limit int) string {
	name = strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7f {
			return r
		}
		return -1
	}, name)
	return name[:min(len(name), limit)]
}

// asciiJSON writes JSON in ASCII on one line: then it needs no BOM, which JSON
// must not have (RFC 8259, 8.1).
func asciiJSON(text []byte) string {
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		text = text[n:]
		switch {
		case r == '\n' || r == '\r' || r == '\t': // white space between members
			out = append(out, ' ')
		case r >= ' ' && r < 0x7f:
			out = append(out, byte(r))
		case r > 0xffff:
			high, low := (r-0x10000)>>10+0xd800, (r-0x10000)&0x3ff+0xdc00
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return string(out)
}
