package trails

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// call is one thing that can be called: how often, with what, by whom.
type call struct {
	weight        int
	service, name string
	kind          string // of record: "" is an ordinary API call
	by            string // kind of principal; "" is a person or a workload
	read          bool
	request       template
	response      template
	resources     template
	extra         template // additionalEventData
	refused       string   // error code; "" leaves it to chance
	why           string   // error message
}

// calls is a table of calls to pick from by weight.
type calls struct {
	table []call
	upTo  []int // the weights of a call and of those before it
}

func newCalls(table ...call) calls {
	c := calls{table: table}
	total := 0
	for _, one := range table {
		total += one.weight
		c.upTo = append(c.upTo, total)
	}
	return c
}

func (c calls) pick(rng *rand.Rand) call {
	n := rng.IntN(c.upTo[len(c.upTo)-1])
	i, _ := slices.BinarySearch(c.upTo, n+1)
	return c.table[i]
}

// awsPlaces makes the accounts and regions CloudTrail objects come from. The
// first account is busy in every region, the others in one or two.
func awsPlaces(rng *rand.Rand) []*place {
	var places []*place
	for _, at := range [][2]string{
		{"111122223333", "eu-west-1"}, {"111122223333", "us-east-1"}, {"111122223333", "ap-southeast-1"},
		{"444455556666", "eu-west-1"}, {"444455556666", "us-east-1"}, {"777788889999", "us-west-2"}, {"123456789012", "eu-central-1"},
	} {
		p := &place{provider: AWS, account: at[0], region: at[1], pools: newPools(rng, AWS)}
		p.populate(awsPrincipals(rng, p))
		places = append(places, p)
	}
	return places
}

// awsPrincipals are a place's workloads and people, the busiest first.
func awsPrincipals(rng *rand.Rand, p *place) []principal {
	var all []principal
	for n, instance := range p.pools["instance"] {
		all = append(all, principal{
			kind: "AssumedRole", name: instance, id: "AROA" + word(rng, upper, 17), role: p.pools["workload"][n%poolSizes["workload"]] + "-role",
			accessKey: "ASIA" + word(rng, upper, 9) + "EXAMPLE", ip: address(rng, "10.20."), agent: workloadAgent(rng), mfa: "false",
		})
	}
	for n, name := range people {
		all = append(all, principal{
			kind: "AssumedRole", name: name + "@example.com", id: "AROA" + word(rng, upper, 17), role: "AWSReservedSSO_Engineer_" + word(rng, hexDigits, 16),
			accessKey: "ASIA" + word(rng, upper, 9) + "EXAMPLE", ip: address(rng, pick(rng, networks)), agent: personAgent(rng), mfa: "true",
		}, principal{
			kind: "IAMUser", name: []string{"ci-deployer", "backup", "metrics-reader", "legacy-sync", name}[n%5], id: "AIDA" + word(rng, upper, 17),
			accessKey: "AKIA" + word(rng, upper, 9) + "EXAMPLE", ip: address(rng, pick(rng, networks)), agent: workloadAgent(rng), mfa: "false",
		})
	}
	for _, host := range []string{"autoscaling", "ec2", "lambda", "rds", "cloudtrail", "s3", "eks", "dynamodb"} {
		host += ".amazonaws.com"
		all = append(all, principal{kind: "AWSService", name: host, invokedBy: host, ip: host, agent: host})
	}
	return append(all,
		principal{kind: "Root", name: "root", id: p.account, ip: address(rng, "203.0.113."), agent: browser, mfa: "true", privileged: true},
		principal{kind: "Internal", name: "AWS Internal", invokedBy: "AWS Internal", ip: "AWS Internal", agent: "AWS Internal"},
	)
}

var (
	people   = []string{"alice", "bikash", "chen.wei", "dora", "emeka", "fatima", "zoe", "hugo"}
	networks = []string{"192.0.2.", "198.51.100.", "203.0.113."}
)

// address completes a network out of the ranges reserved for documentation.
func address(rng *rand.Rand, network string) string {
	if strings.Count(network, ".") == 2 {
		network += strconv.Itoa(rng.IntN(32)) + "."
	}
	return network + strconv.Itoa(1+rng.IntN(254))
}

// cloudTrail appends the record of a call.
func (m *maker) cloudTrail(c call) {
	m.put(`{"eventVersion":"1.11","userIdentity":`)
	m.fill(identities[m.who.kind])
	m.fill(cloudTrailHead)
	m.put(c.service, `.amazonaws.com","eventName":"`, c.name)
	m.fill(cloudTrailCaller)
	m.outcome(c)
	m.details(c)
	m.fill(cloudTrailTail)
	if m.who.invokedBy == "" && c.kind != "signin" {
		m.put(`,"tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"`, c.service, ".", m.at.region, `.amazonaws.com"}`)
	}
	m.put(`}`)
}

