package rule

import (
	"reflect"
	"strings"
	"time"

	"github.com/trailship/trailship/core/event"
)

// FieldDoc describes one field that rules see.
type FieldDoc struct {
	Name        string `json:"name"`
	Type        string `json:"type"` // text, number, true or false, time, list of …, anything
	Meaning     string `json:"meaning"`
	OCSF        string `json:"ocsf,omitempty"` // path in the OCSF event
	CloudTrail  string `json:"cloudtrail,omitempty"`
	ActionTrail string `json:"actiontrail,omitempty"`
	Example     string `json:"example,omitempty"`
	Short       bool   `json:"short"` // of the short vocabulary rules are written in
}

// Fields lists every field that rules see: the short vocabulary first, then the
// OCSF paths, each in the order of the event. Elements of lists are written
// `resources[].id`.
func Fields() []FieldDoc {
	var out []FieldDoc
	for _, short := range []bool{true, false} {
		for _, f := range fieldTable {
			if f.Short = isShort(f.Name); f.Short == short {
				f.Type = typeOfPath(f.Name)
				out = append(out, f)
			}
		}
	}
	return out
}

// shortNames are the first parts of the names of the short vocabulary.
var shortNames = []string{"id", "time", "provider", "service", "action", "kind", "access", "outcome", "error", "account", "region",
	"principal", "ip", "user_agent", "resource", "resources", "request", "response", "raw"}

func isShort(name string) bool {
	first, _, _ := strings.Cut(name, ".")
	first = strings.TrimSuffix(first, "[]")
	for _, s := range shortNames {
		if s == first {
			return true
		}
	}
	return false
}

// typeOfPath is the type of a field in words.
func typeOfPath(path string) string {
	t := reflect.TypeFor[event.Event]()
	for part := range strings.SplitSeq(path, ".") {
		name, element := strings.CutSuffix(part, "[]")
		t = memberType(t, name)
		if t == nil {
			return ""
		}
		if element {
			t = t.Elem()
		}
	}
	return typeWord(t)
}

// memberType is the type of the member an expr tag names, nil when none does.
func memberType(t reflect.Type, name string) reflect.Type {
	for i := range t.NumField() {
		if t.Field(i).Tag.Get("expr") == name {
			return t.Field(i).Type
		}
	}
	return nil
}

func typeWord(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Int, reflect.Int64:
		return "number"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "list of " + typeWord(t.Elem())
	case reflect.Interface:
		return "anything"
	}
	if t == reflect.TypeFor[time.Time]() {
		return "time"
	}
	return "fields"
}

