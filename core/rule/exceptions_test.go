package rule

import (
	"testing"
	"time"

	"github.com/trailship/trailship/core/event"
)

func TestExceptions(t *testing.T) {
	for _, c := range []struct {
		exception string
		change    func(*event.Event)
		excepted  bool
	}{
		{`match: {principal.role: ci-deploy}`, nil, true},
		{`match: {principal.role: ci}`, nil, false},
		{`match: {principal.role: "ci-*"}`, nil, true},
		{`match: {principal.role: [terraform-*, "ci-*"]}`, nil, true},
		{`match: {principal.role: [terraform-*, admin]}`, nil, false},
		{`match: {principal.arn: "arn:aws:sts::*:assumed-role/ci-deploy/*"}`, nil, true},
		{`match: {principal.role: "ci-*", account: "111122223333"}`, nil, true},
		{`match: {principal.role: "ci-*", account: 111122223333}`, nil, true},
		{`match: {principal.role: "ci-*", account: "444455556666"}`, nil, false},
		{`match: {principal.name: lists.people}`, nil, true},
		{`match: {principal.name: [bob, lists.people]}`, nil, true},
		{`match: {region: lists.people}`, nil, false},
		{`match: {raw.n: 7}`, nil, true},
		{`match: {raw.n: "7"}`, nil, true},
		{`match: {raw.flag: true}`, nil, true},
		{`match: {raw.nothing: "*"}`, nil, false},
		{`match: {raw.requestParameters.keyId: 1234*}`, nil, true},
		{`match: {"resources[0].type": "AWS::*"}`, nil, true},
		{`match: {class_uid: 6003}`, func(e *event.Event) { e.ClassUID = 6003 }, true},
		{`match: {key: 1234abcd}`, nil, true}, // a let of the rule
		{`condition: principal.name in lists.people and ok`, nil, true},
		{`condition: access == "write"`, nil, false},
		{`until: 2026-08-02, match: {principal.role: ci-deploy}`, nil, true},
		{`until: 2026-08-01, match: {principal.role: ci-deploy}`, nil, false},
		{`until: "2026-08-01T09:31:00Z", match: {principal.role: ci-deploy}`, nil, true},
		{`until: "2026-08-01T09:30:00Z", match: {principal.role: ci-deploy}`, nil, false},
		{`until: 2026-08-02, match: {principal.role: ci-deploy}`, func(e *event.Event) { e.Time = e.Time.Add(24 * time.Hour) }, false},
	} {
		set := load(t, "r.yaml", `
lists: {people: [alice, ci]}
macros: {ok: outcome != "success"}
rules:
  - id: a
    title: T
    severity: low
    condition: service == "kms"
    let: {key: raw.requestParameters.keyId}
    exceptions:
      - {name: never, reason: x, match: {account: none}}
      - {name: it, reason: x, `+c.exception+`}
`)
		ev := decrypt()
		if c.change != nil {
			c.change(ev)
		}
		if got := len(ids(set, ev)) == 0; got != c.excepted {
			t.Errorf("%s: excepted %v, want %v", c.exception, got, c.excepted)
		}
		if n := set.Errors(); n != 0 {
			t.Errorf("%s: %d evaluation errors", c.exception, n)
		}
	}
}
