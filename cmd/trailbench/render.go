package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// dialect says how a language writes the tests.
type dialect struct {
	and, or string
	quote   func(string) string
	field   func(*field) string
	ours    bool // values are those of our vocabulary
	// tests are the operators, with %[1]s the field, %[2]s the value and
	// %[3]s a list of values. Those that are missing are made of == and !=.
	tests map[string]string
}

func (d dialect) condition(c condition) string {
	var terms []string
	for _, t := range c {
		terms = append(terms, d.test(t))
	}
	return "(" + strings.Join(terms, d.and) + ")"
}

func (d dialect) test(t test) string {
	var quoted []string
	for _, v := range t.values {
		if d.ours && t.word != nil {
			v = t.word(v)
		}
		quoted = append(quoted, d.quote(v))
	}
	if form, ok := d.tests[t.op]; ok {
		return fmt.Sprintf(form, d.field(t.field), quoted[0], strings.Join(quoted, ", "))
	}
	op, join := "==", d.or
	if t.op == "not in" {
		op, join = "!=", d.and
	}
	var terms []string
	for _, v := range quoted {
		terms = append(terms, fmt.Sprintf(d.tests[op], d.field(t.field), v))
	}
	return "(" + strings.Join(terms, join) + ")"
}

// any joins conditions of which one is enough.
func (d dialect) any(all []condition) string {
	var parts []string
	for _, c := range all {
		parts = append(parts, d.condition(c))
	}
	return strings.Join(parts, "\n  "+d.or)
}

func variable(f *field) string     { return f.variable() }
func doubleQuoted(s string) string { return strconv.Quote(s) }
func singleQuoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

var (
	ourDialect = dialect{and: " and ", or: " or ", quote: doubleQuoted, ours: true, field: func(f *field) string { return f.name },
		tests: map[string]string{"==": "%[1]s == %[2]s", "!=": "%[1]s != %[2]s", "in": "%[1]s in [%[3]s]", "not in": "%[1]s not in [%[3]s]",
			"startsWith": "%[1]s startsWith %[2]s", "contains": "%[1]s contains %[2]s"}}
	jqDialect = dialect{and: " and ", or: " or ", quote: doubleQuoted, field: func(f *field) string { return "$" + f.variable() },
		tests: map[string]string{"==": "%[1]s == %[2]s", "!=": "%[1]s != %[2]s", "startsWith": "(%[1]s | startswith(%[2]s))", "contains": "(%[1]s | contains(%[2]s))"}}
	sqlDialect = dialect{and: " AND ", or: " OR ", quote: singleQuoted, field: variable,
		tests: map[string]string{"==": "%[1]s = %[2]s", "!=": "%[1]s <> %[2]s", "in": "%[1]s IN (%[3]s)", "not in": "%[1]s NOT IN (%[3]s)",
			"startsWith": "starts_with(%[1]s, %[2]s)", "contains": "contains(%[1]s, %[2]s)"}}
	syslogDialect = dialect{and: " and ", or: " or ", quote: doubleQuoted, field: func(f *field) string { return "$!" + strings.Join(f.path, "!") },
		tests: map[string]string{"==": "%[1]s == %[2]s", "!=": "%[1]s != %[2]s", "in": "%[1]s == [%[3]s]", "not in": "not (%[1]s == [%[3]s])",
			"startsWith": "%[1]s startswith %[2]s", "contains": "%[1]s contains %[2]s"}}
	celDialect = dialect{and: " && ", or: " || ", quote: doubleQuoted, field: variable,
		tests: map[string]string{"==": "%[1]s == %[2]s", "!=": "%[1]s != %[2]s", "in": "%[1]s in [%[3]s]", "not in": "!(%[1]s in [%[3]s])",
			"startsWith": "%[1]s.startsWith(%[2]s)", "contains": "%[1]s.contains(%[2]s)"}}
	regoDialect = dialect{and: "; ", quote: doubleQuoted, field: func(f *field) string { return "input." + f.variable() },
		tests: map[string]string{"==": "%[1]s == %[2]s", "!=": "%[1]s != %[2]s", "in": "%[1]s in {%[3]s}", "not in": "not %[1]s in {%[3]s}",
			"startsWith": "startswith(%[1]s, %[2]s)", "contains": "contains(%[1]s, %[2]s)"}}
)

