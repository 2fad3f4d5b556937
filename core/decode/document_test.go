package decode

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/trailship/trailship/core/event"
)

// TestARegionIsTheRecordsOwnWhateverWasBefore, however both are written.
func TestARegionIsTheRecordsOwnWhateverWasBefore(t *testing.T) {
	written := []struct{ json, want string }{
		{`"eu-west-1"`, "eu-west-1"}, {`"eu-west-1"`, "eu-west-1"}, {`"eu-west-2"`, "eu-west-2"}, {`"eu\u002dwest-2"`, "eu-west-2"},
		{`"a\\u0031"`, `a\u0031`}, {`"a\u0031"`, "a1"}, {`"a1"`, "a1"}, {`null`, ""}, {`""`, ""}, {`17`, "17"}, {`"17"`, "17"}, {`{"a":1}`, ""},
	}
	var object bytes.Buffer
	var want []string
	for _, a := range written {
		for _, b := range written {
			for _, w := range []struct{ json, want string }{a, b} {
				fmt.Fprintf(&object, `{"eventID":"e","eventSource":"kms.amazonaws.com","eventTime":"2026-08-01T09:00:00Z","awsRegion":%s,"recipientAccountId":%s}`, w.json, w.json)
				want = append(want, w.want)
			}
		}
	}
	beginEach(t, len(want), &object, func(i int, ev *event.Event) {
		if ev.Region != want[i] || ev.Account != want[i] {
			t.Errorf("record %d, %s: region %q, account %q, want %q", i, ev.RawJSON, ev.Region, ev.Account, want[i])
		}
	})
}

// normalized is the event of a record.
func normalized(t *testing.T, record string) *event.Event {
	t.Helper()
	ev := new(event.Event)
	if err := Normalize(ev, Record{Raw: []byte(record)}); err != nil {
		t.Fatal(err)
	}
	return ev
}

// TestNamesInSessionsMayBeginWithACapital, as some exports of ActionTrail do;
// null is nothing.
func TestNamesInSessionsMayBeginWithACapital(t *testing.T) {
	const record = `{"eventId":"e","eventName":"ConsoleSignin","eventTime":"2026-08-01T09:00:00Z","acsRegion":"r","serviceName":"AasCustomer",%s}`
	const created = 1785574800000 // 2026-08-01T09:00:00Z
	for _, c := range []struct {
		said, mfa string
		created   int64
	}{
		{`"userIdentity":{"type":"assumed-role","sessionContext":{"attributes":{"mfaAuthenticated":"true","creationDate":"2026-08-01T09:00:00Z"}}}`, "yes", created},
		{`"UserIdentity":{"Type":"assumed-role","SessionContext":{"Attributes":{"MfaAuthenticated":"true","CreationDate":"2026-08-01T09:00:00Z"}}}`, "yes", created},
		{`"userIdentity":{"type":"assumed-role","sessionContext":{"attributes":{"mfaAuthenticated":null}}}`, "", 0},
		{`"userIdentity":{"type":"ram-user"},"additionalEventData":{"isMFAChecked":null,"mfaChecked":"true"}`, "yes", 0},
		{`"userIdentity":{"type":"ram-user"},"additionalEventData":{"isMFACheck\u0065d":"true"}`, "yes", 0},
	} {
		ev := normalized(t, fmt.Sprintf(record, c.said))
		if ev.Principal.MFA != c.mfa || ev.Actor.Session.CreatedTime != c.created {
			t.Errorf("%s: mfa %q, created %d, want %q, %d", c.said, ev.Principal.MFA, ev.Actor.Session.CreatedTime, c.mfa, c.created)
		}
	}
}

// TestAMessageAloneIsAFailureOfSigningInAndOutOnly in ActionTrail.
func TestAMessageAloneIsAFailureOfSigningInAndOutOnly(t *testing.T) {
	for action, want := range map[string]string{"ConsoleSignin": "failure", "ConsoleSignout": "failure", "CreateKey": "success"} {
		ev := normalized(t, `{"eventId":"e","eventName":"`+action+`","eventTime":"2026-08-01T09:00:00Z","acsRegion":"r","serviceName":"Kms","errorMessage":"no"}`)
		if ev.Outcome != want || ev.Status == "" {
			t.Errorf("%s: outcome %q, status %q, want %q", action, ev.Outcome, ev.Status, want)
		}
	}
}
