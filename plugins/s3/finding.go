package s3

import (
	"bytes"
	"encoding/json"
	"strings"
)

// finding is a row: OCSF's Detection Finding (class 2004) as the daemon writes
// it. What an alert does not have is null. Open objects, whose members differ
// from alert to alert, are JSON in a column of text, so that all objects of a
// table have the same columns.
type finding struct {
	Time         int64       `json:"time" parquet:"time"` // milliseconds, OCSF's timestamp_t
	CategoryUID  int32       `json:"category_uid" parquet:"category_uid"`
	CategoryName string      `json:"category_name" parquet:"category_name,optional,dict"`
	ClassUID     int32       `json:"class_uid" parquet:"class_uid"`
	ClassName    string      `json:"class_name" parquet:"class_name,optional,dict"`
	ActivityID   int32       `json:"activity_id" parquet:"activity_id"`
	ActivityName string      `json:"activity_name" parquet:"activity_name,optional,dict"`
	TypeUID      int64       `json:"type_uid" parquet:"type_uid"`
	TypeName     string      `json:"type_name" parquet:"type_name,optional,dict"`
	SeverityID   int32       `json:"severity_id" parquet:"severity_id"`
	Severity     string      `json:"severity" parquet:"severity,optional,dict"`
	StatusID     int32       `json:"status_id" parquet:"status_id"`
	Status       string      `json:"status" parquet:"status,optional,dict"`
	IsAlert      bool        `json:"is_alert" parquet:"is_alert"`
	Message      string      `json:"message" parquet:"message,optional"`
	Metadata     metadata    `json:"metadata" parquet:"metadata"`
	FindingInfo  findingInfo `json:"finding_info" parquet:"finding_info"`
	Cloud        *cloud      `json:"cloud" parquet:"cloud,optional"`
	Actor        *actor      `json:"actor" parquet:"actor,optional"`
	API          *api        `json:"api" parquet:"api,optional"`
	Resources    []resource  `json:"resources" parquet:"resources,list"`
	Evidences    []evidence  `json:"evidences" parquet:"evidences,list"`
	Unmapped     members     `json:"unmapped" parquet:"unmapped"`
}

type metadata struct {
	UID            string   `json:"uid" parquet:"uid"`
	Version        string   `json:"version" parquet:"version,optional,dict"`
	OriginalTime   string   `json:"original_time" parquet:"original_time,optional"`
	ProcessedTime  int64    `json:"processed_time" parquet:"processed_time,optional"`
	LogProvider    string   `json:"log_provider" parquet:"log_provider,optional,dict"`
	CorrelationUID string   `json:"correlation_uid" parquet:"correlation_uid,optional"`
	Product        product  `json:"product" parquet:"product"`
	Profiles       []string `json:"profiles" parquet:"profiles,list"`
}

type product struct {
	Name       string `json:"name" parquet:"name,optional,dict"`
	VendorName string `json:"vendor_name" parquet:"vendor_name,optional,dict"`
	Version    string `json:"version" parquet:"version,optional,dict"`
}

type findingInfo struct {
	UID           string         `json:"uid" parquet:"uid"`
	Title         string         `json:"title" parquet:"title,optional,dict"`
	Desc          string         `json:"desc" parquet:"desc,optional,dict"`
	Types         []string       `json:"types" parquet:"types,list"`
	CreatedTime   int64          `json:"created_time" parquet:"created_time,optional"`
	FirstSeenTime int64          `json:"first_seen_time" parquet:"first_seen_time,optional"`
	LastSeenTime  int64          `json:"last_seen_time" parquet:"last_seen_time,optional"`
	DataSources   []string       `json:"data_sources" parquet:"data_sources,list"`
	Analytic      analytic       `json:"analytic" parquet:"analytic"`
	Attacks       []attack       `json:"attacks" parquet:"attacks,list"`
	RelatedEvents []relatedEvent `json:"related_events" parquet:"related_events,list"`
}

type analytic struct {
	UID     string `json:"uid" parquet:"uid,optional,dict"`
	Name    string `json:"name" parquet:"name,optional,dict"`
	Version string `json:"version" parquet:"version,optional,dict"`
	Type    string `json:"type" parquet:"type,optional,dict"`
	TypeID  int32  `json:"type_id" parquet:"type_id"`
}

type attack struct {
	Tactic       *named `json:"tactic" parquet:"tactic,optional"`
	Technique    *named `json:"technique" parquet:"technique,optional"`
	SubTechnique *named `json:"sub_technique" parquet:"sub_technique,optional"`
}

type relatedEvent struct {
	UID     string   `json:"uid" parquet:"uid,optional"`
	TypeUID int64    `json:"type_uid" parquet:"type_uid,optional"`
	Type    string   `json:"type" parquet:"type,optional,dict"`
	Product *product `json:"product" parquet:"product,optional"`
}

