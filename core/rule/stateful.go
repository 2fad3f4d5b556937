package rule

import (
	"strconv"
	"strings"
	"time"

	"github.com/trailship/trailship/core/diag"
	"github.com/trailship/trailship/core/event"
)

// stateful is the compiled block of a rule that remembers.
type stateful struct {
	form   string
	shape  string        // changes when the block does
	group  []*expression // of group_by, by or per
	within int64         // milliseconds; of first_seen, remember
	count  int           // of a threshold
	value  *expression   // distinct, or the value of first_seen; nil counts events
	steps  []step
	warmup int64
	settle int64

	anchors anchors // of the steps: one of them must hold
}

// step is one step of a sequence.
type step struct {
	name       string
	count      int
	conditions []*expression
	text       sourceText // for Explain
}

// Form is how the rule raises alerts: plain, dedup, threshold, sequence or
// first_seen.
func (r *Rule) Form() string {
	switch {
	case r.state != nil:
		return r.state.form
	case r.Dedup != nil:
		return formDedup
	}
	return formPlain
}

// What messages and fields of stateful rules see.
type (
	thresholdEnv struct {
		*event.Event
		Window windowEnv `expr:"window"`
	}
	sequenceEnv struct {
		*event.Event
		Window windowEnv          `expr:"window"`
		Steps  map[string]stepEnv `expr:"steps"`
	}
	seenEnv struct {
		*event.Event
		Window    windowEnv    `expr:"window"`
		FirstSeen firstSeenEnv `expr:"first_seen"`
	}
)

type windowEnv struct {
	Count    int       `expr:"count"`
	Distinct int       `expr:"distinct"`
	First    time.Time `expr:"first"`
	Last     time.Time `expr:"last"`
	Key      string    `expr:"key"`
}

type firstSeenEnv struct {
	Value string `expr:"value"`
	Known int    `expr:"known"`
}

type stepEnv struct {
	Time  time.Time `expr:"time"`
	Count int       `expr:"count"`
}

// remembering is the compiler of messages and fields of a stateful rule.
func (l *loader) remembering(s *stateful) *compiler {
	if l.state[s.form] == nil {
		l.state[s.form] = newCompiler(map[string]any{
			formThreshold: thresholdEnv{Event: &event.Event{}},
			formSequence:  sequenceEnv{Event: &event.Event{}},
			formFirstSeen: seenEnv{Event: &event.Event{}},
		}[s.form])
	}
	c := l.state[s.form]
	c.steps = nil
	for _, st := range s.steps {
		c.steps = append(c.steps, st.name)
	}
	return c
}

// stateful compiles the block of a rule that remembers; nil for other rules.
func (b *builder) stateful() *stateful {
	doc := &b.d.doc
	var s *stateful
	for _, form := range []string{formThreshold, formFirstSeen, formSequence} {
		var made *stateful
		switch {
		case form == formThreshold && doc.Threshold != nil:
			made = b.threshold(doc.Threshold)
		case form == formFirstSeen && doc.FirstSeen != nil:
			made = b.firstSeen(doc.FirstSeen)
		case form == formSequence && doc.Sequence != nil:
			made = b.sequence(doc.Sequence)
		default:
			continue
		}
		if s != nil {
			b.report(b.d.key(form).Errorf("E230", "%s beside %s: a rule remembers in one way only", form, s.form))
		}
		if doc.Dedup != nil {
			b.report(b.d.key("dedup").Errorf("E232", "dedup beside %s: its buckets deduplicate already", form))
		}
		made.form = form
		s = made
	}
	return s
}

func (b *builder) threshold(doc *thresholdDoc) *stateful {
	s := &stateful{
		count: doc.Count, within: doc.Within.Milliseconds(),
		group: b.keys(doc.GroupBy, "group_by"), shape: b.shape(formThreshold, doc),
	}
	n := b.d.value(formThreshold)
	b.count(n.Key("count"), doc.Count)
	b.span(n.Key("within"), "within", doc.Within, time.Millisecond)
	if doc.Distinct.Node.Kind() != diag.Absent {
		s.value = b.expression(doc.Distinct, "distinct", wantAny)
	}
	return s
}

