// Package rule turns YAML rule files into a set of compiled rules and matches
// events against it.
//
// [Load] reads trees of files (load.go), merges defaults and overrides
// (merge.go, overrides.go) and compiles every expression: names are resolved
// (names.go), types checked (compile.go), the tree made safe to run on any
// record (patch.go, bounded.go) and turned into a Go closure over the event
// (closure.go), or a program of expr's machine where it has a form that closures
// do not know. The result is a [Set], which never changes; each goroutine
// matches with its own [Matcher] (match.go), which tries the rules that an event
// can match (index.go). Every mistake of every file is a diagnostic at its
// place; a set is made of all files or not at all.
//
// The language is described in docs/rules.md.
package rule

import (
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trailship/trailship/core/event"
)

// Root is one tree of rule files.
type Root struct {
	FS   fs.FS
	Path string // put before the names of files in messages; "" for none
	Pack string // the pack of files that no pack.yaml stands above
}

// Options say what rules may refer to, and who is told of what.
type Options struct {
	// Outputs are the names rules may use; nil checks none.
	Outputs []string
	// Normalize makes an event of a raw record, for the tests of rules.
	Normalize func(raw []byte) (*event.Event, error)
	// EvalError is called when an expression of a rule fails on an event, from
	// the goroutine of the Matcher; nil is nobody. The rule counts it either way.
	EvalError func(r *Rule, err error)
	// EmptyKey is called when every key value of a rule is empty on an event:
	// it is not deduplicated, or does not contribute. nil is nobody.
	EmptyKey func(r *Rule)
}

// Set is a set of compiled rules. It never changes, and goroutines share it.
type Set struct {
	Rules []*Rule // sorted by ID; disabled ones included
	Packs []Pack  // sorted by name
	Files []File  // every file that was read, sorted by name

	options Options
	byID    map[string]*Rule
	index   index

	remembers  bool // a rule does
	explaining sync.Mutex
}

// File is one file that went into a Set.
type File struct {
	Name   string
	Sha256 [32]byte
}

// Pack is what a pack.yaml says.
type Pack struct {
	Name, Version, Description string
	Requires                   []string // names of packs that must be loaded too
	File                       string
}

// Rule returns the rule with this id, nil when there is none.
func (s *Set) Rule(id string) *Rule { return s.byID[id] }

// Remembers says whether any rule is stateful and enabled.
func (s *Set) Remembers() bool { return s.remembers }

// Unanchored is how many rules are tried on every record: no constant text says
// which records they cannot match.
func (s *Set) Unanchored() int { return len(s.index.rest) }

// Errors is how often an expression of any rule failed since the set was loaded.
func (s *Set) Errors() (n uint64) {
	for _, r := range s.Rules {
		n += r.EvalErrors()
	}
	return n
}

// Rule is one rule as it stands after defaults and overrides. Everything in it
// is only read.
type Rule struct {
	ID             string
	Title          string
	Severity       string // info low medium high critical
	Description    string
	Owner          string
	Runbook        string
	Status         string // experimental test stable deprecated
	Tags           []string
	References     []string
	FalsePositives []string
	Mitre          []string
	Meta           map[string]any
	Enabled        bool     // false: checked and listed, never run
	Shadow         bool     // matches are counted, but reach no output
	Sources        []string // formats, or globs of them; none is every format
	Outputs        []string // instead of the routes
	Condition      string   // as written
	Exceptions     []Exception
	Dedup          *Dedup
	Pack           string
	PackVersion    string
	File           string
	Line           int

	keys       []Key // for Effective
	formats    map[string]bool
	outline    *closure      // what of the condition the outline of an event decides; nil is nothing
	conditions []*expression // all must hold too; those that need no open part first
	keyParts   []*expression // of dedup
	state      *stateful     // nil for a rule that remembers nothing
	message    *template
	fields     []field
	tests      []test
	anchors    anchors // until the index is made
	anchor     string
	texts      []sourceText // for Explain

	evalErrors atomic.Uint64
	emptyKeys  atomic.Uint64
}

// Exception is one way out of a rule: an event that meets it is dropped.
type Exception struct {
	Name, Reason string
	Until        time.Time // compared with the event's time; zero is for ever

	tests []exceptionTest // all must hold
}

// Dedup lets a rule raise one alert for each key and aligned span of event time.
type Dedup struct {
	By    []string
	Every time.Duration
}

// Key is one key of a rule with where it comes from.
type Key struct {
	Name    string
	Value   any      // as JSON holds it
	Origins []string // file:line of the rule, of defaults, of overrides
}

// EvalErrors is how often an expression of the rule failed since it was loaded.
func (r *Rule) EvalErrors() uint64 { return r.evalErrors.Load() }

// EmptyKeys is how often every key value of the rule was empty.
func (r *Rule) EmptyKeys() uint64 { return r.emptyKeys.Load() }

// Effective is the rule after defaults and overrides, key by key in the order
// of the reference, each with its origins.
func (r *Rule) Effective() []Key { return r.keys }

// Anchor names the fields by whose values the rule is found among many; "" when
// it has to be tried on every record, or is disabled.
func (r *Rule) Anchor() string { return r.anchor }

// Tests is the number of tests the rule brings.
func (r *Rule) Tests() int { return len(r.tests) }
