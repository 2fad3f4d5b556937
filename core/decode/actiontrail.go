package decode

import (
	"bytes"
	"strings"

	"github.com/trailship/trailship/core/event"
	"github.com/trailship/trailship/core/event/rawjson"
)

// actionTrailMapped are the members of an ActionTrail record with a place of
// their own.
var actionTrailMapped = fields(fEventID, fEventTime, fEventVersion, fEventSource, fEventName, fEventType, fEventCategory,
	fACSRegion, fSourceIP, fUserAgent, fErrorCode, fErrorMessage, fRequest, fRequestText, fResponse, fRequestID, fIdentity,
	fRecipient, fSharedID, fVPC, fAPIVersion, fReferenced, fResourceType, fResourceName, fServiceName)

// isActionTrail knows an ActionTrail record, also a partial one.
func isActionTrail(d *document) bool {
	source := d.bytes(fEventSource)
	switch {
	case d.has(fRegion):
		return false
	case d.has(fACSRegion), d.has(fServiceName):
		return d.has(fEventName) || d.has(fEventID) || d.has(fInsight)
	case bytes.Contains(source, []byte(".aliyun.com")), bytes.Contains(source, []byte(".aliyuncs.com")):
		return true
	}
	return string(d.bytes(fEventType)) == "ActionTrailInsight"
}

// actionTrailWords are all that outlineActionTrail reads, but for an insight.
var actionTrailWords = [...]field{fServiceName, fEventSource, fEventName, fEventType, fEventCategory, fEventRW}

// outlineActionTrail says what was done in an ActionTrail record.
func outlineActionTrail(ev *event.Event, d *document) {
	ev.Access = actionTrailAccess(d.bytes(fEventRW))
	ev.Kind = actionTrailKind(d)
	fillActionTrailService(ev, d)
	if ev.Kind == "insight" {
		fillActionTrailInsight(ev, d)
		return
	}
	ev.API.Service.Name = or(ev.API.Service.Name, "unknown")
	ev.API.Operation = d.operation()
	ev.Service, ev.Action = or(ev.Service, "unknown"), ev.API.Operation
}

func beginActionTrail(ev *event.Event, d *document) {
	ev.Provider = "alibaba"
	if ev.Account = d.identity().account; ev.Account == "" {
		ev.Account = d.word(fRecipient)
	}
	ev.Region = d.steady(fACSRegion, &d.region)
	if ev.Kind != "insight" {
		fillActionTrailParameters(ev, d)
		if ev.Account == d.identity().account {
			ev.Person = d.person()
		}
	}
}

// fillActionTrailOCSF makes what only the OCSF form has.
func fillActionTrailOCSF(ev *event.Event, d *document) {
	ev.Metadata.LogProvider = "actiontrail"
	ev.Metadata.Product.Name, ev.Metadata.Product.VendorName = "ActionTrail", "Alibaba Cloud"
	d.fillCommon(ev)
	if ev.Metadata.LogVersion == "" {
		ev.Metadata.LogVersion, ev.Metadata.Product.Version = "1", "1"
	}
	ev.Cloud = event.Cloud{Provider: "Alibaba Cloud", Region: ev.Region, Account: alibabaAccount(ev.Account)}
	if ev.Kind == "insight" {
		insightOCSF(ev, d)
	} else {
		ev.API.Request.UID = d.str(fRequestID)
		ev.SrcEndpoint.VPCUID = d.word(fVPC)
		ev.Actor.Session.CreatedTime = d.identity().session.created
		classifyActionTrail(ev, d)
		nameSomebody(ev)
	}
	d.fillUnmapped(ev)
}

func alibabaAccount(uid string) event.AccountRef { return account(uid, "Alibaba Cloud Account", 99) }

// nothing reports whether a text stands for no value in ActionTrail.
func nothing(s string) bool { return s == "" || s == "null" || s == "success" }

// something is s, or "" when s says nothing.
func something(s string) string {
	if nothing(s) {
		return ""
	}
	return s
}

func actionTrailAccess(rw []byte) string {
	switch string(rw) {
	case "Read":
		return "read"
	case "Write":
		return "write"
	}
	return ""
}

