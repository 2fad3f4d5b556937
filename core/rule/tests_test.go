package rule

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/core/event"
)

// normalize is a normalizer of a dozen lines, for tests of tests.
func normalize(raw []byte) (*event.Event, error) {
	var r struct {
		EventID, EventTime, EventSource, EventName, ServiceName, ErrorCode, AcsRegion string
		UserIdentity                                                                  struct{ UserName, AccountID string }
		RequestParameters                                                             json.RawMessage
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, err
	}
	at, err := time.Parse(time.RFC3339, r.EventTime)
	if err != nil {
		return nil, errors.New("a time that cannot be read")
	}
	ev := &event.Event{
		ID: r.EventID, Time: at, Provider: "aws", Service: "kms", Action: r.EventName, Outcome: "success", Account: r.UserIdentity.AccountID, Region: r.AcsRegion,
		Principal: event.Principal{Name: r.UserIdentity.UserName}, RawJSON: raw, RequestRaw: r.RequestParameters, Format: event.CloudTrail,
	}
	if r.ServiceName != "" {
		ev.Provider, ev.Format = "alibaba", event.ActionTrail
		var request struct{ KeyId string }
		if err := json.Unmarshal(r.RequestParameters, &request); err == nil {
			ev.Resource.ID = request.KeyId
		}
	}
	if r.ErrorCode != "" {
		ev.Outcome = "denied"
	}
	return ev, nil
}

// outcomes runs all tests of a file: "rule/test: ok", or what failed.
func outcomes(t *testing.T, namesAndTexts ...string) []string {
	t.Helper()
	set, list := Load(files(namesAndTexts...), Options{Normalize: normalize})
	if set == nil {
		t.Fatalf("loading:\n%s", list)
	}
	var out []string
	for _, r := range set.Test() {
		line := r.Rule + "/" + r.Name + ": ok"
		if !r.Passed() {
			line = r.Failures.String()
		}
		out = append(out, line)
	}
	return out
}

