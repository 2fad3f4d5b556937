package rule

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/core/event"
)

// TestWhatIsTooMuchToRememberIsFoundAgain: more rules, and longer texts, than a
// Matcher keeps.
func TestWhatIsTooMuchToRememberIsFoundAgain(t *testing.T) {
	const n = rulesKept + 44
	long := strings.Repeat("very ", 60)
	set := load(t, "r.yaml", conditions(5*n,
		`action == "Decrypt" and region != "x%d"`,
		`ip startsWith "198.51.100." and region != "x%d"`,
		`user_agent contains "`+long+`" and region != "x%d"`,
		`principal.name endsWith "y" and region != "x%d"`,
		`access != "x%d" and region != "x%d"`))
	m := set.NewMatcher()
	for i, at := range []struct {
		ev   event.Event
		want int
	}{
		{event.Event{Action: "Decrypt"}, 2 * n},
		{event.Event{Action: "Encrypt", IP: "198.51.100.7"}, 2 * n},
		{event.Event{Action: long, UserAgent: "a " + long + "agent"}, 2 * n},
		{event.Event{Action: "Decrypt", IP: "198.51.100.7", UserAgent: long}, 4 * n},
		{event.Event{Principal: event.Principal{Name: "mallory"}}, 2 * n},
		{event.Event{}, n},
	} {
		number := uint64(i) + 1
		for _, at.ev.Outline = range []uint64{0, number, number, 0} {
			at.ev.Person = at.ev.Outline
			if got := len(m.Match(&at.ev)); got != at.want {
				t.Errorf("%d rules match action %.20q from %q with %.20q, want %d", got, at.ev.Action, at.ev.IP, at.ev.UserAgent, at.want)
			}
		}
	}
}

// number gives events the numbers of their outlines and people, step apart:
// with 0 none.
func number(events []*event.Event, step uint64) {
	type outline struct{ format, provider, service, action, kind, access string }
	outlines, people := map[outline]uint64{}, map[event.Principal]uint64{}
	for _, ev := range events {
		o := outline{ev.Format, ev.Provider, ev.Service, ev.Action, ev.Kind, ev.Access}
		if outlines[o] == 0 {
			outlines[o] = uint64(len(outlines)+1) * step
		}
		if people[ev.Principal] == 0 {
			people[ev.Principal] = uint64(len(people)+1) * step
		}
		ev.Outline, ev.Person = outlines[o], people[ev.Principal]
	}
}

// TestWhatWasRememberedOfOtherEventsIsNotTakenForThis: many more events than
// are remembered, alike in all but one field, in an order that comes back.
func TestWhatWasRememberedOfOtherEventsIsNotTakenForThis(t *testing.T) {
	set := load(t, "r.yaml", `
rules:
  - {id: action, title: T, severity: low, condition: 'action endsWith "7"'}
  - {id: service, title: T, severity: low, condition: 'service startsWith "s7" and action != "a"'}
  - {id: access, title: T, severity: low, condition: 'not (access == "read") and action contains "99"'}
  - {id: name, title: T, severity: low, condition: 'principal.name endsWith "7"'}
  - {id: ip, title: T, severity: low, condition: 'ip endsWith "7"'}
  - {id: sources, title: T, severity: low, sources: [alibaba.actiontrail], condition: 'principal.name endsWith "8"'}
`)
	var events []*event.Event
	var want [][]string
	for i := range 3 * max(leadsKept, peopleKept, textsKept) {
		n := fmt.Sprint(i)
		ev := &event.Event{Format: formats[i%2], Service: "s" + n[:1], Action: "a" + n, Access: []string{"read", "write"}[i/2%2], IP: "same" + n}
		ev.Principal.Name = "same" + n
		var ids []string
		for _, r := range set.Rules {
			if set.NewMatcher().holds(r, ev) {
				ids = append(ids, r.ID)
			}
		}
		events, want = append(events, ev), append(want, ids)
	}
	number(events, 1)
	m := set.NewMatcher()
	for range 2 {
		for i := range events {
			if got := idsOfMatches(m.Match(events[i])); !slices.Equal(got, want[i]) {
				t.Fatalf("event %d matched %v, want %v", i, got, want[i])
			}
		}
		slices.Reverse(events)
		slices.Reverse(want)
	}
}

// TestWhoIsKnownByNumberIsNotMade: the number says where the principal leads.
func TestWhoIsKnownByNumberIsNotMade(t *testing.T) {
	m := load(t, "r.yaml", conditions(2, `principal.arn startsWith "arn-%d"`)).NewMatcher()
	var made []event.Parts
	for _, number := range []uint64{7, 7, 0, 7 + peopleKept, 7} {
		ev := event.Event{Person: number}
		ev.Principal.ARN = "arn"
		m.Match(lazy(&ev))
		made = append(made, m.frame.loaded)
	}
	who := event.PartPrincipal
	if diff := cmp.Diff([]event.Parts{who, 0, who, who, who}, made); diff != "" {
		t.Errorf("parts made (-want +got):\n%s", diff)
	}
}

// TestOnlyPartsThatMayMatterAreMade: the outline of an event says which.
func TestOnlyPartsThatMayMatterAreMade(t *testing.T) {
	set := load(t, "r.yaml", conditions(200, `action == "GetObject" and principal.arn == "arn-%d"`)+`
  - {id: agent, title: T, severity: low, condition: 'service == "kms" and user_agent contains "kali"'}
`)
	m := set.NewMatcher()
	made := map[string]event.Parts{}
	for _, action := range []string{"GetObject", "PutObject", "GetObject", "PutObject"} {
		m.Match(lazy(&event.Event{Service: "s3", Action: action}))
		made[action] = m.frame.loaded
	}
	if diff := cmp.Diff(map[string]event.Parts{"GetObject": event.PartPrincipal, "PutObject": 0}, made); diff != "" {
		t.Errorf("parts made (-want +got):\n%s", diff)
	}
}

// TestWhatIsRememberedOfOneIsNotTakenForAnother: regions and people in turns.
func TestWhatIsRememberedOfOneIsNotTakenForAnother(t *testing.T) {
	m := load(t, "r.yaml", `rules:
  - {id: region, title: T, severity: low, condition: 'region == "eu-west-1" and account != "1"'}
  - {id: alice, title: T, severity: low, condition: 'principal.arn contains "alice"'}
`).NewMatcher()
	for _, c := range []struct {
		region, who string
		person      uint64
		want        []string
	}{
		{"eu-west-1", "alice", 7, []string{"alice", "region"}},
		{"eu-west-1", "alice", 7, []string{"alice", "region"}},
		{"eu-west-2", "bob", 8, nil},
		{"eu-west-1", "bob", 8, []string{"region"}},
		{"eu-west-2", "alice", 7, []string{"alice"}},
		{"eu-west-2", "alice", 7 + peopleKept, []string{"alice"}},
	} {
		ev := decrypt()
		ev.Region, ev.Account, ev.Person, ev.Principal.ARN = c.region, "2", c.person, "arn:aws:iam::2:user/"+c.who
		var got []string
		for _, match := range m.Match(ev) {
			got = append(got, match.Rule.ID)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s in %q: %v match, want %v", c.who, c.region, got, c.want)
		}
	}
}