func actionTrailKind(d *document) string {
	kind := string(d.bytes(fEventType))
	switch category := string(d.bytes(fEventCategory)); {
	case category == "Insight", kind == "ActionTrailInsight":
		return "insight"
	case category == "Data":
		return "data"
	case signIns[kind] != 0, signIns[string(d.bytes(fEventName))] != 0:
		return "console_login"
	case kind == "ConsoleOperation", kind == "ConsoleCall":
		return "console_action"
	case kind == "AliyunServiceEvent":
		return "service"
	case isSignInService(string(d.bytes(fServiceName))) && kind != "ApiCall":
		return "console_action" // the account pages: MFABind, PasswordReset, …
	}
	return "api"
}

var signIns = map[string]int{"ConsoleSignin": 1, "ConsoleSignout": 2}

func isSignInService(name string) bool { return name == "AasCustomer" || name == "AasSub" }

// fillActionTrailService names the service, by its host if the record does not.
func fillActionTrailService(ev *event.Event, d *document) {
	s := &ev.API.Service
	s.Name, s.UID = d.word(fServiceName), d.word(fEventSource)
	switch {
	case isSignInService(s.Name):
		ev.Service = "signin"
	case s.Name != "":
		ev.Service = d.text.Intern(appendLower(d.buf[:0], s.Name))
	default:
		s.Name = host(s.UID)
		ev.Service = alibabaService(s.Name)
	}
}

