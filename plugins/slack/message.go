package slack

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/trailship/trailship/plugins/sdk"
)

// Slack refuses a message with a header of over 150 characters, a text of over
// 3000, over 50 blocks, or over some 13,000 characters in all blocks. These
// keep below with room for what JSON adds.
const (
	maxTitle   = 120
	maxMessage = 2000
	maxValue   = 150
	maxFields  = 8
)

// message is the body of a request: https://docs.slack.dev/reference/block-kit.
// Whatever comes from an alert stands in plain text objects and in the texts of
// rich text, where Slack looks for no markup; but for Text, where it is escaped.
type message struct {
	Channel     string  `json:"channel,omitempty"`
	Text        string  `json:"text"` // of notifications
	Markdown    bool    `json:"mrkdwn"`
	UnfurlLinks bool    `json:"unfurl_links"`
	UnfurlMedia bool    `json:"unfurl_media"`
	Blocks      []block `json:"blocks"`
}

type block struct {
	Type     string    `json:"type"`
	Text     *plain    `json:"text,omitempty"`     // of a header
	Elements []section `json:"elements,omitempty"` // of rich text
}

type plain struct {
	Type  string `json:"type"`
	Text  string `json:"text"`
	Emoji bool   `json:"emoji"`
}

type section struct {
	Type     string    `json:"type"`
	Elements []element `json:"elements"`
}

// element is a piece of text, or a link.
type element struct {
	Type  string `json:"type"`
	Text  string `json:"text"`
	URL   string `json:"url,omitempty"`
	Style *style `json:"style,omitempty"`
}

type style struct {
	Bold bool `json:"bold,omitempty"`
	Code bool `json:"code,omitempty"`
}

// signs stand before the severity.
var signs = map[string]string{"critical": "🚨", "high": "🔴", "medium": "🟠", "low": "🟡", "info": "🔵"}

// newMessage renders an alert.
func newMessage(a sdk.Alert, channel string) message {
	f := findingOf(a)
	severity := strings.ToUpper(visible(a.Severity, 20))
	title := strings.TrimSpace(signs[a.Severity] + " " + severity + ": " + visible(cmp.Or(f.Info.Title, a.RuleID), maxTitle))
	text := visible(f.Message, maxMessage)
	m := message{
		Channel: channel,
		Text:    escape(title + ": " + shorten(text, 300)),
		Blocks:  []block{{Type: "header", Text: &plain{Type: "plain_text", Text: shorten(title, 150)}}},
	}
	if text != "" {
		m.Blocks = append(m.Blocks, rich(element{Type: "text", Text: text}))
	}
	m.Blocks = append(m.Blocks, rich(facts(f.facts(a))...))
	if links := f.links(); len(links) > 0 {
		m.Blocks = append(m.Blocks, rich(links...))
	}
	return m
}

func rich(elements ...element) block {
	return block{Type: "rich_text", Elements: []section{{Type: "rich_text_section", Elements: elements}}}
}

// fact is a line of the message.
type fact struct{ name, value string }

// facts renders lines: a name in bold, and a value as code.
func facts(all []fact) []element {
	var elements []element
	for _, f := range all {
		name, value := visible(f.name, 60), visible(f.value, maxValue)
		if value == "" {
			continue
		}
		if len(elements) > 0 {
			elements = append(elements, element{Type: "text", Text: "\n"})
		}
		elements = append(elements,
			element{Type: "text", Text: name + " ", Style: &style{Bold: true}},
			element{Type: "text", Text: value, Style: &style{Code: true}})
	}
	return elements
}

// finding is what people want to read of an alert.
type finding struct {
	Message string
	Info    struct {
		Title   string
		Related []struct{ UID string } `json:"related_events"`
	} `json:"finding_info"`
	Actor struct{ User struct{ Name, UID string } }
	Cloud struct {
		Provider, Region string
		Account          struct{ UID string }
	}
	Evidences []struct {
		Endpoint struct{ IP string } `json:"src_endpoint"`
	}
	Unmapped struct {
		Runbook string
		Fields  json.RawMessage
	}
}

