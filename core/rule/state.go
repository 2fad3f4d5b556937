package rule

import (
	"time"

	"github.com/trailship/trailship/core/diag"
	"github.com/trailship/trailship/core/event"
)

// stateEnv is what messages and fields of stateful rules see.
type stateEnv struct {
	*event.Event
	Window    windowEnv          `expr:"window"`
	FirstSeen firstSeenEnv       `expr:"first_seen"`
	Steps     map[string]stepEnv `expr:"steps"`
}

type windowEnv struct {
	Count    int       `expr:"count"`
	Distinct int       `expr:"distinct"`
	First    time.Time `expr:"first"`
	Last     time.Time `expr:"last"`
	Key      string    `expr:"key"`
}

type firstSeenEnv struct {
	Value any `expr:"value"`
	Known int `expr:"known"`
}

type stepEnv struct {
	Time  time.Time `expr:"time"`
	Count int       `expr:"count"`
}

// stateful refuses what needs state, after looking for mistakes in it. It
// reports whether the rule has any.
func (b *builder) stateful() bool {
	doc := &b.d.doc
	given := map[string]bool{"threshold": doc.Threshold != nil, "first_seen": doc.FirstSeen != nil, "sequence": doc.Sequence != nil}
	stateful := false
	for _, name := range []string{"threshold", "first_seen", "sequence"} {
		if !given[name] {
			continue
		}
		stateful = true
		b.report(b.d.key(name).Errorf("E230", "%s is not supported yet", name))
		if doc.Dedup != nil {
			b.report(b.d.key("dedup").Errorf("E232", "dedup beside %s: its buckets deduplicate already", name))
		}
	}
	for _, s := range b.stateTexts() {
		b.expression(s, "the expression", wantAny)
	}
	if doc.Sequence != nil {
		for _, step := range doc.Sequence.Steps {
			if step.Condition.Node.Kind() != diag.Absent {
				b.expression(step.Condition, "condition", wantBool)
			}
		}
	}
	return stateful
}

// stateTexts are the expressions of threshold, first_seen and sequence.
func (b *builder) stateTexts() []diag.String {
	doc := &b.d.doc
	var texts []diag.String
	if t := doc.Threshold; t != nil {
		texts = append(append(texts, t.GroupBy...), t.Distinct)
	}
	if f := doc.FirstSeen; f != nil {
		texts = append(append(texts, f.Value), oneOrMany(f.Per)...)
	}
	if s := doc.Sequence; s != nil {
		texts = append(texts, oneOrMany(s.By)...)
	}
	var written []diag.String
	for _, t := range texts {
		if t.Node.Kind() != diag.Absent {
			written = append(written, t)
		}
	}
	return written
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