func appendLower(dst []byte, s string) []byte {
	for _, c := range []byte(s) {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return dst
}

// host is the host of a URL or of a bare host with or without port and path.
func host(source string) string {
	if _, rest, ok := strings.Cut(source, "://"); ok {
		source = rest
	}
	if i := strings.IndexAny(source, ":/?#"); i >= 0 {
		source = source[:i]
	}
	return source
}

// alibabaService is the short name of the service behind an endpoint:
// kms-intranet.cn-hangzhou.aliyuncs.com is kms.
func alibabaService(host string) string {
	name, _, _ := strings.Cut(host, ".")
	name, _, _ = strings.Cut(name, "-")
	if name == "account" {
		return "signin"
	}
	return strings.ToLower(name)
}

// fillActionTrailParameters takes the parameters from their text when the
// structured ones are missing, and unpacks a response that is a text.
func fillActionTrailParameters(ev *event.Event, d *document) {
	if empty(ev.RequestRaw) {
		if text := packed(d.value(fRequestText)); text != nil {
			ev.RequestRaw = text
		}
	}
	if text := packed(ev.ResponseRaw); text != nil {
		ev.ResponseRaw = text
	}
}

func empty(value []byte) bool {
	return len(value) < 2 || len(bytes.TrimSpace(value[1:len(value)-1])) == 0
}

// packed is the object or list written inside a JSON string, nil if there is
// none.
func packed(value []byte) []byte {
	text := inner(value)
	if len(text) == 0 {
		return nil
	}
	text = bytes.TrimSpace(rawjson.AppendText(make([]byte, 0, len(text)), text))
	if len(text) == 0 || text[0] != '{' && text[0] != '[' {
		return nil
	}
	if end, st := rawjson.Skip(text, 0); st != rawjson.OK || end != len(text) {
		return nil
	}
	return text
}

func fillActionTrailPrincipal(ev *event.Event, d *document) {
	id, owner := d.identity(), ev.Account
	u, p := &ev.Actor.User, &ev.Principal
	u.Type = id.kind
	kind := principals[u.Type]
	u.TypeID, p.Type = kind.typeID, or(kind.word, "unknown")
	u.UID, u.Name = id.principal, id.user
	u.Account = alibabaAccount(owner)
	setSession(ev, id, nothing)
	p.ID, p.Name = or(or(u.UID, u.Name), owner), u.Name
	p.ARN, p.Account = id.arn, id.account
	if p.Type == "role" {
		p.Role, _, _ = strings.Cut(u.Name, ":")
	}
	if signIns[ev.API.Operation] != 0 {
		if known, used := alibabaSecondFactor(d); known {
			p.MFA = yesNo(true, used)
		}
	}
}

// alibabaSecondFactor is what a sign-in says of its own second factor.
func alibabaSecondFactor(d *document) (known, used bool) {
	extra := d.value(fAdditional)
	mfa := member(extra, "isMFAChecked") // the root account's
	if mfa == nil {
		mfa = member(extra, "mfaChecked") // a RAM user's
	}
	checked := d.plain(mfa)
	used = bytes.EqualFold(checked, []byte("true"))
	return !nothing(string(checked)), used
}

func fillActionTrailError(ev *event.Event, d *document) {
	ev.Error = event.Error{Code: something(d.word(fErrorCode)), Message: something(d.str(fErrorMessage))}
}

// fillActionTrailOutcome: a code is an error everywhere, a message alone only
// at sign-in.
func fillActionTrailOutcome(ev *event.Event, _ *document) {
	setOutcome(ev, ev.Error.Code == "" && (ev.Error.Message == "" || signIns[ev.API.Operation] == 0))
}

func fillActionTrailResources(ev *event.Event, d *document) {
	for c := rawjson.Members(d.value(fReferenced)); ; {
		name, value, ok := c.Next()
		if !ok {
			break
		}
		kind := d.text.Intern(d.name(name))
		if value[0] != '[' {
			addNamed(ev, kind, d.intern(value))
			continue
		}
		for list := rawjson.Items(value); ; {
			item, ok := list.Next()
			if !ok {
				break
			}
			addNamed(ev, kind, d.intern(item))
		}
	}
	if len(ev.Resources) == 0 {
		addListed(ev, d.str(fResourceType), d.str(fResourceName))
	}
	if len(ev.Resources) == 0 && ev.Service == "kms" {
		for _, name := range askedKeys {
			key := d.intern(member(ev.RequestRaw, name))
			addResource(ev, event.Resource{UID: key, Name: key, Type: "ACS::KMS::Key", Asked: true})
		}
	}
	setResources(ev)
}

func addNamed(ev *event.Event, kind, name string) {
	addResource(ev, event.Resource{UID: name, Name: name, Type: kind})
}

// addListed reads resourceType and resourceName: `;` between types, `,`
// between the names of one type.
func addListed(ev *event.Event, kinds, names string) {
	for kinds != "" && names != "" {
		var kind, list, name string
		kind, kinds, _ = strings.Cut(kinds, ";")
		list, names, _ = strings.Cut(names, ";")
		for list != "" {
			name, list, _ = strings.Cut(list, ",")
			addNamed(ev, kind, name)
		}
	}
}

// alibabaAccounts are the operations that change an account, with their
// activity.
var alibabaAccounts = map[string]int{
	"CreateUser": 1, "CreateRole": 1, "CreateLoginProfile": 2, "ChangePassword": 3, "PasswordModify": 3,
	"PasswordReset": 4, "UpdateLoginProfile": 4, "DeleteLoginProfile": 5, "DeleteUser": 6, "DeleteRole": 6,
	"AttachPolicyToUser": 7, "AttachPolicyToRole": 7, "AttachPolicyToGroup": 7,
	"DetachPolicyFromUser": 8, "DetachPolicyFromRole": 8, "DetachPolicyFromGroup": 8,
	"BindMFADevice": 10, "MFABind": 10, "UnbindMFADevice": 11, "MFAUnbind": 11,
	"CreateAccessKey": other, "DeleteAccessKey": other, "UpdateAccessKey": other,
}

func classifyActionTrail(ev *event.Event, d *document) {
	operation := ev.API.Operation
	if activity := signIns[operation]; activity != 0 {
		ev.User = ev.Actor.User
		ev.HasMFA, ev.IsMFA = alibabaSecondFactor(d)
		setClass(ev, event.ClassAuthentication, activity)
		return
	}
	switch ev.API.Service.Name {
	case "Sts":
		if strings.HasPrefix(operation, "AssumeRole") {
			ev.User.UID = or(d.intern(member(ev.RequestRaw, "roleArn")), ev.Actor.User.UID)
			ev.User.Name = d.copy(member(ev.RequestRaw, "roleSessionName"))
			setClass(ev, event.ClassAuthentication, 4)
			return
		}
	case "Ram", "Ims", "AasCustomer":
		if activity, ok := alibabaAccounts[operation]; ok {
			setAlibabaTarget(ev, d)
			setClass(ev, event.ClassAccountChange, activity)
			return
		}
	}
	setClass(ev, event.ClassAPIActivity, apiActivity(operation, ev.Access))
}

// setAlibabaTarget fills whose account changes and by which policy.
func setAlibabaTarget(ev *event.Event, d *document) {
	text := func(name string) string { return d.copy(member(ev.RequestRaw, name)) }
	ev.User.Name = or(or(text("userName"), text("roleName")), or(text("groupName"), ev.Actor.User.Name))
	ev.User.Account.UID = ev.Account
	if policy := text("policyName"); policy != "" {
		ev.Policies = append(ev.Policies, event.Policy{Name: policy})
	}
}
