package decode

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"

	"github.com/trailship/trailship/core/event/rawjson"
)

// The reasons of rejects for documents that are known and are no trail
// records. Together with the Reason… constants these are all there are.
const (
	reasonControl     = "control_message"
	reasonAggregated  = "aggregated"
	reasonDigest      = "digest"
	reasonS3          = "s3_notification"
	reasonGuardDuty   = "guardduty"
	reasonSecurityHub = "securityhub"
	reasonConfig      = "config"
	reasonEventBridge = "eventbridge"
	reasonSNS         = "sns"
)

var errNotObject = errors.New("not a JSON object")

// maxWraps is how often a record may be wrapped: EventBridge inside CloudWatch
// Logs inside an array is three.
const maxWraps = 4

// admit decides what the object in r.doc is: a record, a wrapped record, or
// neither.
func (r *Reader) admit(raw []byte, offset int64) error {
	r.doc.index(raw)
	outer := ""
	for n := 0; ; n++ {
		reason := r.doc.recognize()
		if f := r.doc.format; f != nil {
			rec := &r.record // a record by itself would be copied before it has reached the cache
			rec.Raw, rec.Index, rec.Offset, rec.Format, rec.doc, rec.gen = r.doc.raw, r.index, offset, f.name, &r.doc, r.doc.gen
			return nil
		}
		value := r.doc.wrapped()
		if reason != "" || value == nil || n == maxWraps {
			if reason == "" {
				reason = r.doc.foreign()
			}
			if reason == ReasonForeign && outer != "" {
				reason = outer
			}
			return r.reject(offset, reason, details[reason])
		}
		if outer == "" {
			outer = r.doc.bridge()
		}
		if text := inner(value); text != nil {
			r.scratch[n&1] = rawjson.AppendText(r.scratch[n&1][:0], text)
			value = r.scratch[n&1]
		}
		if err := r.doc.parse(value); err == errNotObject {
			return r.reject(offset, r.textReason(value), "the wrapped value is "+err.Error())
		} else if err != nil {
			return r.reject(offset, ReasonJSON, "the wrapped value: "+err.Error())
		}
	}
}

// details says in words what a reason means.
var details = map[string]string{
	ReasonForeign:     "neither a CloudTrail nor an ActionTrail record",
	reasonControl:     "a CloudWatch Logs control message",
	reasonAggregated:  "an aggregated CloudTrail event",
	reasonDigest:      "a CloudTrail digest",
	reasonS3:          "a notification about a stored object",
	reasonGuardDuty:   "a GuardDuty finding",
	reasonSecurityHub: "a Security Hub finding",
	reasonConfig:      "an AWS Config document",
	reasonEventBridge: "an EventBridge event of another kind",
	reasonSNS:         "an SNS message",
	"kinesis":         "a Kinesis record",
	"sqs":             "an SQS message",
	"dynamodb":        "a DynamoDB stream record",
	"ses":             "an SES message",
}

// textReason names what a wrapped string is that is no object.
func (r *Reader) textReason(text []byte) string {
	switch {
	case bytes.HasPrefix(text, []byte("CWL CONTROL MESSAGE")):
		return reasonControl
	case bytes.HasPrefix(text, []byte("s3:")):
		return reasonS3
	}
	return ReasonForeign
}

// recognize sets the format of a trail record, or returns the reason why a
// document that looks like one is none.
func (d *document) recognize() (reason string) {
	source := d.bytes(fEventSource)
	if service, ok := bytes.CutPrefix(source, []byte("aws:")); ok {
		return lambdaReason(service)
	}
	for i := range formats {
		if f := &formats[i]; f.is(d) {
			if string(d.bytes(fEventCategory)) == "Aggregated" || string(d.bytes(fEventType)) == "AwsAggregatedEvent" {
				return reasonAggregated
			}
			d.format = f
			return ""
		}
	}
	return ""
}

// lambdaReason names what services hand to functions: records that carry
// eventSource, eventName and awsRegion and are no trail records.
func lambdaReason(service []byte) string {
	switch s := string(service); s {
	case "s3":
		return reasonS3
	case "kinesis", "sqs", "sns", "dynamodb", "ses":
		return s
	}
	return ReasonForeign
}

