package trails

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
)

// alibabaPlaces makes the accounts and regions ActionTrail objects come from.
func alibabaPlaces(rng *rand.Rand) []*place {
	var places []*place
	for _, at := range [][2]string{
		{"1000000000000001", "cn-hangzhou"}, {"1000000000000001", "cn-shanghai"}, {"1000000000000001", "eu-central-1"}, {"1000000000000002", "cn-hangzhou"},
	} {
		p := &place{provider: Alibaba, account: at[0], region: at[1], pools: newPools(rng, Alibaba)}
		p.populate(alibabaPrincipals(rng, p))
		places = append(places, p)
	}
	return places
}

// alibabaPrincipals are a place's workloads and people, the busiest first.
func alibabaPrincipals(rng *rand.Rand, p *place) []principal {
	var all []principal
	for n, session := range p.pools["instance"] {
		role := p.pools["workload"][n%poolSizes["workload"]] + "-role"
		all = append(all, principal{
			kind: "assumed-role", name: role + ":" + session, id: "3" + word(rng, "0123456789", 17) + ":" + session,
			accessKey: "STS.NT" + word(rng, letters, 9) + "EXAMPLE", ip: address(rng, "10.30."), agent: alibabaAgent(rng), mfa: "false",
		})
	}
	for _, name := range people {
		all = append(all, principal{
			kind: "ram-user", name: name, id: "2" + word(rng, "0123456789", 17),
			accessKey: "LTAI5t" + word(rng, letters, 9) + "EXAMPLE", ip: address(rng, pick(rng, networks)), agent: alibabaAgent(rng), mfa: "true",
		})
	}
	return append(all,
		principal{kind: "system", name: "ecs.aliyuncs.com", invokedBy: "ecs.aliyuncs.com", ip: "ecs.aliyuncs.com", agent: "ecs.aliyuncs.com"},
		principal{kind: "root-account", name: "root", id: p.account, ip: address(rng, "203.0.113."), agent: browser, mfa: "true", privileged: true},
	)
}

// actionTrail appends the record of a call.
func (m *maker) actionTrail(c call) {
	m.put(`{"eventId":"`, m.id, `","eventVersion":1,"eventName":"`, c.name, `","eventType":"`, alibabaTypes[c.kind], `","eventCategory":"Management","eventRW":"`, readWrite(c.read))
	m.put(`","serviceName":"`, c.service, `","eventSource":"`, m.endpoint(c), `","apiVersion":"`, apiVersions[c.service], `"`)
	m.fill(actionTrailHead)
	m.put(`,"userIdentity":`)
	m.fill(alibabaIdentities[m.who.kind])
	m.parameters(c.request)
	switch {
	case c.refused != "":
		m.put(`,"errorCode":"`, c.refused, `","errorMessage":"`, c.why, `"`)
	case c.kind == "signin":
		m.put(`,"errorMessage":"success"`)
	case c.kind == "" && m.who.invokedBy == "" && m.denied():
		m.put(`,"errorCode":"Forbidden.RAM","errorMessage":"`, m.who.name, ` may not perform `, strings.ToLower(c.service), ":", c.name, ` on this resource."`)
	case c.response != nil:
		m.member("responseElements", c.response)
	}
	if c.resources != nil {
		m.member("referencedResources", c.resources)
	}
	if c.extra != nil {
		m.member("additionalEventData", c.extra)
	}
	m.put(`}`)
}

// parameters appends the request twice, as ActionTrail does: as an object, and
// as JSON in a string.
func (m *maker) parameters(request template) {
	if request == nil {
		return
	}
	m.put(`,"requestParameters":`)
	start := len(m.out)
	m.fill(request)
	text := string(m.out[start:])
	m.put(`,"requestParameterJson":`)
	quoted, _ := json.Marshal(text) // a string never fails
	m.put(string(quoted))
}

