package config

import (
	"time"

	"github.com/trailship/trailship/core/diag"
)

// The kinds of sources.
const (
	Dir = "dir"
	S3  = "s3"
)

// Source is one place trail records come from. Keys of the other kind are empty.
type Source struct {
	Place
	Name    string        `yaml:"name" required:"true" doc:"Appears in alerts, metrics and status"`
	Type    string        `yaml:"type" required:"true" enum:"dir,s3" doc:"dir or s3"`
	Include []string      `yaml:"include" doc:"Globs of what is read (default **/*.json, **/*.json.gz, **/*.gz, **/*.ndjson)"`
	Exclude []string      `yaml:"exclude" doc:"Globs of what is not read, whatever include says"`
	Poll    time.Duration `yaml:"poll" doc:"How often to list everything (default 10s for dir, 60s for s3)"`
	Start   Start         `yaml:"start" doc:"Where a source that was never read begins: beginning, now, {since: 24h} or {at: 2026-01-31T00:00:00Z}"`
	Alerts  Alerts        `yaml:"alerts" doc:"Which alerts are backfill"`

	Path   string `yaml:"path" doc:"dir: the folder; nothing outside is ever read"`
	OnDone OnDone `yaml:"on_done" doc:"dir: what becomes of a file that was read: keep, delete or {move: done/}"`

	Bucket      string      `yaml:"bucket" doc:"s3: the bucket"`
	Prefix      string      `yaml:"prefix" doc:"s3: the keys below which records are"`
	Region      string      `yaml:"region" doc:"s3: the bucket's region"`
	Endpoint    string      `yaml:"endpoint" doc:"s3: address of an S3-compatible service"`
	SQS         string      `yaml:"sqs" doc:"s3: queue of notifications about new objects"`
	AssumeRole  AssumeRole  `yaml:"assume_role" doc:"s3: role to read with"`
	Credentials Credentials `yaml:"credentials" doc:"s3: a static pair of keys, for S3-compatible services"`
}

// Alerts says which alerts of a source are backfill.
type Alerts struct {
	MaxAge time.Duration `yaml:"max_age" doc:"Alerts on older events are marked as backfill; 0: none are"`
}

// AssumeRole is a role to take on before reading.
type AssumeRole struct {
	ARN        string `yaml:"arn" required:"true" doc:"The role"`
	ExternalID Secret `yaml:"external_id" doc:"What the role's trust policy asks for"`
}

// Credentials is a static pair of keys.
type Credentials struct {
	AccessKeyID     Secret `yaml:"access_key_id" required:"true" doc:"Use ${env:…} or ${file:…}"`
	SecretAccessKey Secret `yaml:"secret_access_key" required:"true" doc:"Use ${env:…} or ${file:…}"`
	SessionToken    Secret `yaml:"session_token" doc:"Of temporary credentials; use ${env:…} or ${file:…}"`
}

// The keys that belong to one kind of source alone.
var keysOf = map[string][]string{
	Dir: {"path", "on_done"},
	S3:  {"bucket", "prefix", "region", "endpoint", "sqs", "assume_role", "credentials"},
}

// DecodeYAML reads a source over the defaults of its kind.
func (s *Source) DecodeYAML(n diag.Node) diag.List {
	*s = Source{
		Place:   Place{Node: n},
		Include: []string{"**/*.json", "**/*.json.gz", "**/*.gz", "**/*.ndjson"},
		Poll:    10 * time.Second,
		Start:   Start{From: "beginning"},
		OnDone:  OnDone{Action: "keep"},
	}
	if n.Key("type").Value() == S3 {
		s.Poll = time.Minute
	}
	type plain Source
	return diag.Decode(n, (*plain)(s))
}

// Start is where a source that was never read begins.
type Start struct {
	From  string        // beginning, now, since or at
	Since time.Duration // before now, with since
	At    time.Time     // with at
}

// Time is the moment reading begins when it is now; zero for the beginning.
func (s Start) Time(now time.Time) time.Time {
	switch s.From {
	case "now":
		return now
	case "since":
		return now.Add(-s.Since)
	case "at":
		return s.At
	}
	return time.Time{}
}

// DecodeYAML reads a word or a mapping of one key.
func (s *Start) DecodeYAML(n diag.Node) diag.List {
	switch v := n.Value(); {
	case n.Kind() == diag.Scalar && (v == "beginning" || v == "now"):
		*s = Start{From: v}
		return nil
	case n.Kind() != diag.Mapping || n.Len() != 1:
		return diag.List{n.Errorf("E110", "start must be beginning, now, {since: 24h} or {at: 2026-01-31T00:00:00Z}")}
	}
	var form struct {
		Since time.Duration `yaml:"since"`
		At    diag.String   `yaml:"at"`
	}
	list := diag.Decode(n, &form)
	if form.At.Value == "" {
		*s = Start{From: "since", Since: form.Since}
		return list
	}
	*s = Start{From: "at"}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, form.At.Value); err == nil {
			s.At = at.UTC()
			return list
		}
	}
	return append(list, form.At.Node.Errorf("E110", "at must be a time such as 2026-01-31T00:00:00Z or 2026-01-31, got %s", form.At.Node.Quoted()))
}

// YAMLSchema describes it.
func (s *Start) YAMLSchema() map[string]any {
	return oneOf("beginning", "now", "since", "at")
}

// OnDone is what becomes of a file that was read to its end.
type OnDone struct {
	Action string // keep, delete or move
	Move   string // the folder to move to, below the source's, with move
}

// DecodeYAML reads a word or `{move: folder}`.
func (o *OnDone) DecodeYAML(n diag.Node) diag.List {
	switch v := n.Value(); {
	case n.Kind() == diag.Scalar && (v == "keep" || v == "delete"):
		*o = OnDone{Action: v}
		return nil
	case n.Kind() != diag.Mapping:
		return diag.List{n.Errorf("E110", "on_done must be keep, delete or {move: done/}")}
	}
	var form struct {
		Move string `yaml:"move" required:"true"`
	}
	list := diag.Decode(n, &form)
	*o = OnDone{Action: "move", Move: form.Move}
	return list
}

// YAMLSchema describes it.
func (o *OnDone) YAMLSchema() map[string]any { return oneOf("keep", "delete", "move") }

// oneOf describes one of two words, or a mapping with one of some keys.
func oneOf(one, other string, keys ...string) map[string]any {
	properties := map[string]any{}
	for _, k := range keys {
		properties[k] = map[string]any{"type": "string"}
	}
	return map[string]any{"anyOf": []any{
		map[string]any{"enum": []string{one, other}},
		map[string]any{"type": "object", "properties": properties, "additionalProperties": false, "minProperties": 1, "maxProperties": 1},
	}}
}
