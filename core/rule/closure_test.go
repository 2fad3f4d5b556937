package rule

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/trailship/trailship/core/event"
)

// TestTypedFieldsAreTheFields compares the tables of typed fields with the tags
// of the event: each reads its own field, and none is missing.
func TestTypedFieldsAreTheFields(t *testing.T) {
	var ev event.Event
	known := map[string]bool{}
	f := &frame{ev: &ev}
	check := func(path string, v reflect.Value, got func() any) {
		known[path] = true
		old := reflect.New(v.Type()).Elem()
		old.Set(v)
		stamp(v)
		if want := v.Interface(); !reflect.DeepEqual(got(), want) {
			t.Errorf("%s = %#v, want %#v", path, got(), want)
		}
		v.Set(old)
	}
	eachField(reflect.ValueOf(&ev).Elem(), "", func(path string, v reflect.Value) {
		if c := eventField(path); c == nil {
			t.Errorf("%s has no closure", path)
		} else {
			check(path, v, func() any { return c.any()(f) })
		}
	})
	for _, n := range []int{len(textFields) + len(numberFields) + len(flagFields) + len(otherFields)} {
		if n != len(known) {
			t.Errorf("%d typed fields, and the event has %d", n, len(known))
		}
	}
	var r event.Resource
	eachField(reflect.ValueOf(&r).Elem(), "", func(path string, v reflect.Value) {
		if get := resourceTexts[path]; get != nil {
			check("resources[]."+path, v, func() any { return get(&r) })
		} else if v.Kind() == reflect.String {
			t.Errorf("resources[].%s has no closure", path)
		}
	})
	var p event.Policy
	eachField(reflect.ValueOf(&p).Elem(), "", func(path string, v reflect.Value) {
		check("policies[]."+path, v, func() any { return policyTexts[path](&p) })
	})
}

// eachField calls fn with every field rules can name that has no members.
func eachField(v reflect.Value, path string, fn func(string, reflect.Value)) {
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("expr")
		if name == "" || name == "-" {
			continue
		}
		if v.Field(i).Kind() == reflect.Struct && v.Field(i).Type() != reflect.TypeFor[time.Time]() {
			eachField(v.Field(i), path+name+".", fn)
		} else {
			fn(path+name, v.Field(i))
		}
	}
}

// stamp gives a field a value that no other has.
func stamp(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("mark")
	case reflect.Int, reflect.Int64:
		v.SetInt(-7)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Interface:
		v.Set(reflect.ValueOf("mark"))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 3, 3))
	default:
		v.Set(reflect.ValueOf(time.UnixMilli(7)))
	}
}

// TestClosuresAreTheMachine compares closures with expr's machine on random
// expressions and events: the same value, or the same error.
func TestClosuresAreTheMachine(t *testing.T) {
	for range 20 { // a check is short
		rapid.Check(t, closureIsMachine)
	}
}

func FuzzClosuresAreTheMachine(f *testing.F) { f.Fuzz(rapid.MakeFuzz(closureIsMachine)) }

