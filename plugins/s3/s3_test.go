package s3

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"

	"github.com/trailship/trailship/core/source/s3/s3test"
	"github.com/trailship/trailship/plugins/sdk"
)

// alone hides whoever runs the tests.
func alone(t testing.TB) {
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

// store is a real S3 server with a bucket called lake, and faults in front of
// it.
type store struct {
	*s3test.Proxy
	client *s3.Client
}

func started(t testing.TB) store {
	t.Helper()
	g := s3test.Start(t, s3test.Options{Others: map[string]string{"AKIDOTHER": "another secret"}})
	alone(t)
	g.MakeBucket(t, "lake")
	p := s3test.NewProxy(t, g)
	return store{p, s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(p.URL), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(s3test.AccessKey, s3test.SecretKey, ""),
	})}
}

// opened returns an output into the store.
func (s store) opened(t testing.TB, c config) sdk.Output {
	t.Helper()
	c.Endpoint = or(c.Endpoint, s.URL)
	return opened(t, c)
}

// opened returns an output as the store's owner.
func opened(t testing.TB, c config) sdk.Output {
	t.Helper()
	if c.Credentials == nil {
		c.Credentials = &keys{AccessKeyID: s3test.AccessKey, SecretAccessKey: s3test.SecretKey}
	}
	c.Bucket = or(c.Bucket, "lake")
	out, err := c.open()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// objects returns what is in the bucket, by key.
func (s store) objects(t *testing.T) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	bucket := "lake"
	pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{Bucket: &bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			got, err := s.client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: o.Key})
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(got.Body)
			if err != nil {
				t.Fatal(err)
			}
			all[*o.Key] = body
		}
	}
	return all
}