func (b *builder) firstSeen(doc *firstSeenDoc) *stateful {
	if b.d.value(formFirstSeen).Key("remember").Kind() == diag.Absent {
		doc.Remember = defaultRemember
	}
	s := &stateful{
		within: doc.Remember.Milliseconds(), warmup: doc.Warmup.Milliseconds(), settle: doc.Settle.Milliseconds(),
		group: b.keys(oneOrMany(doc.Per), "per"), shape: b.shape(formFirstSeen, doc),
	}
	if doc.Value.Node.Kind() != diag.Absent {
		s.value = b.expression(doc.Value, "value", wantAny)
	}
	n := b.d.value(formFirstSeen)
	b.span(n.Key("remember"), "remember", doc.Remember, time.Millisecond)
	b.span(n.Key("warmup"), "warmup", doc.Warmup, 0)
	b.span(n.Key("settle"), "settle", doc.Settle, 0)
	if settle := n.Key("settle"); settle.Kind() != diag.Absent && doc.Settle >= doc.Remember && doc.Remember > 0 {
		b.report(settle.Errorf("E230", "settle must be shorter than remember, which is %s", diag.Duration(doc.Remember)))
	}
	return s
}

// defaultRemember is how long first_seen knows a value unless it says so.
const defaultRemember = 30 * 24 * time.Hour

func (b *builder) sequence(doc *sequenceDoc) *stateful {
	s := &stateful{
		within: doc.Within.Milliseconds(),
		group:  b.keys(oneOrMany(doc.By), "by"), shape: b.shape(formSequence, doc),
	}
	n := b.d.value(formSequence)
	b.span(n.Key("within"), "within", doc.Within, time.Millisecond)
	steps := n.Key("steps")
	if len(doc.Steps) < 2 && steps.Kind() == diag.Sequence || len(doc.Steps) > maxSteps {
		b.report(steps.Errorf("E230", "a sequence has 2 to %d steps: for one write a condition or a threshold", maxSteps))
	}
	names, sum := map[string]bool{}, 0
	for i, d := range doc.Steps {
		st := step{name: d.Name.Value, count: d.Count}
		if count := steps.Index(i).Key("count"); count.Kind() == diag.Absent {
			st.count = 1
		} else {
			b.count(count, d.Count)
		}
		sum += st.count
		b.stepName(d.Name, names)
		var a anchors
		if d.Condition.Node.Kind() != diag.Absent {
			st.text = sourceText{d.Condition.Value, b.scope(d.Condition.Node)}
			st.conditions, a = b.condition(d.Condition, st.text.scope)
		}
		if i == 0 {
			s.anchors = a
		}
		s.anchors = s.anchors.or(a)
		s.steps = append(s.steps, st)
	}
	if sum > maxSequence {
		b.report(steps.Errorf("E230", "the counts of the steps add up to %d, at most %d are allowed", sum, maxSequence))
	}
	return s
}

func (b *builder) stepName(name diag.String, names map[string]bool) {
	switch {
	case name.Node.Kind() == diag.Absent:
	case !identifier.MatchString(name.Value):
		b.report(name.Node.Errorf("E223", "step name %q must be letters, digits and _, and not begin with a digit", name.Value))
	case names[name.Value]:
		b.report(name.Node.Errorf("E222", "step %q is defined twice", name.Value))
	}
	names[name.Value] = true
}

// count reports a number of events that cannot be counted to.
func (b *builder) count(n diag.Node, count int) {
	if _, err := strconv.Atoi(n.Value()); err == nil && (count < 1 || count > maxCount) {
		b.report(n.Errorf("E230", "count must be 1 to %d", maxCount))
	}
}

// span reports a duration that is too short to be one.
func (b *builder) span(n diag.Node, what string, d, least time.Duration) {
	if strings.HasPrefix(n.Value(), "0") && d < least { // what is no duration was reported
		b.report(n.Errorf("E230", "%s must be longer than 0", what))
	}
}

func (b *builder) keys(texts []diag.String, what string) []*expression {
	var out []*expression
	for _, t := range texts {
		if t.Node.Kind() != diag.Absent {
			out = append(out, b.expression(t, what, wantAny))
		}
	}
	return out
}

// oneOrMany reads a text, or a list of them.
func oneOrMany(n diag.Node) []diag.String {
	if n.Kind() == diag.Scalar {
		return []diag.String{{Value: n.Value(), Node: n}}
	}
	var texts []diag.String
	for item := range n.Items() {
		texts = append(texts, diag.String{Value: item.Value(), Node: item})
	}
	return texts
}