// rules are the conditions as rule files of ours, which may not be large.
func rules(all []condition) (files []string) {
	for chunk := range slices.Chunk(all, 1000) {
		var b strings.Builder
		b.WriteString("rules:\n")
		for i, c := range chunk {
			n := 1000*len(files) + i
			fmt.Fprintf(&b, "  - id: condition-%d\n    title: Condition %d of the comparison\n    severity: low\n    condition: >-\n      %s\n", n, n, ourDialect.condition(c))
		}
		files = append(files, b.String())
	}
	return files
}

// jqProgram filters delivered objects, and so does gojq's.
func jqProgram(all []condition) string {
	var b strings.Builder
	b.WriteString(".Records[]\n")
	for _, f := range fields {
		fmt.Fprintf(&b, "| (.%s // \"\") as $%s\n", strings.Join(f.path, "."), f.variable())
	}
	return b.String() + "| select(" + jqDialect.any(all) + ")\n"
}

// duckSQL reads the projected fields of NDJSON and writes those of matching
// records. The raw record is lost: keeping it costs DuckDB many times as much.
func duckSQL(all []condition, glob, out string) string {
	var named []string
	for _, f := range fields {
		named = append(named, fmt.Sprintf("coalesce(%s, '') AS %s", strings.Join(f.path, "."), f.variable()))
	}
	return "COPY (SELECT * FROM (SELECT eventID, " + strings.Join(named, ", ") + "\n FROM read_json(" + singleQuoted(glob) + `, format = 'newline_delimited', columns = {` + duckColumns() + `}))
 WHERE ` + sqlDialect.any(all) + ")\nTO " + singleQuoted(out) + " (FORMAT json);\n"
}

func duckColumns() string {
	columns := []string{"eventID: 'VARCHAR'"}
	var nested []string
	for _, f := range fields {
		if len(f.path) == 1 {
			columns = append(columns, f.path[0]+": 'VARCHAR'")
			continue
		}
		nested = append(nested, f.path[1]+" VARCHAR")
	}
	return strings.Join(append(columns, "userIdentity: 'STRUCT("+strings.Join(nested, ", ")+")'"), ", ")
}

// lastID is the id of a record that rsyslog lets through last, so that
// one sees that it is done.
const lastID = "the-last-record"

// syslogConfig has rsyslog follow one file of NDJSON, with one worker, which
// keeps the order: the last record comes last.
func syslogConfig(all []condition, dir, in, out string) string {
	return fmt.Sprintf(`global(workDirectory=%q maxMessageSize="512k")
main_queue(queue.workerThreads="1")
module(load="imfile")
module(load="mmjsonparse")
template(name="record" type="string" string="%%msg%%\n")
input(type="imfile" file=%q tag="trail" ruleset="filter")
ruleset(name="filter") {
  action(type="mmjsonparse" cookie="")
  if ($!eventID == %q
   or %s)
  then action(type="omfile" file=%q template="record")
}
`, dir, in, lastID, syslogDialect.any(all), out)
}

// celRules has a condition on each line.
func celRules(all []condition) string {
	var b strings.Builder
	for _, c := range all {
		b.WriteString(celDialect.condition(c) + "\n")
	}
	return b.String()
}

// regoRules collects the numbers of the conditions that hold.
func regoRules(all []condition) string {
	var b strings.Builder
	b.WriteString("package bench\n\n")
	for i, c := range all {
		text := regoDialect.condition(c)
		fmt.Fprintf(&b, "hits contains %d if { %s }\n", i, text[1:len(text)-1])
	}
	return b.String()
}