func closureIsMachine(t *rapid.T) {
	text := drawExpression(t, rapid.IntRange(0, 3).Draw(t, "depth"))
	c := newCompiler(event.Event{})
	p, problems := c.parse(text, &scope{lists: map[string]*list{"words": listOfTexts("a", "b", "7", "true", "é"), "nets": listOfTexts("10.0.0.0/8", "2001:db8::/32")}})
	if p == nil || len(problems) > 0 {
		t.Skip("no expression: " + text)
	}
	if problems := c.patchAll(p, "condition", wantAny); len(problems) > 0 {
		t.Skip("refused: " + text)
	}
	made := closureOf(p.tree.Node)
	if made == nil {
		t.Skip("left to the machine: " + text)
	}
	if made.test == nil {
		made.value = made.any()
	}
	machine, failed := c.machine(p.tree.Node, p.tree.Source)
	if failed != nil {
		t.Fatalf("%s has a closure, and the machine says %v", text, failed)
	}
	machine.parts = p.parts
	for range rapid.IntRange(1, 8).Draw(t, "events") {
		ev := drawEvent(t)
		m, whole := (&Set{}).NewMatcher(), *ev
		want, wantErr := m.run(&expression{program: machine.program, parts: event.PartsOpen}, &whole)
		got, gotErr := m.run(&expression{closure: made}, lazy(ev))
		if extra := m.frame.loaded &^ p.parts; extra != 0 {
			t.Fatalf("%s loads %b more than it is said to read", text, extra)
		}
		if again, err := m.run(machine, lazy(ev)); fmt.Sprint(err) != fmt.Sprint(wantErr) || !sameValue(again, want) {
			t.Fatalf("%s is said to read %b, and with that is %#v, %v, not %#v, %v", text, p.parts, again, err, want, wantErr)
		}
		if fmt.Sprint(gotErr) != fmt.Sprint(wantErr) || !sameValue(got, want) {
			t.Fatalf("%s\non request %s\n   raw %s\nclosure: %#v, %v\nmachine: %#v, %v", text, ev.RequestRaw, ev.RawJSON, got, gotErr, want, wantErr)
		}
		if wantErr != nil && !made.fails {
			t.Fatalf("%s: the closure is said never to fail, and the machine says %v", text, wantErr)
		}
	}
}

// lazily is an event whose closed parts are made when they are asked for.
type lazily struct{ whole *event.Event }

func (l lazily) Fill(e *event.Event, parts event.Parts) {
	from, to := reflect.ValueOf(l.whole).Elem(), reflect.ValueOf(e).Elem()
	for i := range from.NumField() {
		name := from.Type().Field(i).Tag.Get("expr")
		if name == "" || name == "-" {
			continue
		}
		need := event.PartsOf(name) & event.PartsClosed
		if need&event.PartOCSF != 0 {
			need = event.PartOCSF
		}
		if need != 0 && need&^parts == 0 && from.Field(i).Kind() != reflect.Interface {
			to.Field(i).Set(from.Field(i))
		}
	}
	e.API.Request.Data, e.API.Response.Data = e.Request, e.Response
}

// lazy is the event as it comes from a decoder.
func lazy(ev *event.Event) *event.Event {
	return &event.Event{
		Time: ev.Time, Provider: ev.Provider, Service: ev.Service, Action: ev.Action, Kind: ev.Kind, Access: ev.Access, Account: ev.Account, Region: ev.Region,
		RawJSON: ev.RawJSON, RequestRaw: ev.RequestRaw, ResponseRaw: ev.ResponseRaw, UnmappedRaw: ev.UnmappedRaw, Format: ev.Format, Outline: ev.Outline, Person: ev.Person, Rest: lazily{ev},
	}
}

func sameValue(a, b any) bool {
	x, ok1 := a.(float64)
	y, ok2 := b.(float64)
	return ok1 && ok2 && math.IsNaN(x) && math.IsNaN(y) || reflect.DeepEqual(a, b)
}

func pick(t *rapid.T, of ...string) string { return rapid.SampledFrom(of).Draw(t, "pick") }

// drawExpression is true or false mostly, of anything sometimes.
func drawExpression(t *rapid.T, depth int) string {
	if rapid.IntRange(0, 5).Draw(t, "kind") == 0 {
		return drawAny(t, depth)
	}
	return drawTest(t, depth)
}

