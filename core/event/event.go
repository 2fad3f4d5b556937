// Package event is the one form every trail record takes: an OCSF 1.8.0 event
// together with the short vocabulary that rules are written in.
//
// An [Event] is filled by core/decode, read by core/rule through its `expr`
// tags, and leaves the program through [Event.AppendOCSF]. Text is copied out
// of the record; the record itself, its request and its response stay slices
// of the reader's buffer until somebody asks for them (see [Event.Load]).
package event

import "time"

// The formats a record can have, as they stand in a rule's `sources`.
const (
	CloudTrail  = "aws.cloudtrail"
	ActionTrail = "alibaba.actiontrail"
)

// The OCSF classes events are put into (OCSF 1.8.0, class_uid).
const (
	ClassAccountChange    = 3001
	ClassAuthentication   = 3002
	ClassAPIActivity      = 6003
	ClassDetectionFinding = 2004
)

// Event is one normalized record. Every field is a value, never a pointer:
// an unknown string is "", an unknown number 0, so that a rule needs no guard.
// An Event belongs to one goroutine, and the slices it holds of the record are
// good until the reader that made the record moves on.
type Event struct {
	// The short vocabulary: typed, the same word in both clouds.
	ID        string     `expr:"id"`
	Time      time.Time  `expr:"time"`
	Provider  string     `expr:"provider"`
	Service   string     `expr:"service"`
	Action    string     `expr:"action"`
	Kind      string     `expr:"kind"`
	Access    string     `expr:"access"`
	Outcome   string     `expr:"outcome"`
	Error     Error      `expr:"error"`
	Account   string     `expr:"account"`
	Region    string     `expr:"region"`
	Principal Principal  `expr:"principal"`
	IP        string     `expr:"ip"`
	UserAgent string     `expr:"user_agent"`
	Resource  Resource   `expr:"resource"`
	Resources []Resource `expr:"resources"`

	// The open parts, parsed by Load and null-safe in rules: maps,
	// slices, strings, bools, int64 and float64 only.
	Request  any `expr:"request"`
	Response any `expr:"response"`
	Raw      any `expr:"raw"`
	Unmapped any `expr:"unmapped"`

	// The OCSF event, under the names it has in the output. `time`, `service`
	// and `resources` are taken by the vocabulary above.
	ActivityID   int         `expr:"activity_id"`
	ActivityName string      `expr:"activity_name"`
	CategoryUID  int         `expr:"category_uid"`
	CategoryName string      `expr:"category_name"`
	ClassUID     int         `expr:"class_uid"`
	ClassName    string      `expr:"class_name"`
	TypeUID      int         `expr:"type_uid"`
	TypeName     string      `expr:"type_name"`
	SeverityID   int         `expr:"severity_id"`
	StatusID     int         `expr:"status_id"`
	Status       string      `expr:"status"`
	StatusCode   string      `expr:"status_code"`
	StatusDetail string      `expr:"status_detail"`
	Metadata     Metadata    `expr:"metadata"`
	Cloud        Cloud       `expr:"cloud"`
	API          API         `expr:"api"`
	Actor        Actor       `expr:"actor"`
	User         User        `expr:"user"` // target of 3001, subject of 3002
	IsMFA        bool        `expr:"is_mfa"`
	Policies     []Policy    `expr:"policies"`
	SrcEndpoint  Endpoint    `expr:"src_endpoint"`
	HTTPRequest  HTTPRequest `expr:"http_request"`
	FindingInfo  FindingInfo `expr:"finding_info"` // source insights (2004) only

	// What rules do not see.
	Format      string `expr:"-"` // CloudTrail or ActionTrail
	HasMFA      bool   `expr:"-"` // IsMFA was stated
	RawJSON     []byte `expr:"-"` // the record as delivered
	RequestRaw  []byte `expr:"-"` // request parameters as JSON, nil when absent
	ResponseRaw []byte `expr:"-"` // response elements as JSON, nil when absent
	UnmappedRaw []Pair `expr:"-"` // members of unmapped, in record order
	Text        *Text  `expr:"-"` // where the strings live; kept by Reset
	Rest        Filler `expr:"-"` // makes the closed parts that Load is asked for; nil: they are there
	loaded      Parts  // that were made
	empty       Parts  // see LeaveOut

	// Outline numbers what was done: two events of one process with the same
	// number, other than 0, have the same Format, Provider, Service, Action, Kind
	// and Access. Nobody numbered it when it is 0; whoever changes one of them
	// sets it to 0.
	Outline uint64 `expr:"-"`

	// Person numbers who did it, likewise: with the same number, other than 0,
	// events have the same Principal.
	Person uint64 `expr:"-"`
}

