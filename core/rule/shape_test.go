package rule

import (
	"strings"
	"testing"
)

func TestABlockWrittenInAnotherWayKeepsItsState(t *testing.T) {
	shape := func(form string) string { return load(t, "r.yaml", ruleHead+form+`}]`).Rules[0].state.shape }
	const steps = `steps: [{name: a, condition: action == "a"}, {name: b, condition: action == "b"}]`
	for _, v := range []struct {
		a, b string
		same bool
	}{
		{`threshold: {count: 2, within: 10m, group_by: [region]}`, `threshold: {group_by: ["region"], within: 600s, count: 2}`, true},
		{`threshold: {count: 2, within: 10m}`, `threshold: {count: 1, within: 10m}`, false},
		{`threshold: {count: 2, within: 10m, group_by: [region]}`, `threshold: {count: 2, within: 10m, group_by: [region, ip]}`, false},
		{`threshold: {count: 2, within: 10m, group_by: [region, ip]}`, `threshold: {count: 2, within: 10m, group_by: [ip, region]}`, false},
		{`first_seen: {value: region, per: ip}`, `first_seen: {value: region, per: [ip], remember: 30d, settle: 0s}`, true},
		{`first_seen: {value: region, per: ip}`, `first_seen: {value: region}`, false},
		{`sequence: {by: ip, within: 1h, ` + steps + `}`, `sequence: {by: [ip], within: 60m, ` + strings.Replace(steps, `"b"`, `"b", count: 1`, 1) + `}`, true},
		{`sequence: {by: ip, within: 1h, ` + steps + `}`, `sequence: {by: ip, within: 1h, ` + strings.Replace(steps, `"b"`, `"b", count: 2`, 1) + `}`, false},
	} {
		if same := shape(v.a) == shape(v.b); same != v.same {
			t.Errorf("%s\n%s\nkeep their state: %v, want %v", v.a, v.b, same, v.same)
		}
	}
}
