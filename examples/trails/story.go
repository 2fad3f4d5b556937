package trails

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
)

// storyDay is the day the story happens on.
const storyDay = "2026-08-03"

// chapter is one object of the story.
type chapter struct {
	folder string // of the bucket
	at     *place
	steps  []step
}

// step is one record of the story.
type step struct {
	clock string // time of day
	who   principal
	key   string // the KMS key it is about
	call  call
}

// Story tells one day in two clouds: an engineer works, programs use their
// keys, and in the afternoon somebody with the credentials of a build user
// opens a key to a foreign account, destroys keys in both clouds and keeps KMS
// out of the trail; root lends a hand, and an administrator cancels what can
// be cancelled. Paths begin with aws/ or alibaba/, as two buckets would.
// sample/ holds its objects.
func Story() []Object {
	var objects []Object
	for n, c := range story {
		objects = append(objects, c.object(uint64(n)))
	}
	return objects
}

func (c chapter) object(seed uint64) Object {
	m := &maker{rng: rand.New(rand.NewPCG(seed, 0x73746f7279)), at: c.at, settled: true, chosen: map[string]string{}}
	var o Object
	m.open(false)
	for i, s := range c.steps {
		if i > 0 {
			m.separate(false)
		}
		m.step(s)
		o.Records = append(o.Records, Record{Provider: c.at.provider, Account: c.at.account, ID: m.id})
	}
	m.close(false)

	var body bytes.Buffer
	z := gzip.NewWriter(&body)
	z.Write(m.out) // a bytes.Buffer takes everything
	z.Close()
	o.Body, o.Inflated = body.Bytes(), int64(len(m.out))
	delivered := m.when.Truncate(window).Add(window)
	o.Path = c.folder + "/" + c.at.path(delivered, false, m.alphanumeric(16), m.out, len(c.steps), false)
	return o
}

// step appends a record of the story.
func (m *maker) step(s step) {
	when, err := time.Parse(time.DateTime, storyDay+" "+s.clock)
	if err != nil {
		panic("trails: the story's clock stands at " + s.clock)
	}
	m.when = when
	m.who, m.id = s.who, m.uuid()
	m.chosen["kmskey"] = s.key
	if m.at.provider == AWS {
		m.cloudTrail(s.call)
		return
	}
	m.id = strings.ToUpper(m.id)
	m.actionTrail(s.call)
}

// The places and the cast.
var (
	ireland  = &place{provider: AWS, account: "111122223333", region: "eu-west-1"}
	virginia = &place{provider: AWS, account: "111122223333", region: "us-east-1"}
	hangzhou = &place{provider: Alibaba, account: "1000000000000001", region: "cn-hangzhou"}

	dora    = principal{kind: "IAMUser", name: "dora", id: "AIDADORAEXAMPLE000001", accessKey: "AKIADORAEXAMPLE00001", ip: "198.51.100.23", agent: "aws-cli/2.27.41"}
	billing = principal{kind: "AssumedRole", name: "i-0b1111111billing1", id: "AROABILLINGEXAMPLE001", role: "billing-service", accessKey: "ASIABILLINGEXAMPLE01", ip: "10.20.3.17", agent: "aws-sdk-go-v2/1.36.3", mfa: "false"}
	shipper = principal{kind: "AssumedRole", name: "trailship", id: "AROASHIPPEREXAMPLE001", role: "trailship-reader", accessKey: "ASIASHIPPEREXAMPLE01", ip: "10.20.9.4", agent: "trailship", mfa: "false"}
	trail   = principal{kind: "AWSService", name: "cloudtrail.amazonaws.com", invokedBy: "cloudtrail.amazonaws.com", ip: "cloudtrail.amazonaws.com", agent: "cloudtrail.amazonaws.com"}
	aws     = principal{kind: "Internal", name: "AWS Internal", invokedBy: "AWS Internal", ip: "AWS Internal", agent: "AWS Internal"}
	builder = principal{kind: "IAMUser", name: "ci-deployer", id: "AIDABUILDEREXAMPLE001", accessKey: "AKIABUILDEREXAMPLE01", ip: "203.0.113.77", agent: "Boto3/1.38.46 Botocore/1.38.46"}
	root    = principal{kind: "Root", name: "root", id: "111122223333", ip: "203.0.113.77", agent: "aws-cli/2.27.41", mfa: "false"}
	admin   = principal{kind: "AssumedRole", name: "alice@example.com", id: "AROAADMINEXAMPLE00001", role: "KeyAdministrator", accessKey: "ASIAADMINEXAMPLE0001", ip: "198.51.100.24", agent: "aws-cli/2.27.41", mfa: "true"}

	wei       = principal{kind: "ram-user", name: "chen.wei", id: "200000000000000011", accessKey: "LTAI5tWEIEXAMPLE", ip: "198.51.100.61", agent: "kms.console.aliyun.com", mfa: "true"}
	orders    = principal{kind: "assumed-role", name: "orders-service:i-bp1orders01", id: "300000000000000021:i-bp1orders01", accessKey: "STS.NTORDERSEXAMPLE", ip: "10.30.4.5", agent: "AlibabaCloud (Linux; amd64) Java/17.0.15-b6", mfa: "false"}
	deployBot = principal{kind: "ram-user", name: "deploy-bot", id: "200000000000000012", accessKey: "LTAI5tDEPLOYEXAMPLE", ip: "203.0.113.77", agent: "Aliyun-CLI/3.0.290", mfa: "false"}
)

