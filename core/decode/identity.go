package decode

import (
	"bytes"
	"hash/maphash"
	"net/netip"
	"strings"
	"sync/atomic"

	"github.com/trailship/trailship/core/event"
	"github.com/trailship/trailship/core/event/rawjson"
)

// principals are the identity types of both clouds: OCSF's user type and the
// short vocabulary's word.
var principals = map[string]struct {
	typeID int
	word   string
}{
	"Root": {2, "root"}, "IAMUser": {1, "user"}, "IdentityCenterUser": {1, "user"}, "Directory": {1, "user"},
	"SAMLUser": {1, "federated"}, "WebIdentityUser": {1, "federated"}, "FederatedUser": {99, "federated"},
	"AssumedRole": {99, "role"}, "Role": {99, "role"}, "AWSAccount": {99, "account"}, "AWSService": {3, "service"},

	"root-account": {2, "root"}, "ram-user": {1, "user"}, "cloudsso-user": {1, "user"}, "saml-user": {1, "federated"},
	"oidc-user": {1, "federated"}, "assumed-role": {99, "role"}, "alibaba-cloud-account": {99, "account"}, "system": {3, "service"},
}

// identity is userIdentity in either cloud's words, "" for what is absent.
type identity struct {
	kind, principal, arn, account, key, user, invokedBy, provider, behalf string

	session struct {
		created                int64 // Unix milliseconds, 0 unknown
		mfa, source, federated string
		issuer                 struct{ arn, name string }
	}
}

// person is an identity and how it was written.
type person struct {
	written []byte // JSON that was checked
	read    bool   // the identity was read
	identity

	number uint64  // the event's
	format *format // of the records numbered so, nil for none yet
}

// people are the identities a reader remembers: few act at a time, and most
// records have one that was there a moment ago, which then is neither scanned
// nor read again. Who begins alike, such as one role in several sessions, shares
// a group.
type people struct {
	groups []group
	here   // in the record that is scanned
}

// here is the identity of one record.
type here struct {
	at    *byte   // where it starts
	group *group  // where to remember it
	who   *person // it was remembered
}

type group struct {
	known [4]person
	next  uint8 // to be forgotten
}

const (
	knownGroups  = 128
	longestKnown = 2 << 10 // bytes of an identity that is remembered
	personBegins = 96      // bytes that tell most people apart
)

var peopleSeed = maphash.MakeSeed()

// forget is for a record that is about to be scanned.
func (p *people) forget() { p.here = here{} }

// Ask knows the length of an identity that was there before.
func (p *people) Ask(name, rest []byte) int {
	if string(name) != "userIdentity" {
		return 0
	}
	if p.groups == nil {
		p.groups = make([]group, knownGroups)
	}
	p.at, p.who = &rest[0], nil
	begins := rest[:min(len(rest), personBegins)]
	if end := bytes.IndexByte(begins, '}'); end > 0 {
		begins = begins[:end]
	}
	p.group = &p.groups[maphash.Bytes(peopleSeed, begins)%knownGroups]
	for i := range p.group.known {
		who := &p.group.known[i]
		if n := len(who.written); n > 0 && bytes.HasPrefix(rest, who.written) {
			p.who = who
			return n
		}
	}
	return 0
}

// remember returns who the checked value names, nil for one too long to
// remember and for one nobody asked about.
func (p *people) remember(value []byte) *person {
	if len(value) == 0 || p.at != &value[0] {
		return nil
	}
	if p.who == nil && len(value) <= longestKnown {
		p.who = &p.group.known[p.group.next]
		p.group.next = (p.group.next + 1) % uint8(len(p.group.known))
		p.who.written, p.who.read, p.who.format = append(p.who.written[:0], value...), false, nil
	}
	return p.who
}

// identity reads the userIdentity of the record.
func (d *document) identity() *identity {
	value := d.value(fIdentity)
	who := d.people.remember(value)
	if who == nil {
		who = new(person)
	}
	if !who.read {
		who.identity, who.read = identity{}, true
		who.identity.read(d, value)
	}
	return &who.identity
}

var lastPerson atomic.Uint64 // number that was given away

// person is the number of who did it, 0 when more than the userIdentity may say
// who that is.
func (d *document) person() uint64 {
	who := d.people.remember(d.value(fIdentity))
	if who == nil || d.has(fAdditional) || d.has(fServiceDetails) {
		return 0
	}
	if who.format != d.format {
		who.number, who.format = lastPerson.Add(1), d.format
	}
	return who.number
}

