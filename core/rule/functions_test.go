package rule

import (
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestFunctions(t *testing.T) {
	rows := []struct {
		expr string
		want any
	}{
		{`glob("arn:aws:iam::1:role/a/b", "arn:aws:iam::*:role/*")`, true},
		{`glob("arn:aws:iam::1:user/a", "arn:aws:iam::*:role/*")`, false},
		{`glob("abc", "a?c")`, true},
		{`glob("añc", "a?c")`, true},
		{`glob("ac", "a?c")`, false},
		{`glob("abc", "abc")`, true},
		{`glob("abcd", "abc")`, false},
		{`glob("", "*")`, true},
		{`glob("", "")`, true},
		{`glob("x", "")`, false},
		{`glob("aXbXc", "a*b*c")`, true},
		{`glob("ab", "a*b*b")`, false},
		{`glob("aaab", "*a?b")`, true},
		{`glob("xyzzy", "*z?z", "none")`, false},
		{`glob("one", "two", "o*")`, true},
		{`glob("alice", lists.admins)`, true},
		{`glob("A", "a")`, false},
		{`glob("[a]", "[a]")`, true},
		{`glob(raw.nothing, "*")`, true},
		{`glob(raw.nothing, "?*")`, false},
		{`cidr("10.1.2.3", "10.0.0.0/8")`, true},
		{`cidr("11.1.2.3", "10.0.0.0/8")`, false},
		{`cidr("::ffff:10.1.2.3", "10.0.0.0/8")`, true},
		{`cidr("10.1.2.3", "10.1.2.3")`, true},
		{`cidr("2001:db8::7", lists.nets)`, true},
		{`cidr("192.0.2.1", lists.nets, "203.0.113.0/24")`, true},
		{`cidr("203.0.113.9", lists.nets, ["203.0.113.0/24"])`, true},
		{`cidr("198.51.100.1", lists.nets)`, false},
		{`cidr("Internal", "0.0.0.0/0")`, false},
		{`cidr("", "0.0.0.0/0")`, false},
		{`let n = lists.nets; cidr("10.1.2.3", n)`, true},
		{`cidr("10.1.2.3", region == "x" ? lists.nets : ["10.0.0.0/8"])`, true},
		{`cidr("10.1.2.3", map(["10.0.0.0/8"], #))`, true},
		{`glob("alice", ["a*"])`, true},
		{`glob("alice", region == "x" ? ["b*"] : ["c*", "a*"])`, true},
		{`glob("a", raw.requestParameters.list)`, true},
		{`cidr(raw.nothing, "0.0.0.0/0")`, false},
		{`cidr(ip, raw.nothing)`, false},
		{`ieq(action, "DECRYPT")`, true},
		{`ieq(action, "Encrypt")`, false},
		{`ieq(raw.nothing, "")`, true},
		{`private_ip("10.0.0.1")`, true},
		{`private_ip("100.64.3.4")`, true},
		{`private_ip("127.0.0.1")`, true},
		{`private_ip("fe80::1")`, true},
		{`private_ip("fd00::1")`, true},
		{`private_ip("::ffff:192.168.0.1")`, true},
		{`private_ip(ip)`, false},
		{`private_ip("kms.amazonaws.com")`, false},
		{`hours(time, "UTC", 9, 10)`, true},
		{`hours(time, "UTC", 10, 18)`, false},
		{`hours(time, "Asia/Shanghai", 17, 18)`, true},
		{`hours(time, "UTC", 22, 10)`, true},
		{`hours(time, "UTC", 22, 9)`, false},
		{`weekday(time, "UTC")`, "saturday"},
		{`weekday(time, "Pacific/Kiritimati")`, "saturday"},
		{`weekday(time, "Pacific/Honolulu")`, "friday"},
		{`arn("arn:aws:kms:eu-west-1:111122223333:key/1234").account`, "111122223333"},
		{`arn("arn:aws:logs:eu-west-1:1:log-group:x:*").resource`, "log-group:x:*"},
		{`arn("acs:ram::1000000000000001:role/ci").service`, "ram"},
		{`arn("acs:ram::1000000000000001:role/ci").partition`, "acs"},
		{`arn("1234abcd").account`, ""},
		{`arn(raw.nothing).region`, ""},
		{`domain("Alice@Corp.Example.COM")`, "corp.example.com"},
		{`domain("https://user@host.example.org:8443/path?q=a@b.c")`, "host.example.org"},
		{`domain("kms.amazonaws.com")`, "kms.amazonaws.com"},
		{`domain("example.com.")`, "example.com"},
		{`domain("")`, ""},
		{`entropy("")`, 0.0},
		{`entropy("aaaa")`, 0.0},
		{`entropy("abcd")`, 2.0},
		{`entropy("aabb")`, 1.0},
	}
	for _, row := range rows {
		got, err := evaluate(t, row.expr, decrypt())
		if err != nil {
			t.Errorf("%s: %v", row.expr, err)
		} else if !reflect.DeepEqual(got, row.want) {
			t.Errorf("%s = %v, want %v", row.expr, got, row.want)
		}
	}
	for _, f := range Functions() {
		tested := false
		for _, row := range rows {
			tested = tested || strings.HasPrefix(row.expr, f.Name+"(")
		}
		if !tested {
			t.Errorf("%s has no row", f.Name)
		}
		if _, err := evaluate(t, strings.ReplaceAll(f.Example, "lists.corp_egress", "lists.nets"), decrypt()); err != nil {
			t.Errorf("the example of %s: %v", f.Name, err)
		}
	}
}

func TestFunctionsThatCannot(t *testing.T) {
	for expr, want := range map[string]string{
		`glob(raw.n, "*")`:          "glob() wants text, not a number",
		`glob(action, map([1], #))`: "glob() wants patterns, not a number",
		`glob(action, lower("` + strings.Repeat("X", 1025) + `"))`: "glob() pattern is longer than 1024 bytes",
		`cidr("10.0.0.1", raw.s)`:                                  `cidr(): "text" is neither a network nor an address`,
		`domain(raw.requestParameters)`:                            "domain() wants text, not a map",
		`hours(time, raw.s, 1, 2)`:                                 `unknown time zone "text": write one such as Europe/Berlin or UTC`,
		`weekday(time, raw.nothing)`:                               `unknown time zone "": write one such as Europe/Berlin or UTC`,
	} {
		_, err := evaluate(t, expr, decrypt())
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", expr, err, want)
		}
	}
}