// The keys.
const (
	billingKey  = "1a2b3c4d-0001-4000-8000-00000b111111"
	payrollKey  = "1a2b3c4d-0002-4000-8000-00009a7a0110"
	importedKey = "1a2b3c4d-0003-4000-8000-00001a907ed0"
	ordersKey   = "key-hzz0000000000000000orders"
	ledgerKey   = "key-hzz0000000000000000ledger"
)

// The calls that more than one step makes, or that are too long for a line.
var (
	keyRequest  = tmpl(`{"keyId":"<kmskey>"}`)
	keyResponse = tmpl(`{"keyId":"arn:aws:kms:<region>:<account>:key/<kmskey>"}`)

	decrypt      = call{service: "kms", name: "Decrypt", read: true, request: tmpl(`{"encryptionContext":{"service":"billing"},"keyId":"arn:aws:kms:<region>:<account>:key/<kmskey>","encryptionAlgorithm":"SYMMETRIC_DEFAULT"}`), resources: kmsKeyResource}
	dataKey      = call{service: "kms", name: "GenerateDataKey", read: true, request: tmpl(`{"keyId":"arn:aws:kms:<region>:<account>:key/<kmskey>","keySpec":"AES_256"}`), resources: kmsKeyResource}
	logDataKey   = call{service: "kms", name: "GenerateDataKey", read: true, request: tmpl(`{"keyId":"arn:aws:kms:<region>:<account>:key/<kmskey>","keySpec":"AES_256","encryptionContext":{"aws:cloudtrail:arn":"arn:aws:cloudtrail:<region>:<account>:trail/acme","aws:s3:arn":"arn:aws:s3:::acme-trails/AWSLogs/<account>/CloudTrail/<region>"}}`), resources: kmsKeyResource}
	logDecrypt   = call{service: "kms", name: "Decrypt", read: true, request: tmpl(`{"encryptionContext":{"aws:cloudtrail:arn":"arn:aws:cloudtrail:<region>:<account>:trail/acme","aws:s3:arn":"arn:aws:s3:::acme-trails/AWSLogs/<account>/CloudTrail/<region>/2026/08/03/log.json.gz"},"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}`), resources: kmsKeyResource}
	describeKey  = call{service: "kms", name: "DescribeKey", read: true, request: keyRequest, resources: kmsKeyResource}
	listAliases  = call{service: "kms", name: "ListAliases", read: true}
	instances    = call{service: "ec2", name: "DescribeInstances", read: true, request: tmpl(`{"instancesSet":{},"filterSet":{}}`)}
	identity     = call{service: "sts", name: "GetCallerIdentity", read: true}
	refusedRoles = call{service: "iam", name: "ListRoles", read: true, refused: "AccessDenied", why: "ci-deployer may not perform iam:ListRoles"}
	refusedUse   = call{service: "kms", name: "Decrypt", read: true, request: tmpl(`{"encryptionContext":{"service":"payroll"},"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}`), resources: kmsKeyResource, refused: "AccessDenied", why: "ci-deployer may not perform kms:Decrypt on this key"}
	openPolicy   = call{service: "kms", name: "PutKeyPolicy", request: tmpl(`{"keyId":"<kmskey>","policyName":"default","bypassPolicyLockoutSafetyCheck":false,"policy":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"Admin\",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::<account>:root\"},\"Action\":\"kms:*\",\"Resource\":\"*\"},{\"Sid\":\"Partner\",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::999988887777:root\"},\"Action\":[\"kms:Decrypt\",\"kms:GenerateDataKey*\"],\"Resource\":\"*\"}]}"}`), resources: kmsKeyResource}
	foreignGrant = call{service: "kms", name: "CreateGrant", request: tmpl(`{"keyId":"arn:aws:kms:<region>:<account>:key/<kmskey>","granteePrincipal":"arn:aws:iam::999988887777:user/collector","operations":["Decrypt"]}`), response: tmpl(`{"grantId":"0c237476b39f8bc44e45212e08498fbe3151305030726c0590dd8d3e9f3d6a60","keyId":"arn:aws:kms:<region>:<account>:key/<kmskey>"}`), resources: kmsKeyResource}
	disableKey   = call{service: "kms", name: "DisableKey", request: keyRequest, response: keyResponse, resources: kmsKeyResource}
	rotationOff  = call{service: "kms", name: "DisableKeyRotation", request: keyRequest, resources: kmsKeyResource}
	materialGone = call{service: "kms", name: "DeleteImportedKeyMaterial", request: keyRequest, response: keyResponse, resources: kmsKeyResource}
	scheduleKey  = call{service: "kms", name: "ScheduleKeyDeletion", request: tmpl(`{"keyId":"<kmskey>","pendingWindowInDays":7}`), response: tmpl(`{"keyId":"arn:aws:kms:<region>:<account>:key/<kmskey>","keyState":"PendingDeletion","deletionDate":"Aug 10, 2026, 1:51:40 PM","pendingWindowInDays":7}`), resources: kmsKeyResource}
	cancelKey    = call{service: "kms", name: "CancelKeyDeletion", request: keyRequest, response: keyResponse, resources: kmsKeyResource}
	selectors    = call{service: "cloudtrail", name: "PutEventSelectors", request: tmpl(`{"trailName":"acme","eventSelectors":[{"readWriteType":"All","includeManagementEvents":true,"dataResources":[],"excludeManagementEventSources":["kms.amazonaws.com"]}]}`), response: tmpl(`{"trailARN":"arn:aws:cloudtrail:<region>:<account>:trail/acme","eventSelectors":[{"readWriteType":"All","includeManagementEvents":true,"dataResources":[],"excludeManagementEventSources":["kms.amazonaws.com"]}]}`)}
	rotated      = call{service: "kms", name: "RotateKey", kind: "service", response: keyResponse, resources: kmsKeyResource}
	signin       = call{service: "signin", name: "ConsoleLogin", kind: "signin", response: tmpl(`{"ConsoleLogin":"Success"}`), extra: tmpl(`{"LoginTo":"https://console.aws.amazon.com/console/home","MobileVersion":"No","MFAUsed":"Yes","MFAIdentifier":"arn:aws:iam::<account>:mfa/<name>"}`)}

	aliDecrypt   = call{service: "Kms", name: "Decrypt", read: true, request: tmpl(`{"EncryptionContext":"{\"service\":\"orders\"}","RegionId":"<region>","AcsProduct":"Kms","RequestId":"<id>"}`), response: tmpl(`{"KeyId":"<kmskey>","RequestId":"<id>"}`), resources: alibabaKey}
	aliDescribe  = call{service: "Kms", name: "DescribeKey", read: true, request: aliKey, response: aliDone, resources: alibabaKey}
	aliKeys      = call{service: "Kms", name: "ListKeys", read: true, request: tmpl(`{"RegionId":"<region>","PageSize":"100","AcsProduct":"Kms","RequestId":"<id>"}`), response: aliDone}
	aliRefused   = call{service: "Kms", name: "Decrypt", read: true, request: tmpl(`{"RegionId":"<region>","AcsProduct":"Kms","RequestId":"<id>"}`), resources: alibabaKey, refused: "Forbidden.NoPermission", why: "deploy-bot may not use this key."}
	aliUnprotect = call{service: "Kms", name: "SetDeletionProtection", request: tmpl(`{"ProtectedResourceArn":"acs:kms:<region>:<account>:key/<kmskey>","EnableDeletionProtection":"false","RegionId":"<region>","AcsProduct":"Kms","RequestId":"<id>"}`), response: aliDone, resources: alibabaKey}
	aliRotation  = call{service: "Kms", name: "UpdateRotationPolicy", request: tmpl(`{"KeyId":"<kmskey>","EnableAutomaticRotation":"false","RegionId":"<region>","AcsProduct":"Kms","RequestId":"<id>"}`), response: aliDone, resources: alibabaKey}
	aliDisable   = call{service: "Kms", name: "DisableKey", request: aliKey, response: aliDone, resources: alibabaKey}
	aliSchedule  = call{service: "Kms", name: "ScheduleKeyDeletion", request: tmpl(`{"KeyId":"<kmskey>","PendingWindowInDays":"7","RegionId":"<region>","AcsProduct":"Kms","RequestId":"<id>"}`), response: aliDone, resources: alibabaKey}
	aliMaterial  = call{service: "Kms", name: "DeleteKeyMaterial", request: aliKey, response: aliDone, resources: alibabaKey}
	aliCancel    = call{service: "Kms", name: "CancelKeyDeletion", request: aliKey, response: aliDone, resources: alibabaKey}
	aliSignin    = call{service: "AasSub", name: "ConsoleSignin", kind: "signin", extra: tmpl(`{"callbackUrl":"https://homenew.console.aliyun.com/","mfaChecked":"true"}`)}
	aliInstances = call{service: "Ecs", name: "DescribeInstances", read: true, request: tmpl(`{"RegionId":"<region>","PageSize":"50","AcsProduct":"Ecs","RequestId":"<id>"}`), response: aliDone}
	aliKey       = tmpl(`{"KeyId":"<kmskey>","RegionId":"<region>","AcsProduct":"Kms","RequestId":"<id>"}`)
	aliDone      = tmpl(`{"RequestId":"<id>"}`)
)

