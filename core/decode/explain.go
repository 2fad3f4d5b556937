package decode

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/trailship/trailship/core/event"
	"github.com/trailship/trailship/core/event/rawjson"
)

// Origin says where one value of an event came from.
type Origin struct {
	Name  string // in the short vocabulary, "" when it has none there
	Path  string // in the OCSF event, "" when it is not there
	Value any    // string, int, bool, int64, time.Time
	From  string // path in the record; "" when it is no copy of anything there
}

// origins lists the values of an event and the paths in the record they are
// taken from, the preferred first. `[]` stands for the first element, `*` for
// the first member.
var origins = []struct {
	name, path              string
	cloudTrail, actionTrail string
}{
	{"id", "metadata.uid", "eventID", "eventId"},
	{"time", "metadata.original_time", "eventTime", "eventTime"},
	{"provider", "cloud.provider", "", ""},
	{"service", "api.service.name", "eventSource insightDetails.eventSource", "serviceName eventSource insightDetails.eventSource"},
	{"", "api.service.uid", "", "eventSource"},
	{"action", "api.operation", "eventName insightDetails.eventName eventType", "eventName insightDetails.eventName eventType"},
	{"kind", "", "eventCategory eventType managementEvent", "eventCategory eventType serviceName"},
	{"access", "", "readOnly", "eventRW"},
	{"outcome", "status", "errorCode responseElements.ConsoleLogin responseElements.CheckMfa serviceEventDetails errorMessage", "errorCode errorMessage"},
	{"error.code", "status_code", "errorCode", "errorCode"},
	{"error.message", "status_detail", "errorMessage", "errorMessage"},
	{"account", "cloud.account.uid", "recipientAccountId userIdentity.accountId", "userIdentity.accountId recipientAccountId"},
	{"region", "cloud.region", "awsRegion", "acsRegion"},
	{"principal.type", "actor.user.type", "userIdentity.type userIdentity.invokedBy", "userIdentity.type"},
	{"principal.id", "", "userIdentity.principalId userIdentity.arn userIdentity.onBehalfOf.userId userIdentity.invokedBy userIdentity.userName userIdentity.accountId",
		"userIdentity.principalId userIdentity.userName userIdentity.accountId"},
	{"principal.name", "actor.user.name",
		"userIdentity.userName userIdentity.sessionContext.sessionIssuer.userName additionalEventData.UserName userIdentity.arn userIdentity.invokedBy serviceEventDetails",
		"userIdentity.userName"},
	{"principal.arn", "", "userIdentity.arn", "userIdentity.arn"},
	{"", "actor.user.uid", "userIdentity.arn userIdentity.principalId", "userIdentity.principalId"},
	{"", "actor.user.uid_alt", "userIdentity.principalId", ""},
	{"principal.account", "actor.user.account.uid", "userIdentity.accountId", "userIdentity.accountId recipientAccountId"},
	{"principal.role", "", "userIdentity.sessionContext.sessionIssuer.userName userIdentity.arn", "userIdentity.userName"},
	{"principal.access_key", "actor.session.credential_uid", "userIdentity.accessKeyId", "userIdentity.accessKeyId"},
	{"principal.mfa", "", "additionalEventData.MFAUsed userIdentity.sessionContext.attributes.mfaAuthenticated",
		"additionalEventData.isMFAChecked additionalEventData.mfaChecked userIdentity.sessionContext.attributes.mfaAuthenticated userIdentity.sessionContext.sessionAttributes.mfaAuthenticated"},
	{"", "actor.session.is_mfa", "userIdentity.sessionContext.attributes.mfaAuthenticated",
		"userIdentity.sessionContext.attributes.mfaAuthenticated userIdentity.sessionContext.sessionAttributes.mfaAuthenticated"},
	{"", "actor.session.created_time", "userIdentity.sessionContext.attributes.creationDate",
		"userIdentity.sessionContext.attributes.creationDate userIdentity.sessionContext.sessionAttributes.creationDate"},
	{"", "actor.session.issuer", "userIdentity.sessionContext.sessionIssuer.arn", ""},
	{"", "actor.session.uid_alt", "userIdentity.sessionContext.sourceIdentity", ""},
	{"", "actor.idp.name", "userIdentity.identityProvider userIdentity.sessionContext.webIdFederationData.federatedProvider", ""},
	{"", "actor.app_name", "userIdentity.invokedBy", ""},
	{"ip", "src_endpoint.ip", "sourceIPAddress", "sourceIpAddress"},
	{"", "src_endpoint.name", "sourceIPAddress", "sourceIpAddress"},
	{"", "src_endpoint.uid", "vpcEndpointId", ""},
	{"", "src_endpoint.vpc_uid", "", "vpcId"},
	{"user_agent", "http_request.user_agent", "userAgent", "userAgent"},
	{"resource.id", "", "resources[].ARN responseElements.keyId requestParameters.keyId requestParameters.sourceKeyId requestParameters.destinationKeyId requestParameters.targetKeyId resources[].ARNPrefix",
		"referencedResources.*[] resourceName requestParameters.keyId requestParameters.destinationKeyId"},
	{"resource.type", "", "resources[].type eventSource", "referencedResources resourceType serviceName"},
	{"resource.name", "", "", "referencedResources.*[] resourceName requestParameters.keyId requestParameters.destinationKeyId"},
	{"", "api.version", "apiVersion", "apiVersion"},
	{"", "api.request.uid", "requestID", "requestId"},
	{"", "class_name", "eventSource eventCategory", "eventName serviceName eventCategory"},
	{"", "activity_name", "readOnly eventName", "eventRW eventName"},
	{"", "type_name", "eventName", "eventName"},
	{"", "user.name", "requestParameters.userName requestParameters.roleName requestParameters.groupName userIdentity.userName userIdentity.sessionContext.sessionIssuer.userName userIdentity.arn",
		"requestParameters.userName requestParameters.roleName requestParameters.groupName requestParameters.roleSessionName userIdentity.userName"},
	{"", "user.uid", "requestParameters.roleArn responseElements.user.arn responseElements.role.arn userIdentity.arn", "requestParameters.roleArn userIdentity.principalId"},
	{"", "is_mfa", "additionalEventData.MFAUsed", "additionalEventData.isMFAChecked additionalEventData.mfaChecked"},
	{"", "metadata.event_code", "eventType", "eventType"},
	{"", "metadata.log_name", "eventCategory", "eventCategory"},
	{"", "metadata.log_version", "eventVersion", "eventVersion"},
	{"", "metadata.correlation_uid", "sharedEventID eventID", "sharedEventId eventId"},
	{"", "finding_info.uid", "sharedEventID eventID", "sharedEventId eventId"},
	{"", "finding_info.title", "insightDetails.insightType", "insightDetails.insightType"},
}

