package s3test

import (
	"encoding/json"
	"net/url"
	"time"
)

// Notice is the news that an object was put.
type Notice struct {
	Bucket, Key string
	Size        int64
	ETag        string
	Event       string // "" is ObjectCreated:Put
}

// S3Event is how S3 tells a queue itself: one message, a record a notice, the
// keys as in a form.
func S3Event(notices ...Notice) string {
	var records []any
	for _, n := range notices {
		event := n.Event
		if event == "" {
			event = "ObjectCreated:Put"
		}
		records = append(records, map[string]any{
			"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1",
			"eventTime": noticed, "eventName": event,
			"userIdentity":      map[string]any{"principalId": "AWS:AROAEXAMPLE"},
			"requestParameters": map[string]any{"sourceIPAddress": "192.0.2.1"},
			"s3": map[string]any{
				"s3SchemaVersion": "1.0", "configurationId": "new-objects",
				"bucket": map[string]any{"name": n.Bucket, "arn": "arn:aws:s3:::" + n.Bucket},
				"object": map[string]any{"key": url.QueryEscape(n.Key), "size": n.Size, "eTag": n.ETag, "sequencer": "0055AED6DCD90281E5"},
			},
		})
	}
	return text(map[string]any{"Records": records})
}

// TestEvent is what S3 sends once when notifications are switched on.
func TestEvent(bucket string) string {
	return text(map[string]any{"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": noticed,
		"Bucket": bucket, "RequestId": "5582815E1AEA5ADF", "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR"})
}

// SNS is a message as SNS wraps it for a queue.
func SNS(message string) string {
	return text(map[string]any{"Type": "Notification", "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
		"TopicArn": "arn:aws:sns:us-east-1:111122223333:trails", "Subject": "Amazon S3 Notification",
		"Message": message, "Timestamp": noticed, "SignatureVersion": "1", "Signature": "EXAMPLE"})
}

// EventBridge is how EventBridge tells it; the key is as it is.
func EventBridge(n Notice) string {
	return text(map[string]any{"version": "0", "id": "17793124-05d4-b198-2fde-7ededc63b103",
		"detail-type": "Object Created", "source": "aws.s3", "account": "111122223333", "time": noticed,
		"region": "us-east-1", "resources": []string{"arn:aws:s3:::" + n.Bucket},
		"detail": map[string]any{"version": "0", "bucket": map[string]any{"name": n.Bucket},
			"object": map[string]any{"key": n.Key, "size": n.Size, "etag": n.ETag, "sequencer": "617f08299329d189"},
			"reason": "PutObject", "request-id": "N4N7GDK58NMKJ12R", "requester": "123456789012"}})
}

// CloudTrail is the message CloudTrail itself gives its SNS topic, not wrapped.
func CloudTrail(bucket string, keys ...string) string {
	return text(map[string]any{"s3Bucket": bucket, "s3ObjectKey": keys})
}

// Shapes are the forms in which the news of one object reaches a queue.
var Shapes = map[string]func(n Notice) string{
	"S3":                  func(n Notice) string { return S3Event(n) },
	"S3 by SNS":           func(n Notice) string { return SNS(S3Event(n)) },
	"EventBridge":         EventBridge,
	"EventBridge by SNS":  func(n Notice) string { return SNS(EventBridge(n)) },
	"CloudTrail, raw":     func(n Notice) string { return CloudTrail(n.Bucket, n.Key) },
	"CloudTrail, wrapped": func(n Notice) string { return SNS(CloudTrail(n.Bucket, n.Key)) },
}

// noticed is the time in every message: trailship does not believe it anyway.
var noticed = time.Date(2026, 8, 3, 9, 5, 0, 0, time.UTC).Format("2006-01-02T15:04:05.000Z")

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and numbers
	}
	return string(b)
}
