package rule

import "github.com/trailship/trailship/core/event"

// The typed fields of the event, read without reflection. A test compares the
// tables with the expr tags.

// textFields are the fields that are text.
var textFields = map[string]func(*frame) string{
	"id":                           func(f *frame) string { return f.ev.ID },
	"provider":                     func(f *frame) string { return f.ev.Provider },
	"service":                      func(f *frame) string { return f.ev.Service },
	"action":                       func(f *frame) string { return f.ev.Action },
	"kind":                         func(f *frame) string { return f.ev.Kind },
	"access":                       func(f *frame) string { return f.ev.Access },
	"outcome":                      func(f *frame) string { return f.ev.Outcome },
	"error.code":                   func(f *frame) string { return f.ev.Error.Code },
	"error.message":                func(f *frame) string { return f.ev.Error.Message },
	"account":                      func(f *frame) string { return f.ev.Account },
	"region":                       func(f *frame) string { return f.ev.Region },
	"principal.type":               func(f *frame) string { return f.ev.Principal.Type },
	"principal.id":                 func(f *frame) string { return f.ev.Principal.ID },
	"principal.name":               func(f *frame) string { return f.ev.Principal.Name },
	"principal.arn":                func(f *frame) string { return f.ev.Principal.ARN },
	"principal.account":            func(f *frame) string { return f.ev.Principal.Account },
	"principal.role":               func(f *frame) string { return f.ev.Principal.Role },
	"principal.access_key":         func(f *frame) string { return f.ev.Principal.AccessKey },
	"principal.mfa":                func(f *frame) string { return f.ev.Principal.MFA },
	"ip":                           func(f *frame) string { return f.ev.IP },
	"user_agent":                   func(f *frame) string { return f.ev.UserAgent },
	"resource.id":                  func(f *frame) string { return f.ev.Resource.ID },
	"resource.uid":                 func(f *frame) string { return f.ev.Resource.UID },
	"resource.name":                func(f *frame) string { return f.ev.Resource.Name },
	"resource.type":                func(f *frame) string { return f.ev.Resource.Type },
	"resource.owner.account.uid":   func(f *frame) string { return f.ev.Resource.Owner.Account.UID },
	"resource.owner.account.name":  func(f *frame) string { return f.ev.Resource.Owner.Account.Name },
	"resource.owner.account.type":  func(f *frame) string { return f.ev.Resource.Owner.Account.Type },
	"activity_name":                func(f *frame) string { return f.ev.ActivityName },
	"category_name":                func(f *frame) string { return f.ev.CategoryName },
	"class_name":                   func(f *frame) string { return f.ev.ClassName },
	"type_name":                    func(f *frame) string { return f.ev.TypeName },
	"status":                       func(f *frame) string { return f.ev.Status },
	"status_code":                  func(f *frame) string { return f.ev.StatusCode },
	"status_detail":                func(f *frame) string { return f.ev.StatusDetail },
	"metadata.uid":                 func(f *frame) string { return f.ev.Metadata.UID },
	"metadata.version":             func(f *frame) string { return f.ev.Metadata.Version },
	"metadata.original_time":       func(f *frame) string { return f.ev.Metadata.OriginalTime },
	"metadata.event_code":          func(f *frame) string { return f.ev.Metadata.EventCode },
	"metadata.log_name":            func(f *frame) string { return f.ev.Metadata.LogName },
	"metadata.log_provider":        func(f *frame) string { return f.ev.Metadata.LogProvider },
	"metadata.log_version":         func(f *frame) string { return f.ev.Metadata.LogVersion },
	"metadata.correlation_uid":     func(f *frame) string { return f.ev.Metadata.CorrelationUID },
	"metadata.product.name":        func(f *frame) string { return f.ev.Metadata.Product.Name },
	"metadata.product.vendor_name": func(f *frame) string { return f.ev.Metadata.Product.VendorName },
	"metadata.product.version":     func(f *frame) string { return f.ev.Metadata.Product.Version },
	"cloud.provider":               func(f *frame) string { return f.ev.Cloud.Provider },
	"cloud.region":                 func(f *frame) string { return f.ev.Cloud.Region },
	"cloud.account.uid":            func(f *frame) string { return f.ev.Cloud.Account.UID },
	"cloud.account.name":           func(f *frame) string { return f.ev.Cloud.Account.Name },
	"cloud.account.type":           func(f *frame) string { return f.ev.Cloud.Account.Type },
	"api.operation":                func(f *frame) string { return f.ev.API.Operation },
	"api.version":                  func(f *frame) string { return f.ev.API.Version },
	"api.service.name":             func(f *frame) string { return f.ev.API.Service.Name },
	"api.service.uid":              func(f *frame) string { return f.ev.API.Service.UID },
	"api.request.uid":              func(f *frame) string { return f.ev.API.Request.UID },
	"api.response.error":           func(f *frame) string { return f.ev.API.Response.Error },
	"api.response.error_message":   func(f *frame) string { return f.ev.API.Response.ErrorMessage },
	"actor.user.type":              func(f *frame) string { return f.ev.Actor.User.Type },
	"actor.user.uid":               func(f *frame) string { return f.ev.Actor.User.UID },
	"actor.user.uid_alt":           func(f *frame) string { return f.ev.Actor.User.UIDAlt },
	"actor.user.name":              func(f *frame) string { return f.ev.Actor.User.Name },
	"actor.user.account.uid":       func(f *frame) string { return f.ev.Actor.User.Account.UID },
	"actor.user.account.name":      func(f *frame) string { return f.ev.Actor.User.Account.Name },
	"actor.user.account.type":      func(f *frame) string { return f.ev.Actor.User.Account.Type },
	"actor.session.credential_uid": func(f *frame) string { return f.ev.Actor.Session.CredentialUID },
	"actor.session.issuer":         func(f *frame) string { return f.ev.Actor.Session.Issuer },
	"actor.session.uid_alt":        func(f *frame) string { return f.ev.Actor.Session.UIDAlt },
	"actor.idp.name":               func(f *frame) string { return f.ev.Actor.IDP.Name },
	"actor.app_name":               func(f *frame) string { return f.ev.Actor.AppName },
	"user.type":                    func(f *frame) string { return f.ev.User.Type },
	"user.uid":                     func(f *frame) string { return f.ev.User.UID },
	"user.uid_alt":                 func(f *frame) string { return f.ev.User.UIDAlt },
	"user.name":                    func(f *frame) string { return f.ev.User.Name },
	"user.account.uid":             func(f *frame) string { return f.ev.User.Account.UID },
	"user.account.name":            func(f *frame) string { return f.ev.User.Account.Name },
	"user.account.type":            func(f *frame) string { return f.ev.User.Account.Type },
	"src_endpoint.ip":              func(f *frame) string { return f.ev.SrcEndpoint.IP },
	"src_endpoint.name":            func(f *frame) string { return f.ev.SrcEndpoint.Name },
	"src_endpoint.uid":             func(f *frame) string { return f.ev.SrcEndpoint.UID },
	"src_endpoint.vpc_uid":         func(f *frame) string { return f.ev.SrcEndpoint.VPCUID },
	"http_request.user_agent":      func(f *frame) string { return f.ev.HTTPRequest.UserAgent },
	"finding_info.uid":             func(f *frame) string { return f.ev.FindingInfo.UID },
	"finding_info.title":           func(f *frame) string { return f.ev.FindingInfo.Title },
	"finding_info.analytic.name":   func(f *frame) string { return f.ev.FindingInfo.Analytic.Name },
	"finding_info.analytic.type":   func(f *frame) string { return f.ev.FindingInfo.Analytic.Type },
}

