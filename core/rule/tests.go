package rule

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/trailship/trailship/core/diag"
)

// test is a test of a rule, read and checked.
type test struct {
	name    string
	at      diag.Node
	records []map[string]any
	expect  expectation
}

// expectation is what a test wants; alerts is -1 for "at least one".
type expectation struct {
	at       diag.Node
	alerts   int
	message  diag.String
	severity diag.String
	fields   diag.Ordered[diag.Node]
}

// testStart is the event time of a test record that gives none.
var testStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// maxRepeat bounds the records one test makes.
const maxRepeat = 10_000

// tests reads the tests of a rule.
func (b *builder) tests(docs []testDoc) []test {
	var out []test
	names := map[string]bool{}
	for _, doc := range docs {
		if names[doc.Name.Value] && doc.Name.Value != "" {
			b.report(doc.Name.Node.Errorf("E222", "test %q is defined twice", doc.Name.Value))
		}
		names[doc.Name.Value] = true
		if doc.Name.Node.Kind() == diag.Absent {
			continue // reported by decoding
		}
		t := test{name: doc.Name.Value, at: doc.Name.Node, expect: b.expectation(doc)}
		t.records = b.records(doc)
		for _, set := range doc.Set {
			b.set(t.records, set)
		}
		t.records = copies(t, doc)
		out = append(out, t)
	}
	return out
}

// records reads event, file or events.
func (b *builder) records(doc testDoc) []map[string]any {
	given := 0
	for _, n := range []diag.Node{doc.Event, doc.File.Node, doc.Events} {
		if n.Kind() != diag.Absent {
			given++
		}
	}
	if given != 1 || doc.Repeat < 0 || doc.Repeat > maxRepeat || doc.Repeat > 0 && doc.Events.Kind() != diag.Absent {
		b.report(doc.Name.Node.Errorf("E234", "a test has one of event, file and events; repeat goes with event or file, and is %d at most", maxRepeat))
		return nil
	}
	switch {
	case doc.Event.Kind() != diag.Absent:
		return b.recordOf(doc.Event)
	case doc.Events.Kind() != diag.Absent:
		if doc.Events.Kind() != diag.Sequence {
			b.report(doc.Events.Errorf("E234", "events must be a list of records"))
		}
		var all []map[string]any
		for n := range doc.Events.Items() {
			all = append(all, b.recordOf(n)...)
		}
		return all
	}
	return b.recordFile(doc.File)
}

func (b *builder) recordOf(n diag.Node) []map[string]any {
	v, err := n.JSON()
	if err != nil {
		b.report(n.Errorf("E234", "%v", err))
		return nil
	}
	record, ok := v.(map[string]any)
	if !ok {
		b.report(n.Errorf("E234", "a record is a mapping"))
		return nil
	}
	return []map[string]any{record}
}

// recordFile reads a JSON file with one record, or a list of them.
func (b *builder) recordFile(file diag.String) []map[string]any {
	s := b.sourceOf(file.Node)
	name, ok := s.beside(file.Value)
	if !ok {
		b.report(file.Node.Errorf("E224", "file %q is outside the rules folder", file.Value))
		return nil
	}
	text, err := b.l.text(s.root, name)
	if err == nil {
		var records []map[string]any
		if records, err = parseRecords(text); err == nil {
			return records
		}
	}
	b.report(file.Node.Errorf("E224", "file %s: %v", s.root.display(name), err))
	return nil
}

// sourceOf is the file a node stands in: an override's is not the rule's.
func (b *builder) sourceOf(n diag.Node) *source {
	for _, s := range b.l.files {
		if s.root.display(s.name) == n.File() {
			return s
		}
	}
	return b.d.source
}

func parseRecords(text []byte) ([]map[string]any, error) {
	if text = bytes.TrimSpace(text); bytes.HasPrefix(text, []byte("[")) {
		var records []map[string]any
		return records, unmarshal(text, &records)
	}
	var record map[string]any
	if err := unmarshal(text, &record); err != nil {
		return nil, err
	}
	return []map[string]any{record}, nil
}

// unmarshal keeps numbers as they are written: ids are longer than a float is
// exact.
func unmarshal(text []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(into); err != nil {
		return err
	}
	if dec.More() {
		return errors.New("more than one JSON value")
	}
	return nil
}

