package rule

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/trailship/trailship/core/event"
)

// TestTheIndexIsSound compares what the index lets through with trying every
// rule, on random rules and events: it may leave out nothing that matches.
func TestTheIndexIsSound(t *testing.T) { rapid.Check(t, indexIsSound) }

func FuzzTheIndexIsSound(f *testing.F) { f.Fuzz(rapid.MakeFuzz(indexIsSound)) }

func indexIsSound(t *rapid.T) {
	text := "lists: {words: [a, b, ab, \"é\"], none: []}\nmacros:\n  early: action startsWith \"a\"\n  either: early or service == \"b\"\nrules:\n"
	for i := range rapid.IntRange(1, 12).Draw(t, "rules") {
		condition := strings.ReplaceAll(drawCondition(t, rapid.IntRange(0, 3).Draw(t, "depth")), "'", "''")
		let := pick(t, "", ", let: {own: 'principal.name contains \"a\"'}")
		if let != "" {
			condition = "(" + condition + pick(t, ") and own", ") or own", ") and not own")
		}
		sources := pick(t, "", "", ", sources: [aws.cloudtrail]")
		text += fmt.Sprintf("  - {id: r%02d, title: T, severity: low, enabled: %s, condition: '%s'%s%s}\n", i, pick(t, "true", "true", "true", "false"), condition, let, sources)
	}
	set, list := Load(files("r.yaml", text), Options{})
	if set == nil {
		t.Skip(list.String())
	}
	events := make([]*event.Event, rapid.IntRange(1, 10).Draw(t, "events"))
	for i := range events {
		events[i] = drawEvent(t)
	}
	findsAll(t, set, events)
}

// findsAll compares what readers find, who remember other events, with trying
// every rule.
func findsAll(t *rapid.T, set *Set, events []*event.Event) {
	all, want := set.NewMatcher(), make([][]string, len(events))
	for i, ev := range events {
		for _, r := range set.Rules {
			if r.Enabled && all.holds(r, ev) {
				want[i] = append(want[i], r.ID)
			}
		}
	}
	number(events, rapid.SampledFrom([]uint64{0, 1, leadsKept}).Draw(t, "step"))
	readers := []*Matcher{set.NewMatcher(), set.NewMatcher()}
	for range 3 * len(events) {
		i := rapid.IntRange(0, len(events)-1).Draw(t, "event")
		m := readers[rapid.IntRange(0, 1).Draw(t, "reader")]
		if got := idsOfMatches(m.Match(lazy(events[i]))); !slices.Equal(got, want[i]) {
			var text strings.Builder
			for _, r := range set.Rules {
				fmt.Fprintf(&text, "%s: %s\n", r.ID, r.Condition)
			}
			t.Fatalf("matched %v, want %v, of\n%s", got, want[i], &text)
		}
	}
}

// TestNoPartIsLeftOutThatARuleNeeds: many rules of few fields and words, which
// share the cost of parts of an event that their other terms decide about.
func TestNoPartIsLeftOutThatARuleNeeds(t *testing.T) {
	word := rapid.SampledFrom([]string{"a", "b", "ab", ""})
	rapid.Check(t, func(t *rapid.T) {
		text := "rules:\n"
		outline, cheap, dear := pick(t, "action", "service", "kind"), pick(t, "outcome", "error.code", "account", "region"), pick(t, "ip", "user_agent", "principal.name", "resource.type")
		atoms := [][]string{{outline, "=="}, {cheap, pick(t, "==", "!=")}, {dear, pick(t, "==", "startsWith", "contains")}}
		from, join := rapid.IntRange(0, 2).Draw(t, "from"), pick(t, " and ", " and ", " and ", " or ")
		for i := range rapid.IntRange(1, 80).Draw(t, "rules") {
			var terms []string
			for _, a := range atoms[from:] {
				w := word.Draw(t, "word")
				if a[1] == "!=" {
					w = mostOften[a[0]]
				}
				terms = append(terms, fmt.Sprintf("%s %s %q", a[0], a[1], w))
			}
			text += fmt.Sprintf("  - {id: r%02d, title: T, severity: low, condition: '%s'}\n", i, strings.Join(terms, join))
		}
		set, list := Load(files("r.yaml", text), Options{})
		if set == nil {
			t.Skip(list.String())
		}
		events := make([]*event.Event, 12)
		for i := range events {
			ev := &event.Event{Action: word.Draw(t, "action"), Service: word.Draw(t, "service"), Kind: word.Draw(t, "kind"), Outcome: word.Draw(t, "outcome"),
				Account: word.Draw(t, "account"), Region: word.Draw(t, "region"), IP: word.Draw(t, "ip"), UserAgent: word.Draw(t, "agent")}
			ev.Error.Code, ev.Principal.Name, ev.Resource.Type = word.Draw(t, "code"), word.Draw(t, "name"), word.Draw(t, "type")
			events[i] = ev
		}
		findsAll(t, set, events)
	})
}