// Filler makes closed parts of an event. Fill is called at most once for each
// part, as long as the record the event was begun from is good.
type Filler interface {
	Fill(e *Event, parts Parts)
}

// Reset empties e for the next record and keeps what it has allocated. The
// slices of e (Resources, Policies, UnmappedRaw) are written over, its strings
// are not: they stay good for whoever still holds them.
func (e *Event) Reset() {
	text := e.Text
	if text == nil {
		text = new(Text)
	}
	if e.loaded&^partsSmall == 0 && e.Rest != nil {
		e.unbegin()
		return
	}
	*e = Event{
		Text:        text,
		Resources:   e.Resources[:0],
		Policies:    e.Policies[:0],
		UnmappedRaw: e.UnmappedRaw[:0],
	}
}

// partsSmall are the closed parts that most events meet a rule for, if any.
const partsSmall = PartID | PartIP | PartUserAgent | PartError | PartOutcome | PartPrincipal

// unbegin empties an event that was begun and of which no more than small
// parts were made, as of most: the rest of it is empty.
func (e *Event) unbegin() {
	e.Time, e.Provider, e.Service, e.Action, e.Kind = time.Time{}, "", "", "", ""
	e.Access, e.Account, e.Region = "", "", ""
	e.API.Service, e.API.Operation, e.Format, e.Outline, e.Person = APIService{}, "", "", 0, 0
	e.RawJSON, e.RequestRaw, e.ResponseRaw, e.Rest, e.empty = nil, nil, nil, nil, 0
	if e.loaded == 0 {
		return
	}
	if e.loaded&PartPrincipal != 0 {
		e.Principal, e.Actor.User, e.Actor.Session = Principal{}, User{}, Session{}
	}
	if e.loaded&(PartError|PartOutcome) != 0 {
		e.Outcome, e.Error = "", Error{}
	}
	e.ID, e.IP, e.UserAgent, e.SrcEndpoint = "", "", "", Endpoint{}
	e.loaded = 0
}

// Pair is one member of a JSON object whose value is still JSON.
type Pair struct {
	Name  string
	Value []byte
}

// Error is what the cloud answered when it refused or failed.
type Error struct {
	Code    string `expr:"code"`
	Message string `expr:"message"`
}

// Principal is who acted, in words that mean the same in both clouds.
type Principal struct {
	Type      string `expr:"type"`
	ID        string `expr:"id"`
	Name      string `expr:"name"`
	ARN       string `expr:"arn"`
	Account   string `expr:"account"`
	Role      string `expr:"role"`
	AccessKey string `expr:"access_key"`
	MFA       string `expr:"mfa"`
}

// Resource is one thing acted upon. ID and UID hold the same value.
type Resource struct {
	ID    string        `expr:"id"`
	UID   string        `expr:"uid"`
	Name  string        `expr:"name"`
	Type  string        `expr:"type"`
	Owner ResourceOwner `expr:"owner"`

	// Asked says that only the request named it (a KMS key id or alias): rules
	// see it, the OCSF event has no such resource.
	Asked bool `expr:"-"`
}

// ResourceOwner names the account a resource belongs to.
type ResourceOwner struct {
	Account AccountRef `expr:"account"`
}

