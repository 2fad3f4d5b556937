package rule

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/trailship/trailship/core/diag"
)

// Filling is what an event adds to a rule that remembers, and how full its
// window is with it.
type Filling struct {
	Form  string   `json:"form"`
	Key   string   `json:"key,omitempty"` // of the group
	Value string   `json:"value,omitempty"`
	Steps []string `json:"steps,omitempty"` // those the event meets
	Have  []Have   `json:"have"`
}

// Have is a number that is reached, and the one that is wanted.
type Have struct {
	What string `json:"what"`
	Have int    `json:"have"`
	Want int    `json:"want"`
}

// String is a filling in a line. Its key is quoted where it would not print.
func (f *Filling) String() string {
	s := ""
	if f.Key != "" {
		s = printable(f.Key) + ": "
	}
	for i, h := range f.Have {
		if i > 0 {
			s += ", "
		}
		s += fmt.Sprintf("%s %d of %d", h.What, h.Have, h.Want)
	}
	return s
}

// printable is a text that strangers chose, without what moves a cursor.
func printable(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}

// remember finishes the explanation of a rule that remembers.
func (x *explainer) remember(s *Set, before *Scratch, r *Rule, out Explanation) (Explanation, error) {
	for _, st := range r.state.steps {
		t := x.text(st.text, 0)
		t.Text = st.name + ": " + t.Text
		out.Steps = append(out.Steps, t)
	}
	if out.Stopped != "" {
		return out, nil
	}
	x.m.begin(x.ev)
	if x.m.contribute(r, x.ev); len(x.m.contributions) == 0 {
		out.Stopped = "every value of its key is empty"
		if r.state.form == formSequence && x.m.stepsOf(r, x.ev) == 0 {
			out.Stopped = "no step is met"
		}
		return out, nil
	}
	return x.judge(s, before, x.m.contributions[0], out)
}

// judge applies the contribution to what was before, and says what it made.
func (x *explainer) judge(s *Set, before *Scratch, c Contribution, out Explanation) (Explanation, error) {
	var judge Judge
	round := judge.Begin(before, s)
	known, err := round.known(c)
	if err != nil {
		return out, err
	}
	if err := round.Add("", c); err != nil {
		return out, err
	}
	if err := round.decideRule(c.Rule, Forever); err != nil {
		return out, err
	}
	if out.Memory, err = round.filling(c); err != nil {
		return out, err
	}
	if err := round.End(); err != nil {
		return out, err
	}
	for _, v := range round.Verdicts {
		m := x.m.Alert(v, x.ev)
		out.Matched, out.AlertID, out.Message, out.Fields = true, m.ID, m.Message, m.Fields
	}
	switch {
	case out.Matched:
	case known != "":
		out.Stopped = known
	case out.Memory.full():
		out.Stopped = "this bucket of time alerted already: " + out.Memory.String()
	default:
		out.Stopped = "so far " + out.Memory.String()
	}
	return out, nil
}

// known is why a value that is met now is not new; "" when it may be.
func (r *Round) known(c Contribution) (string, error) {
	s := c.Rule.state
	m, err := r.memory(c.Rule)
	if err != nil || m == nil || s.form != formFirstSeen {
		return "", err
	}
	p := spot{group: groupOf(c.Group), value: groupOf([]string{c.Value})}
	per, err := m.group(p.group)
	if err != nil {
		return "", err
	}
	v, err := m.value(p)
	switch at := c.Time.UnixMilli(); {
	case err != nil:
		return "", err
	case v.exists && at-v.seen.newest < s.within:
		return fmt.Sprintf("%s was seen at %s", printable(c.Value), timeOf(v.seen.newest).Format(time.RFC3339)), nil
	case !per.exists:
		return printable(c.Value) + " is the first value, which is only learned", nil
	case at-m.meta.oldest < s.warmup:
		return "still warming up, which ends at " + timeOf(m.meta.oldest+s.warmup).Format(time.RFC3339), nil
	}
	return "", nil
}

// full says that everything that is wanted is there.
func (f *Filling) full() bool {
	for _, h := range f.Have {
		if h.Have < h.Want {
			return false
		}
	}
	return f.Form == formThreshold
}

// filling is how full the window is that ends with a contribution.
func (r *Round) filling(c Contribution) (*Filling, error) {
	s := c.Rule.state
	f := &Filling{Form: s.form, Key: labelOf(c.Group), Value: c.Value}
	m, err := r.memory(c.Rule)
	if err != nil || m == nil {
		return f, err
	}
	g, at := groupOf(c.Group), c.Time.UnixMilli()
	if s.form == formFirstSeen {
		per, err := m.group(g)
		f.Have = []Have{{"values known", int(per.values), 2}}
		return f, err
	}
	var windows [2]*window // the bucket before, and that of the event
	for i := range windows {
		w, err := m.window(spot{group: g, bucket: floor(at, s.within) - 1 + int64(i)}, false, c)
		if err != nil {
			return f, err
		}
		if w == nil {
			w = &window{}
		}
		windows[i] = w
	}
	f.Have = s.have(windows[0], windows[1], at)
	for i, st := range s.steps {
		if c.Steps>>i&1 == 1 {
			f.Steps = append(f.Steps, st.name)
		}
	}
	return f, nil
}

// have counts what lies in the span that ends at a time.
func (s *stateful) have(prev, cur *window, at int64) []Have {
	within := diag.Duration(time.Duration(s.within) * time.Millisecond).String()
	if s.distinct() {
		one := *s
		one.count = 0
		return []Have{{"values in " + within, one.seeing(prev, cur, at).distinct, s.count}}
	}
	in := append(append([]mark{}, prev.marks[upTo(prev.marks, at-s.within):]...), cur.marks[:upTo(cur.marks, at)]...)
	if s.form == formThreshold {
		return []Have{{"events in " + within, len(in), s.count}}
	}
	var have []Have
	for i, st := range s.steps {
		n := 0
		for _, m := range in {
			n += int(m.steps >> i & 1)
		}
		have = append(have, Have{st.name, min(n, st.count), st.count})
	}
	return have
}