func unzipped(t *testing.T, body []byte) string {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// at is a moment of 3 August 2026.
func at(clock string) time.Time {
	moment, err := time.Parse(time.RFC3339, "2026-08-03T"+clock+"Z")
	if err != nil {
		panic(err)
	}
	return moment
}

func TestAlertsAreLinesInTheOrderOfTheirTime(t *testing.T) {
	s := started(t)
	alerts := []sdk.Alert{
		{ID: "c", Time: at("10:00:00"), JSON: []byte(`{"c":"\r\n"}`)},
		{ID: "b", Time: at("09:00:00"), JSON: []byte("{\n\"b\":1}")},
		{ID: "a", Time: at("09:00:00"), JSON: []byte(`{"a":1}`)},
		{ID: "d", Time: at("00:00:00").AddDate(0, 0, 1), JSON: []byte(`{"d":1}`)},
	}
	out := s.opened(t, config{})
	if err := out.Deliver(t.Context(), alerts); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(alerts)
	if err := out.Deliver(t.Context(), alerts); err != nil { // the same batch again
		t.Fatal(err)
	}
	got := map[string]string{}
	for key, body := range s.objects(t) {
		got[key] = unzipped(t, body)
	}
	want := map[string]string{
		// printf 'a\nb\nc\n' | sha256sum | xxd -r -p | base32
		"trailship/eventDay=20260803/20260803T090000Z-racvh7fi7tvjjyzf5ywpwshfvg.ndjson.gz": "{\"a\":1}\n{\"b\":1}\n{\"c\":\"\\r\\n\"}\n",
		"trailship/eventDay=20260804/20260804T000000Z-rv2l53a35gldekwxnaj3v64s2q.ndjson.gz": "{\"d\":1}\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSecurityLakesFoldersAreNamedByTheAlert(t *testing.T) {
	s := started(t)
	alibaba := strings.NewReplacer(`"provider":"AWS","account":{"uid":"111122223333"}`, `"provider":"Alibaba Cloud","account":{"uid":"5123456789012345"}`).Replace(full)
	err := s.opened(t, config{Format: "parquet", Prefix: "ext/trailship/region=eu-west-1/accountId={account}/eventDay={day}"}).Deliver(t.Context(), []sdk.Alert{
		{ID: "a", Time: at("09:12:44"), JSON: []byte(full)},
		{ID: "b", Time: at("09:12:44"), JSON: []byte(alibaba)},
		{ID: "c", Time: at("09:12:44"), JSON: []byte(minimal)},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for key, body := range s.objects(t) {
		all := rows(t, body)
		got = append(got, fmt.Sprintf("%s %d %s", key[:strings.LastIndex(key, "-")], len(all), all[0].Metadata.UID))
	}
	slices.Sort(got)
	want := []string{
		"ext/trailship/region=eu-west-1/accountId=111122223333/eventDay=20260803/20260803T091244Z 1 aaaaaaaaaaaaaaaaaaaaaaaaaa",
		"ext/trailship/region=eu-west-1/accountId=external_5123456789012345/eventDay=20260803/20260803T091244Z 1 aaaaaaaaaaaaaaaaaaaaaaaaaa",
		"ext/trailship/region=eu-west-1/accountId=unknown/eventDay=20260803/20260803T091244Z 1 b",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheStoreIsAskedToEncrypt(t *testing.T) {
	alone(t)
	for _, test := range []struct {
		c    config
		want string
	}{
		{config{}, "|"},
		{config{Encryption: "AES256"}, "AES256|"},
		{config{Encryption: "aws:kms"}, "aws:kms|"},
		{config{Encryption: "aws:kms", KMSKey: "alias/lake"}, "aws:kms|alias/lake"},
	} {
		var got string
		test.c.Endpoint, _ = answering(t, func(_ http.ResponseWriter, r *http.Request) {
			got = r.Header.Get("X-Amz-Server-Side-Encryption") + "|" + r.Header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id")
		})
		if err := opened(t, test.c).Deliver(t.Context(), []sdk.Alert{{ID: "a"}}); err != nil || got != test.want {
			t.Error(got, err)
		}
	}
}

func TestTheBucketStandsWhereTheStoreWantsIt(t *testing.T) {
	for _, test := range []struct {
		endpoint, addressing string
		path                 bool
	}{
		{"", "", false}, {"", "path", true},
		{"https://minio.example.com", "auto", true}, {"https://minio.example.com", "host", false},
		{"https://s3.oss-cn-hangzhou.aliyuncs.com", "auto", false}, {"https://s3.eu-west-1.amazonaws.com", "", false},
	} {
		b := &bucket{config: config{Endpoint: test.endpoint, Addressing: test.addressing}}
		if b.pathStyle() != test.path {
			t.Errorf("%+v", test)
		}
	}
	if got := regionOf("https://s3.oss-cn-beijing-internal.aliyuncs.com"); got != "cn-beijing" {
		t.Error(got)
	}
}

func TestARoleIsTakenOnBeforeWriting(t *testing.T) {
	alone(t)
	var form string
	sts, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		form = r.Form.Get("Action") + " " + r.Form.Get("RoleArn") + " " + r.Form.Get("ExternalId")
		fmt.Fprint(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2126-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`)
	})
	t.Setenv("AWS_ENDPOINT_URL_STS", sts)
	var as string
	url, _ := answering(t, func(_ http.ResponseWriter, r *http.Request) { as = r.Header.Get("Authorization") })
	c := config{Endpoint: url, AssumeRole: &role{ARN: "arn:aws:iam::111122223333:role/lake", ExternalID: "x1"}}
	if err := opened(t, c).Deliver(t.Context(), []sdk.Alert{{ID: "a"}}); err != nil {
		t.Fatal(err)
	}
	if form != "AssumeRole arn:aws:iam::111122223333:role/lake x1" || !strings.Contains(as, "Credential=ASIAROLE/") {
		t.Error(form, as)
	}
}

func TestNothingIsCalledBeforeTheFirstBatch(t *testing.T) {
	alone(t)
	url, calls := answering(t, func(http.ResponseWriter, *http.Request) {})
	if err := opened(t, config{Endpoint: url}).Close(); err != nil {
		t.Error(err)
	}
	if got := calls(); len(got) > 0 {
		t.Error(got)
	}
}

func TestMistakesInTheConfigurationAreSaidTogether(t *testing.T) {
	_, err := config{Bucket: "s3://b/x", Prefix: "{acount}/", Endpoint: "lake.example.com", KMSKey: "k", Concurrency: -1}.open()
	want := strings.Join([]string{
		"/prefix: {acount} is not known: there are {day}, {hour}, {account}, {region}, {severity}, {rule}",
		"/endpoint: must be a URL such as https://s3.example.com, without a user",
		"/bucket: must be the name alone; what keys begin with is prefix",
		"/kms_key: needs encryption: aws:kms",
		"/concurrency: must not be negative",
	}, "\n")
	if diff := cmp.Diff(want, fmt.Sprint(err)); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkDeliver(b *testing.B) {
	s := started(b)
	for _, format := range []string{"ndjson", "parquet"} {
		b.Run(format, func(b *testing.B) {
			out := s.opened(b, config{Format: format})
			alerts := make([]sdk.Alert, 1000)
			for i := range alerts {
				alerts[i] = sdk.Alert{ID: fmt.Sprint(i), Time: at("09:00:00"), JSON: []byte(strings.ReplaceAll(full, "mallory", fmt.Sprint("user", i*7919%997)))}
			}
			b.SetBytes(int64(len(full) * 1000))
			for b.Loop() {
				if err := out.Deliver(b.Context(), alerts); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(1000*b.N)/b.Elapsed().Seconds(), "alerts/s")
		})
	}
}
