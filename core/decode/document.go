package decode

import (
	"bytes"

	"github.com/trailship/trailship/core/event"
	"github.com/trailship/trailship/core/event/rawjson"
)

// document is a checked object and where in it the members we know are.
type document struct {
	raw      []byte
	members  []rawjson.Member
	names    rawjson.Names    // of members, as they come
	at       [numFields]int32 // index in members + 1, 0 for absent
	gen      uint64           // changes whenever the document does
	format   *format          // what recognize found
	text     *event.Text      // of the event that is being filled
	people   people           // of the records before
	account  string           // of the record before, as is its region
	region   string
	outlines []outlineGroup // of the records before, by hash
	buf      []byte         // a text that is being unescaped
}

// parse reads raw, one object and nothing behind it, into d.
func (d *document) parse(raw []byte) error {
	d.members = d.members[:0]
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || raw[0] != '{' {
		return errNotObject
	}
	end, st := d.scan(raw, &d.people)
	if st == rawjson.OK && end < len(raw) {
		st = rawjson.Bad
	}
	if st != rawjson.OK {
		return rawjson.Explain(raw, end, st)
	}
	d.index(raw)
	return nil
}

// scan reads the object text starts with, as far as ask allows, and finds its
// members.
func (d *document) scan(text []byte, ask rawjson.Asker) (end int, st rawjson.Status) {
	d.gen++
	d.people.forget()
	d.names.Dictionary = dictionary
	d.members, end, st = rawjson.Object(text, d.members[:0], &d.names, ask)
	return end, st
}

// index finds the known members. Of several with the same name the last wins;
// the exact name wins over one that differs in the case of its first letter.
func (d *document) index(raw []byte) {
	d.raw, d.format = raw, nil
	d.at = [numFields]int32{}
	for i := range d.members {
		m := &d.members[i]
		exact := m.Number != 0
		if !exact {
			if exact = numberOdd(m); m.Number == 0 {
				continue
			}
		}
		f := fieldNumbered[m.Number]
		if f == fNone {
			continue
		}
		if exact || d.at[f] == 0 || d.members[d.at[f]-1].Name[0] < 'a' {
			d.at[f] = int32(i) + 1
		}
	}
	d.people.remember(d.value(fIdentity))
}

// numberOdd numbers a member whose name is written with escapes, or in
// PascalCase as only records are.
func numberOdd(m *rawjson.Member) (exact bool) {
	name := m.Name
	if escaped(name) {
		name = rawjson.AppendText(nil, name)
		if m.Number = dictionary.Number(name); m.Number != 0 {
			m.Name = name
			return true
		}
	}
	if len(name) == 0 || name[0] > 'Z' || name[0] < 'A' {
		return false
	}
	var buf [32]byte
	if m.Number = dictionary.Number(lowerFirst(&buf, name)); fieldNumbered[m.Number] >= numTrailFields {
		m.Number = 0
	}
	if m.Number != 0 {
		m.Name = name
	}
	return false
}

// value returns f's JSON, nil when absent or null.
func (d *document) value(f field) []byte {
	i := d.at[f]
	if i == 0 {
		return nil
	}
	if v := d.members[i-1].Value; v[0] != 'n' {
		return v
	}
	return nil
}

func (d *document) has(f field) bool { return d.value(f) != nil }

// bytes returns f's text as written between its quotes: good for comparing
// with ASCII words, which nobody escapes.
func (d *document) bytes(f field) []byte { return inner(d.value(f)) }

// inner is what stands between the quotes of a JSON string, nil for any other
// value.
func inner(value []byte) []byte {
	if len(value) >= 2 && value[0] == '"' {
		return value[1 : len(value)-1]
	}
	return nil
}

// str returns the text of f for the event.
func (d *document) str(f field) string { return d.copy(d.value(f)) }

// word is str for values that repeat from record to record.
func (d *document) word(f field) string { return d.intern(d.value(f)) }

// steady is word for what is the same in all records of most objects: last is
// what it was before, if it was a short and plain text. Others would keep much
// memory, or not be what is written.
func (d *document) steady(f field, last *string) string {
	value := d.value(f)
	text := inner(value)
	if len(text) > 0 && string(text) == *last {
		return *last
	}
	word := d.intern(value)
	if *last = ""; len(text) > 0 && len(text) <= longestSteady && rawjson.Plain(text) {
		*last = word
	}
	return word
}

const longestSteady = 64 // bytes; regions and accounts have some twenty

func (d *document) copy(value []byte) string { return d.text.Copy(d.plain(value)) }

func (d *document) intern(value []byte) string {
	if s := d.text.Seen(inner(value)); s != "" {
		return s
	}
	return d.text.Intern(d.plain(value))
}

// plain resolves the text of a scalar; it is good until the next call.
func (d *document) plain(value []byte) []byte {
	if len(value) == 0 {
		return nil
	}
	switch value[0] {
	case '"':
		text := value[1 : len(value)-1]
		if rawjson.Plain(text) {
			return text
		}
		d.buf = rawjson.AppendText(d.buf[:0], text)
		return d.buf
	case '{', '[', 'n':
		return nil
	}
	return value
}