var story = []chapter{
	{"aws", virginia, []step{
		{"09:01:44", dora, "", signin},
		{"09:02:10", dora, "", identity},
	}},
	{"aws", ireland, []step{
		{"09:03:02", dora, "", instances},
		{"09:03:15", billing, billingKey, decrypt},
		{"09:03:16", billing, billingKey, dataKey},
		{"09:04:00", trail, payrollKey, logDataKey},
		{"09:04:21", dora, "", listAliases},
		{"09:04:25", dora, billingKey, describeKey},
		{"09:04:59", billing, billingKey, decrypt},
		{"09:04:30", aws, billingKey, rotated},
	}},
	{"aws", ireland, []step{
		{"13:41:02", builder, "", identity},
		{"13:41:09", builder, "", refusedRoles},
		{"13:41:40", builder, "", listAliases},
		{"13:42:05", builder, payrollKey, describeKey},
		{"13:42:31", builder, payrollKey, refusedUse},
		{"13:43:58", builder, payrollKey, openPolicy},
		{"13:44:20", builder, payrollKey, foreignGrant},
		{"13:44:47", billing, billingKey, decrypt},
	}},
	{"aws", ireland, []step{
		{"13:50:03", builder, importedKey, materialGone},
		{"13:50:11", builder, billingKey, rotationOff},
		{"13:50:48", builder, billingKey, disableKey},
		{"13:51:40", builder, billingKey, scheduleKey},
		{"13:52:00", shipper, payrollKey, logDecrypt},
		{"13:53:15", root, payrollKey, decrypt},
		{"13:54:52", builder, "", selectors},
	}},
	{"aws", ireland, []step{
		{"14:25:30", admin, billingKey, describeKey},
		{"14:26:05", admin, billingKey, cancelKey},
	}},
	{"alibaba", hangzhou, []step{
		{"09:10:00", wei, "", aliSignin},
		{"09:11:20", wei, "", aliInstances},
		{"09:12:03", orders, ordersKey, aliDecrypt},
		{"09:12:30", wei, ordersKey, aliDescribe},
		{"09:13:03", orders, ordersKey, aliDecrypt},
	}},
	{"alibaba", hangzhou, []step{
		{"13:56:10", deployBot, "", aliKeys},
		{"13:56:41", deployBot, ledgerKey, aliRefused},
		{"13:57:05", deployBot, ordersKey, aliUnprotect},
		{"13:57:22", deployBot, ordersKey, aliRotation},
		{"13:57:48", deployBot, ordersKey, aliDisable},
		{"13:58:12", deployBot, ordersKey, aliSchedule},
		{"13:58:40", deployBot, ledgerKey, aliMaterial},
		{"13:59:30", wei, ordersKey, aliCancel},
	}},
}
