package decode

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/core/event"
)

// ct and at are the smallest records of either cloud.
func ct(id string) string {
	return `{"eventVersion":"1.08","eventTime":"2026-08-01T09:00:00Z","eventSource":"kms.amazonaws.com","eventName":"Decrypt","awsRegion":"eu-west-1","eventID":"` + id + `"}`
}

func at(id string) string {
	return `{"eventId":"` + id + `","eventTime":"2026-08-01T09:00:00Z","serviceName":"Kms","eventName":"Decrypt","acsRegion":"cn-hangzhou"}`
}

// pretty writes a record over many lines.
func pretty(record string) string {
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(record), "", "  "); err != nil {
		panic(err)
	}
	return b.String()
}

func zip(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, text)
	w.Close()
	return b.String()
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// outcome reads a whole object and says in a line each what came of it.
func outcome(r *Reader) []string {
	var lines []string
	var ev event.Event
	for {
		rec, err := r.Next()
		if err == nil {
			index := rec.Index
			if err = Normalize(&ev, rec); err == nil {
				lines = append(lines, fmt.Sprintf("%d %s %s", index, ev.Provider, ev.ID))
				continue
			}
		}
		var reject *Reject
		var damage *Damage
		switch {
		case errors.As(err, &reject):
			lines = append(lines, fmt.Sprintf("%d rejected %s", reject.Index, reject.Reason))
			continue
		case errors.As(err, &damage):
			lines = append(lines, fmt.Sprintf("%d damaged %s", damage.Index, damage.Reason))
		case err != io.EOF:
			lines = append(lines, "error "+err.Error())
		}
		return lines
	}
}

