package rule

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestAWordAFieldNeverHoldsIsAWarning(t *testing.T) {
	for condition, want := range map[string]string{
		`outcome == "Success"`:                    `outcome is never "Success" (did you mean "success"?)`,
		`kind in ["api", "console-login"]`:        `kind is never "console-login" (did you mean "console_login"?)`,
		`provider != "AWS"`:                       `provider is never "AWS" (did you mean "aws"?)`,
		`principal.type == "alien"`:               `principal.type is never "alien"`,
		`service == "KMS"`:                        `service is always lower case: write "kms"`,
		`outcome == "denied" and access != ""`:    "",
		`raw.kind == "Whatever" or action == "X"`: "",
	} {
		_, list := Load([]Root{{FS: fstest.MapFS{"r.yaml": {Data: []byte("rules:\n  - {id: a, title: A, severity: low, condition: '" + condition + "'}\n")}}}}, Options{})
		var got []string
		for _, d := range list {
			if d.Code != "W204" {
				got = append(got, d.Message)
			}
		}
		if strings.Join(got, "\n") != want {
			t.Errorf("%s: %q, want %q", condition, got, want)
		}
	}
}
