package rawjson

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// texts are JSON and nearly JSON.
var texts = []string{
	`{}`, `[]`, ` { "a" : [ 1 , 2 ] , "b" : { } } `, `{"a":"\u00e9\n\"\\\/\b\f\r\t\ud83d\ude00"}`, `{"a":"\ud83d"}`, `"é"`, "\"\xff\"",
	`0`, `-0`, `-0.5e-10`, `1E+3`, `9223372036854775807`, `9223372036854775808`, `-9223372036854775809`, `1e999`, `123456789012345678901234567890.5`,
	`true`, `false`, `null`, `[[[]],{"a":{"b":[null]}}]`, `{"a":1,"a":2}`, `"` + strings.Repeat("x", 100) + `"`,
	``, ` `, `{`, `}`, `[`, `]`, `{]`, `[}`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `[1,]`, `[,1]`, `[1 2]`, `{"a" 1}`, `{a:1}`, `{1:2}`, `tru`, `truex`, `nul`,
	`01`, `-`, `1.`, `.5`, `1e`, `1e+`, `+1`, `--1`, `0x1`, `"\x"`, `"\u12"`, `"\u12g4"`, "\"a\nb\"", "\"a\x1fb\"", `"open`, `"open\`, `{}{}`, `1 2`, "\u00a01",
}

func TestAgreesWithEncodingJSON(t *testing.T) {
	for _, text := range texts {
		checkAgainstEncodingJSON(t, []byte(text))
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		checkAgainstEncodingJSON(t, text)
		if len(text) > 0 && text[0] == '"' {
			got := string(AppendString(nil, string(text)))
			var back string
			if err := json.Unmarshal([]byte(got), &back); err != nil || back != strings.ToValidUTF8(string(text), "\ufffd") && utf8.Valid(text) {
				t.Fatalf("%q written as %s, read as %q, %v", text, got, back, err)
			}
		}
	})
}

func checkAgainstEncodingJSON(t *testing.T, text []byte) {
	t.Helper()
	got, err := Parse(text)
	if err == nil != json.Valid(text) {
		if bytes.Count(text, []byte("["))+bytes.Count(text, []byte("{")) > MaxDepth {
			return
		}
		t.Fatalf("%q: error %v, encoding/json says valid = %v", text, err, json.Valid(text))
	}
	if err != nil {
		return
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var want any
	if err := decoder.Decode(&want); err != nil {
		t.Fatal(err)
	}
	if want = plainNumbers(want); !reflect.DeepEqual(got, want) {
		t.Fatalf("%q: got %#v, want %#v", text, got, want)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		t.Fatal(err)
	}
	if got := AppendTokens(nil, text); !bytes.Equal(got, compact.Bytes()) {
		t.Fatalf("%q compacted to %q", text, got)
	}
	if got := AppendCompact(nil, text); !json.Valid(got) || !utf8.Valid(got) {
		t.Fatalf("%q mended to %q", text, got)
	}
}

// plainNumbers is the promise about numbers, written the slow way.
func plainNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		return buildNumber(v.String())
	case map[string]any:
		for name := range v {
			v[name] = plainNumbers(v[name])
		}
	case []any:
		for i := range v {
			v[i] = plainNumbers(v[i])
		}
	}
	return v
}

func TestNumbersKeepTheirValue(t *testing.T) {
	for text, want := range map[string]any{
		"7": int64(7), "-0": int64(0), "1.0": 1.0, "1e3": 1000.0, "9223372036854775807": int64(9223372036854775807),
		"9223372036854775808": "9223372036854775808", "1e999": "1e999",
	} {
		if got, err := Parse([]byte(text)); err != nil || got != want {
			t.Errorf("%s: got %#v, %v", text, got, err)
		}
	}
}

func TestEveryCutAsksForMore(t *testing.T) {
	text := `{"a":["\u00e9\n",-1.5e+10,true,null,{"b":{}}],"c":"x"}`
	for n := 1; n < len(text); n++ {
		if _, _, st := Object([]byte(text[:n]), nil, nil, nil); st != More {
			t.Errorf("%s: status %d", text[:n], st)
		}
	}
}

func TestObjectStopsWhereAsked(t *testing.T) {
	text := []byte(`{"a":1,"Records":[`)
	members, at, st := Object(text, nil, nil, asker(func(name, rest []byte) int {
		if string(name) == "Records" && rest[0] == '[' {
			return Stop
		}
		return 0
	}))
	if st != Stopped || text[at] != '[' || len(members) != 1 {
		t.Errorf("%v at %d, %v", st, at, members)
	}
}

func TestDepthIsBounded(t *testing.T) {
	deep := func(n int) []byte { return []byte(strings.Repeat("[", n) + strings.Repeat("]", n)) }
	if _, err := Parse(deep(MaxDepth)); err != nil {
		t.Error(err)
	}
	if _, err := Parse(deep(MaxDepth + 1)); err == nil || err.Error() != "nested deeper than 1000 at byte 1000" {
		t.Error(err)
	}
	if _, _, st := Object(append(append([]byte(`{"a":`), deep(MaxDepth)...), '}'), nil, nil, nil); st != Deep {
		t.Errorf("status %d", st)
	}
}

func TestNamesAreWhatTheySpell(t *testing.T) {
	for _, c := range []struct {
		raw, name string
		want      bool
	}{
		{`a\u0062`, `ab`, true}, {`a\u0062`, `a\u0062`, false}, {`a\\b`, `a\b`, true}, {`a\\b`, `a\\b`, false},
		{"\xff", "\ufffd", true}, {`\ud800`, "\ufffd", true}, {"é", "é", true}, {"é", "e", false},
	} {
		if got := Is([]byte(c.raw), c.name); got != c.want {
			t.Errorf("%q is %q: %v", c.raw, c.name, got)
		}
		parsed, _ := Parse([]byte(`{"` + c.raw + `":1}`))
		if _, is := parsed.(map[string]any)[c.name]; is != c.want {
			t.Errorf("%q read as %v", c.raw, parsed)
		}
	}
}

func TestErrorsSayWhere(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":x}`: `unexpected 'x' at byte 5`, `{"a":`: "the text ends inside a value", `1 2`: `unexpected '2' at byte 2`,
	} {
		if _, err := Parse([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestFindAndWalk(t *testing.T) {
	object := []byte(` {"a":1,"\u0062":[{},"x" , 3],"a": "last"}`)[1:]
	if got := string(Find(object, "a")); got != `"last"` {
		t.Errorf("a is %s", got)
	}
	var items []string
	for list := Items(Find(object, "b")); ; {
		item, ok := list.Next()
		if !ok {
			break
		}
		items = append(items, string(item))
	}
	if diff := cmp.Diff([]string{`{}`, `"x"`, `3`}, items); diff != "" {
		t.Error(diff)
	}
	if Find([]byte(`[1]`), "a") != nil || Find(nil, "a") != nil {
		t.Error("found a member in what is no object")
	}
}

type asker func(name, rest []byte) int

func (f asker) Ask(name, rest []byte) int { return f(name, rest) }

func TestMarksAreWhereTheyShouldBe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := [span]byte(rapid.SliceOfN(rapid.OneOf(rapid.Byte(), rapid.SampledFrom([]byte{'"', '\\', 0, 0x1f, ' ', 0x7f, 0x80, 0xa2, 0xdc, 0xff})), span, span).Draw(t, "text"))
		var want, plainly, got [9]uint64
		for n, c := range text {
			if c == '"' || c == '\\' || c < ' ' {
				want[n/64] |= 1 << (n % 64)
			}
		}
		markPlainly(&plainly, &text)
		mark(&got, &text)
		if plainly != want || got != want {
			t.Fatalf("%q:\n%x plainly\n%x\n%x wanted", text, plainly, got, want)
		}
	})
}

// FuzzObject scans one object after another with names and with somebody to
// ask, in pieces as they come, and finds what encoding/json finds.
func FuzzObject(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text), []byte(text), uint16(len(text)/2))
	}
	long := `{"eventName":"` + strings.Repeat("a", 300) + `\n","who":{"a":"` + strings.Repeat("b", 250) + `"},"list":[1,"` + strings.Repeat("c", 500) + `"],"number":-1.5e3}`
	f.Add([]byte(long), []byte(`{"eventName" : "x","who":{"a":"y"},"who":[],"n\u0061me":1}`), uint16(290))
	f.Fuzz(func(t *testing.T, first, second []byte, cut uint16) {
		names := &Names{Dictionary: NewDictionary("eventName", "who", "list", "aNameThatIsFarTooLongToBeExpected")}
		for _, text := range [][]byte{first, second, first} {
			if len(text) == 0 || text[0] != '{' {
				continue
			}
			_, _, st := Object(text[:min(int(cut), len(text))], nil, names, nil)
			members, end, whole := Object(text, nil, names, known{"who", text})
			if st == OK && (whole != OK || end > int(cut)) {
				t.Fatalf("%q is OK up to %d, and %d all in all", text, cut, whole)
			}
			if whole == OK && !json.Valid(text[:end]) || whole != OK && whole != Deep && json.Valid(text) {
				t.Fatalf("%q ends at %d with %d", text, end, whole)
			}
			if whole == OK {
				checkMembers(t, text[:end], members)
			}
		}
	})
}

