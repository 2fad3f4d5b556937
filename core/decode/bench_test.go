package decode

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/trailship/trailship/core/event"
)

// benchObject builds an S3 object of n realistic records.
func benchObject(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"Records":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, benchRecord, i%7, i%7, i%50, i, i, i, i%90, i)
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

const benchRecord = `{"eventVersion":"1.09","userIdentity":{"type":"AssumedRole","principalId":"AROAEXAMPLEEXAMPLE0%d:deploy",` +
	`"arn":"arn:aws:sts::111122223333:assumed-role/Deploy/deploy-%d","accountId":"111122223333","accessKeyId":"ASIAEXAMPLEEXAMPLE%d",` +
	`"sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROAEXAMPLEEXAMPLE","arn":"arn:aws:iam::111122223333:role/Deploy",` +
	`"accountId":"111122223333","userName":"Deploy"},"attributes":{"creationDate":"2026-08-01T08:00:00Z","mfaAuthenticated":"false"}}},` +
	`"eventTime":"2026-08-01T09:00:01Z","eventSource":"kms.amazonaws.com","eventName":"GenerateDataKey","awsRegion":"eu-west-1",` +
	`"sourceIPAddress":"192.0.2.17","userAgent":"aws-sdk-go-v2/1.32.7 os/linux lang/go#1.26.0 md/GOARCH#amd64 api/kms#1.37.2",` +
	`"requestParameters":{"keyId":"arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab","keySpec":"AES_256",` +
	`"encryptionContext":{"aws:s3:arn":"arn:aws:s3:::example-bucket/some/long/object/name-%d.parquet"}},"responseElements":null,` +
	`"requestID":"0f0f0f0f-1111-2222-3333-%012d","eventID":"aaaaaaaa-bbbb-cccc-dddd-%012d","readOnly":true,` +
	`"resources":[{"accountId":"111122223333","type":"AWS::KMS::Key","ARN":"arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890%02d"}],` +
	`"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333","sharedEventID":"bbbbbbbb-bbbb-cccc-dddd-%012d",` +
	`"eventCategory":"Management","tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"kms.eu-west-1.amazonaws.com"}}`

func benchRead(b *testing.B, object []byte, inflated int, each func(Record)) {
	r := NewReader(bytes.NewReader(nil), Limits{})
	src := bytes.NewReader(nil)
	b.SetBytes(int64(inflated))
	b.ReportAllocs()
	records := 0
	for b.Loop() {
		src.Reset(object)
		r.Reset(src)
		for {
			rec, err := r.Next()
			if err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
			records++
			each(rec)
		}
	}
	b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
}

const benchRecords = 5000

func BenchmarkRead(b *testing.B) {
	object := benchObject(benchRecords)
	benchRead(b, object, len(object), func(Record) {})
}

func BenchmarkReadGzip(b *testing.B) {
	object := benchObject(benchRecords)
	benchRead(b, []byte(zip(string(object))), len(object), func(Record) {})
}

func BenchmarkReadLines(b *testing.B) {
	object := strings.ReplaceAll(string(benchObject(benchRecords)), `},{"eventVersion"`, "}\n{\"eventVersion\"")
	object = strings.TrimSuffix(strings.TrimPrefix(object, `{"Records":[`), "]}")
	benchRead(b, []byte(object), len(object), func(Record) {})
}

func BenchmarkReadAndNormalize(b *testing.B) {
	object := benchObject(benchRecords)
	var ev event.Event
	benchRead(b, object, len(object), func(rec Record) {
		if err := Normalize(&ev, rec); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkReadGzipAndNormalize(b *testing.B) {
	object := benchObject(benchRecords)
	var ev event.Event
	benchRead(b, []byte(zip(string(object))), len(object), func(rec Record) {
		if err := Normalize(&ev, rec); err != nil {
			b.Fatal(err)
		}
	})
}

func benchEach(b *testing.B, raw string, each func(*event.Event)) {
	rec := Record{Raw: []byte(raw)}
	var ev event.Event
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if err := Normalize(&ev, rec); err != nil {
			b.Fatal(err)
		}
		each(&ev)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

func BenchmarkNormalizeCloudTrail(b *testing.B) {
	benchEach(b, fmt.Sprintf(benchRecord, 1, 1, 1, 1, 1, 1, 1, 1), func(*event.Event) {})
}

func BenchmarkNormalizeActionTrail(b *testing.B) {
	benchEach(b, `{"eventId":"A1B2C3D4-0000","eventVersion":1,"eventName":"ScheduleKeyDeletion","eventSource":"kms.cn-hangzhou.aliyuncs.com","eventTime":"2026-08-01T08:05:09Z",`+
		`"eventType":"ApiCall","eventCategory":"Management","eventRW":"Write","serviceName":"Kms","acsRegion":"cn-hangzhou","apiVersion":"2016-01-20","requestId":"A1B2C3D4",`+
		`"requestParameters":{"KeyId":"key-hzz000000"},"referencedResources":{"ACS::KMS::Key":["key-hzz000000"]},"sourceIpAddress":"203.0.113.9","userAgent":"AlibabaCloud (linux) Go",`+
		`"isGlobal":false,"userIdentity":{"type":"ram-user","principalId":"200000000000000001","accountId":"1000000000000001","userName":"alice","accessKeyId":"LTAIEXAMPLE",`+
		`"sessionContext":{"attributes":{"creationDate":"2026-08-01T08:05:09Z","mfaAuthenticated":"false"}}}}`, func(*event.Event) {})
}

func BenchmarkNormalizeAndEncode(b *testing.B) {
	var out []byte
	benchEach(b, fmt.Sprintf(benchRecord, 1, 1, 1, 1, 1, 1, 1, 1), func(ev *event.Event) { out = ev.AppendOCSF(out[:0]) })
}

func BenchmarkNormalizeAndLoad(b *testing.B) {
	benchEach(b, fmt.Sprintf(benchRecord, 1, 1, 1, 1, 1, 1, 1, 1), func(ev *event.Event) {
		if err := ev.Load(event.PartRequest | event.PartRaw); err != nil {
			b.Fatal(err)
		}
	})
}
