// Package config reads trailship.yaml: what to watch, which rules, where alerts
// go. [Load] reads the whole file, checks everything that can be checked
// without touching a source, a plugin or a rule, and lists every mistake at its
// line and column. `${env:NAME}` and `${file:/path}` are expanded after
// parsing; what they stand for is a secret and shown as ••• everywhere.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/trailship/trailship/core/diag"
)

// Version is the newest version of the file this program reads.
const Version = 1

// maxFile bounds the configuration file.
const maxFile = 1 << 20

// Config is a configuration that has passed every check, defaults filled in and
// relative paths made relative to the working folder.
type Config struct {
	Place
	Version    int           `yaml:"version" doc:"Version of this file's format: 1"`
	DataDir    string        `yaml:"data_dir" doc:"Folder of the daemon's state; one daemon per folder"`
	Store      Secret        `yaml:"store" doc:"postgres://… for several daemons; default: embedded in data_dir"`
	Sources    []Source      `yaml:"sources" doc:"Where trail records come from"`
	Rules      Rules         `yaml:"rules" doc:"Which rules judge them"`
	Outputs    []Output      `yaml:"outputs" doc:"Where alerts go"`
	Routes     []Route       `yaml:"routes" doc:"Which alerts go to which outputs; without routes every alert goes to every output"`
	PluginDirs []string      `yaml:"plugin_dirs" doc:"Folders searched for output programs before $PATH"`
	Retention  time.Duration `yaml:"retention" doc:"How long alert ids, the ledger of objects and windows are kept (default 35d)"`
	Limits     Limits        `yaml:"limits" doc:"Bounds on what is read"`
	Telemetry  Telemetry     `yaml:"telemetry" doc:"Health, metrics and logs"`

	secrets []string
}

// Rules says which rules are loaded and when.
type Rules struct {
	Paths    []RulePath `yaml:"paths" doc:"Files and folders of rules; pack:NAME is shipped with the program"`
	Watch    bool       `yaml:"watch" doc:"Load the rules again when a file changes (default true)"`
	RunTests bool       `yaml:"run_tests" doc:"Refuse rules whose tests fail (default true)"`
}

// RulePath is a file or folder of rules, or a pack shipped with the program.
type RulePath struct {
	Path string // "" for a pack
	Pack string
	Node diag.Node
}

// Limits bounds what is read of a source.
type Limits struct {
	MaxObject diag.Size `yaml:"max_object" doc:"What an object may inflate to (default 2GiB)"`
	MaxRecord diag.Size `yaml:"max_record" doc:"How large a record may be (default 4MiB)"`
}

// Telemetry is what the daemon tells of itself.
type Telemetry struct {
	HTTP string `yaml:"http" doc:"Loopback address of health, metrics and status, such as 127.0.0.1:9810; off when empty"`
	Log  Log    `yaml:"log" doc:"What is logged to stderr"`
}

// Log says what is logged and how.
type Log struct {
	Level  string `yaml:"level" enum:"debug,info,warn,error" doc:"The least that is logged (default info)"`
	Format string `yaml:"format" enum:"text,json" doc:"text or json (default text)"`
}

// Route sends the alerts its condition holds for to some outputs. The first
// route that matches is the last, unless it says continue.
type Route struct {
	When     diag.Node     `yaml:"when" doc:"An expression over the alert; always when left out"`
	To       []diag.String `yaml:"to" required:"true" doc:"Names of outputs"`
	Continue bool          `yaml:"continue" doc:"Go on with the next route after this one matched"`
}

// Env is the world a configuration may refer to. The zero Env is the process's
// own.
type Env struct {
	Lookup   func(name string) (string, bool)
	ReadFile func(path string) ([]byte, error)
}

func (e Env) lookup(name string) (string, bool) {
	if e.Lookup != nil {
		return e.Lookup(name)
	}
	return os.LookupEnv(name)
}

