package s3test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
)

// CI runs this one first, so that the time goes where it can be seen.
func TestTheServersCanBeHad(t *testing.T) {
	if err := Install(); err != nil {
		missing(t, "the servers", err)
	}
}

// reader is a client that reads through the proxy, and never tries again.
func (p *Proxy) reader(region, access, secret string) *s3.Client {
	return s3.New(s3.Options{
		Region: region, BaseEndpoint: &p.URL, UsePathStyle: true, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(access, secret, ""),
		HTTPClient:  &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	})
}

func started(t *testing.T) (*Gateway, *Proxy, *s3.Client) {
	g := Start(t, Options{Region: "eu-west-1", Others: map[string]string{"stranger": "a stranger's secret"}})
	p := NewProxy(t, g)
	g.MakeBucket(t, "trails")
	return g, p, p.reader("eu-west-1", AccessKey, SecretKey)
}

func get(c *s3.Client, key string) ([]byte, error) {
	out, err := c.GetObject(context.Background(), &s3.GetObjectInput{Bucket: aws.String("trails"), Key: &key})
	if err != nil {
		return nil, err
	}
	defer out.Body.Close()
	return io.ReadAll(out.Body)
}

func list(t *testing.T, c *s3.Client) (keys []string) {
	t.Helper()
	pages := s3.NewListObjectsV2Paginator(c, &s3.ListObjectsV2Input{Bucket: aws.String("trails"), MaxKeys: aws.Int32(2)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			keys = append(keys, *o.Key)
		}
	}
	return keys
}

func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return "no S3 error"
}

func TestWhatIsPutIsReadThroughTheProxyUnderEveryName(t *testing.T) {
	g, _, c := started(t)
	keys := []string{"a b+c/ü%2F=&.json.gz", "AWSLogs/1/x.json", "z"}
	var objects []Object
	for _, key := range keys {
		objects = append(objects, Object{key, []byte("body of " + key)})
	}
	g.PutAll(t, "trails", objects)
	for _, o := range objects {
		if got, err := get(c, o.Key); err != nil || !bytes.Equal(got, o.Body) {
			t.Errorf("%s: got %q, %v", o.Key, got, err)
		}
	}
	slices.Sort(keys)
	if diff := cmp.Diff(keys, list(t, c)); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	g.Delete(t, "trails", "z")
	if _, err := get(c, "z"); code(err) != "NoSuchKey" {
		t.Errorf("after a delete: %v", err)
	}
}

func TestTheServerRefusesWhoItDoesNotKnow(t *testing.T) {
	_, p, _ := started(t)
	for _, test := range []struct{ name, region, access, secret, bucket, want string }{
		{"wrong secret", "eu-west-1", AccessKey, "wrong", "trails", "SignatureDoesNotMatch"},
		{"wrong region", "us-west-2", AccessKey, SecretKey, "trails", "AuthorizationHeaderMalformed"},
		{"unknown key", "eu-west-1", "AKIDNOBODY", SecretKey, "trails", "InvalidAccessKeyId"},
		{"missing bucket", "eu-west-1", AccessKey, SecretKey, "tails", "NoSuchBucket"},
		{"forbidden bucket", "eu-west-1", "stranger", "a stranger's secret", "trails", "AccessDenied"},
	} {
		_, err := p.reader(test.region, test.access, test.secret).ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &test.bucket})
		if code(err) != test.want {
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
		}
	}
}