// endpoint is the host that was called, or the page of a sign-in.
func (m *maker) endpoint(c call) string {
	switch c.service {
	case "AasCustomer":
		return "http://account.aliyun.com/login/login_aliyun.htm"
	case "AasSub":
		return "signin.aliyun.com"
	case "Ram", "Sts":
		return strings.ToLower(c.service) + ".aliyuncs.com"
	}
	return strings.ToLower(c.service) + "." + m.at.region + ".aliyuncs.com"
}

func readWrite(read bool) string {
	if read {
		return "Read"
	}
	return "Write"
}

var (
	alibabaTypes = map[string]string{"": "ApiCall", "signin": "ConsoleSignin", "service": "AliyunServiceEvent", "console": "ConsoleOperation"}
	apiVersions  = map[string]string{"Kms": "2016-01-20", "Ecs": "2014-05-26", "Ram": "2015-05-01", "Sts": "2015-04-01", "Rds": "2014-08-15", "Vpc": "2016-04-28", "Slb": "2014-05-15", "Oss": "2019-05-17", "Actiontrail": "2020-07-06", "Cs": "2015-12-15"}

	actionTrailHead = tmpl(`,"eventTime":"<time>","acsRegion":"<region>","requestId":"<id>","sourceIpAddress":"<ip>","userAgent":"<agent>","recipientAccountId":"<account>","isGlobal":false`)

	alibabaSession    = `,"sessionContext":{"attributes":{"creationDate":"<since>","mfaAuthenticated":"<mfa>"}}}`
	alibabaIdentities = map[string]template{
		"ram-user":     tmpl(`{"type":"ram-user","principalId":"<who>","accountId":"<account>","accessKeyId":"<key>","userName":"<name>"` + alibabaSession),
		"assumed-role": tmpl(`{"type":"assumed-role","principalId":"<who>","accountId":"<account>","accessKeyId":"<key>","userName":"<name>"` + alibabaSession),
		"root-account": tmpl(`{"type":"root-account","principalId":"<account>","accountId":"<account>","userName":"root"` + alibabaSession),
		"system":       tmpl(`{"type":"system","userName":"<name>"}`),
	}

	actionTrailInsight = tmpl(`{"eventVersion":1,"eventType":"ActionTrailInsight","eventCategory":"Insight","eventId":"<id>","eventTime":"<time>","acsRegion":"<region>","recipientAccountId":"<account>","sharedEventId":"<UUID>",` +
		`"insightDetails":{"state":"Start","insightType":"ApiCallRateInsight","insightObject":"DescribeInstances","insightContext":{"statistics":{"baseline":{"average":3.<number>},"insight":{"average":1<number>}},"attributions":[{"attribute":"sourceIpAddress","insight":[{"value":"192.0.2.<digit>","average":9<number>}]}]}}}`)

	alibabaKey = tmpl(`{"ACS::KMS::Key":["<kmskey>"]}`)

	actionTrailMatch = call{service: "Kms", name: "ScheduleKeyDeletion",
		request:   tmpl(`{"KeyId":"<kmskey>","PendingWindowInDays":"7","RegionId":"<region>","AcsProduct":"Kms","RequestId":"<id>"}`),
		response:  tmpl(`{"RequestId":"<id>"}`),
		resources: alibabaKey,
	}
)

