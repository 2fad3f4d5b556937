package decode

import (
	"bytes"
	"strings"

	"github.com/trailship/trailship/core/event"
	"github.com/trailship/trailship/core/event/rawjson"
)

// cloudTrailMapped are the members of a CloudTrail record with a place of
// their own.
var cloudTrailMapped = fields(fEventID, fEventTime, fEventVersion, fEventSource, fEventName, fEventType, fEventCategory,
	fRegion, fSourceIP, fUserAgent, fErrorCode, fErrorMessage, fRequest, fResponse, fRequestID, fIdentity, fRecipient,
	fSharedID, fVPCEndpoint, fAPIVersion, fResources)

const amazonHost = ".amazonaws.com"

// isCloudTrail knows a CloudTrail record, also a partial one.
func isCloudTrail(d *document) bool {
	source := d.bytes(fEventSource)
	switch {
	case bytes.HasSuffix(source, []byte(amazonHost)), bytes.HasSuffix(source, []byte(amazonHost+".cn")):
		return true
	case d.has(fRegion):
		return d.has(fEventName) || d.has(fEventType) || d.has(fEventID) || d.has(fInsight)
	}
	return bytes.HasPrefix(d.bytes(fEventType), []byte("Aws")) || source != nil && d.has(fEventName) && d.has(fIdentity)
}

// cloudTrailWords are all that outlineCloudTrail reads, but for an insight.
var cloudTrailWords = [...]field{fEventSource, fEventName, fEventType, fEventCategory, fReadOnly, fManagement}

// outlineCloudTrail says what was done in a CloudTrail record, versions 1.0 to 1.11.
func outlineCloudTrail(ev *event.Event, d *document) {
	ev.Access = cloudTrailAccess(d.value(fReadOnly))
	if ev.Kind = cloudTrailKind(d); ev.Kind == "insight" {
		fillCloudTrailInsight(ev, d)
		return
	}
	ev.API.Service.Name = or(d.word(fEventSource), "unknown")
	ev.API.Operation = d.operation()
	ev.Service, ev.Action = awsService(ev.API.Service.Name), ev.API.Operation
}

func beginCloudTrail(ev *event.Event, d *document) {
	ev.Provider = "aws"
	if ev.Account = d.steady(fRecipient, &d.account); ev.Account == "" {
		ev.Account = d.identity().account
	}
	ev.Region = d.steady(fRegion, &d.region)
	if ev.Kind != "insight" {
		ev.Person = d.person()
	}
}

// fillCloudTrailOCSF makes what only the OCSF form has.
func fillCloudTrailOCSF(ev *event.Event, d *document) {
	ev.Metadata.LogProvider = "cloudtrail"
	ev.Metadata.Product.Name, ev.Metadata.Product.VendorName = "CloudTrail", "AWS"
	d.fillCommon(ev)
	ev.Cloud = event.Cloud{Provider: "AWS", Region: ev.Region, Account: awsAccount(ev.Account)}
	if ev.Kind == "insight" {
		insightOCSF(ev, d)
	} else {
		ev.API.Request.UID = d.str(fRequestID)
		ev.SrcEndpoint.UID = d.word(fVPCEndpoint)
		fillCloudTrailSession(ev, d)
		classifyCloudTrail(ev, d)
		nameSomebody(ev)
	}
	d.fillUnmapped(ev)
}

// awsService is the short name of a service: its host without the cloud's.
func awsService(host string) string {
	host = strings.TrimSuffix(host, ".cn")
	return strings.ToLower(strings.TrimSuffix(host, amazonHost))
}

func awsAccount(uid string) event.AccountRef { return account(uid, "AWS Account", 10) }

func cloudTrailAccess(readOnly []byte) string {
	switch string(readOnly) {
	case `true`, `"true"`:
		return "read"
	case `false`, `"false"`:
		return "write"
	}
	return ""
}

func cloudTrailKind(d *document) string {
	kind, category := string(d.bytes(fEventType)), string(d.bytes(fEventCategory))
	switch {
	case category == "Insight", kind == "AwsCloudTrailInsight":
		return "insight"
	case category == "NetworkActivity", kind == "AwsVpceEvent", kind == "AwsVpceEvents":
		return "network"
	case category == "Data", category == "" && string(d.value(fManagement)) == "false":
		return "data"
	case kind == "AwsConsoleSignIn", string(d.bytes(fEventName)) == "ConsoleLogin" && kind != "AwsServiceEvent":
		return "console_login"
	case kind == "AwsConsoleAction":
		return "console_action"
	case kind == "AwsServiceEvent":
		return "service"
	}
	return "api"
}

