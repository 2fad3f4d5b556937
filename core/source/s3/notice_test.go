package s3

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/core/source/s3/s3test"
)

func TestEveryFormOfMessage(t *testing.T) {
	n := s3test.Notice{Bucket: "trails", Key: "AWSLogs/1/a b+c=ü.json.gz", Size: 7, ETag: "ABCDEF"}
	for name, shape := range s3test.Shapes {
		want := notice{bucket: n.Bucket, key: n.Key, version: "abcdef", size: 7}
		if strings.HasPrefix(name, "CloudTrail") {
			want.version, want.size = "", -1
		}
		news, ok := parse(shape(n))
		for i := range news {
			news[i].at = want.at
		}
		if diff := cmp.Diff([]notice{want}, news, cmp.AllowUnexported(notice{})); diff != "" || !ok {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestOtherMessages(t *testing.T) {
	two := s3test.S3Event(s3test.Notice{Bucket: "b", Key: "1"}, s3test.Notice{Bucket: "b", Key: "2"}, s3test.Notice{Bucket: "b", Key: "3", Event: "ObjectRemoved:Delete"})
	for _, test := range []struct {
		body string
		news int
		ok   bool
	}{
		{two, 2, true},
		{s3test.CloudTrail("b", "1", "2", "3"), 3, true},
		{`{"s3Bucket":"b","s3ObjectKey":"one"}`, 1, true},
		{s3test.TestEvent("b"), 0, true},
		{s3test.SNS(s3test.TestEvent("b")), 0, true},
		{s3test.S3Event(s3test.Notice{Bucket: "b", Key: "1", Event: "s3:ObjectCreated:CompleteMultipartUpload"}), 1, true},
		{s3test.S3Event(s3test.Notice{Bucket: "b", Key: "1", Event: "ObjectRemoved:Delete"}), 0, true},
		{`{"detail-type":"Object Deleted","detail":{"bucket":{"name":"b"},"object":{"key":"k"}}}`, 0, true},
		{`{"Records":[{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{"key":"%zz"}}}]}`, 0, false},
		{`{"Records":[{"eventName":"GetObject","eventSource":"s3.amazonaws.com"}]}`, 0, false},
		{s3test.SNS("Hello from SNS!"), 0, false},
		{s3test.SNS(s3test.SNS(s3test.SNS(s3test.SNS(s3test.SNS(two))))), 0, false},
		{`{}`, 0, false}, {`[]`, 0, false}, {``, 0, false}, {`junk`, 0, false},
	} {
		if news, ok := parse(test.body); len(news) != test.news || ok != test.ok {
			t.Errorf("%s: %d and %v, want %d and %v", test.body, len(news), ok, test.news, test.ok)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, shape := range s3test.Shapes {
		f.Add(shape(s3test.Notice{Bucket: "trails", Key: "a b.json", Size: 7, ETag: "abc"}))
	}
	f.Add(s3test.TestEvent("trails"))
	f.Fuzz(func(t *testing.T, body string) {
		news, ok := parse(body)
		if !ok {
			return
		}
		for _, n := range news {
			if n.key == "" && n.version != "" {
				t.Errorf("news without a key: %+v", n)
			}
		}
	})
}