type cloud struct {
	Provider string   `json:"provider" parquet:"provider,optional,dict"`
	Account  *account `json:"account" parquet:"account,optional"`
	Region   string   `json:"region" parquet:"region,optional,dict"`
}

type account struct {
	UID    string `json:"uid" parquet:"uid,optional,dict"`
	Name   string `json:"name" parquet:"name,optional,dict"`
	Type   string `json:"type" parquet:"type,optional,dict"`
	TypeID int32  `json:"type_id" parquet:"type_id,optional"`
}

type actor struct {
	User    *user    `json:"user" parquet:"user,optional"`
	Session *session `json:"session" parquet:"session,optional"`
	IDP     *named   `json:"idp" parquet:"idp,optional"`
	AppName string   `json:"app_name" parquet:"app_name,optional"`
}

type user struct {
	Type    string   `json:"type" parquet:"type,optional,dict"`
	TypeID  int32    `json:"type_id" parquet:"type_id"`
	UID     string   `json:"uid" parquet:"uid,optional"`
	UIDAlt  string   `json:"uid_alt" parquet:"uid_alt,optional"`
	Name    string   `json:"name" parquet:"name,optional"`
	Account *account `json:"account" parquet:"account,optional"`
}

type session struct {
	CreatedTime   int64  `json:"created_time" parquet:"created_time,optional"`
	IsMFA         *bool  `json:"is_mfa" parquet:"is_mfa,optional"`
	CredentialUID string `json:"credential_uid" parquet:"credential_uid,optional"`
	Issuer        string `json:"issuer" parquet:"issuer,optional"`
	UIDAlt        string `json:"uid_alt" parquet:"uid_alt,optional"`
}

type api struct {
	Operation string    `json:"operation" parquet:"operation,optional,dict"`
	Version   string    `json:"version" parquet:"version,optional,dict"`
	Service   *named    `json:"service" parquet:"service,optional"`
	Request   *request  `json:"request" parquet:"request,optional"`
	Response  *response `json:"response" parquet:"response,optional"`
}

type request struct {
	UID  string `json:"uid" parquet:"uid,optional"`
	Data text   `json:"data" parquet:"data,optional"`
}

type response struct {
	Error        string `json:"error" parquet:"error,optional,dict"`
	ErrorMessage string `json:"error_message" parquet:"error_message,optional"`
	Data         text   `json:"data" parquet:"data,optional"`
}

type resource struct {
	UID   string `json:"uid" parquet:"uid,optional"`
	Name  string `json:"name" parquet:"name,optional"`
	Type  string `json:"type" parquet:"type,optional,dict"`
	Owner *owner `json:"owner" parquet:"owner,optional"`
}

type owner struct {
	Account *account `json:"account" parquet:"account,optional"`
}

type evidence struct {
	Actor       *actor       `json:"actor" parquet:"actor,optional"`
	API         *api         `json:"api" parquet:"api,optional"`
	SrcEndpoint *endpoint    `json:"src_endpoint" parquet:"src_endpoint,optional"`
	HTTPRequest *httpRequest `json:"http_request" parquet:"http_request,optional"`
	Resources   []resource   `json:"resources" parquet:"resources,list"`
	Data        text         `json:"data" parquet:"data,optional"`
}

type endpoint struct {
	IP     string `json:"ip" parquet:"ip,optional"`
	Name   string `json:"name" parquet:"name,optional"`
	UID    string `json:"uid" parquet:"uid,optional"`
	VPCUID string `json:"vpc_uid" parquet:"vpc_uid,optional"`
}

type httpRequest struct {
	UserAgent string `json:"user_agent" parquet:"user_agent,optional"`
}

// named is one of OCSF's objects of which the daemon writes no more.
type named struct {
	UID  string `json:"uid" parquet:"uid,optional,dict"`
	Name string `json:"name" parquet:"name,optional,dict"`
}

// text is any JSON, as text. Parquet's text is UTF-8, and one byte that is not
// makes readers refuse the whole object.
type text string

// UnmarshalJSON keeps the value as it is, without the spaces.
func (t *text) UnmarshalJSON(value []byte) error {
	var out bytes.Buffer
	err := json.Compact(&out, value)
	*t = text(strings.ToValidUTF8(out.String(), "\uFFFD"))
	return err
}

// members is an open object: its members' names, and their values as text.
// Security Lake's own tables have OCSF's unmapped as such a map.
type members map[string]string

// UnmarshalJSON keeps strings as they are and everything else as JSON.
func (m *members) UnmarshalJSON(value []byte) error {
	var open map[string]json.RawMessage
	if err := json.Unmarshal(value, &open); err != nil {
		return err
	}
	*m = make(members, len(open))
	for name, value := range open {
		var s string
		if json.Unmarshal(value, &s) != nil {
			s = strings.ToValidUTF8(string(value), "\uFFFD")
		}
		(*m)[name] = s
	}
	return nil
}