func TestFaultsBreakWhatTheyAreToldToBreak(t *testing.T) {
	g, p, c := started(t)
	body := bytes.Repeat([]byte("0123456789"), 10_000)
	for _, key := range []string{"a", "b", "c", "d"} {
		g.Put(t, "trails", key, body)
	}
	whole := func(key string) {
		t.Helper()
		if got, err := get(c, key); err != nil || !bytes.Equal(got, body) {
			t.Errorf("%s: got %d bytes and %v, want all", key, len(got), err)
		}
	}

	for _, test := range []struct {
		name  string
		fault Fault
		code  string // of the answer
		bytes int    // that come before an error
		short bool   // no error at all
	}{
		{name: "slow down", fault: Fault{Status: 503, Code: "SlowDown"}, code: "SlowDown"},
		{name: "denied", fault: Fault{Status: 403, Code: "AccessDenied"}, code: "AccessDenied"},
		{name: "cut", fault: Fault{CutAfter: 5_000}, bytes: 5_000},
		{name: "short", fault: Fault{ShortBy: 10}, bytes: len(body) - 10, short: true},
		{name: "reset", fault: Fault{ResetAfter: 5_000}, bytes: -1},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.fault.Op, test.fault.Key = Get, Key("b")
			mend := p.Break(test.fault)
			got, err := get(c, "b")
			switch {
			case test.code != "" && code(err) != test.code:
				t.Errorf("got %v, want %s", err, test.code)
			case test.code == "" && (err == nil) != test.short:
				t.Errorf("got the error %v", err)
			case test.bytes >= 0 && len(got) != test.bytes:
				t.Errorf("got %d bytes, want %d", len(got), test.bytes)
			}
			whole("a")
			mend()
			whole("b")
		})
	}

	t.Run("a slow body is whole", func(t *testing.T) {
		defer p.Break(Fault{Op: Get, Drip: time.Microsecond})()
		whole("a")
	})
	t.Run("the first two, and every third", func(t *testing.T) {
		mend := p.Break(Fault{Op: Get, First: 2, Status: 500, Code: "InternalError"})
		var failed []bool
		for range 4 {
			_, err := get(c, "a")
			failed = append(failed, err != nil)
		}
		mend()
		defer p.Break(Fault{Op: Get, Every: 3, Status: 500, Code: "InternalError"})()
		for range 5 {
			_, err := get(c, "a")
			failed = append(failed, err != nil)
		}
		if diff := cmp.Diff([]bool{true, true, false, false, true, false, false, true, false}, failed); diff != "" {
			t.Errorf("failed (-want +got):\n%s", diff)
		}
	})
	t.Run("a hidden key is not listed", func(t *testing.T) {
		mend := p.Break(Fault{Op: List, Hide: Key("b")})
		if got := strings.Join(list(t, c), ""); got != "acd" {
			t.Errorf("listed %q", got)
		}
		mend()
		if got := strings.Join(list(t, c), ""); got != "abcd" {
			t.Errorf("listed %q afterwards", got)
		}
	})
	t.Run("something happens between two pages", func(t *testing.T) {
		defer p.Break(Fault{Op: List, Before: func(r *http.Request) {
			if r.URL.Query().Has("continuation-token") {
				g.Put(t, "trails", "0", nil)
				g.Put(t, "trails", "e", nil)
			}
		}})()
		if got := strings.Join(list(t, c), ""); got != "abcde" {
			t.Errorf("listed %q", got)
		}
	})
	if n := p.Counts(); n[Get] == 0 || n[List] == 0 || p.Met() == 0 {
		t.Errorf("counted %v, %d met", n, p.Met())
	}
}

// receiver asks a queue the way trailship does.
func receiver(url string) *sqs.Client {
	return sqs.New(sqs.Options{Region: "us-east-1", BaseEndpoint: aws.String(url[:strings.Index(url, "/0000")]), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(AccessKey, SecretKey, "")})
}

func receive(t *testing.T, c *sqs.Client, url string, wait int32) (bodies, receipts []string) {
	t.Helper()
	out, err := c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10, WaitTimeSeconds: wait})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range out.Messages {
		bodies, receipts = append(bodies, *m.Body), append(receipts, *m.ReceiptHandle)
	}
	return bodies, receipts
}