// drawCondition joins terms that anchor a rule with such as do not.
func drawCondition(t *rapid.T, depth int) string {
	if depth > 0 {
		a, b := drawCondition(t, depth-1), drawCondition(t, depth-1)
		switch pick(t, "and", "or", "not", "?:", "if", "let") {
		case "and":
			return "(" + a + ") and (" + b + ")"
		case "or":
			return "(" + a + ") or (" + b + ")"
		case "not":
			return "not (" + a + ")"
		case "?:":
			return "((" + a + ") ? (" + b + ") : " + drawCondition(t, 0) + ")"
		case "if":
			return "(if " + drawCondition(t, 0) + " { " + a + " } else { " + b + " })"
		}
		return "(let x = len(action); (" + a + ") and x >= 0)"
	}
	field := pick(t, "action", "service", "principal.name", "principal?.type", "error.code", "api.service.name", "ip", "account", "user_agent", "region", "access", "kind", "provider", "id", "outcome")
	word := drawWord(t)
	switch rapid.IntRange(0, 9).Draw(t, "term") {
	case 0, 1:
		return field + pick(t, " == ", " != ") + word
	case 2:
		return word + pick(t, " == ", " != ") + field
	case 3:
		return field + pick(t, " in ", " not in ") + pick(t, "["+word+", \"a\"]", "[]", "lists.words", "lists.none")
	case 4, 5:
		return field + pick(t, " startsWith ", " endsWith ", " contains ", " not contains ", " not startsWith ") + pick(t, word, `"abab"`, `"ws.com"`, `"2001"`)
	case 6:
		return field + pick(t, " matches ", " not matches ") + pick(t, `"^a"`, `"^(a|b)"`, `"a|b"`, `"(?i)^A"`, `"ab"`, `"^arn:.*user"`, `"(?m)^b"`, `"^(ab)+$"`, `"^a?b"`, `"^$"`, `"[ab]7?"`, `"x*aws"`)
	case 7:
		return "glob(" + field + ", " + pick(t, `"a*"`, `"?"`, `"ab"`, `["a*", "b?"]`, `"*a"`, `"s3.*", "a"`, `lists.words`, `""`) + ")"
	case 8:
		return pick(t, "early", "either", "not either", "own == own", `outcome != "success"`, `not (error.code == "")`, `outcome == "denied"`, `account == "a"`, "true", "false", "is_mfa", "action == service")
	}
	return pick(t, `request.a == "a"`, "len(resources) > 0", `any(resources, .type == "a")`, `lower(action) == "a"`, `(action == "a") == true`, `(request.a ?? action) == "a"`)
}

// TestRulesStandUnderTheirBestAnchor says by what rules are found.
func TestRulesStandUnderTheirBestAnchor(t *testing.T) {
	for condition, want := range map[string]string{
		`service == "kms" and action == "Decrypt"`:                                        "action",
		`action == "Decrypt" or action startsWith "Schedule"`:                             "action",
		`action == "Decrypt" or principal.arn == "x"`:                                     "action, principal.arn",
		`not (action != "Decrypt")`:                                                       "action",
		`not (action not in ["Decrypt"] or outcome == "denied")`:                          "action",
		`service == "kms" and not (outcome == "denied")`:                                  "service",
		`provider == "aws" ? action == "a" : action == "b"`:                               "action",
		`action matches "^(Delete|Put)Bucket"`:                                            "action",
		`action matches "Bucket(Policy|Acl)$"`:                                            "action",
		`glob(action, "Delete*", "Put*")`:                                                 "action",
		`action in lists.dangerous`:                                                       "action",
		`dangerous`:                                                                       "action",
		`user_agent contains "kali" and outcome == "denied"`:                              "outcome",
		`service == "kms" and principal.type == "root"`:                                   "principal.type",
		`service == "kms" and principal.type == "role"`:                                   "service",
		`action == "a" and false`:                                                         "never",
		`action == "Decrypt" or is_mfa`:                                                   "",
		`action != "Decrypt"`:                                                             "",
		`outcome != "success" and principal.mfa == "true"`:                                "outcome",
		`outcome != "success" and principal.name contains "x"`:                            "principal.name",
		`not (error.code == "") and access != "read"`:                                     "error.code",
		`error.code != "Denied"`:                                                          "",
		`action matches "(?i)^delete"`:                                                    "",
		`request.keyId == "1"`:                                                            "",
		`any(resources, .type == "x") and len(action) > 3`:                                "",
		`let x = action; x == "Decrypt"`:                                                  "",
		`let x = len(action); service == "kms" and x > 3`:                                 "service",
		`actor.user.name startsWith "admin" or policies == [] and error.code == "Denied"`: "actor.user.name, error.code",
	} {
		set := load(t, "r.yaml", fmt.Sprintf("lists: {dangerous: [a, b]}\nmacros: {dangerous: 'action in lists.dangerous'}\nrules: [{id: r, title: T, severity: low, condition: '%s'}]", condition))
		r := set.Rule("r")
		if r.Anchor() != want {
			t.Errorf("%s stands under %q, want %q", condition, r.Anchor(), want)
		}
		if unanchored := want == ""; set.Unanchored() > 0 != unanchored {
			t.Errorf("%s: %d rules have no anchor", condition, set.Unanchored())
		}
	}
}