// numberFields are the fields that are whole numbers; wide ones are int64.
var numberFields = map[string]func(*frame) int64{
	"resource.owner.account.type_id": func(f *frame) int64 { return int64(f.ev.Resource.Owner.Account.TypeID) },
	"activity_id":                    func(f *frame) int64 { return int64(f.ev.ActivityID) },
	"category_uid":                   func(f *frame) int64 { return int64(f.ev.CategoryUID) },
	"class_uid":                      func(f *frame) int64 { return int64(f.ev.ClassUID) },
	"type_uid":                       func(f *frame) int64 { return int64(f.ev.TypeUID) },
	"severity_id":                    func(f *frame) int64 { return int64(f.ev.SeverityID) },
	"status_id":                      func(f *frame) int64 { return int64(f.ev.StatusID) },
	"cloud.account.type_id":          func(f *frame) int64 { return int64(f.ev.Cloud.Account.TypeID) },
	"actor.user.type_id":             func(f *frame) int64 { return int64(f.ev.Actor.User.TypeID) },
	"actor.user.account.type_id":     func(f *frame) int64 { return int64(f.ev.Actor.User.Account.TypeID) },
	"actor.session.created_time":     func(f *frame) int64 { return f.ev.Actor.Session.CreatedTime },
	"user.type_id":                   func(f *frame) int64 { return int64(f.ev.User.TypeID) },
	"user.account.type_id":           func(f *frame) int64 { return int64(f.ev.User.Account.TypeID) },
	"finding_info.analytic.type_id":  func(f *frame) int64 { return int64(f.ev.FindingInfo.Analytic.TypeID) },
}

