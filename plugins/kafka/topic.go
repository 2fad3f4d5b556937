package kafka

import (
	"regexp"
	"strings"

	"github.com/trailship/trailship/plugins/sdk"
)

// maxTopic is the longest name of a topic Kafka takes.
const maxTopic = 249

// topic is the name of a topic, in which {severity} and {rule} stand for the
// alert's.
type topic string

var (
	placeholder = regexp.MustCompile(`\{[^{}]*\}`)
	legal       = regexp.MustCompile(`^[a-zA-Z0-9._-]*$`)
	illegal     = regexp.MustCompile(`[^a-zA-Z0-9._-]`)
)

func parseTopic(text string) (topic, error) {
	for _, p := range placeholder.FindAllString(text, -1) {
		if p != "{severity}" && p != "{rule}" {
			return "", sdk.Invalidf("/topic", "%s is not known: there are {severity} and {rule}", p)
		}
	}
	rest := placeholder.ReplaceAllString(text, "")
	if !legal.MatchString(rest) || len(rest) > maxTopic || text == "." || text == ".." {
		return "", sdk.Invalidf("/topic", "must be the name of a topic: letters, digits, '.', '_' and '-', up to %d of them", maxTopic)
	}
	return topic(text), nil
}

// of is the topic of an alert. Whatever the alert says, it is the name of a
// topic.
func (t topic) of(a sdk.Alert) string {
	if !strings.Contains(string(t), "{") {
		return string(t)
	}
	name := strings.NewReplacer("{severity}", confined(a.Severity), "{rule}", confined(a.RuleID)).Replace(string(t))
	if len(name) > maxTopic {
		name = name[:maxTopic]
	}
	if name == "." || name == ".." {
		return "_"
	}
	return name
}

// confined is a value with nothing in it that a topic may not be called.
func confined(value string) string {
	if value == "" {
		return "_"
	}
	return illegal.ReplaceAllString(value, "_")
}
