package config

import (
	"net"
	"net/netip"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/trailship/trailship/core/diag"
)

// slug is what names must look like: they become labels, folders and parts of
// commands.
var slug = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$`)

var sha256Hex = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)

// validator checks what the types of the fields cannot say. What Decode found
// wrong already is empty here and passed over.
type validator struct {
	file string // the configuration's path
	list diag.List
}

func (v *validator) errorf(n diag.Node, code, format string, args ...any) {
	v.list = append(v.list, n.Errorf(code, format, args...))
}

func (v *validator) config(c *Config) {
	if c.Version != Version && c.Node.Key("version").Kind() != diag.Absent {
		v.errorf(c.Node.Key("version"), "E102", "version %s is not known: the newest this program reads is %d", c.Node.Key("version").Got(), Version)
	}
	c.DataDir = v.path(c.Node.Key("data_dir"), c.DataDir)
	v.paths(c.Node.Key("plugin_dirs"), c.PluginDirs)
	v.atLeast(c.Node.Key("retention"), c.Retention > 0, "1s")
	v.limits(c.Node.Key("limits"), c.Limits)
	v.rules(c.Rules.Paths)
	v.telemetry(c.Node.Key("telemetry").Key("http"), c.Telemetry.HTTP)
	v.sources(c.Sources)
	v.outputs(c.Outputs)
	v.routes(c.Node.Key("routes"), c.Routes, c.Outputs)
}

// path is p seen from the working folder: what the file says is relative to the
// file, what a flag says is not.
func (v *validator) path(n diag.Node, p string) string {
	if p == "" || filepath.IsAbs(p) || n.File() != v.file {
		return p
	}
	return filepath.Join(filepath.Dir(v.file), p)
}

func (v *validator) paths(n diag.Node, list []string) {
	for i, p := range list {
		list[i] = v.path(n.Index(i), p)
	}
}

// atLeast complains about a value that is given and too small.
func (v *validator) atLeast(n diag.Node, ok bool, least string) {
	if !ok && n.Kind() == diag.Scalar {
		v.errorf(n, "E110", "%s must be at least %s", n.Name(), least)
	}
}

func (v *validator) limits(n diag.Node, l Limits) {
	v.atLeast(n.Key("max_object"), l.MaxObject > 0, "1B")
	v.atLeast(n.Key("max_record"), l.MaxRecord > 0, "1B")
	if l.MaxRecord > l.MaxObject {
		v.errorf(first(n.Key("max_record"), n.Key("max_object")), "E110", "max_record (default 4MiB) must not be larger than max_object (default 2GiB)")
	}
}

func (v *validator) rules(paths []RulePath) {
	for i := range paths {
		p := &paths[i]
		p.Path = v.path(p.Node, p.Path)
		if p.Path == "" && !slug.MatchString(p.Pack) && p.Node.Kind() == diag.Scalar {
			v.errorf(p.Node, "E103", "write a file, a folder, or pack:NAME for rules shipped with the program")
		}
	}
}

// telemetry refuses addresses strangers could reach: there is no token yet that
// would keep them out.
func (v *validator) telemetry(n diag.Node, addr string) {
	if addr == "" {
		return
	}
	host, port, err := net.SplitHostPort(addr)
	if _, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil {
		v.errorf(n, "E108", "http must be an address and a port, such as 127.0.0.1:9810, got %s", n.Quoted())
		return
	}
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		v.errorf(n, "E108", "http must be on loopback (127.0.0.1, [::1], localhost): others could read it, and tokens are not supported yet")
	}
}

// names checks that a name can be used and is the only one.
func (v *validator) names(kind string, seen map[string]diag.Node, n diag.Node, name string) {
	switch first, taken := seen[name]; {
	case name == "":
	case !slug.MatchString(name):
		v.errorf(n, "E103", "%s must be up to 80 letters, digits, dots, dashes and underscores, and begin with a letter or digit, got %s", n.Name(), n.Quoted())
	case taken:
		v.errorf(n, "E104", "another %s has the name %s already, at line %d", kind, n.Quoted(), first.Line())
	default:
		seen[name] = n
	}
}

func (v *validator) sources(sources []Source) {
	seen := map[string]diag.Node{}
	for i := range sources {
		s := &sources[i]
		v.names("source", seen, s.Node.Key("name"), s.Name)
		v.globs(s.Node.Key("include"), s.Include)
		v.globs(s.Node.Key("exclude"), s.Exclude)
		v.atLeast(s.Node.Key("poll"), s.Poll >= time.Second/10, "100ms")
		v.kind(s)
		s.Path = v.path(s.Node.Key("path"), s.Path)
		if m := s.OnDone.Move; m != "" && !filepath.IsLocal(m) {
			v.errorf(s.Node.Key("on_done").Key("move"), "E110", "move must be a folder below the source's path, got %s", s.Node.Key("on_done").Key("move").Quoted())
		}
	}
}

// kind checks that the keys of a source are those of its type.
func (v *validator) kind(s *Source) {
	own, ok := keysOf[s.Type]
	if !ok {
		return
	}
	for other, keys := range keysOf {
		for k := range s.Node.Pairs() {
			if other != s.Type && slices.Contains(keys, k.Value()) {
				v.errorf(k, "E105", "%s is a key of sources of type %s; this one is %s, which has %s", k.Value(), other, s.Type, strings.Join(own, ", "))
			}
		}
	}
	if s.Type == S3 {
		v.bucket(s)
	}
	need := map[string]string{Dir: "path", S3: "bucket"}[s.Type]
	if n := s.Node.Key(need); n.Kind() == diag.Absent || n.Kind() == diag.Null {
		v.errorf(s.Node, "E011", "missing key %q: a source of type %s needs it", need, s.Type)
	}
}

// bucketName is what the names of buckets are made of.
var bucketName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$`)

