package s3

import (
	"encoding/json"
	"net/url"
	"strings"
	"time"
)

// notice is the news of one object.
type notice struct {
	bucket, key string
	version     string // "" when it does not say
	size        int64  // -1 when it does not say
	at          time.Time
}

// envelope is every form of message at once; which one it is shows by what is
// there.
type envelope struct {
	// SNS: the message is in the message.
	Type    string
	Message *string

	// S3 itself.
	Event   string // s3:TestEvent
	Records []record

	// EventBridge.
	Kind   string    `json:"detail-type"`
	Time   time.Time `json:"time"`
	Detail *struct {
		Bucket struct{ Name string }
		Object objectNews
	}

	// CloudTrail's own.
	Bucket string `json:"s3Bucket"`
	Keys   keys   `json:"s3ObjectKey"`
}

type record struct {
	EventName string
	EventTime time.Time
	S3        *struct {
		Bucket struct{ Name string }
		Object objectNews
	}
}

type objectNews struct {
	Key  string
	Size *int64
	ETag string
}

// keys is one key, or several.
type keys []string

func (k *keys) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		*k = make(keys, 1)
		return json.Unmarshal(b, &(*k)[0])
	}
	return json.Unmarshal(b, (*[]string)(k))
}

// wrapped is how deep a message may be in messages.
const wrapped = 4

// parse returns what a message announces. Messages that announce no new object
// have no notices; ok is false for those that are not understood.
func parse(body string) (news []notice, ok bool) {
	for range wrapped {
		var e envelope
		if err := json.Unmarshal([]byte(body), &e); err != nil {
			return nil, false
		}
		if e.Message == nil || e.Records != nil || e.Detail != nil {
			return e.news()
		}
		body = *e.Message
	}
	return nil, false
}

func (e *envelope) news() (news []notice, ok bool) {
	switch {
	case e.Event == "s3:TestEvent":
		return nil, true
	case e.Detail != nil:
		if e.Kind != "Object Created" {
			return nil, e.Kind != ""
		}
		return append(news, e.Detail.Object.notice(e.Detail.Bucket.Name, e.Detail.Object.Key, e.Time)), e.Detail.Object.Key != ""
	case e.Bucket != "" && len(e.Keys) > 0:
		for _, key := range e.Keys {
			news = append(news, notice{bucket: e.Bucket, key: key, size: -1})
		}
		return news, true
	}
	for _, r := range e.Records {
		if r.S3 == nil {
			return nil, false
		}
		if !strings.Contains(r.EventName, "ObjectCreated:") {
			continue
		}
		key, err := url.QueryUnescape(r.S3.Object.Key)
		if err != nil || key == "" {
			return nil, false
		}
		news = append(news, r.S3.Object.notice(r.S3.Bucket.Name, key, r.EventTime))
	}
	return news, e.Records != nil
}

func (o objectNews) notice(bucket, key string, at time.Time) notice {
	n := notice{bucket: bucket, key: key, version: versionOf(o.ETag), size: -1, at: at}
	if o.Size != nil {
		n.size = *o.Size
	}
	return n
}