func (e Env) readFile(path string) ([]byte, error) {
	if e.ReadFile != nil {
		return e.ReadFile(path)
	}
	return os.ReadFile(path)
}

// Load reads the configuration at path, with sets (`key=value`, see
// [diag.File.Set]) on top; path may be "" when sets are all there is. The Config
// is nil when the list has errors; it may come with warnings. What only some
// verbs need is checked by [Config.ForDaemon].
func Load(path string, sets []string, env Env) (*Config, diag.List) {
	f, list := parse(path, env)
	if list.HasErrors() && f.Root().Kind() == diag.Absent {
		return nil, list
	}
	for _, set := range sets {
		key, value, ok := strings.Cut(set, "=")
		if !ok {
			list = append(list, diag.Diagnostic{File: "--set " + key, Code: "E016", Message: "write key=value, as in --set sources[0].path=/var/log/trails"})
			continue
		}
		list = append(list, f.Set("--set "+key, key, value)...)
	}
	x := expander{env: env, dir: filepath.Dir(path)}
	x.walk(f.Root())
	c, problems := decode(f, path)
	list = append(append(list, x.list...), problems...)
	// A line may hold a secret that was found after it was quoted.
	for i := range list {
		list[i].Text = blot(list[i].Text, x.secrets)
	}
	list.Sort()
	if list.HasErrors() {
		return nil, list
	}
	c.secrets = x.secrets
	return c, list
}

// parse reads the file.
func parse(path string, env Env) (*diag.File, diag.List) {
	if path == "" {
		return diag.Parse("(no configuration file)", nil)
	}
	failed := func(format string, args ...any) (*diag.File, diag.List) {
		f, _ := diag.Parse(path, nil)
		return f, diag.List{{File: path, Code: "E100", Message: fmt.Sprintf(format, args...)}}
	}
	text, err := env.readFile(path)
	if err != nil {
		return failed("cannot be read: %v", reason(err))
	}
	if len(text) > maxFile {
		return failed("is larger than 1 MiB: this is no configuration")
	}
	return diag.Parse(path, text)
}

// reason is err without the path, which the message has already.
func reason(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

// decode fills a Config and checks it.
func decode(f *diag.File, path string) (*Config, diag.List) {
	c := &Config{
		Place:     Place{Node: f.Root()},
		Version:   Version,
		Rules:     Rules{Watch: true, RunTests: true},
		Retention: 35 * 24 * time.Hour,
		Limits:    Limits{MaxObject: 2 << 30, MaxRecord: 4 << 20},
		Telemetry: Telemetry{Log: Log{Level: "info", Format: "text"}},
	}
	list := diag.Decode(c.Node, c)
	v := validator{file: path}
	v.config(c)
	return c, append(list, v.list...)
}

// DecodeYAML reads a path or `pack:NAME`.
func (r *RulePath) DecodeYAML(n diag.Node) diag.List {
	var s string
	list := diag.Decode(n, &s)
	r.Node = n
	if pack, ok := strings.CutPrefix(s, "pack:"); ok {
		r.Pack = pack
	} else {
		r.Path = s
	}
	return list
}

// YAMLSchema describes it.
func (r *RulePath) YAMLSchema() map[string]any {
	return map[string]any{"type": "string", "examples": []string{"/etc/trailship/rules", "pack:kms"}}
}

// ForDaemon lists what a daemon needs and c lacks.
func (c *Config) ForDaemon() diag.List {
	var list diag.List
	if c.DataDir == "" {
		list = append(list, c.Node.Errorf("E101", `missing key "data_dir": the folder where the daemon keeps its positions and alerts`))
	}
	if len(c.Sources) == 0 {
		list = append(list, c.Node.Errorf("E101", `missing key "sources": nothing would ever be read`))
	}
	if len(c.Rules.Paths) == 0 {
		list = append(list, c.Node.Errorf("E101", `missing key "rules.paths": nothing would ever be found`))
	}
	return list
}