// bucket checks what an s3 source says about places and people.
func (v *validator) bucket(s *Source) {
	n := s.Node
	if s.Bucket != "" && !bucketName.MatchString(s.Bucket) {
		v.errorf(n.Key("bucket"), "E110", "bucket must be the name alone (a path belongs into prefix), got %s", n.Key("bucket").Quoted())
	}
	if strings.HasPrefix(s.Prefix, "/") || strings.Contains(s.Prefix, "://") {
		v.errorf(n.Key("prefix"), "E110", "prefix must be how keys begin, such as AWSLogs/, without a slash or a bucket before it, got %s", n.Key("prefix").Quoted())
	}
	v.url(n.Key("endpoint"), s.Endpoint, "https://s3.oss-cn-hangzhou.aliyuncs.com", func(u *url.URL) bool {
		return path.Base(u.Path) != s.Bucket && !strings.HasPrefix(u.Host, s.Bucket+".")
	}, "without the bucket")
	v.url(n.Key("sqs"), s.SQS, "https://sqs.eu-west-1.amazonaws.com/123456789012/trails", func(u *url.URL) bool {
		return strings.Trim(u.Path, "/") != ""
	}, "of the queue, not its ARN")
	if arn := s.AssumeRole.ARN; arn != "" && !(strings.HasPrefix(arn, "arn:") && strings.Contains(arn, ":role/")) {
		at := n.Key("assume_role").Key("arn")
		v.errorf(at, "E110", "arn must be a role's, such as arn:aws:iam::123456789012:role/trailship, got %s", at.Quoted())
	}
}

