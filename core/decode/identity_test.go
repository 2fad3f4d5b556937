package decode

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/trailship/trailship/core/event"
)

// TestEveryTypeOfIdentity: who acted, in the same words for both clouds.
func TestEveryTypeOfIdentity(t *testing.T) {
	const (
		aws = `{"eventVersion":"1.11","eventTime":"2026-08-01T09:00:00Z","eventSource":"ec2.amazonaws.com","eventName":"RunInstances","awsRegion":"eu-west-1","eventID":"e","recipientAccountId":"111122223333","userIdentity":%s}`
		ali = `{"eventTime":"2026-08-01T09:00:00Z","serviceName":"Ecs","eventName":"RunInstances","acsRegion":"cn-hangzhou","eventId":"e","recipientAccountId":"1000000000000001","userIdentity":%s}`
	)
	for _, c := range []struct {
		format, identity string
		typeID           int
		want             event.Principal
	}{
		{aws, `{"type":"Root","principalId":"111122223333","arn":"arn:aws:iam::111122223333:root","accountId":"111122223333","accessKeyId":""}`, 2,
			event.Principal{Type: "root", ID: "111122223333", Name: "root", ARN: "arn:aws:iam::111122223333:root", Account: "111122223333"}},
		{aws, `{"type":"IAMUser","principalId":"AIDA","arn":"arn:aws:iam::111122223333:user/team/alice","accountId":"111122223333","accessKeyId":"AKIA","userName":"alice","sessionContext":{"attributes":{"mfaAuthenticated":"false"}}}`, 1,
			event.Principal{Type: "user", ID: "AIDA", Name: "alice", ARN: "arn:aws:iam::111122223333:user/team/alice", Account: "111122223333", AccessKey: "AKIA", MFA: "no"}},
		{aws, `{"type":"AssumedRole","principalId":"AROA:s","arn":"arn:aws:sts::111122223333:assumed-role/Admin/s","accountId":"111122223333","sessionContext":{"sessionIssuer":{"type":"Role","userName":"Admin","arn":"arn:aws:iam::111122223333:role/x/Admin"},"attributes":{"mfaAuthenticated":"true"}}}`, 99,
			event.Principal{Type: "role", ID: "AROA:s", Name: "Admin", Role: "Admin", ARN: "arn:aws:sts::111122223333:assumed-role/Admin/s", Account: "111122223333", MFA: "yes"}},
		{aws, `{"type":"Role","principalId":"AROA","arn":"arn:aws:iam::111122223333:role/service/worker","accountId":"111122223333"}`, 99,
			event.Principal{Type: "role", ID: "AROA", Name: "worker", Role: "worker", ARN: "arn:aws:iam::111122223333:role/service/worker", Account: "111122223333"}},
		{aws, `{"type":"FederatedUser","principalId":"111122223333:carol","arn":"arn:aws:sts::111122223333:federated-user/carol","accountId":"111122223333","sessionContext":{"sessionIssuer":{"type":"IAMUser","userName":"alice"}}}`, 99,
			event.Principal{Type: "federated", ID: "111122223333:carol", Name: "carol", ARN: "arn:aws:sts::111122223333:federated-user/carol", Account: "111122223333"}},
		{aws, `{"type":"SAMLUser","principalId":"idp:bob","userName":"bob","identityProvider":"idp"}`, 1,
			event.Principal{Type: "federated", ID: "idp:bob", Name: "bob"}},
		{aws, `{"type":"WebIdentityUser","principalId":"issuer:app:sub","userName":"sub","identityProvider":"issuer"}`, 1,
			event.Principal{Type: "federated", ID: "issuer:app:sub", Name: "sub"}},
		{aws, `{"type":"Directory","principalId":"d-1","accountId":"111122223333","userName":"dora"}`, 1,
			event.Principal{Type: "user", ID: "d-1", Name: "dora", Account: "111122223333"}},
		{aws, `{"type":"IdentityCenterUser","accountId":"111122223333","onBehalfOf":{"userId":"u-1","identityStoreArn":"x"},"credentialId":"c"}`, 1,
			event.Principal{Type: "user", ID: "u-1", Account: "111122223333"}},
		{aws, `{"type":"AWSAccount","principalId":"AROAOTHER:x","accountId":"999988887777"}`, 99,
			event.Principal{Type: "account", ID: "AROAOTHER:x", Account: "999988887777"}},
		{aws, `{"type":"AWSService","invokedBy":"ec2.amazonaws.com"}`, 3,
			event.Principal{Type: "service", ID: "ec2.amazonaws.com", Name: "ec2.amazonaws.com"}},
		{aws, `{"accountId":"111122223333","invokedBy":"AWS Internal"}`, 3,
			event.Principal{Type: "service", ID: "AWS Internal", Name: "AWS Internal", Account: "111122223333"}},
		{aws, `{"type":"Unknown","principalId":"p"}`, 0, event.Principal{Type: "unknown", ID: "p"}},
		{aws, `null`, 0, event.Principal{Type: "unknown"}},

		{ali, `{"type":"root-account","principalId":"1000000000000001","accountId":"1000000000000001","userName":"root"}`, 2,
			event.Principal{Type: "root", ID: "1000000000000001", Name: "root", Account: "1000000000000001"}},
		{ali, `{"type":"ram-user","principalId":"2","accountId":"1000000000000001","userName":"alice","accessKeyId":"LTAI","sessionContext":{"attributes":{"mfaAuthenticated":"true"}}}`, 1,
			event.Principal{Type: "user", ID: "2", Name: "alice", Account: "1000000000000001", AccessKey: "LTAI", MFA: "yes"}},
		{ali, `{"type":"assumed-role","principalId":"3:s","accountId":"1000000000000001","userName":"admin:s","accessKeyId":"STS.x"}`, 99,
			event.Principal{Type: "role", ID: "3:s", Name: "admin:s", Role: "admin", Account: "1000000000000001", AccessKey: "STS.x"}},
		{ali, `{"type":"system","userName":"ecs.aliyuncs.com"}`, 3,
			event.Principal{Type: "service", ID: "ecs.aliyuncs.com", Name: "ecs.aliyuncs.com"}},
		{ali, `{"type":"cloudsso-user","principalId":"u-1","accountId":"1000000000000001","userName":"carol"}`, 1,
			event.Principal{Type: "user", ID: "u-1", Name: "carol", Account: "1000000000000001"}},
		{ali, `{"type":"saml-user","principalId":"s-1","userName":"dave"}`, 1, event.Principal{Type: "federated", ID: "s-1", Name: "dave"}},
		{ali, `{"type":"oidc-user","principalId":"o-1","userName":"erin"}`, 1, event.Principal{Type: "federated", ID: "o-1", Name: "erin"}},
		{ali, `{"type":"alibaba-cloud-account","principalId":"2000000000000002","accountId":"2000000000000002"}`, 99,
			event.Principal{Type: "account", ID: "2000000000000002", Account: "2000000000000002"}},
	} {
		var ev event.Event
		if err := Normalize(&ev, Record{Raw: fmt.Appendf(nil, c.format, c.identity)}); err != nil {
			t.Errorf("%s: %v", c.identity, err)
			continue
		}
		if diff := cmp.Diff(c.want, ev.Principal); diff != "" || ev.Actor.User.TypeID != c.typeID {
			t.Errorf("%s: type_id %d, want %d\n-want +got\n%s", c.identity, ev.Actor.User.TypeID, c.typeID, diff)
		}
	}
}