// Explain normalizes the record and lists every value of the event together
// with the part of the record that fed it. Values that are empty are left out.
// It fails as Normalize does.
func Explain(rec Record) ([]Origin, error) {
	var ev event.Event
	if err := Normalize(&ev, rec); err != nil {
		return nil, err
	}
	var list []Origin
	for _, o := range origins {
		paths := o.cloudTrail
		if ev.Format == event.ActionTrail {
			paths = o.actionTrail
		}
		list = append(list, explain(&ev, o.name, o.path, strings.Fields(paths))...)
	}
	return append(list, openParts(&ev)...), nil
}

// explain makes one origin of a short name and its OCSF path when they hold
// the same value, else one for each.
func explain(ev *event.Event, name, path string, from []string) (list []Origin) {
	short, long := valueAt(ev, name), valueAt(ev, path)
	if short != nil && reflect.DeepEqual(short, long) {
		return []Origin{{name, path, short, feed(ev.RawJSON, short, from)}}
	}
	if short != nil {
		list = append(list, Origin{Name: name, Value: short, From: feed(ev.RawJSON, short, from)})
	}
	if long != nil {
		list = append(list, Origin{Path: path, Value: long, From: feed(ev.RawJSON, long, from)})
	}
	return list
}

// openParts lists the parts of the event that are copied as a whole.
func openParts(ev *event.Event) (list []Origin) {
	if ev.RequestRaw != nil {
		from := feed(ev.RawJSON, nil, []string{"requestParameters", "requestParameterJson"})
		path := "api.request.data"
		if ev.API.Request.UID == "" {
			path = "unmapped.requestParameters"
		}
		list = append(list, Origin{"request", path, string(ev.RequestRaw), from})
	}
	if ev.ResponseRaw != nil {
		list = append(list, Origin{"response", "api.response.data", string(ev.ResponseRaw), "responseElements"})
	}
	for _, p := range ev.UnmappedRaw {
		if p.Name != "requestParameters" {
			list = append(list, Origin{"", "unmapped." + p.Name, string(p.Value), p.Name})
		}
	}
	return list
}

// valueAt is the value rules see under path, nil when it is empty.
func valueAt(ev *event.Event, path string) any {
	if path == "" {
		return nil
	}
	v := reflect.ValueOf(ev).Elem()
	for name := range strings.SplitSeq(path, ".") {
		v = tagged(v, name)
	}
	if !v.IsValid() || v.IsZero() {
		return nil
	}
	return v.Interface()
}

// tagged is the field of a struct that rules call name.
func tagged(v reflect.Value, name string) reflect.Value {
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("expr") == name {
			return v.Field(i)
		}
	}
	panic(fmt.Sprintf("event has no field %s", name)) // a mistake in the table, found by its test
}

// feed is the first path that holds just this value; without one, the first
// that is there at all, for the value was then computed from it.
func feed(raw []byte, value any, paths []string) string {
	there := ""
	for _, path := range paths {
		found := pathValue(raw, path)
		if len(found) == 0 || found[0] == 'n' || rawjson.Text(found) == "" && found[0] == '"' {
			continue
		}
		if text := rawjson.Text(found); text != "" && text == fmt.Sprint(value) {
			return path
		}
		there = or(there, path)
	}
	return there
}

// pathValue finds path in an object, nil when it is not there.
func pathValue(object []byte, path string) []byte {
	for name := range strings.SplitSeq(path, ".") {
		name, list := strings.CutSuffix(name, "[]")
		if name == "*" {
			c := rawjson.Members(object)
			_, object, _ = c.Next()
		} else {
			object = member(object, name)
		}
		if list && len(object) > 0 && object[0] == '[' {
			items := rawjson.Items(object)
			object, _ = items.Next()
		}
	}
	return object
}