// read walks a userIdentity.
func (id *identity) read(d *document, value []byte) {
	var buf [32]byte
	for c := rawjson.Members(value); ; {
		name, value, ok := c.Next()
		if !ok {
			return
		}
		switch string(lowerFirst(&buf, name)) {
		case "type":
			id.kind = d.intern(value)
		case "principalId":
			id.principal = d.intern(value)
		case "arn":
			id.arn = d.intern(value)
		case "accountId":
			id.account = d.intern(value)
		case "accessKeyId":
			id.key = d.intern(value)
		case "userName":
			id.user = d.intern(value)
		case "invokedBy":
			id.invokedBy = d.intern(value)
		case "identityProvider":
			id.provider = d.intern(value)
		case "onBehalfOf":
			id.behalf = d.intern(member(value, "userId"))
		case "sessionContext":
			id.readSession(d, value)
		}
	}
}

func (id *identity) readSession(d *document, value []byte) {
	s := &id.session
	var buf [32]byte
	for c := rawjson.Members(value); ; {
		name, value, ok := c.Next()
		if !ok {
			return
		}
		switch string(lowerFirst(&buf, name)) {
		case "attributes", "sessionAttributes":
			created, mfa := two(value, "creationDate", "mfaAuthenticated")
			s.mfa, s.created = d.intern(mfa), 0
			if t, ok := parseTime(d.plain(created)); ok {
				s.created = t.UnixMilli()
			}
		case "sessionIssuer":
			arn, name := two(value, "arn", "userName")
			s.issuer.arn, s.issuer.name = d.intern(arn), d.intern(name)
		case "webIdFederationData":
			s.federated = d.intern(member(value, "federatedProvider"))
		case "sourceIdentity":
			s.source = d.intern(value)
		}
	}
}

// two are the values of two members of an object whose names, when they begin
// with a small letter, may begin with its capital too; nil for what is absent or
// null. The last of several counts, however it is spelled.
func two(object []byte, first, second string) (a, b []byte) {
	for c := rawjson.Members(object); ; {
		name, value, ok := c.Next()
		if !ok {
			return a, b
		}
		if value[0] == 'n' {
			value = nil
		}
		switch {
		case spells(name, first):
			a = value
		case spells(name, second):
			b = value
		}
	}
}

// member is the value of one member, as two says.
func member(object []byte, name string) []byte {
	value, _ := two(object, name, "")
	return value
}

// spells reports that a raw name is an ASCII name, or that name with a capital
// first.
func spells(raw []byte, name string) bool {
	if len(raw) != len(name) {
		return len(raw) > len(name) && escaped(raw) && rawjson.Is(raw, name)
	}
	if string(raw) == name {
		return true
	}
	first := raw[0]
	return first >= 'A' && first <= 'Z' && first|0x20 == name[0] && string(raw[1:]) == name[1:]
}

// setIP files the caller's address: an IP address, or the name of a service.
func setIP(ev *event.Event, d *document) {
	source := d.word(fSourceIP)
	if a, err := netip.ParseAddr(source); err == nil && a.Zone() == "" {
		ev.SrcEndpoint.IP, ev.IP = source, source
		return
	}
	ev.SrcEndpoint.Name = or(source, "unknown")
}

func setUserAgent(ev *event.Event, d *document) { ev.UserAgent = d.word(fUserAgent) }

// setSession files the session's credential and MFA; nothing says which texts
// stand for no value.
func setSession(ev *event.Event, id *identity, nothing func(string) bool) {
	s := &ev.Actor.Session
	if !nothing(id.key) {
		s.CredentialUID = id.key
	}
	if mfa := id.session.mfa; !nothing(mfa) {
		s.HasMFA, s.IsMFA = true, mfa == "true"
	}
	ev.Principal.AccessKey = s.CredentialUID
	ev.Principal.MFA = yesNo(s.HasMFA, s.IsMFA)
}

func yesNo(known, yes bool) string {
	switch {
	case !known:
		return ""
	case yes:
		return "yes"
	}
	return "no"
}

// nameSomebody makes sure that the actor and the target satisfy OCSF, which
// wants a user to have an account, a name or an id.
func nameSomebody(ev *event.Event) {
	nameUser(&ev.Actor.User)
	if ev.ClassUID != event.ClassAPIActivity {
		nameUser(&ev.User)
	}
}

func nameUser(u *event.User) {
	if u.Name == "" && u.UID == "" && u.Account.UID == "" {
		u.Name = "unknown"
	}
}

// setResources makes the first resource the resource.
func setResources(ev *event.Event) {
	if len(ev.Resources) > 0 {
		ev.Resource = ev.Resources[0]
	}
}

func addResource(ev *event.Event, r event.Resource) {
	if r.UID = or(r.UID, r.Name); r.UID == "" {
		return
	}
	r.ID = r.UID
	ev.Resources = append(ev.Resources, r)
}

// account is an account id in the cloud's own kind.
func account(uid, kind string, kindID int) event.AccountRef {
	if uid == "" {
		return event.AccountRef{}
	}
	return event.AccountRef{UID: uid, Type: kind, TypeID: kindID}
}

// lastSegment is what follows the last separator, all of s without one.
func lastSegment(s, separators string) string {
	return s[strings.LastIndexAny(s, separators)+1:]
}
