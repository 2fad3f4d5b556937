// Package plugins lists the outputs that are linked into trailship. Each is an
// ordinary plugin that happens to live in the same program: the daemon starts
// it as a process of its own with `trailship plugin NAME`. Adding one is a
// folder here and a line below.
package plugins

import (
	"github.com/trailship/trailship/plugins/file"
	"github.com/trailship/trailship/plugins/kafka"
	"github.com/trailship/trailship/plugins/opensearch"
	"github.com/trailship/trailship/plugins/s3"
	"github.com/trailship/trailship/plugins/slack"
	"github.com/trailship/trailship/plugins/stdout"
	"github.com/trailship/trailship/plugins/syslog"
	"github.com/trailship/trailship/plugins/webhook"
)

// Shipped holds the main function of every shipped output, by name. They do
// not return.
var Shipped = map[string]func(){
	"elasticsearch": opensearch.ServeElasticsearch,
	"file":          file.Serve,
	"kafka":         kafka.Serve,
	"opensearch":    opensearch.Serve,
	"s3":            s3.Serve,
	"slack":         slack.Serve,
	"stdout":        stdout.Serve,
	"syslog":        syslog.Serve,
	"webhook":       webhook.Serve,
}
