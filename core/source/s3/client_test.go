package s3

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/source/sourcetest"
)

// alone hides whoever runs the tests.
func alone(t *testing.T) {
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

func TestWhereABucketIs(t *testing.T) {
	alone(t)
	for _, test := range []struct{ endpoint, region, url, signedFor string }{
		{"", "eu-west-1", "https://acme.s3.eu-west-1.amazonaws.com/a.json", "eu-west-1"},
		{"http://127.0.0.1:9000", "", "http://127.0.0.1:9000/acme/a.json", "us-east-1"},
		{"https://minio.example.com/s3", "x", "https://minio.example.com/s3/acme/a.json", "x"},
		{"https://s3.oss-cn-hangzhou.aliyuncs.com", "", "https://acme.s3.oss-cn-hangzhou.aliyuncs.com/a.json", "cn-hangzhou"},
		{"https://s3.oss-cn-beijing-internal.aliyuncs.com", "", "https://acme.s3.oss-cn-beijing-internal.aliyuncs.com/a.json", "cn-beijing"},
		{"https://s3.oss-cn-beijing.aliyuncs.com", "cn-north", "https://acme.s3.oss-cn-beijing.aliyuncs.com/a.json", "cn-north"},
	} {
		s := &Source{Bucket: "acme", Endpoint: test.endpoint, Region: test.region, Credentials: Credentials{AccessKeyID: "id", SecretAccessKey: "secret"}}
		b, err := s.connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		key := "a.json"
		signed, err := s3.NewPresignClient(b.(*client).api).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: &s.Bucket, Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(signed.URL)
		if err != nil {
			t.Fatal(err)
		}
		scope := strings.Split(u.Query().Get("X-Amz-Credential"), "/")
		u.RawQuery = ""
		if u.String() != test.url || scope[2] != test.signedFor {
			t.Errorf("%s in %s: got %s signed for %s, want %s for %s", test.endpoint, test.region, u, scope[2], test.url, test.signedFor)
		}
	}
}

// first scans a source of which everything is asked of one server, and returns
// the requests.
func first(t *testing.T, s *Source, answer http.HandlerFunc) (asked []*http.Request, said error) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Form, _ = url.ParseQuery(string(body))
		asked = append(asked, r)
		answer(w, r)
	}))
	defer server.Close()
	s.Name, s.Bucket = "test", "acme"
	if s.Endpoint == "" {
		s.Endpoint = server.URL
	}
	t.Setenv("AWS_ENDPOINT_URL_STS", server.URL)
	err := s.Scan(t.Context(), &sourcetest.Ledger{}, func(source.Object) error { return nil })
	if err != nil {
		err = fmt.Errorf("%s", strings.ReplaceAll(err.Error(), server.URL, "SERVER"))
	}
	return asked, err
}

const empty = `<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>`