// TestTheNumberOfAPersonStandsForThePrincipal: whatever else the records say,
// and whoever was forgotten in between.
func TestTheNumberOfAPersonStandsForThePrincipal(t *testing.T) {
	identities := []string{"", `null`, `{}`, `"alice"`,
		`{"type":"IAMUser","principalId":"P","arn":"arn:aws:iam::1:user/alice","accountId":"1","userName":"alice"}`,
		`{"type":"IAMUser","principalId":"P","arn":"arn:aws:iam::1:user/alice","accountId":"1"}`,
		`{"type":"AssumedRole","principalId":"P:s","arn":"arn:aws:sts::1:assumed-role/Admin/s","accountId":"1"}`,
		`{"type":"ram-user","principalId":"2","userName":"alice"}`,
		`{"type":"ram-user","principalId":"2","accountId":"1","userName":"alice"}`,
		`{"type":"root-account","accountId":"1"}`, `{"type":"Root"}`,
		`{"type":"Root","accountId":"` + strings.Repeat("1", longestKnown) + `"}`}
	for i := range 10 { // of one group
		identities = append(identities, fmt.Sprintf(`{"type":"Role","principalId":"%s","accountId":"1","userName":"%d"}`, strings.Repeat("P", personBegins), i))
	}
	rapid.Check(t, func(t *rapid.T) {
		said := map[string][]string{
			"eventName":           {`"Decrypt"`, `"ConsoleLogin"`, `"ConsoleSignin"`},
			"eventSource":         {`"kms.amazonaws.com"`, `"signin.amazonaws.com"`},
			"eventCategory":       {"", "", `"Insight"`},
			"recipientAccountId":  {"", `"1"`, `"2"`},
			"userIdentity":        identities,
			"additionalEventData": {"", "", `{"UserName":"bob","MFAUsed":"Yes"}`, `{"isMFAChecked":"true"}`},
			"serviceEventDetails": {"", "", `{"a":1}`},
			"UserIdentity":        {"", "", "", identities[4]},
			"userIdentit\\u0079":  {"", "", "", identities[5]},
		}
		var object bytes.Buffer
		for range rapid.IntRange(1, 60).Draw(t, "n") {
			fmt.Fprintf(&object, `{"eventID":"e","eventTime":"2026-08-01T09:00:00Z",%q:"r"`, rapid.SampledFrom([]string{"awsRegion", "acsRegion"}).Draw(t, "region"))
			for _, name := range rapid.Permutation(slices.Sorted(maps.Keys(said))).Draw(t, "order") {
				if value := rapid.SampledFrom(said[name]).Draw(t, name); value != "" {
					fmt.Fprintf(&object, `,"%s":%s`, name, value)
				}
			}
			object.WriteString("}\n")
		}
		r, people, ev := NewReader(&object, Limits{}), map[uint64]event.Principal{}, new(event.Event)
		for {
			rec, err := r.Next()
			if err == io.EOF {
				return
			} else if err != nil {
				t.Fatal(err)
			}
			if err := Normalize(ev, rec); err != nil {
				t.Fatal(err)
			}
			if was, known := people[ev.Person]; known && ev.Person != 0 && was != ev.Principal {
				t.Fatalf("%s: person %d is %+v and %+v", rec.Raw, ev.Person, was, ev.Principal)
			}
			people[ev.Person] = ev.Principal
		}
	})
}

// TestWhoComesAgainKeepsTheNumber, unless more than the identity says who it is.
func TestWhoComesAgainKeepsTheNumber(t *testing.T) {
	const record = `{"eventID":"e","eventTime":"2026-08-01T09:00:00Z","eventName":"Decrypt",%s"userIdentity":{"type":"ram-user","principalId":"2","accountId":"1"}}`
	for _, c := range []struct {
		more string
		want bool
	}{
		{`"awsRegion":"r",`, true},
		{`"acsRegion":"r",`, true},
		{`"awsRegion":"r","recipientAccountId":"3",`, true},
		{`"awsRegion":"r","additionalEventData":{},`, false},
		{`"awsRegion":"r","serviceEventDetails":{},`, false},
		{`"awsRegion":"r","eventCategory":"Insight",`, false},
	} {
		text := fmt.Sprintf(record, c.more)
		numbers := numbersOf(t, text, func(ev *event.Event) uint64 { return ev.Person })
		if numbers[0] != numbers[1] || (numbers[0] != 0) != c.want {
			t.Errorf("%s: people %d, want a number: %v", text, numbers, c.want)
		}
	}
}