func findingOf(a sdk.Alert) finding {
	var f finding
	json.Unmarshal(a.JSON, &f) // what is missing is left out
	return f
}

// facts lists what is known, the rule's fields in their order.
func (f finding) facts(a sdk.Alert) []fact {
	principal := f.Actor.User.Name
	if principal == "" {
		principal = f.Actor.User.UID
	} else if f.Actor.User.UID != "" {
		principal += " (" + f.Actor.User.UID + ")"
	}
	ip := ""
	if len(f.Evidences) > 0 {
		ip = f.Evidences[0].Endpoint.IP
	}
	all := []fact{
		{"Principal", principal}, {"Account", f.Cloud.Account.UID}, {"Region", f.Cloud.Region}, {"Source IP", ip},
		{"Event time", a.Time.UTC().Format(time.RFC3339)}, {"Rule", a.RuleID}, {"Alert", a.ID},
	}
	return append(all, fields(f.Unmapped.Fields)...)
}

// fields reads the rule's fields, as many as a message has room for.
func fields(object json.RawMessage) []fact {
	d := json.NewDecoder(bytes.NewReader(object))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil
	}
	var all []fact
	for d.More() && len(all) < maxFields {
		name, err := d.Token()
		var value json.RawMessage
		if err != nil || d.Decode(&value) != nil {
			break
		}
		text := strings.TrimPrefix(string(value), "null")
		json.Unmarshal(value, &text) // a string goes without quotes, null not at all
		key, _ := name.(string)
		all = append(all, fact{key, text})
	}
	return all
}

// links are the runbook, when it is on the web, and the event in the console.
func (f finding) links() []element {
	var all []element
	if u, err := url.Parse(f.Unmapped.Runbook); err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && len(u.String()) <= maxMessage {
		all = append(all, element{Type: "link", URL: u.String(), Text: "Runbook"})
	} else if f.Unmapped.Runbook != "" {
		all = append(all, facts([]fact{{"Runbook", f.Unmapped.Runbook}})...)
	}
	if link := f.consoleURL(); link != "" {
		if len(all) > 0 {
			all = append(all, element{Type: "text", Text: "  "})
		}
		all = append(all, element{Type: "link", URL: link, Text: "Event in CloudTrail"})
	}
	return all
}

// name is what regions and ids of events are made of.
var name = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

// consoleURL is the page of the event in CloudTrail's event history, which
// knows management events for 90 days.
func (f finding) consoleURL() string {
	if f.Cloud.Provider != "AWS" || !name.MatchString(f.Cloud.Region) || len(f.Info.Related) == 0 || !name.MatchString(f.Info.Related[0].UID) {
		return ""
	}
	host := f.Cloud.Region + ".console.aws.amazon.com"
	switch {
	case strings.HasPrefix(f.Cloud.Region, "cn-"):
		host = f.Cloud.Region + ".console.amazonaws.cn"
	case strings.HasPrefix(f.Cloud.Region, "us-gov-"):
		host = f.Cloud.Region + ".console.amazonaws-us-gov.com"
	}
	return "https://" + host + "/cloudtrailv2/home?region=" + f.Cloud.Region + "#/events/" + f.Info.Related[0].UID
}

// escape makes text harmless where Slack looks for markup: a link or a mention
// begins with <.
func escape(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}

// visible replaces what does not print, line ends and marks that turn the
// direction of text among it, and shortens the rest.
func visible(text string, limit int) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '\uFFFD'
	}, shorten(text, limit))
}

// shorten cuts text to a number of characters, the last of which is then an
// ellipsis. Those beyond Unicode's first plane count as two, to be on the safe
// side of how Slack counts.
func shorten(text string, limit int) string {
	room, end := limit, 0 // end is where a cut leaves room for the ellipsis
	for i, r := range text {
		if room >= 1 {
			end = i
		}
		if room -= max(utf16.RuneLen(r), 1); room < 0 {
			return text[:end] + "…"
		}
	}
	return text
}