var wideFields = map[string]bool{"actor.session.created_time": true}

// flagFields are the fields that are true or false.
var flagFields = map[string]func(*frame) bool{
	"actor.session.is_mfa": func(f *frame) bool { return f.ev.Actor.Session.IsMFA },
	"is_mfa":               func(f *frame) bool { return f.ev.IsMFA },
}

// otherFields are those whose values are looked at as a whole.
var otherFields = map[string]func(*frame) any{
	"time":              func(f *frame) any { return f.ev.Time },
	"resources":         func(f *frame) any { return f.ev.Resources },
	"request":           func(f *frame) any { return f.ev.Request },
	"response":          func(f *frame) any { return f.ev.Response },
	"raw":               func(f *frame) any { return f.ev.Raw },
	"unmapped":          func(f *frame) any { return f.ev.Unmapped },
	"api.request.data":  func(f *frame) any { return f.ev.API.Request.Data },
	"api.response.data": func(f *frame) any { return f.ev.API.Response.Data },
	"policies":          func(f *frame) any { return f.ev.Policies },
}

// openFields are the open parts that closures walk as JSON.
var openFields = map[string]event.Parts{
	"request": event.PartRequest, "response": event.PartResponse, "raw": event.PartRaw,
	"api.request.data": event.PartRequest, "api.response.data": event.PartResponse,
}

// Elements of the lists of the event.
var (
	resourceTexts = map[string]func(*event.Resource) string{
		"id": func(r *event.Resource) string { return r.ID }, "uid": func(r *event.Resource) string { return r.UID },
		"name": func(r *event.Resource) string { return r.Name }, "type": func(r *event.Resource) string { return r.Type },
		"owner.account.uid":  func(r *event.Resource) string { return r.Owner.Account.UID },
		"owner.account.name": func(r *event.Resource) string { return r.Owner.Account.Name },
		"owner.account.type": func(r *event.Resource) string { return r.Owner.Account.Type },
	}
	policyTexts = map[string]func(*event.Policy) string{
		"uid": func(p *event.Policy) string { return p.UID }, "name": func(p *event.Policy) string { return p.Name },
	}
	arnTexts = map[string]func(ARN) string{
		"partition": func(a ARN) string { return a.Partition }, "service": func(a ARN) string { return a.Service },
		"region": func(a ARN) string { return a.Region }, "account": func(a ARN) string { return a.Account },
		"resource": func(a ARN) string { return a.Resource },
	}
)

// partsOfField is what reading a field by its whole name needs.
func partsOfField(path string) event.Parts {
	switch path {
	case "request", "response", "raw":
		return event.PartsOf(path)
	case "api.request.data":
		return event.PartRequest
	case "api.response.data":
		return event.PartResponse
	}
	top := path
	for i := range path {
		if path[i] == '.' {
			top = path[:i]
			break
		}
	}
	if top == "api" {
		return event.PartsOf(top) & event.PartsClosed
	}
	return event.PartsOf(top)
}