var readings = []struct {
	name  string
	input string
	want  []string
}{
	{"an empty object", "", nil},
	{"white space only", " \n\t\r\n", nil},
	{"an S3 object", `{"Records":[` + ct("a") + `,` + ct("b") + `]}`, []string{"0 aws a", "1 aws b"}},
	{"an S3 object without records", `{"Records":[]}`, nil},
	{"an S3 object with other members around", `{"x":{"Records":[1]},"y":"]}","Records" : [ ` + ct("a") + ` ] ,"z":[{}]}`, []string{"0 aws a"}},
	{"a byte order mark", "\ufeff" + `{"Records":[` + ct("a") + `]}`, []string{"0 aws a"}},
	{"a bare array", `[` + at("a") + `,` + at("b") + `]`, []string{"0 alibaba a", "1 alibaba b"}},
	{"an empty array", `[]`, nil},
	{"a bare record", at("a"), []string{"0 alibaba a"}},
	{"NDJSON", ct("a") + "\n" + at("b") + "\r\n\n" + ct("c") + "\n", []string{"0 aws a", "1 alibaba b", "2 aws c"}},
	{"records without anything between", ct("a") + at("b"), []string{"0 aws a", "1 alibaba b"}},
	{"pretty-printed records", pretty(ct("a")) + "\n" + pretty(at("b")) + "\n", []string{"0 aws a", "1 alibaba b"}},
	{"a pretty-printed S3 object", pretty(`{"Records":[` + ct("a") + `,` + ct("b") + `]}`), []string{"0 aws a", "1 aws b"}},
	{"S3 objects one after another", `{"Records":[` + ct("a") + `]}` + "\n" + `{"Records":[` + ct("b") + `]}`, []string{"0 aws a", "1 aws b"}},
	{"EventBridge", `{"version":"0","detail-type":"AWS API Call via CloudTrail","source":"aws.kms","detail":` + ct("a") + `}`, []string{"0 aws a"}},
	{"CloudWatch Logs", `{"messageType":"DATA_MESSAGE","logEvents":[{"id":"1","timestamp":1,"message":` + quoted(ct("a")) + `},{"id":"2","message":` + quoted(ct("b")) + `}]}`, []string{"0 aws a", "1 aws b"}},
	{"CloudWatch Logs, the events first", `{"logEvents":[{"message":` + quoted(ct("a")) + `}],"messageType":"DATA_MESSAGE"}`, []string{"0 aws a"}},
	{"EventBridge in CloudWatch Logs", `{"logEvents":[{"message":` + quoted(`{"source":"aws.kms","detail-type":"AWS API Call via CloudTrail","detail":`+ct("a")+`}`) + `}]}`, []string{"0 aws a"}},
	{"a control message", `{"messageType":"CONTROL_MESSAGE","logEvents":[{"id":"","message":"CWL CONTROL MESSAGE: Checking health of destination Kinesis stream."}]}`, []string{"0 rejected control_message"}},
	{"a control message, the type last", `{"logEvents":[{"id":"","message":"CWL CONTROL MESSAGE: Checking health"}],"messageType":"CONTROL_MESSAGE"}`, []string{"0 rejected control_message"}},
	{"CloudWatch Logs of something else", `{"messageType":"DATA_MESSAGE","logEvents":[{"message":"2 123 eni-1 ACCEPT"},{"message":"{\"level\":\"info\"}"}]}`, []string{"0 rejected not_a_trail", "1 rejected not_a_trail"}},
	{"awslogs.data", `{"awslogs":{"data":"` + base64.StdEncoding.EncodeToString([]byte(zip(`{"logEvents":[{"message":`+quoted(ct("a"))+`},{"message":"no"}]}`))) + `"}}` + "\n" + ct("b"), []string{"0 aws a", "1 rejected not_a_trail", "2 aws b"}},
	{"awslogs.data that is no base64", `{"awslogs":{"data":"%%%"}}` + "\n" + ct("b"), []string{"0 rejected corrupt", "1 aws b"}},
	{"LookupEvents of AWS", `{"Events":[{"EventId":"a","EventTime":1,"Resources":[],"CloudTrailEvent":` + quoted(ct("a")) + `}],"NextToken":"x"}`, []string{"0 aws a"}},
	{"LookupEvents of Alibaba", `{"EndTime":"x","Events":[` + at("a") + `],"RequestId":"y"}`, []string{"0 alibaba a"}},
	{"SLS rows", `{"__topic__":"actiontrail_audit_event","owner_id":"1","event":` + quoted(at("a")) + `}` + "\n" + `{"__topic__":"t","event":` + at("b") + `}`, []string{"0 alibaba a", "1 alibaba b"}},
	{"an array of SLS rows", `[{"event":` + quoted(at("a")) + `},{"event":` + quoted(at("b")) + `}]`, []string{"0 alibaba a", "1 alibaba b"}},
	{"CloudEvents", `{"id":"x","source":"acs.actiontrail","specversion":"1.0","type":"actiontrail:ActionTrail:ApiCall","data":` + at("a") + `}`, []string{"0 alibaba a"}},
	{"CloudEvents with the record as text", `{"specversion":"1.0","data":` + quoted(at("a")) + `}`, []string{"0 alibaba a"}},
	{"gzip", zip(`{"Records":[` + ct("a") + `]}`), []string{"0 aws a"}},
	{"gzip of two members", zip(ct("a")+"\n") + zip(ct("b")), []string{"0 aws a", "1 aws b"}},
	{"gzip in gzip", zip(zip(`{"logEvents":[{"message":`+quoted(ct("a"))+`}]}`) + zip(ct("b"))), []string{"0 aws a", "1 aws b"}},
	{"gzip in base64", base64.StdEncoding.EncodeToString([]byte(zip(ct("a")))), []string{"0 aws a"}},
	{"gzip of nothing", zip(""), nil},

	{"braces and escapes in strings", `{"Records":[` + strings.Replace(ct(`a`), `"Decrypt"`, `"}]\"{[\\"`, 1) + `,` + ct("b") + `]}`, []string{"0 aws a", "1 aws b"}},
	{"escaped member names", `{"\u0065ventID":"a","eventTime":"2026-08-01T09:00:00Z","awsRegion":"r","event\u004eame":"X"}`, []string{"0 aws a"}},
	{"a repeated name", `{"eventID":"x","eventTime":"2026-08-01T09:00:00Z","awsRegion":"r","eventName":"X","eventID":"a"}`, []string{"0 aws a"}},
	{"invalid UTF-8", ct("a\xff\xc3"), []string{"0 aws a\ufffd\ufffd"}},
	{"an invalid record between good ones", `{"Records":[` + ct("a") + `,{"eventID":tru},` + ct("c") + `]}`, []string{"0 aws a", "1 rejected json", "2 aws c"}},
	{"elements that are no objects", `[1,` + ct("a") + `,"x",null,[{"a":1}]]`, []string{"0 rejected not_a_trail", "1 aws a", "2 rejected not_a_trail", "3 rejected not_a_trail", "4 rejected not_a_trail"}},
	{"a broken line between good ones", ct("a") + "\n" + `{"eventID":"b",` + "\n" + ct("c") + "\n" + `{"x":{"y":1}` + "\n" + ct("d"), []string{"0 aws a", "1 rejected json", "2 aws c", "3 rejected json", "4 aws d"}},
	{"a line with an open string", ct("a") + "\n" + `{"eventID":"b` + "\n" + ct("c"), []string{"0 aws a", "1 rejected json", "2 aws c"}},
	{"lines of text", "hello\n" + ct("a") + "\n[2026-08-01] x\n42\n" + ct("b"), []string{"0 rejected json", "1 aws a", "2 rejected not_a_trail", "3 rejected json", "4 rejected not_a_trail", "5 aws b"}},
	{"a broken pretty-printed record", pretty(ct("a")) + "\n" + strings.Replace(pretty(at("b")), ",", ";", 1) + "\n" + pretty(ct("c")), []string{"0 aws a", "1 rejected json", "2 aws c"}},
	{"text behind the envelope", `{"Records":[` + ct("a") + `]} trailing`, []string{"0 aws a", "1 rejected json"}},
	{"nested too deep", `{"Records":[{"a":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `},` + ct("b") + `]}`, []string{"0 rejected json", "1 aws b"}},
	{"a line nested too deep", `{"a":` + strings.Repeat("[", 5000) + "\n" + ct("b"), []string{"0 rejected json", "1 aws b"}},

	{"broken JSON in an array", `{"Records":[` + ct("a") + `,{"x":"y}] oops` + ct("b") + `]}`, []string{"0 aws a", "1 damaged json"}},
	{"a missing comma", `{"Records":[` + ct("a") + ct("b") + `]}`, []string{"0 aws a", "1 damaged json"}},
	{"a comma too many", `{"Records":[` + ct("a") + `,]}`, []string{"0 aws a", "1 damaged json"}},
	{"brackets that do not match", `{"Records":[` + ct("a") + `,{"x":[1}]}`, []string{"0 aws a", "1 damaged json"}},
	{"broken behind the records", `{"Records":[` + ct("a") + `] "x"`, []string{"0 aws a", "1 damaged json"}},
	{"the closing bracket missing", `{"Records":[` + ct("a"), []string{"0 aws a", "1 damaged truncated"}},
	{"the closing brace missing", `{"Records":[` + ct("a") + `]`, []string{"0 aws a", "1 damaged truncated"}},
	{"the end inside a record", `{"Records":[` + ct("a") + `,{"eventID":"b"`, []string{"0 aws a", "1 damaged truncated"}},
	{"the end inside a line", ct("a") + "\n" + `{"eventID":"b"`, []string{"0 aws a", "1 damaged truncated"}},
	{"truncated gzip", cut(zip(ct("a")+"\n"+ct("b")), 16), []string{"0 aws a", "1 damaged truncated"}},
	{"gzip truncated in its header", zip(ct("a"))[:6], []string{"0 damaged truncated"}},
	{"gzip with a wrong checksum", corrupt(zip(ct("a")), -6), []string{"0 aws a", "1 damaged corrupt"}},
	{"gzip with garbage behind", zip(ct("a")) + "garbage, not a member", []string{"0 aws a", "1 damaged corrupt"}},

	{"an S3 notification", `{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"r","eventTime":"1970-01-01T00:00:00.000Z","eventName":"ObjectCreated:Put","s3":{}}]}`, []string{"0 rejected s3_notification"}},
	{"an S3 test event", `{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}`, []string{"0 rejected s3_notification"}},
	{"CloudTrail's own notification", `{"s3Bucket":"b","s3ObjectKey":["k"]}`, []string{"0 rejected s3_notification"}},
	{"SNS and SQS", `{"Records":[{"EventSource":"aws:sns","Sns":{}},{"messageId":"m","eventSource":"aws:sqs","awsRegion":"r","body":"x"}]}` + `{"Type":"Notification","TopicArn":"t","Message":"x"}`, []string{"0 rejected sns", "1 rejected sqs", "2 rejected sns"}},
	{"Kinesis and DynamoDB", `{"Records":[{"eventSource":"aws:kinesis","eventName":"aws:kinesis:record","awsRegion":"r","kinesis":{}},{"eventSource":"aws:dynamodb","eventName":"INSERT","awsRegion":"r"}]}`, []string{"0 rejected kinesis", "1 rejected dynamodb"}},
	{"GuardDuty", `{"source":"aws.guardduty","detail-type":"GuardDuty Finding","detail":{"schemaVersion":"2.0","service":{"serviceName":"guardduty"}}}` + "\n" + `{"schemaVersion":"2.0","region":"r","type":"t","service":{"detectorId":"d"}}`, []string{"0 rejected guardduty", "1 rejected guardduty"}},
	{"a digest", `{"awsAccountId":"1","digestStartTime":"x","digestS3Object":"k","logFiles":[]}`, []string{"0 rejected digest"}},
	{"a Config snapshot", `{"fileVersion":"1.0","configSnapshotId":"x","configurationItems":[{"awsRegion":"r"}]}`, []string{"0 rejected config"}},
	{"a Security Hub finding", `{"SchemaVersion":"2018-10-08","ProductArn":"arn"}`, []string{"0 rejected securityhub"}},
	{"another EventBridge event", `{"source":"aws.ec2","detail-type":"EC2 Instance State-change Notification","detail":{"state":"running"}}`, []string{"0 rejected eventbridge"}},
	{"aggregated events", `[{"eventId":"x","awsRegion":"r","eventCategory":"Aggregated","eventType":"AwsAggregatedEvent"}]`, []string{"0 rejected aggregated"}},
	{"something else", `{"hello":"world"}`, []string{"0 rejected not_a_trail"}},
	{"a wrapped record that is broken", `{"event":"{\"eventId\":"}`, []string{"0 rejected json"}},
	{"a time that cannot be read", `[{"eventID":"a","eventTime":"yesterday","awsRegion":"r","eventName":"X"},` + ct("b") + `]`, []string{"0 rejected time", "1 aws b"}},
}

func corrupt(s string, at int) string {
	b := []byte(s)
	b[len(b)+at] ^= 0xff
	return string(b)
}

func TestReadings(t *testing.T) {
	r := NewReader(strings.NewReader(""), Limits{})
	for _, c := range readings {
		t.Run(c.name, func(t *testing.T) {
			r.Reset(strings.NewReader(c.input))
			if diff := cmp.Diff(c.want, outcome(r)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestReadSizesDoNotMatter(t *testing.T) {
	for _, c := range readings {
		for name, wrap := range map[string]func(io.Reader) io.Reader{
			"one byte": iotest.OneByteReader, "half": iotest.HalfReader, "data with the error": iotest.DataErrReader,
		} {
			if diff := cmp.Diff(c.want, outcome(NewReader(wrap(strings.NewReader(c.input)), Limits{}))); diff != "" {
				t.Errorf("%s, %s: -want +got\n%s", c.name, name, diff)
			}
		}
	}
}

func TestEveryPrefixEndsWithoutInventingRecords(t *testing.T) {
	for _, c := range readings {
		if strings.HasPrefix(c.input, "\x1f") || len(c.input) > 2000 {
			continue
		}
		for n := range len(c.input) {
			lines := outcome(NewReader(strings.NewReader(c.input[:n]), Limits{}))
			for i, line := range lines {
				known := i < len(c.want) && line == c.want[i]
				if !known && !strings.Contains(line, "rejected") && !strings.Contains(line, "damaged") {
					t.Fatalf("%s cut at %d: %q, the whole gives %q", c.name, n, lines, c.want)
				}
			}
		}
	}
}

func TestMaxRecordLosesOnlyThatRecord(t *testing.T) {
	big := strings.Replace(ct("big"), `"Decrypt"`, quoted(strings.Repeat("x\"{", 2000)), 1)
	limits := Limits{MaxRecord: 3000}
	for name, c := range map[string]struct {
		input string
		want  []string
	}{
		"in an array":      {`{"Records":[` + ct("a") + `,` + big + `,` + ct("c") + `]}`, []string{"0 aws a", "1 rejected too_large", "2 aws c"}},
		"in lines":         {ct("a") + "\n" + big + "\n" + ct("c"), []string{"0 aws a", "1 rejected too_large", "2 aws c"}},
		"before Records":   {`{"x":` + big + `,"Records":[` + ct("a") + `]}`, []string{"0 aws a"}},
		"after Records":    {`{"Records":[` + ct("a") + `],"x":` + big + `}` + ct("b"), []string{"0 aws a", "1 aws b"}},
		"truncated":        {`{"Records":[` + ct("a") + `,` + big[:4000], []string{"0 aws a", "1 damaged truncated"}},
		"broken line":      {`{"x":` + big + ` y` + "\n" + ct("b"), []string{"0 rejected json", "1 aws b"}},
		"just fits":        {ct("a" + strings.Repeat("x", 3000-len(ct("a")))), []string{"0 aws a" + strings.Repeat("x", 3000-len(ct("a")))}},
		"one byte too big": {ct("a" + strings.Repeat("x", 3001-len(ct("a")))), []string{"0 rejected too_large"}},
	} {
		for _, wrap := range []func(io.Reader) io.Reader{func(r io.Reader) io.Reader { return r }, iotest.OneByteReader} {
			if diff := cmp.Diff(c.want, outcome(NewReader(wrap(strings.NewReader(c.input)), limits))); diff != "" {
				t.Errorf("%s: -want +got\n%s", name, diff)
			}
		}
	}
}

func TestMaxObjectBoundsABomb(t *testing.T) {
	bomb := zip(ct("a") + "\n" + strings.Repeat(" ", 1<<20))
	want := []string{"0 aws a", "1 damaged max_object"}
	if diff := cmp.Diff(want, outcome(NewReader(strings.NewReader(bomb), Limits{MaxObject: 64 << 10}))); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	exact := ct("a")
	if diff := cmp.Diff(want[:1], outcome(NewReader(strings.NewReader(zip(exact)), Limits{MaxObject: int64(len(exact))}))); diff != "" {
		t.Errorf("an object of exactly MaxObject: -want +got\n%s", diff)
	}
}

func TestPositions(t *testing.T) {
	input := ` {"Records":[` + ct("a") + ` , {"hello":1},` + ct("b")
	r := NewReader(strings.NewReader(zip(input)), Limits{})
	var got []string
	for {
		rec, err := r.Next()
		if err == nil {
			got = append(got, fmt.Sprint(rec.Index, " ", rec.Offset, " ", rec.Format, " ", input[rec.Offset:][:len(rec.Raw)] == string(rec.Raw)))
			continue
		}
		got = append(got, err.Error())
		if _, lost := err.(*Reject); !lost {
			break
		}
	}
	second := strings.Index(input, `{"hello"`)
	want := []string{
		"0 13 aws.cloudtrail true",
		fmt.Sprintf("record 1 at byte %d rejected (not_a_trail): neither a CloudTrail nor an ActionTrail record", second),
		fmt.Sprintf("2 %d aws.cloudtrail true", strings.LastIndex(input, `{"eventVersion"`)),
		fmt.Sprintf("object damaged after 3 records at byte %d (truncated): the object ends inside a value", len(input)),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if _, err := r.Next(); err == nil || err.Error() != want[3] {
		t.Errorf("after damage Next says %v", err)
	}
}

func TestAReadErrorIsNoDamage(t *testing.T) {
	reset := errors.New("connection reset")
	for _, object := range []string{zip(ct("a") + "\n" + ct("b")), ct("a") + "\n" + ct("b")} {
		r := NewReader(io.MultiReader(strings.NewReader(object[:len(object)-20]), iotest.ErrReader(reset)), Limits{})
		var err error
		for err == nil {
			_, err = r.Next()
		}
		if !errors.Is(err, reset) {
			t.Errorf("got %v", err)
		}
	}
}

func TestLargeStringsStream(t *testing.T) {
	name := strings.Repeat("abcdefgh", 1<<17) // 1 MiB
	input := `{"Records":[` + strings.Replace(ct("a"), "Decrypt", name, 1) + `,` + ct("b") + `]}`
	r := NewReader(strings.NewReader(zip(input)), Limits{})
	var ev event.Event
	rec, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	if err := Normalize(&ev, rec); err != nil || ev.Action != name {
		t.Fatalf("%v, action of %d bytes", err, len(ev.Action))
	}
	if got := outcome(r); !cmp.Equal(got, []string{"1 aws b"}) {
		t.Errorf("then %v", got)
	}
}

func TestMemoryIsBoundedByTheRecordNotTheObject(t *testing.T) {
	// 32 MB of records, made while they are read.
	records := 0
	src := &endless{chunk: []byte(ct("a") + "\n"), left: 32 << 20}
	r := NewReader(src, Limits{})
	for {
		if _, err := r.Next(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		records++
	}
	if records < 200_000 || cap(r.buf) > 1<<20 {
		t.Errorf("%d records through a buffer of %d bytes", records, cap(r.buf))
	}
}

type endless struct {
	chunk []byte
	left  int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := 0
	for n+len(e.chunk) <= len(p) {
		n += copy(p[n:], e.chunk)
	}
	e.left -= n
	return n, nil
}

// cut drops the last n bytes.
func cut(s string, n int) string { return s[:len(s)-n] }