// outcome appends the error, the request and the response.
func (m *maker) outcome(c call) {
	response := c.response
	switch {
	case c.refused != "":
		m.put(`,"errorCode":"`, c.refused, `","errorMessage":"`, c.why, `"`)
		response = nil
	case c.kind == "signin" && !m.settled && m.rng.IntN(6) == 0:
		m.put(`,"errorMessage":"Failed authentication"`)
		response = signinFailed
	case c.kind == "network":
		m.put(`,"errorCode":"VpceAccessDenied","errorMessage":"The request was denied due to a VPC endpoint policy"`)
	case c.kind == "" && m.who.invokedBy == "" && m.denied():
		code := "AccessDenied"
		if c.service == "ec2" {
			code = "Client.UnauthorizedOperation"
		}
		m.put(`,"errorCode":"`, code, `","errorMessage":"`, m.who.name, ` may not perform `, c.service, ":", c.name, ` on this resource: no identity-based policy allows it"`)
		response = nil
	}
	m.member("requestParameters", c.request)
	m.member("responseElements", response)
	if c.extra != nil {
		m.member("additionalEventData", c.extra)
	}
}

// details appends what the kind of record decides.
func (m *maker) details(c call) {
	if c.kind != "service" {
		m.fill(requestID)
	}
	m.put(`,"eventID":"`, m.id, `","readOnly":`, strconv.FormatBool(c.read))
	if c.resources != nil {
		m.member("resources", c.resources)
	}
	m.put(kindDetails[c.kind])
	if c.kind == "service" || c.kind == "network" {
		m.fill(kindExtra[c.kind])
	}
}

var (
	cloudTrailHead   = tmpl(`,"eventTime":"<time>","eventSource":"`)
	cloudTrailCaller = tmpl(`","awsRegion":"<region>","sourceIPAddress":"<ip>","userAgent":"<agent>"`)
	cloudTrailTail   = tmpl(`,"recipientAccountId":"<account>"`)
	requestID        = tmpl(`,"requestID":"<uuid>"`)
	signinFailed     = tmpl(`{"ConsoleLogin":"Failure"}`)

	kindDetails = map[string]string{
		"":        `,"eventType":"AwsApiCall","managementEvent":true,"eventCategory":"Management"`,
		"data":    `,"eventType":"AwsApiCall","managementEvent":false,"eventCategory":"Data"`,
		"signin":  `,"eventType":"AwsConsoleSignIn","managementEvent":true,"eventCategory":"Management"`,
		"service": `,"eventType":"AwsServiceEvent","managementEvent":true,"eventCategory":"Management"`,
		"network": `,"eventType":"AwsVpceEvent","managementEvent":false,"eventCategory":"NetworkActivity"`,
	}
	kindExtra = map[string]template{
		"service": tmpl(`,"serviceEventDetails":{"keyId":"<kmskey>","rotationType":"AUTOMATIC"}`),
		"network": tmpl(`,"vpcEndpointId":"<endpoint>","vpcEndpointAccountId":"<account>","sharedEventID":"<uuid>"`),
	}

	identities = map[string]template{
		"IAMUser": tmpl(`{"type":"IAMUser","principalId":"<who>","arn":"arn:aws:iam::<account>:user/<name>","accountId":"<account>","accessKeyId":"<key>","userName":"<name>"}`),
		"AssumedRole": tmpl(`{"type":"AssumedRole","principalId":"<who>:<name>","arn":"arn:aws:sts::<account>:assumed-role/<role>/<name>","accountId":"<account>","accessKeyId":"<key>",` +
			`"sessionContext":{"sessionIssuer":{"type":"Role","principalId":"<who>","arn":"arn:aws:iam::<account>:role/<role>","accountId":"<account>","userName":"<role>"},` +
			`"attributes":{"creationDate":"<since>","mfaAuthenticated":"<mfa>"}}}`),
		"AWSService": tmpl(`{"type":"AWSService","invokedBy":"<invokedby>"}`),
		"Internal":   tmpl(`{"accountId":"<account>","invokedBy":"AWS Internal"}`),
		"Root":       tmpl(`{"type":"Root","principalId":"<account>","arn":"arn:aws:iam::<account>:root","accountId":"<account>","accessKeyId":""}`),
	}

	cloudTrailInsight = tmpl(`{"eventVersion":"1.09","eventTime":"<time>","awsRegion":"<region>","eventID":"<id>","eventType":"AwsCloudTrailInsight","recipientAccountId":"<account>","sharedEventID":"<uuid>",` +
		`"insightDetails":{"state":"Start","eventSource":"ec2.amazonaws.com","eventName":"DescribeInstances","insightType":"ApiCallRateInsight","insightContext":{"statistics":{"baseline":{"average":12.<number>},"insight":{"average":4<number>},"insightDuration":<digit>,"baselineDuration":10080},` +
		`"attributions":[{"attribute":"userIdentityArn","insight":[{"value":"arn:aws:sts::<account>:assumed-role/<workload>-role","average":4<number>}],"baseline":[{"value":"arn:aws:sts::<account>:assumed-role/<workload>-role","average":<digit>.5}]}]}},"eventCategory":"Insight"}`)

	kmsKeyResource = tmpl(`[{"accountId":"<account>","type":"AWS::KMS::Key","ARN":"arn:aws:kms:<region>:<account>:key/<kmskey>"}]`)

	cloudTrailMatch = call{service: "kms", name: "ScheduleKeyDeletion",
		request:   tmpl(`{"keyId":"<kmskey>","pendingWindowInDays":7}`),
		response:  tmpl(`{"keyId":"arn:aws:kms:<region>:<account>:key/<kmskey>","keyState":"PendingDeletion","deletionDate":"<until>","pendingWindowInDays":7}`),
		resources: kmsKeyResource,
	}
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
