package s3

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/trailship/trailship/plugins/sdk"
)

func TestAPrefixHasAsManyFoldersAsTheConfigurationWhateverTheAlertSays(t *testing.T) {
	long := strings.Repeat("9", 200)
	for _, test := range []struct{ prefix, account, region, rule, want string }{
		{"a/{day}/{hour}/", "", "", "", "a/20260803/09/"},
		{"{account}/{region}", "111122223333", "eu-west-1", "", "111122223333/eu-west-1/"},
		{"{account}/{region}", "", "", "", "unknown/unknown/"},
		{"{account}/{region}", "..", ".", "", "_/_/"},
		{"accountId={account}/x/", "../../etc", "", "", "accountId=.._.._etc/x/"},
		{"{account}/", `1/eventDay=20260101`, "", "", "1_eventDay_20260101/"},
		{"{account}/", `{rule}\r\n%2f` + "\\u0000", "", "r", "_rule____2f_/"},
		{"{account}/", "ü漢", "", "", "__/"},
		{"{account}/{rule}/", long, "", long, long[:64] + "/" + long[:64] + "/"},
	} {
		p, err := parsePrefix(test.prefix)
		if err != nil {
			t.Fatal(err)
		}
		alert := fmt.Sprintf(`{"cloud":{"provider":"AWS","account":{"uid":"%s"},"region":"%s"}}`, test.account, test.region)
		got, err := p.of(sdk.Alert{RuleID: test.rule, Time: at("09:12:44"), JSON: []byte(alert)})
		if err != nil || got != test.want {
			t.Errorf("%s: %s %v", test.prefix, got, err)
		}
	}
}

func TestAPrefixIsOneThatStoresTake(t *testing.T) {
	for text, want := range map[string]string{
		"/x":      "must not begin with '/', nor hold an empty folder, '.' or '..'",
		"x//y":    "must not begin with '/', nor hold an empty folder, '.' or '..'",
		"x/../y":  "must not begin with '/', nor hold an empty folder, '.' or '..'",
		"..":      "must not begin with '/', nor hold an empty folder, '.' or '..'",
		"a b":     "may hold letters, digits, '/' and any of !_.*'()=- beside the names in braces",
		"{day":    "may hold letters, digits, '/' and any of !_.*'()=- beside the names in braces",
		"{}":      "{} is not known: there are {day}, {hour}, {account}, {region}, {severity}, {rule}",
		"{{day}}": "may hold letters, digits, '/' and any of !_.*'()=- beside the names in braces",
		"{rule}{rule}{rule}{rule}{rule}{rule}{rule}{rule}": "is too long: a key has 1024 bytes",
	} {
		if _, err := parsePrefix(text); fmt.Sprint(err) != "/prefix: "+want {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzAPrefixHasAsManyFoldersAsTheConfiguration(f *testing.F) {
	f.Add("a/{account}/{rule}", []byte(`{"cloud":{"account":{"uid":".."}}}`), "..", "")
	f.Fuzz(func(t *testing.T, text string, alert []byte, rule, severity string) {
		p, err := parsePrefix(text)
		if err != nil {
			t.Skip()
		}
		got, err := p.of(sdk.Alert{JSON: alert, RuleID: rule, Severity: severity, Time: time.Unix(0, 0)})
		if err != nil {
			t.Skip()
		}
		if strings.Count(got, "/") != strings.Count(p.text, "/") || len(got) > 1024-64 || !literal.MatchString(got) {
			t.Errorf("%q", got)
		}
		for _, folder := range strings.Split(strings.TrimSuffix(got, "/"), "/") {
			if folder == "" || folder == "." || folder == ".." {
				t.Errorf("%q", got)
			}
		}
	})
}
