package config

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/trailship/trailship/core/diag"
)

// Output is one place alerts go to.
type Output struct {
	Place
	Name     string            `yaml:"name" required:"true" doc:"Named by routes and rules"`
	Plugin   string            `yaml:"plugin" required:"true" doc:"A shipped output (see trailship plugins list), or NAME of a program trailship-output-NAME"`
	Config   map[string]any    `yaml:"config" doc:"The output's own settings"`
	Env      map[string]Secret `yaml:"env" doc:"The whole environment of the output's process"`
	User     string            `yaml:"user" doc:"Whom the process runs as, a name or number; only root can choose (default the daemon's user)"`
	MaxFiles int64             `yaml:"max_files" doc:"Files the process may have open, at least 32 (default 1024)"`
	Sha256   string            `yaml:"sha256" doc:"Refuse a program with another checksum"`
	TLS      Switch            `yaml:"tls" doc:"off for programs that cannot do it (default on)"`
	Include  []string          `yaml:"include" enum:"event,raw" doc:"What goes along with the alert: event, raw"`
	Backfill bool              `yaml:"backfill" doc:"Take the alerts on old events too (default false)"`
	Batch    Batch             `yaml:"batch" doc:"How alerts are gathered"`
	Retry    Retry             `yaml:"retry" doc:"How a failed delivery is tried again"`
	Backlog  Backlog           `yaml:"backlog" doc:"What may wait while the output is down"`
}

// Batch says how alerts are gathered for one delivery.
type Batch struct {
	Max  int           `yaml:"max" doc:"Alerts in one delivery, up to 1000 (default 1000)"`
	Wait time.Duration `yaml:"wait" doc:"How long to wait for more (default 200ms)"`
}

// Retry says how a failed delivery is tried again.
type Retry struct {
	Initial time.Duration `yaml:"initial" doc:"The first wait (default 1s)"`
	Max     time.Duration `yaml:"max" doc:"The longest wait (default 5m)"`
	GiveUp  time.Duration `yaml:"give_up" doc:"After this the alert goes to the dead letters; 0: never"`
}

// Backlog bounds what waits for an output.
type Backlog struct {
	MaxAlerts int64     `yaml:"max_alerts" doc:"Alerts that may wait (default 1000000)"`
	MaxBytes  diag.Size `yaml:"max_bytes" doc:"Their size (default 4GiB)"`
	Full      string    `yaml:"full" enum:"block,dead_letter" doc:"At the bound: block stops reading sources, dead_letter keeps the others going (default block)"`
}

// Block and DeadLetter are the values of Backlog.Full.
const (
	Block      = "block"
	DeadLetter = "dead_letter"
)

// Switch is written on or off, true or false.
type Switch bool

// DecodeYAML reads a scalar.
func (s *Switch) DecodeYAML(n diag.Node) diag.List {
	switch n.Value() {
	case "on", "true":
		*s = true
	case "off", "false":
		*s = false
	default:
		return diag.List{n.Errorf("E110", "%s must be on or off", n.Name())}
	}
	return nil
}

// YAMLSchema describes it.
func (s *Switch) YAMLSchema() map[string]any {
	return map[string]any{"enum": []any{"on", "off", true, false}}
}

// DecodeYAML reads an output over the defaults.
func (o *Output) DecodeYAML(n diag.Node) diag.List {
	*o = Output{
		Place:   Place{Node: n},
		Config:  map[string]any{},
		TLS:     true,
		Batch:   Batch{Max: 1000, Wait: 200 * time.Millisecond},
		Retry:   Retry{Initial: time.Second, Max: 5 * time.Minute},
		Backlog: Backlog{MaxAlerts: 1_000_000, MaxBytes: 4 << 30, Full: Block},
	}
	type plain Output
	return diag.Decode(n, (*plain)(o))
}

// Environ is Env as `NAME=value`, sorted by name. It holds secrets in the
// clear.
func (o Output) Environ() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(o.Env)) {
		out = append(out, name+"="+string(o.Env[name]))
	}
	return out
}

// At is the place in the user's file of what a JSON pointer (RFC 6901) names in
// Config: `/headers/0/name`. Where the file has nothing, it is the nearest place
// around it.
func (o Output) At(pointer string) diag.Node {
	at := o.Node.Key("config")
	if at.Kind() == diag.Absent {
		return o.Node
	}
	unescape := strings.NewReplacer("~1", "/", "~0", "~")
	for _, token := range strings.Split(strings.TrimPrefix(pointer, "/"), "/") {
		next := at.Key(unescape.Replace(token))
		if i, err := strconv.Atoi(token); err == nil && at.Kind() == diag.Sequence {
			next = at.Index(i)
		}
		if next.Kind() == diag.Absent {
			break
		}
		at = next
	}
	return at
}