func TestAMessageIsHiddenUntilItIsDeletedOrItsTimeIsOver(t *testing.T) {
	q := NewQueue(t)
	c := receiver(q.URL)
	q.Send("one", "two")
	bodies, receipts := receive(t, c, q.URL, 0)
	if diff := cmp.Diff([]string{"one", "two"}, bodies); diff != "" {
		t.Fatalf("received (-want +got):\n%s", diff)
	}
	if waiting, received := q.Len(); waiting != 0 || received != 2 {
		t.Errorf("%d wait, %d are received", waiting, received)
	}
	if _, err := c.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: &q.URL, ReceiptHandle: &receipts[0]}); err != nil {
		t.Fatal(err)
	}
	// The other one is kept hidden for longer, and comes back all the same.
	if _, err := c.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{QueueUrl: &q.URL, ReceiptHandle: &receipts[1], VisibilityTimeout: 60}); err != nil {
		t.Fatal(err)
	}
	q.Advance(59 * time.Second)
	if bodies, _ := receive(t, c, q.URL, 0); len(bodies) > 0 {
		t.Errorf("received %q after 59 s", bodies)
	}
	q.Advance(time.Second)
	if _, err := c.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{QueueUrl: &q.URL, ReceiptHandle: &receipts[1], VisibilityTimeout: 60}); code(err) != "MessageNotInflight" {
		t.Errorf("hiding a message that is back: %v", err)
	}
	if bodies, _ := receive(t, c, q.URL, 0); len(bodies) != 1 || bodies[0] != "two" {
		t.Errorf("received %q after 60 s, want two", bodies)
	}
	if _, err := c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: aws.String(q.URL + "x")}); code(err) != "QueueDoesNotExist" {
		t.Errorf("another queue: %v", err)
	}
	q.Fail("ReceiveMessage", 1)
	if _, err := c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &q.URL}); code(err) != "InternalError" {
		t.Errorf("told to fail: %v", err)
	}
}

func TestALongPollEndsWithAMessageOrWithItsTime(t *testing.T) {
	q := NewQueue(t)
	c := receiver(q.URL)
	polling := func() { // has reached the queue
		for n := q.Calls()["ReceiveMessage"]; q.Calls()["ReceiveMessage"] == n; {
			select {
			case <-t.Context().Done():
				return
			case <-time.After(time.Millisecond):
			}
		}
	}
	go func() { polling(); q.Send("late") }()
	if bodies, _ := receive(t, c, q.URL, 20); len(bodies) != 1 {
		t.Errorf("received %q", bodies)
	}
	go func() { polling(); q.Advance(20 * time.Second) }()
	if bodies, _ := receive(t, c, q.URL, 20); len(bodies) != 0 {
		t.Errorf("received %q from an empty queue", bodies)
	}
}

// The chain with nothing of ours in it but the bridge.
func TestTheNewsOfAnObjectReachesARealQueue(t *testing.T) {
	b := NewBridge(t)
	b.Drop = func(key string) bool { return key == "never told" }
	f := StartFauxqs(t, 30)
	b.Connect(f.Send)
	g := Start(t, Options{Webhook: b.URL})
	g.MakeBucket(t, "trails")
	keys := []string{"AWSLogs/a b+c.json", "never told", "2", "3", "4", "5", "6", "7"}
	for _, key := range keys {
		g.Put(t, "trails", key, []byte("x"))
	}
	poll(t, "everything was told", func() bool {
		told, dropped := b.Told()
		return told == len(keys)-1 && dropped == 1
	}, &output{})
	if err := b.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	// A test event and a message for each object.
	var bodies []string
	for c := receiver(f.URL); len(bodies) < len(keys); {
		some, _ := receive(t, c, f.URL, 1)
		bodies = append(bodies, some...)
	}
	if all := strings.Join(bodies, "\n"); !strings.Contains(all, "s3:TestEvent") || strings.Contains(all, "never told") {
		t.Errorf("received %s", all)
	}
	if waiting, received := f.Len(t); waiting != 0 || received != len(keys) {
		t.Errorf("%d wait, %d are received, want %d", waiting, received, len(keys))
	}
}