// actionTrailCalls is what goes on in an Alibaba Cloud account.
var actionTrailCalls = newCalls(
	call{weight: 150, service: "Kms", name: "Decrypt", read: true, request: tmpl(`{"AcsHost":"kms.<region>.aliyuncs.com","EncryptionContext":"{\"tenant\":\"<workload>\"}","RegionId":"<region>","AcsProduct":"Kms","SignatureNonce":"<uuid>","RequestId":"<id>"}`), response: tmpl(`{"KeyId":"<kmskey>","KeyVersionId":"<uuid>","SignatureNonce":"<uuid>","RequestId":"<id>"}`), resources: alibabaKey},
	call{weight: 90, service: "Kms", name: "GenerateDataKey", read: true, request: tmpl(`{"KeyId":"<kmskey>","KeySpec":"AES_256","RegionId":"<region>","AcsHost":"kms.<region>.aliyuncs.com","AcsProduct":"Kms","SignatureNonce":"<uuid>","RequestId":"<id>"}`), response: tmpl(`{"KeyId":"<kmskey>","KeyVersionId":"<uuid>","SignatureNonce":"<uuid>","RequestId":"<id>"}`), resources: alibabaKey},
	call{weight: 15, service: "Kms", name: "DescribeKey", read: true, request: tmpl(`{"KeyId":"<kmskey>","RegionId":"<region>","AcsProduct":"Kms","SignatureNonce":"<uuid>","RequestId":"<id>"}`), resources: alibabaKey},
	call{weight: 15, service: "Kms", name: "GetSecretValue", read: true, request: tmpl(`{"SecretName":"<vault>","RegionId":"<region>","AcsProduct":"Kms","SignatureNonce":"<uuid>","RequestId":"<id>"}`), resources: tmpl(`{"ACS::KMS::Secret":["<vault>"]}`)},
	call{weight: 150, service: "Ecs", name: "DescribeInstances", read: true, request: tmpl(`{"RegionId":"<region>","PageSize":100,"Status":"Running","Tag.1.Key":"Service","Tag.1.Value":"<workload>","AcsProduct":"Ecs","SignatureNonce":"<uuid>","RequestId":"<id>"}`), response: tmpl(`{"RequestId":"<id>","TotalCount":<number>,"PageNumber":1}`)},
	call{weight: 50, service: "Ecs", name: "DescribeDisks", read: true, request: tmpl(`{"RegionId":"<region>","InstanceId":"<instance>","PageSize":50,"AcsProduct":"Ecs","SignatureNonce":"<uuid>","RequestId":"<id>"}`), resources: tmpl(`{"ACS::ECS::Instance":["<instance>"]}`)},
	call{weight: 6, service: "Ecs", name: "RunInstances", request: tmpl(`{"RegionId":"<region>","ImageId":"aliyun_3_x64_20G_alibase_20260101.vhd","InstanceType":"ecs.g8y.large","SecurityGroupId":"<sg>","VSwitchId":"<subnet>","Amount":1,"AcsProduct":"Ecs","SignatureNonce":"<uuid>","RequestId":"<id>"}`), response: tmpl(`{"RequestId":"<id>","InstanceIdSets":{"InstanceIdSet":["<instance>"]}}`), resources: tmpl(`{"ACS::ECS::Instance":["<instance>"],"ACS::ECS::SecurityGroup":["<sg>"]}`)},
	call{weight: 3, service: "Ecs", name: "DeleteInstance", request: tmpl(`{"RegionId":"<region>","InstanceId":"<instance>","Force":true,"AcsProduct":"Ecs","SignatureNonce":"<uuid>","RequestId":"<id>"}`), resources: tmpl(`{"ACS::ECS::Instance":["<instance>"]}`)},
	call{weight: 60, service: "Ecs", name: "TagResources", request: tmpl(`{"RegionId":"<region>","ResourceType":"instance","ResourceId.1":"<instance>","Tag.1.Key":"Owner","Tag.1.Value":"团队-<workload>","AcsProduct":"Ecs","SignatureNonce":"<uuid>","RequestId":"<id>"}`), resources: tmpl(`{"ACS::ECS::Instance":["<instance>"]}`)},
	call{weight: 35, service: "Slb", name: "SetBackendServers", request: tmpl(`{"RegionId":"<region>","LoadBalancerId":"lb-<workload>","BackendServers":"[{\"ServerId\":\"<instance>\",\"Weight\":100}]","AcsProduct":"Slb","SignatureNonce":"<uuid>","RequestId":"<id>"}`), response: tmpl(`{"RequestId":"<id>","LoadBalancerId":"lb-<workload>"}`)},
	call{weight: 4, service: "Ecs", name: "SystemMaintenance.Executed", kind: "service", by: "system", request: tmpl(`{"InstanceId":"<instance>"}`), resources: tmpl(`{"ACS::ECS::Instance":["<instance>"]}`)},
	call{weight: 60, service: "Rds", name: "DescribeDBInstances", read: true, request: tmpl(`{"RegionId":"<region>","PageSize":30,"AcsProduct":"Rds","SignatureNonce":"<uuid>","RequestId":"<id>"}`)},
	call{weight: 40, service: "Slb", name: "DescribeLoadBalancers", read: true, request: tmpl(`{"RegionId":"<region>","PageSize":50,"AcsProduct":"Slb","SignatureNonce":"<uuid>","RequestId":"<id>"}`)},
	call{weight: 40, service: "Vpc", name: "DescribeVSwitches", read: true, request: tmpl(`{"RegionId":"<region>","VpcId":"<vpc>","AcsProduct":"Vpc","SignatureNonce":"<uuid>","RequestId":"<id>"}`), resources: tmpl(`{"ACS::VPC::VPC":["<vpc>"]}`)},
	call{weight: 60, service: "Sts", name: "AssumeRole", read: true, by: "ram-user", request: tmpl(`{"RoleArn":"acs:ram::<account>:role/<workload>-role","RoleSessionName":"<instance>","DurationSeconds":3600,"SignatureNonce":"<uuid>","RequestId":"<id>"}`), response: tmpl(`{"RequestId":"<id>","AssumedRoleUser":{"Arn":"acs:ram::<account>:role/<workload>-role/<instance>","AssumedRoleId":"3<number>:<instance>"}}`)},
	call{weight: 30, service: "Ram", name: "GetRole", read: true, request: tmpl(`{"RoleName":"<workload>-role","AcsProduct":"Ram","SignatureNonce":"<uuid>","RequestId":"<id>"}`)},
	call{weight: 20, service: "Ram", name: "ListPoliciesForUser", read: true, request: tmpl(`{"UserName":"<name>","AcsProduct":"Ram","SignatureNonce":"<uuid>","RequestId":"<id>"}`)},
	call{weight: 2, service: "Ram", name: "AttachPolicyToUser", by: "ram-user", request: tmpl(`{"PolicyType":"System","PolicyName":"AliyunOSSReadOnlyAccess","UserName":"<name>","AcsProduct":"Ram","SignatureNonce":"<uuid>","RequestId":"<id>"}`), resources: tmpl(`{"Policy":["AliyunOSSReadOnlyAccess"],"User":["<name>"]}`)},
	call{weight: 25, service: "Oss", name: "GetBucketInfo", read: true, request: tmpl(`{"bucketName":"<bucket>","RegionId":"<region>"}`), resources: tmpl(`{"ACS::OSS::Bucket":["<bucket>"]}`)},
	call{weight: 15, service: "Cs", name: "DescribeClusterDetail", read: true, request: tmpl(`{"ClusterId":"<cluster>","AcsProduct":"Cs","SignatureNonce":"<uuid>","RequestId":"<id>"}`)},
	call{weight: 5, service: "Actiontrail", name: "LookupEvents", read: true, request: tmpl(`{"MaxResults":"50","RegionId":"<region>","SignatureNonce":"<uuid>","RequestId":"<id>"}`)},
	call{weight: 6, service: "AasSub", name: "ConsoleSignin", kind: "signin", by: "ram-user", extra: tmpl(`{"callbackUrl":"https://homenew.console.aliyun.com/","mfaChecked":"true"}`)},
	call{weight: 2, service: "AasCustomer", name: "ConsoleSignin", kind: "signin", by: "root-account", extra: tmpl(`{"loginAccount":"owner@example.com","isMFAChecked":"true"}`)},
	call{weight: 3, service: "Ecs", name: "StopInstance", kind: "console", by: "ram-user", request: tmpl(`{"InstanceId":"<instance>","ForceStop":"false"}`), resources: tmpl(`{"ACS::ECS::Instance":["<instance>"]}`)},
)