func TestInlineTests(t *testing.T) {
	got := outcomes(t, "sub/r.yaml", `
rules:
  - id: a
    title: T
    severity: high
    condition: service == "kms" and action == "Decrypt" and outcome == "denied"
    message: ${principal.name} ${raw.account} ${raw.count} ${raw.flag} ${raw.day} ${raw.nothing}
    fields: {count: raw.count, list: raw.list, id: id, at: time}
    dedup: {by: [principal.name], every: 1h}
    tests:
      - name: fires
        event: &e
          eventName: Decrypt
          errorCode: AccessDenied
          userIdentity: {userName: ci}
          account: 111122223333
          count: 3
          flag: true
          day: 2026-08-01
          nothing: null
          list: [a, {b: 1}]
        expect: {message: ci 111122223333 3 true 2026-08-01 -, severity: high, fields: {count: 3, list: [a, {b: 1}], id: fires-1, at: "2026-01-01T00:00:00Z"}}
      - {name: another, event: *e, set: {userIdentity.userName: root, list.1.b: 2, new.path: 7}, expect: {fields: {list: [a, {b: 2}]}}}
      - {name: deleted, event: *e, set: {errorCode: null}, expect: none}
      - {name: once in the hour, event: *e, repeat: 60, every: 1m, expect: {alerts: 1}}
      - {name: twice, event: *e, repeat: 61, every: 1m, expect: {alerts: 2}}
      - {name: several, events: [*e, {eventName: Decrypt, errorCode: x, userIdentity: {userName: other}}], expect: {alerts: 2}}
      - {name: from a file, file: testdata/one.json, expect: {fields: {id: "77", count: 12345678901234567890}}}
      - {name: list in a file, file: testdata/two.json, expect: {alerts: 1}}
`, "sub/testdata/one.json", `{"eventName":"Decrypt","errorCode":"x","eventId":"77","count":12345678901234567890}`,
		"sub/testdata/two.json", `[{"eventName":"Decrypt"},{"eventName":"Decrypt","errorCode":"x","userIdentity":{"userName":"x"}}]`)
	want := []string{"a/fires: ok", "a/another: ok", "a/deleted: ok", "a/once in the hour: ok", "a/twice: ok", "a/several: ok", "a/from a file: ok", "a/list in a file: ok"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

func TestCopiesKeepPartsOfASecond(t *testing.T) {
	one := test{name: "t", records: []map[string]any{{"eventTime": "2026-01-01T00:00:00.25Z", "serviceName": "Kms"}}}
	got := copies(one, testDoc{Repeat: 2, Every: 500 * time.Millisecond})
	want := []map[string]any{
		{"eventTime": "2026-01-01T00:00:00.25Z", "eventId": "t-1", "serviceName": "Kms"},
		{"eventTime": "2026-01-01T00:00:00.75Z", "eventId": "t-2", "serviceName": "Kms"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRemovingWhatIsNotThereChangesNothing(t *testing.T) {
	record := map[string]any{"a": map[string]any{"b": int64(1)}}
	for _, path := range []string{"x", "x.y.z", "a.c", "a.c.d"} {
		got, ok := setPath(record, strings.Split(path, "."), nil)
		if diff := cmp.Diff(any(record), got); !ok || diff != "" {
			t.Errorf("%s: %v\n%s", path, ok, diff)
		}
	}
}

func TestInlineTestsThatFail(t *testing.T) {
	got := outcomes(t, "r.yaml", `
rules:
  - id: a
    title: T
    severity: high
    enabled: false
    condition: action == "Decrypt" and lower(raw.count) != "x"
    message: ${action}
    fields: {who: principal.name}
    tests:
      - {name: silent, event: {eventName: Encrypt}, expect: alert}
      - {name: loud, event: {eventName: Decrypt}, expect: none}
      - {name: too few, event: {eventName: Decrypt}, repeat: 2, expect: {alerts: 3}}
      - name: all wrong
        event: {eventName: Decrypt, userIdentity: {userName: ci}}
        expect:
          message: Encrypt
          severity: low
          fields: {who: me, nobody: x}
      - {name: no time, event: {eventName: Decrypt, eventTime: yesterday}, expect: none}
      - {name: error, event: {eventName: Decrypt, count: 7}, expect: alert}
`)
	want := []string{
		`rules/r.yaml:11:61: a: test "silent": expected an alert, got none
          - {name: silent, event: {eventName: Encrypt}, expect: alert}
                                                                ^`,
		`rules/r.yaml:12:59: a: test "loud": expected no alert, got 1 alert
          - {name: loud, event: {eventName: Decrypt}, expect: none}
                                                              ^`,
		`rules/r.yaml:13:73: a: test "too few": expected 3 alerts, got 2 alerts
          - {name: too few, event: {eventName: Decrypt}, repeat: 2, expect: {alerts: 3}}
                                                                            ^`,
		`rules/r.yaml:18:21: a: test "all wrong": expected severity low, got high
              severity: low
                        ^
rules/r.yaml:17:20: a: test "all wrong": expected message "Encrypt", got "Decrypt"
              message: Encrypt
                       ^
rules/r.yaml:19:25: a: test "all wrong": expected field who = "me", got "ci"
              fields: {who: me, nobody: x}
                            ^
rules/r.yaml:19:37: a: test "all wrong": expected field nobody = "x", got null
              fields: {who: me, nobody: x}
                                        ^`,
		`rules/r.yaml:20:16: a: test "no time": record 1: a time that cannot be read
          - {name: no time, event: {eventName: Decrypt, eventTime: yesterday}, expect: none}
                   ^`,
		`rules/r.yaml:21:70: a: test "error": expected an alert, got none
          - {name: error, event: {eventName: Decrypt, count: 7}, expect: alert}
                                                                         ^
rules/r.yaml:21:70: a: test "error": an expression failed: found a number where text is needed
          - {name: error, event: {eventName: Decrypt, count: 7}, expect: alert}
                                                                         ^`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

func TestTestsOfSomeRules(t *testing.T) {
	set := load(t, "r.yaml", `
rules:
  - {id: a, title: T, severity: low, condition: action == "x", tests: [{name: t, event: {eventName: x}, expect: alert}]}
  - {id: b, title: T, severity: low, condition: action == "x", tests: [{name: t, event: {eventName: x}, expect: alert}]}
`)
	got := set.Test("b")
	if len(got) != 1 || got[0].Rule != "b" || got[0].Line != 4 {
		t.Fatalf("%+v", got)
	}
	if want := `rules/r.yaml:4:79: b: test "t": there is no normalizer to run it with`; len(got[0].Failures) != 1 || got[0].Failures[0].String()[:len(want)] != want {
		t.Errorf("%s, want %s", got[0].Failures, want)
	}
}

// reference is the first complete rule of the language's description.
const reference = `
lists:
  key_admins: {file: lists/key-admins.txt}
  corp_egress: [198.51.100.0/24, "2001:db8:42::/48"]
macros:
  ok: outcome == "success"
rules:
  - id: kms-key-deletion
    title: KMS key disabled or scheduled for deletion
    severity: high
    mitre: [T1485]
    description: Once the waiting period ends, everything encrypted under the key is gone.
    condition: service == "kms" and action in ["ScheduleKeyDeletion", "DisableKey"] and ok
    exceptions:
      - name: key-pipeline
        reason: keys of the sandbox account are recycled every night (SEC-1412)
        until: 2027-06-30
        match: {principal.role: [terraform-*, key-janitor], account: "111122223333"}
      - {name: key-admins, reason: four people who may, condition: principal.name in lists.key_admins}
    dedup: {by: [resource.id], every: 1h}
    message: ${principal.name} called ${action} on ${resource.id} in ${provider}/${region} from ${ip}
    tests:
      - name: Alibaba, RAM user
        event: &ali
          serviceName: Kms
          eventName: ScheduleKeyDeletion
          eventId: 5c0a0e2e-0000-0000-0000-000000000001
          eventTime: 2026-08-01T09:00:00Z
          acsRegion: cn-hangzhou
          userIdentity: {type: ram-user, userName: mallory, accountId: "1000000000000001"}
          requestParameters: {KeyId: 1234abcd}
        expect: alert
      - {name: refused, event: *ali, set: {errorCode: Forbidden.NoPermission}, expect: none}
      - {name: admin, event: *ali, set: {userIdentity.userName: alice}, expect: none}
`

func TestTheReferenceRule(t *testing.T) {
	admins := "# who may\nalice\n"
	if diff := cmp.Diff([]string{"kms-key-deletion/Alibaba, RAM user: ok", "kms-key-deletion/refused: ok", "kms-key-deletion/admin: ok"},
		outcomes(t, "r.yaml", reference, "lists/key-admins.txt", admins)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	ev, err := normalize([]byte(`{"serviceName":"Kms","eventName":"ScheduleKeyDeletion","eventId":"5c0a0e2e-0000-0000-0000-000000000001","eventTime":"2026-08-01T09:00:00Z",
		"acsRegion":"cn-hangzhou","userIdentity":{"userName":"mallory","accountId":"1000000000000001"},"requestParameters":{"KeyId":"1234abcd"}}`))
	if err != nil {
		t.Fatal(err)
	}
	m := load(t, "r.yaml", reference, "lists/key-admins.txt", admins).NewMatcher().Match(ev)
	if len(m) != 1 || m[0].ID != "i3ilamczv2fkyjvyz2u4kpwf4q" || m[0].Key != "1234abcd" || m[0].Hour != 495993 ||
		m[0].Message != "mallory called ScheduleKeyDeletion on 1234abcd in alibaba/cn-hangzhou from -" {
		t.Errorf("%+v", m)
	}
}