// wrapped returns the value a record may be inside of, nil when d is no
// envelope.
func (d *document) wrapped() []byte {
	switch {
	case inner(d.value(fCloudTrailEvent)) != nil:
		return d.value(fCloudTrailEvent)
	case d.has(fDetail) && (d.has(fDetailType) || d.has(fSource)):
		return d.container(fDetail)
	case d.has(fData) && (d.has(fSpecVersion) || d.has(fSource)):
		return d.container(fData)
	case d.has(fEvent):
		return d.container(fEvent)
	}
	if inner(d.value(fMessage)) != nil {
		return d.value(fMessage)
	}
	return nil
}

// container returns f's value when it is an object or a string.
func (d *document) container(f field) []byte {
	if v := d.value(f); v != nil && (v[0] == '{' || v[0] == '"') {
		return v
	}
	return nil
}

// bridge names the service an EventBridge event came from.
func (d *document) bridge() string {
	if !d.has(fDetailType) {
		return ""
	}
	switch string(d.bytes(fSource)) {
	case "aws.guardduty":
		return reasonGuardDuty
	case "aws.securityhub":
		return reasonSecurityHub
	case "aws.config":
		return reasonConfig
	case "aws.s3":
		return reasonS3
	}
	return reasonEventBridge
}

// foreign names a document by members only its kind has.
func (d *document) foreign() string {
	for _, m := range d.members {
		switch string(m.Name) {
		case "digestS3Object", "digestStartTime":
			return reasonDigest
		case "s3", "s3Bucket", "s3ObjectKey", "Bucket":
			return reasonS3
		case "Sns", "TopicArn":
			return reasonSNS
		case "kinesis":
			return "kinesis"
		case "receiptHandle", "ReceiptHandle":
			return "sqs"
		case "dynamodb":
			return "dynamodb"
		case "configurationItem", "configurationItems", "configurationItemStatus", "configSnapshotId", "invokingEvent":
			return reasonConfig
		case "ProductArn":
			return reasonSecurityHub
		case "detail-type":
			return reasonEventBridge
		case "service":
			if d.isGuardDuty(m.Value) {
				return reasonGuardDuty
			}
		}
	}
	return ReasonForeign
}

// isGuardDuty knows an exported finding by the detector in its service.
func (d *document) isGuardDuty(service []byte) bool {
	return rawjson.Find(service, "detectorId") != nil || string(inner(rawjson.Find(service, "serviceName"))) == "guardduty"
}

// isControl reports whether the members read so far are those of a CloudWatch
// Logs control message.
func (d *document) isControl() bool {
	for _, m := range d.members {
		if string(m.Name) == "messageType" {
			return string(m.Value) == `"CONTROL_MESSAGE"`
		}
	}
	return false
}

// awslogs returns the text of awslogs.data, the form in which CloudWatch Logs
// hands a compressed subscription to a function.
func (d *document) awslogs() []byte {
	for _, m := range d.members {
		if string(m.Name) == "awslogs" {
			return inner(rawjson.Find(m.Value, "data"))
		}
	}
	return nil
}

// openNested reads the object packed into the document that was just read.
func (r *Reader) openNested(data []byte, offset int64) error {
	if r.depth == maxLayers {
		return r.reject(offset, ReasonForeign, "packed too often")
	}
	r.scratch[0] = rawjson.AppendText(r.scratch[0][:0], data)
	packed, err := base64.StdEncoding.AppendDecode(r.scratch[1][:0], r.scratch[0])
	if err != nil {
		return r.reject(offset, ReasonCorrupt, "awslogs.data: "+err.Error())
	}
	r.scratch[1] = packed
	if r.nested == nil {
		r.nested = &Reader{limits: r.limits, depth: r.depth + 1}
	}
	r.nested.Reset(bytes.NewReader(packed))
	r.state, r.from = inNested, offset
	return errNone
}

// nestedRecord passes on what the nested object holds. Its damage costs this
// object one record.
func (r *Reader) nestedRecord() error {
	rec, err := r.nested.Next()
	switch e := err.(type) {
	case nil:
		rec.Index, rec.Offset = r.index, r.from
		r.record = rec
		return nil
	case *Reject:
		return r.reject(r.from, e.Reason, e.Detail)
	case *Damage:
		r.state = between
		return r.reject(r.from, e.Reason, e.Detail)
	}
	r.state = between
	if err == io.EOF {
		err = errNone
	}
	return err
}
