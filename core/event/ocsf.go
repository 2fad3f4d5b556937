package event

import "github.com/trailship/trailship/core/event/rawjson"

// OCSFVersion is the schema version events and findings are written in.
const OCSFVersion = "1.8.0"

// AppendOCSF appends the OCSF event as compact JSON without a newline. The
// result is valid JSON whatever the record held. Safe to call again; it reads
// the raw slices, not what Load made of them.
func (e *Event) AppendOCSF(dst []byte) []byte {
	_ = e.Load(PartsClosed) // only open parts fail
	w := writer{append(dst, '{')}
	w.metadata(e)
	w.int("time", e.Time.UnixMilli())
	w.class(e)
	w.status(e)
	w.cloud(e)
	if e.ClassUID == ClassDetectionFinding {
		w.insight(e)
	} else {
		w.activity(e)
	}
	w.unmapped(e)
	w.b = append(w.b, '}')
	return w.b
}

func (w *writer) metadata(e *Event) {
	m := &e.Metadata
	mark := w.open("metadata")
	w.string("version", m.Version)
	w.string("uid", m.UID)
	w.string("original_time", m.OriginalTime)
	w.string("event_code", m.EventCode)
	w.string("log_name", m.LogName)
	w.string("log_provider", m.LogProvider)
	w.string("log_version", m.LogVersion)
	w.string("correlation_uid", m.CorrelationUID)
	w.product(m.Product)
	w.strings("profiles", []string{"cloud"})
	w.close(mark)
}

func (w *writer) product(p Product) {
	mark := w.open("product")
	w.string("name", p.Name)
	w.string("vendor_name", p.VendorName)
	w.string("version", p.Version)
	w.close(mark)
}

func (w *writer) class(e *Event) {
	w.int("category_uid", int64(e.CategoryUID))
	w.string("category_name", e.CategoryName)
	w.int("class_uid", int64(e.ClassUID))
	w.string("class_name", e.ClassName)
	w.int("activity_id", int64(e.ActivityID))
	w.string("activity_name", e.ActivityName)
	w.int("type_uid", int64(e.TypeUID))
	w.string("type_name", e.TypeName)
	w.int("severity_id", int64(e.SeverityID))
	w.string("severity", "Informational")
}

func (w *writer) status(e *Event) {
	w.int("status_id", int64(e.StatusID))
	w.string("status", e.Status)
	w.string("status_code", e.StatusCode)
	w.string("status_detail", e.StatusDetail)
}

func (w *writer) cloud(e *Event) {
	mark := w.open("cloud")
	w.string("provider", e.Cloud.Provider)
	w.account(e.Cloud.Account)
	w.string("region", e.Cloud.Region)
	w.close(mark)
}

// account writes an account that has a name or an id, as OCSF demands.
func (w *writer) account(a AccountRef) {
	if a.UID == "" && a.Name == "" {
		return
	}
	mark := w.open("account")
	w.string("uid", a.UID)
	w.string("name", a.Name)
	w.string("type", a.Type)
	if a.TypeID != 0 {
		w.int("type_id", int64(a.TypeID))
	}
	w.close(mark)
}

// activity writes what the three activity classes share and what each has of
// its own.
func (w *writer) activity(e *Event) {
	w.actor(e)
	w.api(e)
	w.endpoint(e.SrcEndpoint)
	w.httpRequest(e)
	switch e.ClassUID {
	case ClassAuthentication:
		w.user("user", e.User, e.User.Type != "")
		if e.HasMFA {
			w.bool("is_mfa", e.IsMFA)
		}
		mark := w.open("service")
		w.string("name", e.API.Service.Name)
		w.close(mark)
	case ClassAccountChange:
		w.user("user", e.User, e.User.Type != "")
		w.policies(e.Policies)
	default:
		w.resources(e)
	}
}

