package event

// Parts says which parts of an event are wanted. What no part names (the
// time, provider, service, action, kind, access, account and region) is there from
// the start; the rest is made by [Event.Load], because most events meet no rule
// that looks at it.
type Parts uint16

// The open parts are a stranger's JSON, parsed as a whole.
const (
	PartRequest Parts = 1 << iota // Request and API.Request.Data
	PartResponse
	PartRaw
	PartUnmapped
)

// The closed parts are typed fields.
const (
	PartID        Parts = 1 << (iota + 4) // ID
	PartIP                                // IP
	PartUserAgent                         // UserAgent
	PartError                             // Error
	PartOutcome                           // Outcome; needs Error
	PartPrincipal                         // Principal
	PartResources                         // Resource, Resources
	PartOCSF                              // everything else that is typed; needs the others

	// PartsOpen and PartsClosed are all of a kind; PartsAll is everything.
	PartsOpen   = PartRequest | PartResponse | PartRaw | PartUnmapped
	PartsClosed = PartID | PartIP | PartUserAgent | PartError | PartOutcome | PartPrincipal | PartResources | PartOCSF
	PartsAll    = PartsOpen | PartsClosed
)

// PartsOf is what a rule needs that reads the field called name (one of the
// names in Event's expr tags, whole): the open parts of `api` included.
func PartsOf(name string) Parts {
	switch name {
	case "time", "provider", "service", "action", "kind", "access", "account", "region":
		return 0
	case "id":
		return PartID
	case "ip":
		return PartIP
	case "user_agent":
		return PartUserAgent
	case "error":
		return PartError
	case "outcome":
		return PartOutcome
	case "principal":
		return PartPrincipal
	case "resource", "resources":
		return PartResources
	case "request":
		return PartRequest
	case "response":
		return PartResponse
	case "raw":
		return PartRaw
	case "unmapped":
		return PartUnmapped | PartsClosed
	case "api":
		return PartsClosed | PartRequest | PartResponse
	}
	return PartsClosed
}