// fieldTable has a row for every field of event.Event that has a value of its
// own. A test says so.
var fieldTable = []FieldDoc{
	// The short vocabulary.
	{Name: "id", Meaning: "event id", OCSF: "metadata.uid", CloudTrail: "eventID", ActionTrail: "eventId", Example: "5c0a0e2e-0000-0000-0000-000000000001"},
	{Name: "time", Meaning: "event time, UTC", OCSF: "time (milliseconds)", CloudTrail: "eventTime", ActionTrail: "eventTime", Example: "2026-08-01T09:00:00Z"},
	{Name: "provider", Meaning: "aws or alibaba", OCSF: "cloud.provider", Example: "aws"},
	{Name: "service", Meaning: "short name, lower case, the same word in both clouds where the service is the same", OCSF: "api.service.name", CloudTrail: "eventSource without .amazonaws.com", ActionTrail: "serviceName; AasCustomer and AasSub are signin", Example: "kms"},
	{Name: "action", Meaning: "API operation as the cloud names it", OCSF: "api.operation", CloudTrail: "eventName", ActionTrail: "eventName", Example: "ScheduleKeyDeletion"},
	{Name: "kind", Meaning: "api, console_login, console_action, service, data, network, insight", OCSF: "metadata.event_code, metadata.log_name", CloudTrail: "eventType, eventCategory", ActionTrail: "eventType, eventCategory", Example: "api"},
	{Name: "access", Meaning: "read, write; empty when unknown", OCSF: "activity_id", CloudTrail: "readOnly", ActionTrail: "eventRW", Example: "write"},
	{Name: "outcome", Meaning: "success, failure, denied", OCSF: "status_id, status_code", CloudTrail: "errorCode, ConsoleLogin", ActionTrail: "errorCode, errorMessage", Example: "denied"},
	{Name: "error.code", Meaning: "error code, empty on success", OCSF: "status_code", CloudTrail: "errorCode", ActionTrail: "errorCode", Example: "AccessDenied"},
	{Name: "error.message", Meaning: "error text", OCSF: "status_detail", CloudTrail: "errorMessage", ActionTrail: "errorMessage"},
	{Name: "account", Meaning: "account the event belongs to", OCSF: "cloud.account.uid", CloudTrail: "recipientAccountId, else userIdentity.accountId", ActionTrail: "userIdentity.accountId, else recipientAccountId", Example: "111122223333"},
	{Name: "region", Meaning: "region", OCSF: "cloud.region", CloudTrail: "awsRegion", ActionTrail: "acsRegion", Example: "eu-west-1"},
	{Name: "principal.type", Meaning: "root, user, role, federated, service, account, unknown", OCSF: "actor.user.type", CloudTrail: "userIdentity.type", ActionTrail: "userIdentity.type", Example: "role"},
	{Name: "principal.id", Meaning: "id of the principal", OCSF: "actor.user.uid_alt, actor.user.uid", CloudTrail: "userIdentity.principalId", ActionTrail: "userIdentity.principalId", Example: "AIDAEXAMPLE"},
	{Name: "principal.name", Meaning: "name of the user, or of the role's session", OCSF: "actor.user.name", CloudTrail: "userIdentity.userName, else the session issuer's", ActionTrail: "userIdentity.userName", Example: "mallory"},
	{Name: "principal.arn", Meaning: "ARN of the principal", OCSF: "actor.user.uid", CloudTrail: "userIdentity.arn", ActionTrail: "acs:ram:: name made of account and user or role", Example: "arn:aws:iam::111122223333:user/mallory"},
	{Name: "principal.account", Meaning: "account of the principal", OCSF: "actor.user.account.uid", CloudTrail: "userIdentity.accountId", ActionTrail: "userIdentity.accountId", Example: "111122223333"},
	{Name: "principal.role", Meaning: "name of the role that was assumed", OCSF: "actor.session.issuer", CloudTrail: "sessionContext.sessionIssuer.userName", ActionTrail: "userIdentity.userName before the colon", Example: "terraform-prod"},
	{Name: "principal.access_key", Meaning: "access key id", OCSF: "actor.session.credential_uid", CloudTrail: "userIdentity.accessKeyId", ActionTrail: "userIdentity.accessKeyId", Example: "AKIAEXAMPLE"},
	{Name: "principal.mfa", Meaning: "yes, no; empty when unknown: of the session, at sign-in of the sign-in", OCSF: "actor.session.is_mfa, is_mfa", CloudTrail: "mfaAuthenticated, MFAUsed", ActionTrail: "mfaAuthenticated, isMFAChecked, mfaChecked", Example: "no"},
	{Name: "ip", Meaning: "address of the caller; empty when the caller is a service", OCSF: "src_endpoint.ip", CloudTrail: "sourceIPAddress", ActionTrail: "sourceIpAddress", Example: "198.51.100.7"},
	{Name: "user_agent", Meaning: "user agent", OCSF: "http_request.user_agent", CloudTrail: "userAgent", ActionTrail: "userAgent", Example: "aws-cli/2.15"},
	{Name: "resource.id", Meaning: "id of the first resource", OCSF: "resources[].uid", CloudTrail: "resources, responseElements.keyId, else requestParameters.keyId", ActionTrail: "referencedResources, resourceName, else requestParameters.KeyId", Example: "arn:aws:kms:eu-west-1:111122223333:key/1234abcd"},
	{Name: "resource.uid", Meaning: "the same as resource.id", OCSF: "resources[].uid"},
	{Name: "resource.name", Meaning: "name of the first resource", OCSF: "resources[].name"},
	{Name: "resource.type", Meaning: "type of the first resource", OCSF: "resources[].type", CloudTrail: "resources[].type", ActionTrail: "resourceType", Example: "AWS::KMS::Key"},
	{Name: "resource.owner.account.uid", Meaning: "account that owns the first resource", OCSF: "resources[].owner.account.uid", CloudTrail: "resources[].accountId"},
	{Name: "resource.owner.account.name", Meaning: "name of that account", OCSF: "resources[].owner.account.name"},
	{Name: "resource.owner.account.type", Meaning: "kind of that account", OCSF: "resources[].owner.account.type"},
	{Name: "resource.owner.account.type_id", Meaning: "kind of that account as a number", OCSF: "resources[].owner.account.type_id"},
	{Name: "resources[].id", Meaning: "all resources, the KMS key included", OCSF: "resources[].uid", CloudTrail: "resources[].ARN", ActionTrail: "referencedResources"},
	{Name: "resources[].uid", Meaning: "the same as id", OCSF: "resources[].uid"},
	{Name: "resources[].name", Meaning: "name", OCSF: "resources[].name"},
	{Name: "resources[].type", Meaning: "type", OCSF: "resources[].type"},
	{Name: "resources[].owner.account.uid", Meaning: "account that owns it", OCSF: "resources[].owner.account.uid"},
	{Name: "resources[].owner.account.name", Meaning: "name of that account", OCSF: "resources[].owner.account.name"},
	{Name: "resources[].owner.account.type", Meaning: "kind of that account", OCSF: "resources[].owner.account.type"},
	{Name: "resources[].owner.account.type_id", Meaning: "kind of that account as a number", OCSF: "resources[].owner.account.type_id"},
	{Name: "request", Meaning: "parameters of the call; a member that is not there is nil", OCSF: "api.request.data", CloudTrail: "requestParameters", ActionTrail: "requestParameters, else requestParameterJson", Example: "request.keyId"},
	{Name: "response", Meaning: "answer of the call; a member that is not there is nil", OCSF: "api.response.data", CloudTrail: "responseElements", ActionTrail: "responseElements", Example: "response.keyId"},
	{Name: "raw", Meaning: "the record as delivered; a member that is not there is nil", CloudTrail: "the whole record", ActionTrail: "the whole record", Example: "raw.requestParameters.policyArn"},

	// The OCSF event.
	{Name: "unmapped", Meaning: "what OCSF has no place for; a member that is not there is nil", OCSF: "unmapped", Example: "unmapped.readOnly"},
	{Name: "activity_id", Meaning: "what was done, as a number of the class", OCSF: "activity_id", Example: "4"},
	{Name: "activity_name", Meaning: "what was done", OCSF: "activity_name", Example: "Delete"},
	{Name: "category_uid", Meaning: "category of the class", OCSF: "category_uid", Example: "6"},
	{Name: "category_name", Meaning: "its name", OCSF: "category_name", Example: "Application Activity"},
	{Name: "class_uid", Meaning: "class: 6003 API activity, 3002 authentication, 3001 account change, 2004 finding", OCSF: "class_uid", Example: "6003"},
	{Name: "class_name", Meaning: "its name", OCSF: "class_name", Example: "API Activity"},
	{Name: "type_uid", Meaning: "class and activity together", OCSF: "type_uid", Example: "600304"},
	{Name: "type_name", Meaning: "its name", OCSF: "type_name", Example: "API Activity: Delete"},
	{Name: "severity_id", Meaning: "severity of the event itself: 1", OCSF: "severity_id", Example: "1"},
	{Name: "status_id", Meaning: "1 success, 2 failure", OCSF: "status_id", Example: "2"},
	{Name: "status", Meaning: "its name", OCSF: "status", Example: "Failure"},
	{Name: "status_code", Meaning: "error code", OCSF: "status_code", CloudTrail: "errorCode", ActionTrail: "errorCode", Example: "AccessDenied"},
	{Name: "status_detail", Meaning: "error text", OCSF: "status_detail", CloudTrail: "errorMessage", ActionTrail: "errorMessage"},
	{Name: "metadata.uid", Meaning: "event id", OCSF: "metadata.uid", CloudTrail: "eventID", ActionTrail: "eventId"},
	{Name: "metadata.version", Meaning: "version of OCSF", OCSF: "metadata.version", Example: "1.8.0"},
	{Name: "metadata.original_time", Meaning: "event time as it was written", OCSF: "metadata.original_time", CloudTrail: "eventTime", ActionTrail: "eventTime"},
	{Name: "metadata.event_code", Meaning: "event type as the cloud names it", OCSF: "metadata.event_code", CloudTrail: "eventType", ActionTrail: "eventType", Example: "AwsApiCall"},
	{Name: "metadata.log_name", Meaning: "event category", OCSF: "metadata.log_name", CloudTrail: "eventCategory", ActionTrail: "eventCategory", Example: "Management"},
	{Name: "metadata.log_provider", Meaning: "cloudtrail or actiontrail", OCSF: "metadata.log_provider", Example: "cloudtrail"},
	{Name: "metadata.log_version", Meaning: "version of the record's format", OCSF: "metadata.log_version", CloudTrail: "eventVersion", ActionTrail: "eventVersion", Example: "1.11"},
	{Name: "metadata.correlation_uid", Meaning: "joins the copies several accounts get of one event", OCSF: "metadata.correlation_uid", CloudTrail: "sharedEventID", ActionTrail: "sharedEventId"},
	{Name: "metadata.product.name", Meaning: "CloudTrail or ActionTrail", OCSF: "metadata.product.name", Example: "CloudTrail"},
	{Name: "metadata.product.vendor_name", Meaning: "AWS or Alibaba Cloud", OCSF: "metadata.product.vendor_name", Example: "AWS"},
	{Name: "metadata.product.version", Meaning: "version of the record's format", OCSF: "metadata.product.version", CloudTrail: "eventVersion"},
	{Name: "cloud.provider", Meaning: "AWS or Alibaba Cloud", OCSF: "cloud.provider", Example: "AWS"},
	{Name: "cloud.region", Meaning: "region", OCSF: "cloud.region", CloudTrail: "awsRegion", ActionTrail: "acsRegion"},
	{Name: "cloud.account.uid", Meaning: "account the event belongs to", OCSF: "cloud.account.uid", CloudTrail: "recipientAccountId, else userIdentity.accountId", ActionTrail: "userIdentity.accountId, else recipientAccountId"},
	{Name: "cloud.account.name", Meaning: "its name", OCSF: "cloud.account.name"},
	{Name: "cloud.account.type", Meaning: "AWS Account or Alibaba Cloud Account", OCSF: "cloud.account.type"},
	{Name: "cloud.account.type_id", Meaning: "10 for AWS, 99 for others", OCSF: "cloud.account.type_id"},
	{Name: "api.operation", Meaning: "API operation", OCSF: "api.operation", CloudTrail: "eventName", ActionTrail: "eventName"},
	{Name: "api.version", Meaning: "version of the API", OCSF: "api.version", CloudTrail: "apiVersion", ActionTrail: "apiVersion"},
	{Name: "api.service.name", Meaning: "service as delivered", OCSF: "api.service.name", CloudTrail: "eventSource", ActionTrail: "serviceName", Example: "kms.amazonaws.com"},
	{Name: "api.service.uid", Meaning: "endpoint of the service", OCSF: "api.service.uid", ActionTrail: "eventSource"},
	{Name: "api.request.uid", Meaning: "request id", OCSF: "api.request.uid", CloudTrail: "requestID", ActionTrail: "requestId"},
	{Name: "api.request.data", Meaning: "the same as request", OCSF: "api.request.data", CloudTrail: "requestParameters", ActionTrail: "requestParameters"},
	{Name: "api.response.error", Meaning: "error code", OCSF: "api.response.error", CloudTrail: "errorCode", ActionTrail: "errorCode"},
	{Name: "api.response.error_message", Meaning: "error text", OCSF: "api.response.error_message", CloudTrail: "errorMessage", ActionTrail: "errorMessage"},
	{Name: "api.response.data", Meaning: "the same as response", OCSF: "api.response.data", CloudTrail: "responseElements", ActionTrail: "responseElements"},
	{Name: "actor.user.type", Meaning: "type of identity as the cloud names it", OCSF: "actor.user.type", CloudTrail: "userIdentity.type", ActionTrail: "userIdentity.type", Example: "AssumedRole"},
	{Name: "actor.user.type_id", Meaning: "1 user, 2 root, 3 service, 99 other, 0 unknown", OCSF: "actor.user.type_id", Example: "2"},
	{Name: "actor.user.uid", Meaning: "ARN, else the principal's id", OCSF: "actor.user.uid", CloudTrail: "userIdentity.arn, else principalId", ActionTrail: "userIdentity.principalId"},
	{Name: "actor.user.uid_alt", Meaning: "the principal's id beside an ARN", OCSF: "actor.user.uid_alt", CloudTrail: "userIdentity.principalId"},
	{Name: "actor.user.name", Meaning: "name", OCSF: "actor.user.name", CloudTrail: "userIdentity.userName, else the session issuer's", ActionTrail: "userIdentity.userName"},
	{Name: "actor.user.account.uid", Meaning: "account of the user", OCSF: "actor.user.account.uid", CloudTrail: "userIdentity.accountId", ActionTrail: "userIdentity.accountId"},
	{Name: "actor.user.account.name", Meaning: "its name", OCSF: "actor.user.account.name"},
	{Name: "actor.user.account.type", Meaning: "its kind", OCSF: "actor.user.account.type"},
	{Name: "actor.user.account.type_id", Meaning: "its kind as a number", OCSF: "actor.user.account.type_id"},
	{Name: "actor.session.created_time", Meaning: "start of the session, Unix milliseconds", OCSF: "actor.session.created_time", CloudTrail: "sessionContext.attributes.creationDate", ActionTrail: "sessionContext.attributes.creationDate"},
	{Name: "actor.session.is_mfa", Meaning: "session with a second factor; false when unknown, see principal.mfa", OCSF: "actor.session.is_mfa", CloudTrail: "sessionContext.attributes.mfaAuthenticated", ActionTrail: "sessionContext.attributes.mfaAuthenticated"},
	{Name: "actor.session.credential_uid", Meaning: "access key id", OCSF: "actor.session.credential_uid", CloudTrail: "userIdentity.accessKeyId", ActionTrail: "userIdentity.accessKeyId"},
	{Name: "actor.session.issuer", Meaning: "ARN of the role that was assumed", OCSF: "actor.session.issuer", CloudTrail: "sessionContext.sessionIssuer.arn"},
	{Name: "actor.session.uid_alt", Meaning: "source identity", OCSF: "actor.session.uid_alt", CloudTrail: "sessionContext.sourceIdentity"},
	{Name: "actor.idp.name", Meaning: "identity provider", OCSF: "actor.idp.name", CloudTrail: "identityProvider, else webIdFederationData.federatedProvider"},
	{Name: "actor.app_name", Meaning: "service that called in the user's name", OCSF: "actor.app_name", CloudTrail: "userIdentity.invokedBy", Example: "cloudformation.amazonaws.com"},
	{Name: "user.type", Meaning: "of the user who was changed or signed in: type", OCSF: "user.type"},
	{Name: "user.type_id", Meaning: "its number", OCSF: "user.type_id"},
	{Name: "user.uid", Meaning: "id of the user who was changed or signed in", OCSF: "user.uid", CloudTrail: "requestParameters.roleArn, else the caller's"},
	{Name: "user.uid_alt", Meaning: "another id of it", OCSF: "user.uid_alt"},
	{Name: "user.name", Meaning: "name of the user who was changed or signed in", OCSF: "user.name", CloudTrail: "requestParameters.userName, roleName, groupName", ActionTrail: "requestParameters.UserName"},
	{Name: "user.account.uid", Meaning: "its account", OCSF: "user.account.uid"},
	{Name: "user.account.name", Meaning: "name of its account", OCSF: "user.account.name"},
	{Name: "user.account.type", Meaning: "kind of its account", OCSF: "user.account.type"},
	{Name: "user.account.type_id", Meaning: "kind of its account as a number", OCSF: "user.account.type_id"},
	{Name: "is_mfa", Meaning: "sign-in with a second factor; false when unknown, see principal.mfa", OCSF: "is_mfa", CloudTrail: "additionalEventData.MFAUsed", ActionTrail: "additionalEventData.isMFAChecked, mfaChecked"},
	{Name: "policies[].uid", Meaning: "policies that were attached or detached", OCSF: "policies[].uid", CloudTrail: "requestParameters.policyArn"},
	{Name: "policies[].name", Meaning: "their names", OCSF: "policies[].name", CloudTrail: "requestParameters.policyName", ActionTrail: "requestParameters.PolicyName"},
	{Name: "src_endpoint.ip", Meaning: "address of the caller", OCSF: "src_endpoint.ip", CloudTrail: "sourceIPAddress", ActionTrail: "sourceIpAddress"},
	{Name: "src_endpoint.name", Meaning: "name of the caller when it is a service", OCSF: "src_endpoint.name", CloudTrail: "sourceIPAddress", ActionTrail: "sourceIpAddress", Example: "cloudformation.amazonaws.com"},
	{Name: "src_endpoint.uid", Meaning: "VPC endpoint", OCSF: "src_endpoint.uid", CloudTrail: "vpcEndpointId"},
	{Name: "src_endpoint.vpc_uid", Meaning: "VPC", OCSF: "src_endpoint.vpc_uid", ActionTrail: "vpcId"},
	{Name: "http_request.user_agent", Meaning: "user agent", OCSF: "http_request.user_agent", CloudTrail: "userAgent", ActionTrail: "userAgent"},
	{Name: "finding_info.uid", Meaning: "of an insight: what joins its start and end", OCSF: "finding_info.uid", CloudTrail: "sharedEventID", ActionTrail: "sharedEventId"},
	{Name: "finding_info.title", Meaning: "of an insight: its title", OCSF: "finding_info.title"},
	{Name: "finding_info.analytic.name", Meaning: "of an insight: its type", OCSF: "finding_info.analytic.name", CloudTrail: "insightDetails.insightType", ActionTrail: "insightDetails.insightType", Example: "ApiCallRateInsight"},
	{Name: "finding_info.analytic.type", Meaning: "of an insight: kind of analysis", OCSF: "finding_info.analytic.type"},
	{Name: "finding_info.analytic.type_id", Meaning: "of an insight: kind of analysis as a number", OCSF: "finding_info.analytic.type_id"},
}