// set puts one value of `set` into every record.
func (b *builder) set(records []map[string]any, e diag.Entry[diag.Node]) {
	v, err := e.Value.JSON()
	if err != nil {
		b.report(e.Value.Errorf("E234", "%v", err))
		return
	}
	for i := range records {
		changed, ok := setPath(records[i], strings.Split(e.Name, "."), v)
		if !ok {
			b.report(e.Key.Errorf("E234", "the record has no place for %s", e.Name))
			return
		}
		records[i] = changed.(map[string]any)
	}
}

// setPath returns a copy of v with the value at path replaced, or removed when
// it is nil. False when a list has no such element or a text is in the way.
func setPath(v any, path []string, value any) (any, bool) {
	if len(path) == 0 {
		return value, true
	}
	switch x := v.(type) {
	case nil:
		if value == nil {
			return nil, true // there is nothing to remove
		}
		return setPath(map[string]any{}, path, value)
	case map[string]any:
		m := maps.Clone(x)
		inner, ok := setPath(m[path[0]], path[1:], value)
		if m[path[0]] = inner; inner == nil {
			delete(m, path[0])
		}
		return m, ok
	case []any:
		i, err := strconv.Atoi(path[0])
		if err != nil || i < 0 || i >= len(x) {
			return v, false
		}
		l := slices.Clone(x)
		inner, ok := setPath(l[i], path[1:], value)
		if l[i] = inner; inner == nil {
			l = slices.Delete(l, i, i+1)
		}
		return l, ok
	}
	return v, false
}

// copies makes the records of `repeat`, and fills in ids and times that are
// missing.
func copies(t test, doc testDoc) []map[string]any {
	records := t.records
	if doc.Repeat > 0 {
		records = nil
		for range doc.Repeat {
			records = append(records, t.records...)
		}
	}
	out := make([]map[string]any, len(records))
	for i, r := range records {
		r = maps.Clone(r)
		id := idField(r)
		if doc.Repeat > 0 || empty(r[id]) {
			r[id] = fmt.Sprintf("%s-%d", t.name, i+1)
		}
		start, given := testStart, false
		if s, ok := r["eventTime"].(string); ok && s != "" {
			given = true
			if at, err := time.Parse(time.RFC3339, s); err == nil {
				start = at
			}
		}
		if doc.Repeat > 0 || !given {
			r["eventTime"] = start.Add(time.Duration(i) * doc.Every).UTC().Format(time.RFC3339Nano)
		}
		out[i] = r
	}
	return out
}

// idField is the name the event id has in a record's cloud.
func idField(r map[string]any) string {
	for _, alibaba := range []string{"eventId", "acsRegion", "serviceName"} {
		if _, ok := r[alibaba]; ok {
			return "eventId"
		}
	}
	return "eventID"
}

// expectation reads `expect`.
func (b *builder) expectation(doc testDoc) expectation {
	e := expectation{at: doc.Expect, alerts: -1}
	n := doc.Expect
	switch {
	case n.Kind() == diag.Absent || n.Kind() == diag.Null:
		e.at = doc.Name.Node
		b.report(e.at.Errorf("E234", "test %q expects nothing: write expect: alert or expect: none", doc.Name.Value))
	case n.Kind() == diag.Mapping:
		var m struct {
			Alerts   *int                    `yaml:"alerts"`
			Message  diag.String             `yaml:"message"`
			Severity diag.String             `yaml:"severity" enum:"info,low,medium,high,critical"`
			Fields   diag.Ordered[diag.Node] `yaml:"fields"`
		}
		b.l.list = append(b.l.list, diag.Decode(n, &m)...)
		e.message, e.severity, e.fields = m.Message, m.Severity, m.Fields
		if m.Alerts != nil {
			e.alerts = *m.Alerts
			if e.alerts < 0 {
				b.report(n.Key("alerts").Errorf("E234", "alerts is 0 or more, got %d", e.alerts))
			}
		}
	case n.Value() == "none":
		e.alerts = 0
	case n.Value() != "alert":
		b.report(n.Errorf("E234", "expect must be alert, none, or {alerts, message, fields, severity}%s", diag.Suggest(n.Value(), []string{"alert", "none"})))
	}
	return e
}
