package decode

import (
	"fmt"
	"strings"
	"testing"

	"github.com/trailship/trailship/core/event"
)

func TestExplainNamesThePartOfTheRecord(t *testing.T) {
	record := `{"eventVersion":"1.08","userIdentity":{"type":"AssumedRole","principalId":"AROAEXAMPLE:ci","arn":"arn:aws:sts::111122223333:assumed-role/Deploy/ci",
		"accountId":"111122223333","sessionContext":{"sessionIssuer":{"userName":"Deploy"}}},"eventTime":"2026-08-01T09:00:00Z","eventSource":"kms.amazonaws.com",
		"eventName":"Decrypt","awsRegion":"eu-west-1","sourceIPAddress":"192.0.2.7","requestParameters":{"keyId":"1234"},"requestID":"r1","eventID":"e1","readOnly":true,"custom":[1]}`
	list, err := Explain(Record{Raw: []byte(record)})
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, o := range list {
		fmt.Fprintf(&got, "%s|%s|%v|%s\n", o.Name, o.Path, o.Value, o.From)
	}
	want := `id|metadata.uid|e1|eventID
time||2026-08-01 09:00:00 +0000 UTC|eventTime
|metadata.original_time|2026-08-01T09:00:00Z|eventTime
provider||aws|
|cloud.provider|AWS|
service||kms|eventSource
|api.service.name|kms.amazonaws.com|eventSource
action|api.operation|Decrypt|eventName
kind||api|
access||read|readOnly
outcome||success|
|status|Success|
account|cloud.account.uid|111122223333|userIdentity.accountId
region|cloud.region|eu-west-1|awsRegion
principal.type||role|userIdentity.type
|actor.user.type|AssumedRole|userIdentity.type
principal.id||AROAEXAMPLE:ci|userIdentity.principalId
principal.name|actor.user.name|Deploy|userIdentity.sessionContext.sessionIssuer.userName
principal.arn||arn:aws:sts::111122223333:assumed-role/Deploy/ci|userIdentity.arn
|actor.user.uid|arn:aws:sts::111122223333:assumed-role/Deploy/ci|userIdentity.arn
|actor.user.uid_alt|AROAEXAMPLE:ci|userIdentity.principalId
principal.account|actor.user.account.uid|111122223333|userIdentity.accountId
principal.role||Deploy|userIdentity.sessionContext.sessionIssuer.userName
ip|src_endpoint.ip|192.0.2.7|sourceIPAddress
resource.id||1234|requestParameters.keyId
resource.type||AWS::KMS::Key|eventSource
|api.request.uid|r1|requestID
|class_name|API Activity|eventSource
|activity_name|Read|readOnly
|type_name|API Activity: Read|eventName
|metadata.log_name|Management|
|metadata.log_version|1.08|eventVersion
request|api.request.data|{"keyId":"1234"}|requestParameters
|unmapped.readOnly|true|readOnly
|unmapped.custom|[1]|custom
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}

func TestExplainKnowsEveryFieldItNames(t *testing.T) {
	var ev event.Event
	for _, o := range origins {
		valueAt(&ev, o.name) // panics on a name that is no field
		valueAt(&ev, o.path)
	}
}