func (w *writer) insight(e *Event) {
	if e.API.Operation != "" {
		w.api(e)
	}
	mark := w.open("finding_info")
	w.string("uid", e.FindingInfo.UID)
	w.string("title", e.FindingInfo.Title)
	if a := e.FindingInfo.Analytic; a.Name != "" {
		mark := w.open("analytic")
		w.string("name", a.Name)
		w.string("type", a.Type)
		w.int("type_id", int64(a.TypeID))
		w.close(mark)
	}
	w.close(mark)
}

func (w *writer) actor(e *Event) {
	mark := w.open("actor")
	w.user("user", e.Actor.User, true)
	s := &e.Actor.Session
	session := w.open("session")
	if s.CreatedTime != 0 {
		w.int("created_time", s.CreatedTime)
	}
	if s.HasMFA {
		w.bool("is_mfa", s.IsMFA)
	}
	w.string("credential_uid", s.CredentialUID)
	w.string("issuer", s.Issuer)
	w.string("uid_alt", s.UIDAlt)
	w.close(session)
	idp := w.open("idp")
	w.string("name", e.Actor.IDP.Name)
	w.close(idp)
	w.string("app_name", e.Actor.AppName)
	w.close(mark)
}

// user writes u; its type_id also when unknown if the type was asked for.
func (w *writer) user(name string, u User, typed bool) {
	mark := w.open(name)
	w.string("type", u.Type)
	if typed {
		w.int("type_id", int64(u.TypeID))
	}
	w.string("uid", u.UID)
	w.string("uid_alt", u.UIDAlt)
	w.string("name", u.Name)
	w.account(u.Account)
	w.close(mark)
}

func (w *writer) api(e *Event) {
	a := &e.API
	mark := w.open("api")
	w.string("operation", a.Operation)
	w.string("version", a.Version)
	service := w.open("service")
	w.string("name", a.Service.Name)
	w.string("uid", a.Service.UID)
	w.close(service)
	if a.Request.UID != "" {
		request := w.open("request")
		w.string("uid", a.Request.UID)
		w.json("data", e.RequestRaw)
		w.close(request)
	}
	response := w.open("response")
	w.string("error", a.Response.Error)
	w.string("error_message", a.Response.ErrorMessage)
	w.json("data", e.ResponseRaw)
	w.close(response)
	w.close(mark)
}

func (w *writer) endpoint(p Endpoint) {
	mark := w.open("src_endpoint")
	w.string("ip", p.IP)
	w.string("name", p.Name)
	w.string("uid", p.UID)
	w.string("vpc_uid", p.VPCUID)
	w.close(mark)
}

func (w *writer) httpRequest(e *Event) {
	mark := w.open("http_request")
	w.string("user_agent", e.HTTPRequest.UserAgent)
	w.close(mark)
}

func (w *writer) policies(list []Policy) {
	mark := w.openList("policies")
	for _, p := range list {
		w.comma()
		w.b = append(w.b, '{')
		w.string("uid", p.UID)
		w.string("name", p.Name)
		w.b = append(w.b, '}')
	}
	w.closeList(mark)
}

func (w *writer) resources(e *Event) {
	mark := w.openList("resources")
	for _, r := range e.Resources {
		if !r.Asked {
			w.comma()
			w.resource(r)
		}
	}
	w.closeList(mark)
}

func (w *writer) resource(r Resource) {
	w.b = append(w.b, '{')
	w.string("uid", r.UID)
	w.string("name", r.Name)
	w.string("type", r.Type)
	owner := w.open("owner")
	w.account(r.Owner.Account)
	w.close(owner)
	w.b = append(w.b, '}')
}

func (w *writer) unmapped(e *Event) {
	hidden := e.hidesResources()
	mark := w.open("unmapped")
	for _, p := range e.UnmappedRaw {
		if emptyJSON(p.Value) || hidden && p.Name == "resources" {
			continue
		}
		w.comma()
		w.text(p.Name)
		w.b = append(w.b, ':')
		w.b = rawjson.AppendCompact(w.b, p.Value)
	}
	if hidden {
		w.resources(e)
	}
	w.close(mark)
}
