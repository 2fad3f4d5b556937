package rule

import (
	"maps"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"

	"github.com/trailship/trailship/core/diag"
	"github.com/trailship/trailship/core/event"
)

// formats are the formats of records there are.
var formats = []string{event.CloudTrail, event.ActionTrail}

// collectEvery is after how many rules memory is collected: thousands of rules
// would otherwise take three times the memory while they load that they keep.
const collectEvery = 2000

// build compiles what was gathered. It goes on after mistakes, to find all.
func (l *loader) build() *Set {
	s := &Set{options: l.options, byID: map[string]*Rule{}, Files: l.read}
	for _, name := range sortedKeys(l.packs) {
		l.finishPack(s, l.packs[name])
	}
	clear(l.rules)
	if len(l.order) >= collectEvery {
		runtime.GC()
	}
	for i, d := range l.order {
		b := &builder{l: l, d: d, lets: map[string]*macro{}, scopes: map[*pack]*scope{}}
		s.Rules = append(s.Rules, b.build())
		if l.order[i] = nil; i+1 == len(l.order) || l.order[i+1].source != d.source {
			d.source.file, d.source.doc = nil, document{}
		}
		if (i+1)%collectEvery == 0 {
			runtime.GC() // the YAML of these rules goes, before as much again is added
		}
	}
	slices.SortStableFunc(s.Rules, func(a, b *Rule) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(s.Files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	for _, r := range s.Rules {
		s.byID[r.ID] = r
		s.remembers = s.remembers || r.state != nil && r.Enabled
	}
	s.index = newIndex(s.Rules)
	return s
}

// forget lets go of the YAML that lists and macros stand in: what is left of
// them is needed to explain rules.
func (l *loader) forget() {
	for _, p := range l.packs {
		for _, list := range p.scope.lists {
			list.at, list.places = diag.Node{}, nil
		}
		for _, m := range p.scope.macros {
			m.at = diag.Node{}
		}
	}
}

// finishPack checks the macros of a pack, used or not, and what it requires.
func (l *loader) finishPack(s *Set, p *pack) {
	for _, name := range sortedKeys(p.scope.macros) {
		l.c.checkMacro(p.scope.macros[name], nil)
	}
	if p.named.Kind() == diag.Absent {
		return
	}
	s.Packs = append(s.Packs, p.Pack)
	for _, name := range p.Requires {
		if other := l.packs[name]; other == nil || other.named.Kind() == diag.Absent {
			l.list = append(l.list, p.named.Errorf("E222", "pack %s requires the pack %q, which is not loaded", p.Name, name))
		}
	}
}

// builder compiles one rule.
type builder struct {
	l      *loader
	d      *draft
	lets   map[string]*macro
	scopes map[*pack]*scope // what the rule's texts of each pack may name
}

func (b *builder) report(d diag.Diagnostic) { b.l.list = append(b.l.list, d) }

// scope is what a text at n may name: lists and macros of the pack whose file
// it stands in, and the rule's lets.
func (b *builder) scope(n diag.Node) *scope {
	p := b.l.packOf[n.File()]
	if p == nil {
		p = b.d.source.pack
	}
	if len(b.lets) == 0 {
		return &p.scope
	}
	if b.scopes[p] == nil {
		macros := maps.Clone(p.scope.macros)
		maps.Copy(macros, b.lets)
		b.scopes[p] = &scope{lists: p.scope.lists, macros: macros}
	}
	return b.scopes[p]
}

func (b *builder) expression(s diag.String, what string, w want) *expression {
	return b.l.c.at(s.Node, 0, s.Value, what, b.scope(s.Node), w)
}

// build makes the rule, usable only when nothing was reported.
func (b *builder) build() *Rule {
	d, doc := b.d, &b.d.doc
	r := &Rule{
		ID: doc.ID.Value, Title: doc.Title.Value, Severity: doc.Severity.Value, Description: doc.Description.Value,
		Owner: doc.Owner.Value, Runbook: doc.Runbook.Value, Status: doc.Status.Value,
		Tags: plain(doc.Tags), References: plain(doc.References), FalsePositives: plain(doc.FalsePositives),
		Mitre: plain(doc.Mitre), Sources: plain(doc.Sources), Outputs: plain(doc.Outputs),
		Enabled: doc.Enabled == nil || *doc.Enabled, Shadow: doc.Shadow != nil && *doc.Shadow,
		Condition: doc.Condition.Value, Meta: metaOf(doc.Meta),
		Pack: d.source.pack.Name, PackVersion: d.source.pack.Version, File: d.node.File(), Line: d.node.Line(),
	}
	if r.Status == "" {
		r.Status = "stable"
	}
	b.facts()
	b.formats(r)
	b.let(doc.Let)
	c := b.l.c // compiles what the alert is made of
	if r.state = b.stateful(); r.state != nil {
		c = b.l.remembering(r.state)
	}
	b.conditions(r)
	r.Exceptions = b.exceptions(doc.Exceptions)
	b.dedup(r)
	r.message = c.template(doc.Message, b.scope(doc.Message.Node))
	for _, f := range doc.Fields {
		text := written(f)
		r.fields = append(r.fields, field{f.Name, c.at(text.Node, 0, text.Value, f.Name, b.scope(text.Node), wantAny)})
	}
	r.tests = b.tests(doc.Tests)
	r.keys = d.effective()
	for _, m := range b.lets {
		m.at = diag.Node{} // its YAML may go
	}
	return r
}

// written is the value of a named expression; one that was left empty stands at
// its name.
func written(e diag.Entry[diag.String]) diag.String {
	if e.Value.Node.Kind() == diag.Absent {
		return diag.String{Node: e.Key}
	}
	return e.Value
}

// field is one of a rule's fields.
type field struct {
	name  string
	value *expression
}

func metaOf(meta diag.Ordered[diag.Node]) map[string]any {
	if meta == nil {
		return nil
	}
	m := make(map[string]any, len(meta))
	for _, e := range meta {
		m[e.Name], _ = e.Value.Data()
	}
	return m
}

var techniqueID = regexp.MustCompile(`^(TA\d{4}|T\d{4}(\.\d{3})?)$`)

// facts checks what a rule says of itself.
func (b *builder) facts() {
	doc := &b.d.doc
	for _, name := range []string{"title", "severity", "condition"} {
		if len(b.d.origins[name]) == 0 && !(name == "condition" && doc.Sequence != nil) {
			b.report(b.d.node.Errorf("E011", "missing key %q", name))
		}
	}
	if title := doc.Title; title.Node.Kind() != diag.Absent && strings.TrimSpace(title.Value) == "" {
		b.report(title.Node.Errorf("E011", "title must not be empty"))
	}
	if n := utf8.RuneCountInString(doc.Title.Value); n > 120 {
		b.report(doc.Title.Node.Errorf("E223", "title has %d characters, at most 120 are allowed", n))
	}
	for _, id := range doc.Mitre {
		if !techniqueID.MatchString(id.Value) {
			b.report(id.Node.Errorf("E223", "%q is no ATT&CK id: write TA0006, T1485 or T1685.002", id.Value))
		} else if now, gone := revoked[id.Value]; gone {
			b.report(id.Node.Errorf("W210", "%s was revoked in ATT&CK v19: it is %s now", id.Value, now))
		}
	}
	for _, o := range doc.Outputs {
		if b.l.options.Outputs != nil && !slices.Contains(b.l.options.Outputs, o.Value) {
			b.report(o.Node.Errorf("E231", "unknown output %q%s", o.Value, diag.Suggest(o.Value, b.l.options.Outputs)))
		}
	}
}

// formats notes which formats of records the rule wants.
func (b *builder) formats(r *Rule) {
	if len(b.d.doc.Sources) == 0 {
		return
	}
	r.formats = map[string]bool{}
	for _, s := range b.d.doc.Sources {
		found := false
		for _, f := range formats {
			if glob(s.Value, f) {
				r.formats[f], found = true, true
			}
		}
		if !found {
			b.report(s.Node.Errorf("E223", "no format matches %q: there are %s%s", s.Value, strings.Join(formats, " and "), diag.Suggest(s.Value, formats)))
		}
	}
}

// let compiles the rule's names in order; each sees those before it.
func (b *builder) let(lets diag.Ordered[diag.String]) {
	for _, e := range lets {
		sc := b.scope(e.Key)
		switch meaning := b.l.c.reserved(e.Name); {
		case !identifier.MatchString(e.Name):
			b.report(e.Key.Errorf("E223", "let name %q must be letters, digits and _, and not begin with a digit", e.Name))
			continue
		case meaning != "":
			b.report(e.Key.Errorf("E211", "let %q would hide %s: give it another name", e.Name, meaning))
			continue
		case sc.macros[e.Name] != nil:
			b.report(e.Key.Errorf("E211", "let %q would hide a macro: give it another name", e.Name))
			continue
		}
		text := written(e)
		m := &macro{name: e.Name, text: text.Value, at: text.Node, scope: sc}
		b.l.c.checkMacro(m, nil)
		b.lets[e.Name] = m
		b.scopes = map[*pack]*scope{}
	}
}

// conditions compiles the condition and what overrides added to it.
func (b *builder) conditions(r *Rule) {
	for _, s := range append([]diag.String{b.d.doc.Condition}, b.d.ands...) {
		if s.Node.Kind() == diag.Absent {
			continue
		}
		sc := b.scope(s.Node)
		r.texts = append(r.texts, sourceText{s.Value, sc})
		made, a := b.condition(s, sc)
		r.conditions = append(r.conditions, made...)
		r.anchors = r.anchors.and(a)
	}
	if r.state != nil {
		r.anchors = r.anchors.and(r.state.anchors)
	}
	r.decideByOutline()
	// What needs no open part comes first: it may save parsing one.
	slices.SortStableFunc(r.conditions, func(a, b *expression) int {
		return int(min(a.parts&event.PartsOpen, 1)) - int(min(b.parts&event.PartsOpen, 1))
	})
}

// decideByOutline sets apart what the outline of an event decides.
func (r *Rule) decideByOutline() {
	var all []*closure
	r.conditions = slices.DeleteFunc(r.conditions, func(e *expression) bool {
		if e.outlined {
			all = append(all, e.closure)
		}
		return e.outlined
	})
	if len(all) > 0 {
		r.outline = allOf(all)
	}
}

// condition compiles one text into expressions that must all be true, in the
// order of what they cost.
func (b *builder) condition(s diag.String, sc *scope) (made []*expression, a anchors) {
	c := b.l.c
	p, problems := c.parse(s.Value, sc)
	if p == nil || len(problems) > 0 {
		c.report(s.Node, 0, problems)
		return nil, a
	}
	if !readsEvent(p.tree.Node, c) {
		p.lints = append(p.lints, problem{leading(s.Value), "W204", "this is the same for every event: it reads no field"})
	}
	a = anchorsOf(p.tree.Node, p.resolver.lists)
	problems = c.patchAll(p, "condition", wantBool)
	c.report(s.Node, 0, append(problems, p.lints...))
	if len(problems) > 0 {
		return nil, a
	}
	made, err := c.inOrder(terms(p.tree.Node), p.tree.Source)
	if err != nil {
		c.report(s.Node, 0, []problem{{err.From, "E207", err.Message}})
		return nil, a
	}
	return made, a
}

// readsEvent reports that an expression depends on the event.
func readsEvent(root ast.Node, c *compiler) bool {
	reads := false
	ast.Walk(&root, visit(func(n *ast.Node) {
		if id, ok := (*n).(*ast.IdentifierNode); ok && slices.Contains(c.fields, id.Value) {
			reads = true
		}
	}))
	return reads
}

func (b *builder) dedup(r *Rule) {
	doc := b.d.doc.Dedup
	if doc == nil {
		return
	}
	r.Dedup = &Dedup{By: plain(doc.By), Every: doc.Every}
	at := b.d.value("dedup")
	if every := at.Key("every"); doc.Every < time.Millisecond {
		if _, err := diag.ParseDuration(every.Value()); err == nil {
			b.report(every.Errorf("E233", "every must be longer than 0"))
		}
	}
	if by := at.Key("by"); by.Kind() == diag.Sequence && by.Len() == 0 {
		b.report(by.Errorf("E011", "by must not be empty: account and provider are part of every key, so [account] is one for each account"))
	}
	for _, by := range doc.By {
		r.keyParts = append(r.keyParts, b.expression(by, "by", wantAny))
	}
}