// url checks an address. extra says whether the rest of it is right too.
func (v *validator) url(n diag.Node, address, example string, extra func(*url.URL) bool, what string) {
	if address == "" {
		return
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || !extra(u) {
		v.errorf(n, "E110", "%s must be an address %s, such as %s, got %s", n.Name(), what, example, n.Quoted())
	}
}

func (v *validator) globs(n diag.Node, globs []string) {
	if n.Kind() == diag.Sequence && len(globs) == 0 && n.Name() == "include" {
		v.errorf(n, "E106", "include must name something to read; leave it out for the default")
	}
	for i, g := range globs {
		if !doublestar.ValidatePattern(g) || g == "" {
			at := n.Index(i)
			v.errorf(at, "E106", "%s is no glob: **/ is any depth, * any text, ? a character, [a-z] one of several, {a,b} either", at.Quoted())
		}
	}
}

func (v *validator) outputs(outputs []Output) {
	seen := map[string]diag.Node{}
	for i := range outputs {
		o := &outputs[i]
		n := o.Node
		v.names("output", seen, n.Key("name"), o.Name)
		v.names("output", map[string]diag.Node{}, n.Key("plugin"), o.Plugin)
		if o.Sha256 != "" && !sha256Hex.MatchString(o.Sha256) {
			v.errorf(n.Key("sha256"), "E107", "sha256 must be 64 hexadecimal digits, as sha256sum prints them")
		}
		o.Sha256 = strings.ToLower(o.Sha256)
		v.env(n.Key("env"))
		v.atLeast(n.Key("max_files"), o.MaxFiles >= 32, "32")
		if o.Batch.Max < 1 || o.Batch.Max > 1000 {
			v.errorf(n.Key("batch").Key("max"), "E110", "max must be from 1 to 1000 alerts")
		}
		v.atLeast(n.Key("retry").Key("initial"), o.Retry.Initial > 0, "1ms")
		if o.Retry.Max < o.Retry.Initial {
			v.errorf(first(n.Key("retry").Key("max"), n.Key("retry").Key("initial")), "E110", "retry.max (default 5m) must not be shorter than retry.initial (default 1s)")
		}
		v.atLeast(n.Key("backlog").Key("max_alerts"), o.Backlog.MaxAlerts > 0, "1")
		v.atLeast(n.Key("backlog").Key("max_bytes"), o.Backlog.MaxBytes > 0, "1B")
	}
}

// first is the first node that is there.
func first(nodes ...diag.Node) diag.Node {
	i := slices.IndexFunc(nodes, func(n diag.Node) bool { return n.Kind() != diag.Absent })
	return nodes[max(i, 0)]
}

// env checks the names of environment variables, and that no value holds what
// ends one.
func (v *validator) env(n diag.Node) {
	for k, value := range n.Pairs() {
		if k.Value() == "" || strings.ContainsAny(k.Value(), "=\x00") {
			v.errorf(k, "E103", "%s is no name for an environment variable", k.Quoted())
		}
		if strings.Contains(value.Value(), "\x00") {
			v.errorf(value, "E110", "an environment variable cannot hold a NUL character")
		}
	}
}

func (v *validator) routes(n diag.Node, routes []Route, outputs []Output) {
	var names []string
	for _, o := range outputs {
		names = append(names, o.Name)
	}
	reached := true
	for i, r := range routes {
		at := n.Index(i)
		if !reached {
			v.errorf(at, "W102", "this route is never reached: one before it takes every alert; give that one a condition or continue: true")
		}
		v.route(at, r, names)
		if r.When.Kind() == diag.Null { // left empty is left out
			routes[i].When = diag.Node{}
		}
		reached = reached && (routes[i].When.Kind() != diag.Absent || r.Continue)
	}
}

func (v *validator) route(n diag.Node, r Route, names []string) {
	if to := n.Key("to"); to.Kind() == diag.Sequence && len(r.To) == 0 {
		v.errorf(to, "E111", "to must name an output")
	}
	for _, to := range r.To {
		if to.Value != "" && !slices.Contains(names, to.Value) {
			v.errorf(to.Node, "E111", "unknown output %s%s", to.Node.Quoted(), suggest(to.Node, names))
		}
	}
	if when := n.Key("when"); when.Kind() == diag.Mapping || when.Kind() == diag.Sequence {
		v.errorf(when, "E012", "when must be an expression, got %s", when.Got())
	}
}

// suggest is diag.Suggest for a word that may be a secret.
func suggest(n diag.Node, candidates []string) string {
	if n.Secret() {
		return ""
	}
	return diag.Suggest(n.Value(), candidates)
}