func fillCloudTrailPrincipal(ev *event.Event, d *document) {
	id := d.identity()
	u, p := &ev.Actor.User, &ev.Principal
	arn, principal, invokedBy := id.arn, id.principal, id.invokedBy
	if u.Type = id.kind; u.Type == "" && invokedBy != "" {
		u.Type = "AWSService"
	}
	kind := principals[u.Type]
	u.TypeID, p.Type = kind.typeID, or(kind.word, "unknown")
	if u.UID = arn; arn == "" {
		u.UID = principal
	} else {
		u.UIDAlt = principal
	}
	issuer := id.session.issuer.name
	u.Name = cloudTrailName(d, id, u.Type, arn, issuer, invokedBy)
	u.Account = awsAccount(id.account)

	setSession(ev, id, func(s string) bool { return s == "" })
	p.ID = or(or(or(principal, arn), or(id.behalf, invokedBy)), or(u.Name, u.Account.UID))
	p.ARN, p.Account, p.Name = arn, u.Account.UID, u.Name
	if u.Name == arn {
		p.Name = lastSegment(arn, ":")
	}
	switch {
	case issuer != "" && u.Type != "FederatedUser": // whose issuer is a user
		p.Role = issuer
	case u.Type == "Role":
		p.Role = lastSegment(arn, "/")
	case u.Type == "AssumedRole": // without its issuer: …:assumed-role/ROLE/SESSION
		if _, names, ok := strings.Cut(arn, ":assumed-role/"); ok {
			p.Role, _, _ = strings.Cut(names, "/")
		}
	}
	if _, signIn := awsSignsIn(ev); signIn {
		if known, used := awsSecondFactor(d); known {
			p.MFA = yesNo(true, used)
		}
	}
}

// fillCloudTrailSession fills what of the actor is no principal.
func fillCloudTrailSession(ev *event.Event, d *document) {
	id, a := d.identity(), &ev.Actor
	a.Session.CreatedTime = id.session.created
	a.Session.Issuer = id.session.issuer.arn
	a.Session.UIDAlt = id.session.source
	a.IDP.Name = or(id.provider, id.session.federated)
	a.AppName = id.invokedBy
}

// cloudTrailName finds the actor a name.
func cloudTrailName(d *document, id *identity, kind, arn, issuer, invokedBy string) string {
	if name := id.user; name != "" {
		return name
	}
	if kind == "AssumedRole" && issuer != "" {
		return issuer
	}
	if extra := d.value(fAdditional); extra != nil {
		if name := d.copy(member(extra, "UserName")); name != "" {
			return name
		}
	}
	name := or(lastSegment(arn, "/"), invokedBy)
	if name == "" && d.has(fServiceDetails) {
		return "AWS Internal"
	}
	return name
}

func fillCloudTrailError(ev *event.Event, d *document) {
	ev.Error = event.Error{Code: d.word(fErrorCode), Message: d.str(fErrorMessage)}
}

func fillCloudTrailOutcome(ev *event.Event, d *document) {
	ok := ev.Error.Code == "" && (ev.Error.Message == "" || ev.API.Operation != "ConsoleLogin")
	setOutcome(ev, ok && !(awsSignIn(ev.API.Operation) != 0 && signInFailed(ev, d)))
}

// signInFailed reads the result of a sign-in, or of a step of one, which stands
// under the event's own name and is a failure without an error code.
func signInFailed(ev *event.Event, d *document) bool {
	for _, result := range [][]byte{ev.ResponseRaw, d.value(fServiceDetails)} {
		if string(inner(member(result, ev.API.Operation))) == "Failure" {
			return true
		}
	}
	return false
}

func fillCloudTrailResources(ev *event.Event, d *document) {
	for list := rawjson.Items(d.value(fResources)); ; {
		item, ok := list.Next()
		if !ok {
			break
		}
		var r event.Resource
		var prefix string
		for c := rawjson.Members(item); ; {
			name, value, ok := c.Next()
			if !ok {
				break
			}
			switch string(name) {
			case "ARN":
				r.UID = d.intern(value)
			case "ARNPrefix":
				prefix = d.intern(value)
			case "type":
				r.Type = d.intern(value)
			case "accountId":
				r.Owner.Account.UID = d.intern(value)
			}
		}
		r.UID = or(r.UID, prefix)
		addResource(ev, r)
	}
	if ev.Service == "kms" {
		addKey(ev, d, "AWS::KMS::Key")
	}
	setResources(ev)
}

// askedKeys are the request parameters that name a key.
var askedKeys = []string{"keyId", "sourceKeyId", "destinationKeyId", "targetKeyId"}

// addKey adds the KMS key the response names, or, when the record names no
// resource at all, those the request asked for: a refused ReEncrypt has two.
func addKey(ev *event.Event, d *document, kind string) {
	if key := d.intern(member(ev.ResponseRaw, "keyId")); key != "" {
		for _, r := range ev.Resources {
			if r.UID == key {
				return
			}
		}
		addResource(ev, event.Resource{UID: key, Type: kind})
	}
	if len(ev.Resources) == 0 {
		for _, name := range askedKeys {
			key := d.intern(member(ev.RequestRaw, name))
			addResource(ev, event.Resource{UID: key, Type: kind, Asked: true})
		}
	}
}