func drawTest(t *rapid.T, depth int) string {
	if depth > 0 && rapid.Bool().Draw(t, "joined") {
		a, b := drawTest(t, depth-1), drawTest(t, depth-1)
		switch pick(t, "and", "or", "not", "?:", "if", "??", "==") {
		case "not":
			return pick(t, "not ", "!") + "(" + a + ")"
		case "?:":
			return "(" + drawTest(t, 0) + " ? " + a + " : " + b + ")"
		case "if":
			return "if " + drawTest(t, 0) + " { " + a + " } else { " + b + " }"
		case "??":
			return "(" + drawOpen(t) + " ?? (" + b + "))"
		case "==":
			return "(" + a + ")" + pick(t, " == ", " != ") + "(" + b + ")"
		}
		return "(" + a + ")" + pick(t, " and ", " or ", " && ", " || ") + "(" + b + ")"
	}
	switch rapid.IntRange(0, 10).Draw(t, "test") {
	case 0:
		return drawText(t, depth) + pick(t, " == ", " != ", " < ", " >= ") + drawText(t, depth)
	case 1:
		return drawText(t, depth) + pick(t, " in ", " not in ") + drawList(t)
	case 2:
		return drawText(t, depth) + pick(t, " startsWith ", " endsWith ", " contains ", " not contains ", " matches ") + drawWord(t)
	case 3:
		return drawOpen(t) + pick(t, " == ", " != ", " < ", " <= ", " > ", " >= ") + drawConstant(t)
	case 4:
		return drawConstant(t) + pick(t, " == ", " != ", " < ", " >= ") + pick(t, drawOpen(t), drawNumber(t))
	case 5:
		return drawOpen(t) + pick(t, " in ", " not in ") + drawList(t)
	case 6:
		return drawOpen(t) + pick(t, " startsWith ", " endsWith ", " contains ", " not startsWith ", " matches ") + pick(t, `"a"`, `"é"`, drawWord(t), drawText(t, 0))
	case 7:
		return drawNumber(t) + pick(t, " == ", " != ", " < ", " <= ", " > ", " >= ") + pick(t, drawNumber(t), "0", "1", "6003", "-7", "1.5")
	case 8:
		return drawLoop(t)
	case 9:
		return pick(t, "lower", "upper") + "(" + drawText(t, 0) + ") == " + drawWord(t)
	}
	return pick(t, "is_mfa", "actor.session.is_mfa", "true", "false", drawOpen(t), drawNumber(t)+" in [0, 1, 6003]",
		"private_ip("+drawText(t, 0)+")", "cidr("+pick(t, drawText(t, 0), drawOpen(t))+", \"10.0.0.0/8\", lists.nets)",
		"ieq("+drawText(t, 0)+", "+drawText(t, 0)+")", "glob("+pick(t, drawText(t, 0), drawOpen(t))+`, `+pick(t, `"a*"`, `"?"`, `["é*", "b"]`, `lists.words`)+")",
		`hours(time, "Europe/Berlin", 7, 19)`, `weekday(time, "UTC") in ["monday", "sunday"]`, `time > date("2026-01-01")`,
		"hasPrefix("+drawText(t, 0)+", "+drawWord(t)+")", "resources[0].type == "+drawWord(t), drawOpen(t)+" == "+drawOpen(t), drawOpen(t)+" == [\"a\", 7]",
		"first(resources).id == "+drawWord(t), drawWord(t)+" in "+drawOpen(t))
}

func drawText(t *rapid.T, depth int) string {
	if depth > 0 && rapid.Bool().Draw(t, "made") {
		return pick(t, "lower", "upper", "trim") + "(" + pick(t, drawText(t, depth-1), drawOpen(t)) + ")"
	}
	return pick(t, "action", "service", "principal.type", "principal?.name", "ip", "user_agent", "resource.owner.account.uid", "api.service.name", "error.code",
		drawWord(t), "arn(principal.arn).account", "domain(principal.name)", "join(split(action, \"a\"), \"-\")", "(action + service)", "split(action, \"/\")[0]")
}

func drawNumber(t *rapid.T) string {
	return pick(t, "class_uid", "activity_id", "actor.session.created_time", "len("+drawText(t, 0)+")", "len("+drawOpen(t)+")", "len(resources)", "int("+drawOpen(t)+")", "indexOf("+drawText(t, 0)+", "+drawWord(t)+")")
}