// TestManyRulesUnderOneValueSpread: what distinguishes them is a better place.
func TestManyRulesUnderOneValueSpread(t *testing.T) {
	set := load(t, "r.yaml", conditions(3000, `action == "GetObject" and principal.arn == "arn-%d"`))
	if got := set.Rules[0].Anchor(); got != "principal.arn" {
		t.Errorf("3,000 rules of one action stand under %q, want principal.arn", got)
	}
}

func TestRulesWithoutAnAnchorAreTriedCheapestFirst(t *testing.T) {
	set := load(t, "r.yaml", `
rules:
  - {id: a, title: T, severity: low, condition: 'raw.x == 1 and action != "x"'}
  - {id: b, title: T, severity: low, condition: 'len(resources) > 4'}
  - {id: c, title: T, severity: low, condition: 'action != "x"'}
  - {id: d, title: T, severity: low, condition: 'action == "x"'}
  - {id: e, title: T, severity: low, condition: 'time.Hour() == 4'}
`)
	var order []string
	for _, i := range set.index.rest {
		order = append(order, set.Rules[i].ID)
	}
	if diff := cmp.Diff([]string{"c", "b", "a", "e"}, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if set.Unanchored() != 4 {
		t.Errorf("%d rules without an anchor, want 4", set.Unanchored())
	}
}

// TestSubstringsFindEveryNeedle compares with looking for each alone.
func TestSubstringsFindEveryNeedle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringOfN(rapid.SampledFrom([]rune("ab/é")), 0, 12, -1)
		s := &substrings{needles: map[string][]int32{}}
		var needles []string
		for i := range rapid.IntRange(1, 20).Draw(t, "needles") {
			n := word.Draw(t, "needle")
			needles = append(needles, n)
			s.needles[n] = append(s.needles[n], int32(i))
		}
		s.prepare()
		text := word.Draw(t, "text") + word.Draw(t, "more")
		want := []int32{}
		for i, n := range needles {
			if strings.Contains(text, n) {
				want = append(want, int32(i))
			}
		}
		got := s.find([]int32{}, text)
		slices.Sort(got)
		if got = slices.Compact(got); !slices.Equal(got, want) {
			t.Fatalf("in %q found %v of %q, want %v", text, got, needles, want)
		}
	})
}

// TestAnUnmatchedRecordCostsNoMemory: whatever rules look at, nothing is
// allocated for a record that none of them matches.
func TestAnUnmatchedRecordCostsNoMemory(t *testing.T) {
	set := load(t, "r.yaml", conditions(50, `service == "kms" and action == "Action%d"`)+`
  - {id: a, title: T, severity: low, condition: 'request.keyId == "other" and service == "kms"'}
  - {id: b, title: T, severity: low, condition: 'raw.requestParameters.list[0] in ["x", "y"] or request.encryptionContext.app startsWith "y"'}
  - {id: c, title: T, severity: low, condition: 'raw.n > 7 or raw.flag != true or raw.accountId == 7'}
  - {id: d, title: T, severity: low, condition: 'cidr(ip, "10.0.0.0/8") or private_ip(ip) or user_agent contains "kali" or principal.arn matches "^x"'}
  - {id: e, title: T, severity: low, condition: 'any(resources, .type == "x") or class_uid in [3001, 3002] or hours(time, "Europe/Berlin", 1, 2)'}
  - {id: f, title: T, severity: low, condition: 'lower(action) == "encrypt" or glob(action, "*Key", "x*") or arn(principal.arn).account != account'}
  - {id: g, title: T, severity: low, condition: 'service == "kms"', exceptions: [{name: x, reason: y, condition: 'action == "Decrypt"'}]}
`)
	m := set.NewMatcher()
	ev := decrypt()
	if got := testing.AllocsPerRun(100, func() {
		if matches := m.Match(ev); len(matches) > 0 {
			t.Fatal(matches[0].Rule.ID)
		}
	}); got != 0 {
		t.Errorf("%v allocations for each record", got)
	}
	if ev.Request != nil || ev.Raw != nil {
		t.Error("an open part was parsed")
	}
}

// TestLoadingPartsCostsNoMemory: what went wrong leads to parts of the event, and
// no text of those to a rule.
func TestLoadingPartsCostsNoMemory(t *testing.T) {
	m := load(t, "r.yaml", conditions(80, `error.code == "AccessDenied" and principal.name == "x%d"`)).NewMatcher()
	ev := decrypt()
	if got := testing.AllocsPerRun(100, func() { m.Match(ev) }); got != 0 || len(m.set.index.cheap) == 0 {
		t.Errorf("%v allocations for each record", got)
	}
}