// The operations that are not plain API activity, by service, with their
// activity.
var (
	awsTickets = map[string]int{
		"AssumeRole": 4, "AssumeRoleWithSAML": 4, "AssumeRoleWithWebIdentity": 4, "AssumeRoot": 4,
		"GetSessionToken": 4, "GetFederationToken": 4,
	}
	awsAccounts = map[string]int{
		"CreateUser": 1, "CreateRole": 1, "CreateLoginProfile": 2, "ChangePassword": 3, "UpdateLoginProfile": 4,
		"DeleteLoginProfile": 5, "DeleteUser": 6, "DeleteRole": 6,
		"AttachUserPolicy": 7, "AttachRolePolicy": 7, "AttachGroupPolicy": 7,
		"PutUserPolicy": 7, "PutRolePolicy": 7, "PutGroupPolicy": 7,
		"DetachUserPolicy": 8, "DetachRolePolicy": 8, "DetachGroupPolicy": 8,
		"DeleteUserPolicy": 8, "DeleteRolePolicy": 8, "DeleteGroupPolicy": 8,
		"EnableMFADevice": 10, "DeactivateMFADevice": 11,
		"CreateAccessKey": other, "DeleteAccessKey": other, "UpdateAccessKey": other,
	}
)

// awsSignIn is the activity of a sign-in or of a step of one, 0 for any other
// operation. Every record is asked: no map.
func awsSignIn(operation string) (activity int) {
	switch operation {
	case "ConsoleLogin", "UserAuthentication":
		return 1
	case "CheckMfa", "ExternalIdPDirectoryLogin", "CredentialChallenge", "CredentialVerification":
		return 6
	case "SwitchRole", "ExitRole", "RenewRole":
		return 7
	}
	return 0
}

// awsSignsIn returns the activity of an operation that authenticates somebody.
func awsSignsIn(ev *event.Event) (activity int, ok bool) {
	switch ev.API.Service.Name {
	case "signin.amazonaws.com", "sso.amazonaws.com":
		activity = awsSignIn(ev.API.Operation)
	case "sts.amazonaws.com":
		activity = awsTickets[ev.API.Operation]
	}
	return activity, activity != 0
}

// awsSecondFactor is what a sign-in says of its own second factor.
func awsSecondFactor(d *document) (known, used bool) {
	word := d.plain(member(d.value(fAdditional), "MFAUsed"))
	used = bytes.EqualFold(word, []byte("yes"))
	return used || bytes.EqualFold(word, []byte("no")), used
}

func classifyCloudTrail(ev *event.Event, d *document) {
	if activity, ok := awsSignsIn(ev); ok {
		setAWSSubject(ev, d)
		setClass(ev, event.ClassAuthentication, activity)
		return
	}
	if activity, ok := awsAccounts[ev.API.Operation]; ok && ev.API.Service.Name == "iam.amazonaws.com" {
		setAWSTarget(ev, d)
		setClass(ev, event.ClassAccountChange, activity)
		return
	}
	setClass(ev, event.ClassAPIActivity, apiActivity(ev.API.Operation, ev.Access))
}

// setAWSSubject fills who authenticates: the role asked for, or the actor.
func setAWSSubject(ev *event.Event, d *document) {
	ev.User = ev.Actor.User
	ev.User.UIDAlt = ""
	if role := d.intern(member(ev.RequestRaw, "roleArn")); role != "" {
		ev.User.UID = role
	}
	ev.HasMFA, ev.IsMFA = awsSecondFactor(d)
}

// setAWSTarget fills whose account changes and by which policy.
func setAWSTarget(ev *event.Event, d *document) {
	var user, role, group, policy event.Policy // names in Name; the ARN of policy in UID
	for c := rawjson.Members(ev.RequestRaw); ; {
		name, value, ok := c.Next()
		if !ok {
			break
		}
		switch string(name) {
		case "userName":
			user.Name = d.copy(value)
		case "roleName":
			role.Name = d.copy(value)
		case "groupName":
			group.Name = d.copy(value)
		case "policyArn":
			policy.UID = d.copy(value)
		case "policyName":
			policy.Name = d.copy(value)
		}
	}
	caller := d.identity().user
	ev.User.Name = or(or(user.Name, role.Name), or(group.Name, caller))
	created := member(ev.ResponseRaw, "user")
	if created == nil {
		created = member(ev.ResponseRaw, "role")
	}
	ev.User.UID = d.copy(member(created, "arn"))
	ev.User.Account.UID = ev.Account
	if policy != (event.Policy{}) {
		ev.Policies = append(ev.Policies, policy)
	}
}