// TestGlobIsBounded: a pattern with ? costs its length for each place in the
// text; one without is a search.
func TestGlobIsBounded(t *testing.T) {
	large := strings.Repeat("x", maxGlobbed+1)
	if ok, err := boundedGlob("*x", large); !ok || err != nil {
		t.Errorf("without ?: %v, %v", ok, err)
	}
	if _, err := boundedGlob("*?", large); err == nil {
		t.Error("with ?: no error")
	}
	ev := decrypt()
	ev.UserAgent = large
	set := load(t, "r.yaml", `rules: [{id: a, title: T, severity: low, condition: service == "kms", exceptions: [{name: n, reason: r, match: {user_agent: "*?"}}]}]`)
	if got := ids(set, ev); len(got) != 1 {
		t.Error("an exception that cannot be decided held an alert back")
	}
}

func FuzzGlob(f *testing.F) {
	f.Add("a*b?c*", "aXbYc")
	f.Add("*", "")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if len(pattern) > 40 || len(s) > 60 || !utf8.ValidString(pattern) || !utf8.ValidString(s) {
			t.Skip()
		}
		if got, want := glob(pattern, s), slowGlob([]rune(pattern), []rune(s)); got != want {
			t.Errorf("glob(%q, %q) = %v, want %v", pattern, s, got, want)
		}
	})
}

// slowGlob is glob by the definition, with a memory to stay polynomial.
func slowGlob(pattern, s []rune) bool {
	reach := make([]bool, len(s)+1) // which lengths of s the pattern so far can match
	reach[0] = true
	for _, p := range pattern {
		next := make([]bool, len(s)+1)
		for i, ok := range reach {
			switch {
			case p == '*':
				next[i] = ok || i > 0 && next[i-1]
			case ok && i < len(s) && (p == '?' || p == s[i]):
				next[i+1] = true
			}
		}
		reach = next
	}
	return reach[len(s)]
}