// AccountRef is OCSF's account object.
type AccountRef struct {
	UID    string `expr:"uid"`
	Name   string `expr:"name"`
	Type   string `expr:"type"`
	TypeID int    `expr:"type_id"`
}

// Metadata is OCSF's metadata object.
type Metadata struct {
	UID            string  `expr:"uid"`
	Version        string  `expr:"version"`
	OriginalTime   string  `expr:"original_time"`
	EventCode      string  `expr:"event_code"`
	LogName        string  `expr:"log_name"`
	LogProvider    string  `expr:"log_provider"`
	LogVersion     string  `expr:"log_version"`
	CorrelationUID string  `expr:"correlation_uid"`
	Product        Product `expr:"product"`
}

// Product is OCSF's product object.
type Product struct {
	Name       string `expr:"name"`
	VendorName string `expr:"vendor_name"`
	Version    string `expr:"version"`
}

// Cloud is OCSF's cloud object.
type Cloud struct {
	Provider string     `expr:"provider"`
	Region   string     `expr:"region"`
	Account  AccountRef `expr:"account"`
}

// API is OCSF's api object. Data is the same value as the event's Request and
// Response.
type API struct {
	Operation string      `expr:"operation"`
	Version   string      `expr:"version"`
	Service   APIService  `expr:"service"`
	Request   APIRequest  `expr:"request"`
	Response  APIResponse `expr:"response"`
}

// APIService names the service that answered.
type APIService struct {
	Name string `expr:"name"`
	UID  string `expr:"uid"`
}

// APIRequest is OCSF's request object; it is left out when UID is empty.
type APIRequest struct {
	UID  string `expr:"uid"`
	Data any    `expr:"data"`
}

// APIResponse is OCSF's response object.
type APIResponse struct {
	Error        string `expr:"error"`
	ErrorMessage string `expr:"error_message"`
	Data         any    `expr:"data"`
}

// Actor is OCSF's actor object.
type Actor struct {
	User    User    `expr:"user"`
	Session Session `expr:"session"`
	IDP     IDP     `expr:"idp"`
	AppName string  `expr:"app_name"`
}

// User is OCSF's user object.
type User struct {
	Type    string     `expr:"type"`
	TypeID  int        `expr:"type_id"`
	UID     string     `expr:"uid"`
	UIDAlt  string     `expr:"uid_alt"`
	Name    string     `expr:"name"`
	Account AccountRef `expr:"account"`
}

// Session is OCSF's session object. CreatedTime is Unix milliseconds, 0 unknown.
type Session struct {
	CreatedTime   int64  `expr:"created_time"`
	IsMFA         bool   `expr:"is_mfa"`
	HasMFA        bool   `expr:"-"` // IsMFA was stated
	CredentialUID string `expr:"credential_uid"`
	Issuer        string `expr:"issuer"`
	UIDAlt        string `expr:"uid_alt"`
}

// IDP is OCSF's identity provider object.
type IDP struct {
	Name string `expr:"name"`
}

// Policy is OCSF's policy object.
type Policy struct {
	UID  string `expr:"uid"`
	Name string `expr:"name"`
}

// Endpoint is OCSF's network endpoint object.
type Endpoint struct {
	IP     string `expr:"ip"`
	Name   string `expr:"name"`
	UID    string `expr:"uid"`
	VPCUID string `expr:"vpc_uid"`
}

// HTTPRequest is OCSF's http_request object.
type HTTPRequest struct {
	UserAgent string `expr:"user_agent"`
}

// FindingInfo is what a source's own insight says of itself.
type FindingInfo struct {
	UID      string   `expr:"uid"`
	Title    string   `expr:"title"`
	Analytic Analytic `expr:"analytic"`
}

// Analytic is OCSF's analytic object.
type Analytic struct {
	Name   string `expr:"name"`
	Type   string `expr:"type"`
	TypeID int    `expr:"type_id"`
}