// drawOpen is a path into an open part.
func drawOpen(t *rapid.T) string {
	path := pick(t, "request.a", "request", "response", "raw", "api.request.data", "unmapped", "request.a", "raw.a")
	for range rapid.SampledFrom([]int{0, 0, 1, 1, 1, 2, 3}).Draw(t, "steps") {
		path += pick(t, ".a", ".a", ".b", "?.a", ".é", ".n", `["a b"]`, `[""]`, "[0]", "[1]", "[-1]", "[-3]", "[99]", "?.[0]", "[action]", ".a.b")
	}
	return path
}

func drawWord(t *rapid.T) string {
	return fmt.Sprintf("%q", rapid.SampledFrom(words).Draw(t, "word"))
}

var words = []string{"", "a", "b", "ab", "A", "é", "É", "7", "true", "null", "10.1.2.3", "2001:db8::1", "12345678901234567890", "a\tb", "\"", "\\", "日本", "\ufffd",
	"arn:aws:iam::7:user/a", "acs:ram::7:role/b", "x@A.example", "ǅ", "İ", "s3.amazonaws.com", "fe80::1%eth0", strings.Repeat("ab", 40)}

func drawConstant(t *rapid.T) string {
	return pick(t, drawWord(t), drawWord(t), "nil", "true", "0", "7", "7", "-7", "1.5", "9007199254740993", "6003", `["a"]`, "[]")
}

func drawList(t *rapid.T) string {
	return pick(t, "[]", `["a"]`, `["a", "b", "é"]`, `["a", "b", "ab", "7", "", "true"]`, "lists.words", "[7, 1.5]", `["a", 7]`, "["+drawWord(t)+", "+drawWord(t)+"]", "[\"\", account]", "["+drawText(t, 0)+", "+drawOpen(t)+" ?? account]", "["+drawOpen(t)+", 7]")
}

func drawLoop(t *rapid.T) string {
	list := pick(t, "resources", "policies", "request", "raw.a", "request.b", "[1, 2]")
	body := pick(t, ".type == "+drawWord(t), `.name startsWith "a"`, ".owner.account.uid == account", "# == \"a\"", ".a == 1", "#.b contains \"a\"", ".uid in lists.words", "# > 1", "action == \"a\"", `arn(.id).account not in ["", account]`, ".a[0] == \"b\"")
	loop := pick(t, "any", "all", "none", "one", "count") + "(" + list + ", " + body + ")"
	if strings.HasPrefix(loop, "count") {
		loop += pick(t, " > 0", " >= 2", " == 1")
	}
	return loop
}

func drawAny(t *rapid.T, depth int) string {
	return pick(t, drawOpen(t), drawText(t, depth), drawNumber(t), "time", "resources", "policies", drawOpen(t)+" ?? "+drawConstant(t),
		"("+drawTest(t, 0)+" ? "+drawText(t, 0)+" : "+drawOpen(t)+")", "-7", "1.5", "nil", drawList(t), "toJSON("+drawOpen(t)+")", "string("+drawOpen(t)+")",
		"keys("+drawOpen(t)+")", "type("+drawOpen(t)+")", "request.a + 1", "max(raw.n, 1)", "resources[0].name", "weekday(time, \"Asia/Shanghai\")", "split("+drawOpen(t)+", \"a\")")
}