// known knows how long the value of a member is, because it can look.
type known struct {
	name string
	text []byte
}

func (k known) Ask(name, rest []byte) int {
	if end, st := Skip(rest, 0); string(name) == k.name && st == OK {
		return end
	}
	return 0
}

// checkMembers compares members with what encoding/json makes of their text.
func checkMembers(t *testing.T, text []byte, members []Member) {
	t.Helper()
	want := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	got := map[string]json.RawMessage{}
	for _, m := range members {
		var name string
		if err := json.Unmarshal(append(append([]byte{'"'}, m.Name...), '"'), &name); err != nil {
			t.Fatalf("the name %q: %v", m.Name, err)
		}
		got[name] = m.Value
		if number := map[string]uint8{"eventName": 1, "who": 2, "list": 3, "aNameThatIsFarTooLongToBeExpected": 4}[string(m.Name)]; m.Number != number {
			t.Fatalf("%q has the number %d", m.Name, m.Number)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%q: %s", text, diff)
	}
}

// Every byte at every place of short and long texts, where it is one of few
// that need more than quotes around them.
func TestTextIsTheSameWhetherLookedThroughByWordsOrByBytes(t *testing.T) {
	for size := range 18 {
		text := []byte(strings.Repeat("~ !#[]", 3))[:size]
		for at := range text {
			was := text[at]
			for c := range 256 {
				text[at] = byte(c)
				want := appendEscaped(nil, string(text))
				if got := AppendString(nil, string(text)); !bytes.Equal(got, want) {
					t.Fatalf("%q is written as %s, want %s", text, got, want)
				}
				if plain := len(want) == size+2; plain != verbatim(string(text)) && c < 0x80 {
					t.Fatalf("%q: verbatim is %t", text, !plain)
				}
			}
			text[at] = was
		}
	}
}