func TestARoleIsTakenOn(t *testing.T) {
	alone(t)
	s := &Source{
		Credentials: Credentials{AccessKeyID: "id", SecretAccessKey: "secret"},
		AssumeRole:  AssumeRole{ARN: "arn:aws:iam::111122223333:role/trails", ExternalID: "shibboleth"},
	}
	asked, err := first(t, s, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			fmt.Fprint(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ROLEKEY</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>TOKEN</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`)
			return
		}
		fmt.Fprint(w, empty)
	})
	if err != nil {
		t.Fatal(err)
	}
	if f := asked[0].Form; f.Get("RoleArn") != s.AssumeRole.ARN || f.Get("ExternalId") != "shibboleth" || f.Get("RoleSessionName") != "trailship" {
		t.Errorf("asked STS for %v", f)
	}
	list := asked[1]
	if !strings.Contains(list.Header.Get("Authorization"), "Credential=ROLEKEY/") || list.Header.Get("X-Amz-Security-Token") != "TOKEN" {
		t.Errorf("listed as %s", list.Header.Get("Authorization"))
	}
}

func TestEachMistakeSaysWhatToDo(t *testing.T) {
	alone(t)
	refuse := func(status int, code, message string, headers ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			for _, h := range headers {
				name, value, _ := strings.Cut(h, ": ")
				w.Header().Set(name, value)
			}
			w.WriteHeader(status)
			fmt.Fprintf(w, `<Error><Code>%s</Code><Message>%s</Message></Error>`, code, message)
		}
	}
	pair := Credentials{AccessKeyID: "id", SecretAccessKey: "secret"}
	for _, test := range []struct {
		source *Source
		answer http.HandlerFunc
		want   string
	}{
		{&Source{Credentials: pair, Region: "us-east-1"}, refuse(301, "PermanentRedirect", "Use another endpoint.", "X-Amz-Bucket-Region: eu-west-1"),
			"listing s3://acme/: the bucket is in another region: set region: eu-west-1"},
		{&Source{Credentials: pair, Region: "us-east-1"}, refuse(400, "AuthorizationHeaderMalformed", "the region 'us-east-1' is wrong; expecting 'eu-west-1'"),
			"listing s3://acme/: the bucket is in another region: set region: eu-west-1"},
		{&Source{Credentials: pair}, refuse(403, "SignatureDoesNotMatch", "No."),
			"listing s3://acme/: SignatureDoesNotMatch: the secret access key does not fit the access key id: check both where they come from (it says: No)"},
		{&Source{Credentials: pair}, refuse(404, "NoSuchBucket", "No."),
			"listing s3://acme/: NoSuchBucket: there is no such bucket: check bucket, region and endpoint (it says: No)"},
		{&Source{Credentials: pair}, refuse(403, "AccessDenied", "No."),
			"listing s3://acme/: AccessDenied: these credentials may not list the bucket: they need s3:ListBucket on arn:aws:s3:::acme (it says: No)"},
		{&Source{Credentials: pair, Endpoint: "http://127.0.0.1:1"}, nil,
			"listing s3://acme/: http://127.0.0.1:1 cannot be reached: check endpoint, region and the network: dial tcp 127.0.0.1:1: connect: connection refused"},
		{&Source{}, nil,
			"listing s3://acme/: there are no credentials: give the environment some (a role of the machine, AWS_PROFILE, AWS_ACCESS_KEY_ID), or set credentials"},
		{&Source{Credentials: pair, AssumeRole: AssumeRole{ARN: "arn:aws:iam::111122223333:role/trails"}}, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(403)
			fmt.Fprint(w, `<ErrorResponse><Error><Code>AccessDenied</Code><Message>not authorized</Message></Error></ErrorResponse>`)
		}, "listing s3://acme/: cannot take on the role arn:aws:iam::111122223333:role/trails: its trust policy must name these credentials (and external_id, if it asks for one), and they need sts:AssumeRole on it: AccessDenied: not authorized"},
	} {
		_, err := first(t, test.source, test.answer)
		if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("got  %v\nwant %s", err, test.want)
		}
	}
}

func TestAnObjectThatCannotBeReadSaysWhy(t *testing.T) {
	alone(t)
	for _, test := range []struct{ status, code, want string }{
		{"403", "AccessDenied", "AccessDenied: these credentials may not read it: they need s3:GetObject on arn:aws:s3:::acme/*, and kms:Decrypt on its key if it is encrypted with SSE-KMS"},
		{"400", "KMS.DisabledException", "KMS.DisabledException"},
		{"403", "InvalidObjectState", "InvalidObjectState: it is archived: restore it, or exclude it"},
		{"404", "NoSuchKey", "NoSuchKey: it is not there (any more)"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			status := 0
			fmt.Sscan(test.status, &status)
			w.WriteHeader(status)
			fmt.Fprintf(w, `<Error><Code>%s</Code></Error>`, test.code)
		}))
		s := &Source{Bucket: "acme", Endpoint: server.URL, Credentials: Credentials{AccessKeyID: "id", SecretAccessKey: "secret"}}
		b, err := s.connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.open(t.Context(), b, object{key: "a.json"})
		if want := "reading s3://acme/a.json: " + test.want; err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		server.Close()
	}
}