// drawEvent is an event of few values, so that they meet.
func drawEvent(t *rapid.T) *event.Event {
	word := func() string { return rapid.SampledFrom(words).Draw(t, "value") }
	ev := &event.Event{
		ID: word(), Time: time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "time"), 0).UTC(), Service: word(), Action: word(), Account: word(), IP: word(), UserAgent: word(),
		Provider: word(), Kind: word(), Access: word(), Region: word(), Outcome: pick(t, "success", "denied", word()), Format: rapid.SampledFrom(formats).Draw(t, "format"),
		Principal: event.Principal{Type: word(), Name: word(), ARN: word()}, Error: event.Error{Code: word()}, IsMFA: rapid.Bool().Draw(t, "mfa"),
		ClassUID: rapid.SampledFrom([]int{0, 1, 6003, -7}).Draw(t, "class"), ActivityID: rapid.IntRange(-1, 2).Draw(t, "activity"),
	}
	ev.API.Service.Name, ev.Resource.Owner.Account.UID = word(), word()
	ev.Actor.Session.CreatedTime = rapid.SampledFrom([]int64{0, 7, math.MaxInt64}).Draw(t, "created")
	for range rapid.IntRange(0, 2).Draw(t, "resources") {
		r := event.Resource{ID: word(), UID: word(), Name: word(), Type: word()}
		r.Owner.Account.UID = word()
		ev.Resources = append(ev.Resources, r)
		ev.Policies = append(ev.Policies, event.Policy{UID: word(), Name: word()})
	}
	ev.RequestRaw, ev.ResponseRaw, ev.RawJSON = drawPart(t), drawPart(t), drawPart(t)
	if part := drawPart(t); part != nil {
		ev.UnmappedRaw = []event.Pair{{Name: "a", Value: part}}
	}
	return ev
}

// drawPart is the JSON of an open part, nil when it is absent.
func drawPart(t *rapid.T) []byte {
	if rapid.IntRange(0, 4).Draw(t, "absent") == 0 {
		return nil
	}
	space := rapid.SampledFrom([]string{"", "", " ", "\n\t"})
	if rapid.IntRange(0, 3).Draw(t, "object") > 0 {
		return []byte(space.Draw(t, "before") + drawObject(t, 3) + space.Draw(t, "after"))
	}
	return []byte(space.Draw(t, "before") + drawJSON(t, 3) + space.Draw(t, "after"))
}

func drawObject(t *rapid.T, depth int) string {
	var members []string
	for range rapid.IntRange(0, 4).Draw(t, "members") {
		name := rapid.SampledFrom([]string{`"a"`, `"a"`, `"b"`, `"\u0061"`, `"é"`, `"\u00e9"`, `"a b"`, `"n"`, `""`, `"requestParameters"`, `"\ud83d"`, "\"\xff\""}).Draw(t, "name")
		members = append(members, name+pick(t, ":", " : ")+drawJSON(t, depth-1))
	}
	return "{" + strings.Join(members, pick(t, ",", " , ")) + "}"
}

func drawJSON(t *rapid.T, depth int) string {
	kind := rapid.IntRange(0, 5).Draw(t, "json")
	switch {
	case depth > 0 && kind == 0:
		return drawObject(t, depth)
	case depth > 0 && kind == 1:
		var items []string
		for range rapid.IntRange(0, 3).Draw(t, "items") {
			items = append(items, drawJSON(t, depth-1))
		}
		return "[" + strings.Join(items, pick(t, ",", " , ")) + "]"
	case kind == 2:
		return pick(t, "0", "-0", "7", "7", "7.0", "-7", "1.5", "1e3", "1e999", "12345678901234567890", "9007199254740993", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "0.1e-400")
	case kind == 3:
		return pick(t, "true", "false", "null")
	}
	return rapid.SampledFrom([]string{`"a"`, `"b"`, `"ab"`, `""`, `"\u0061"`, `"\u0061b"`, `"é"`, `"\u00e9"`, `"\u00E9"`, `"\ud83d\ude00"`, `"\ud83d"`, `"a\tb"`, `"\""`, `"\\"`, `"\/"`, "\"\xff\"", `"7"`, `"true"`,
		`"12345678901234567890"`, `"10.1.2.3"`, `"日本"`, `"` + strings.Repeat("ab", 40) + `"`}).Draw(t, "text")
}
