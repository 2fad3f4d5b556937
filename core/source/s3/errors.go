package s3

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

// What was asked for when an error came.
type asked int

const (
	listing asked = iota
	reading
	queueing
)

// trouble is an error of a service in words that say what to do. It unwraps to
// what the SDK returned.
type trouble struct {
	text string
	// every says that every other request will fail in the same way.
	every bool
	// gone says that the object is not there.
	gone bool
	err  error
}

func (t *trouble) Error() string { return t.text }

// Unwrap returns what the SDK returned and, for an object that is not there,
// fs.ErrNotExist.
func (t *trouble) Unwrap() []error {
	if t.gone {
		return []error{t.err, fs.ErrNotExist}
	}
	return []error{t.err}
}

// everywhere says that there is no use in trying other requests.
func everywhere(err error) bool {
	var t *trouble
	return errors.As(err, &t) && t.every
}

// explain says what went wrong with a path of the bucket, or the queue.
func (s *Source) explain(ctx context.Context, what asked, path string, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return ctx.Err()
	}
	t := &trouble{err: err}
	doing := map[asked]string{listing: "listing ", reading: "reading ", queueing: "receiving from "}[what]
	at := s.url(path)
	if what == queueing {
		at = s.SQS.URL
	}
	t.text = doing + at + ": " + s.advice(what, err, t)
	return t
}

// advice says what an error means here.
func (s *Source) advice(what asked, err error, t *trouble) string {
	var api smithy.APIError
	var response *awshttp.ResponseError
	status := 0
	if errors.As(err, &response) {
		status = response.HTTPStatusCode()
	}
	isAPI := errors.As(err, &api)
	code := ""
	if isAPI {
		code = api.ErrorCode()
	}
	if s.wrongRegion(err, code, status) {
		t.every = true
		if right := regionIn(err); right != "" {
			return fmt.Sprintf("the bucket is in another region: set region: %s", right)
		}
		return fmt.Sprintf("the bucket is not in region %s, or is at another endpoint: set region and endpoint to the bucket's", s.Region)
	}
	if of(err, "STS") {
		t.every = true
		return fmt.Sprintf("cannot take on the role %s: its trust policy must name these credentials (and external_id, if it asks for one), and they need sts:AssumeRole on it: %s", s.AssumeRole.ARN, short(err))
	}
	if noCredentials(err) {
		t.every = true
		return "there are no credentials: give the environment some (a role of the machine, AWS_PROFILE, AWS_ACCESS_KEY_ID), or set credentials: " + short(err)
	}
	if advice, ok := advices[code]; ok {
		t.every, t.gone = advice.every, advice.gone && what == reading
		return code + ": " + advice.text + detail(api)
	}
	switch {
	case status == http.StatusForbidden, strings.HasPrefix(code, "AccessDenied"):
		return s.denied(what, err, api, code)
	case status == http.StatusNotFound && what == reading:
		t.gone = true
		return "it is not there (any more)"
	case status == http.StatusNotFound && what == listing:
		t.every = true
		return advices["NoSuchBucket"].text
	case isAPI:
		return fmt.Sprintf("%s: %s (the service answered %d, after %d attempts)", code, api.ErrorMessage(), status, attempts)
	}
	if unreachable(err) {
		t.every = true
		return fmt.Sprintf("%s cannot be reached: check endpoint, region and the network: %s", s.where(what), short(err))
	}
	return short(err)
}

type advice struct {
	text        string
	every, gone bool
}

// advices has what the services' error codes mean to who configures us.
var advices = map[string]advice{
	"SignatureDoesNotMatch":       {text: "the secret access key does not fit the access key id: check both where they come from", every: true},
	"InvalidAccessKeyId":          {text: "this access key id is not known here: check it, and that endpoint is where it belongs", every: true},
	"InvalidClientTokenId":        {text: "this access key id is not known here: check it", every: true},
	"UnrecognizedClientException": {text: "this access key id is not known here: check it", every: true},
	"ExpiredToken":                {text: "the temporary credentials are over: renew them where they come from", every: true},
	"InvalidToken":                {text: "the session token does not belong to the access key id: check both", every: true},
	"RequestTimeTooSkewed":        {text: "the clock of this machine is wrong: set it", every: true},
	"NoSuchBucket":                {text: "there is no such bucket: check bucket, region and endpoint", every: true},
	"InvalidBucketName":           {text: "this cannot be the name of a bucket: check bucket", every: true},
	"SecondLevelDomainForbidden":  {text: "this service wants the bucket in the host's name: check endpoint", every: true},
	"NoSuchKey":                   {text: "it is not there (any more)", gone: true},
	"NotFound":                    {text: "it is not there (any more)", gone: true},
	"InvalidObjectState":          {text: "it is archived: restore it, or exclude it"},
	"SlowDown":                    {text: "the service asks to go slower"},

	"AWS.SimpleQueueService.NonExistentQueue": {text: "there is no such queue: check sqs", every: true},
	"QueueDoesNotExist":                       {text: "there is no such queue: check sqs", every: true},
}

// denied says which permission is missing.
func (s *Source) denied(what asked, err error, api smithy.APIError, code string) string {
	if code == "" {
		code = "AccessDenied"
	}
	message := detail(api)
	switch {
	case strings.Contains(err.Error(), "kms:") || strings.HasPrefix(code, "KMS."):
		return code + ": these credentials need kms:Decrypt on the key the object is encrypted with" + message
	case what == listing:
		return fmt.Sprintf("%s: these credentials may not list the bucket: they need s3:ListBucket on %s%s", code, s.arn(""), message)
	case what == reading:
		return fmt.Sprintf("%s: these credentials may not read it: they need s3:GetObject on %s, and kms:Decrypt on its key if it is encrypted with SSE-KMS%s", code, s.arn("/"+s.Prefix+"*"), message)
	}
	return fmt.Sprintf("%s: these credentials need sqs:ReceiveMessage, sqs:DeleteMessage and sqs:ChangeMessageVisibility on the queue%s", code, message)
}

func (s *Source) arn(path string) string { return "arn:aws:s3:::" + s.Bucket + path }

// detail is the service's own sentence, when there is one.
func detail(api smithy.APIError) string {
	if api == nil || api.ErrorMessage() == "" {
		return ""
	}
	return " (it says: " + strings.TrimSuffix(api.ErrorMessage(), ".") + ")"
}

func (s *Source) where(what asked) string {
	switch {
	case what == queueing:
		return "the queue"
	case s.Endpoint != "":
		return s.Endpoint
	}
	return "S3"
}

// wrongRegion recognises the many ways to say so.
func (s *Source) wrongRegion(err error, code string, status int) bool {
	switch code {
	case "PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "AuthorizationQueryParametersError":
		return true
	}
	return status == http.StatusMovedPermanently
}

var expected = regexp.MustCompile(`(?:expecting|Expecting|expected:?) ['"]?([a-z]{2}-[a-z0-9-]+[a-z0-9])`)

// regionIn is the bucket's region, from an answer to a request that went to
// another one.
func regionIn(err error) string {
	var response *awshttp.ResponseError
	if errors.As(err, &response) && response.Response != nil {
		if r := response.Response.Header.Get("X-Amz-Bucket-Region"); r != "" {
			return r
		}
	}
	if m := expected.FindStringSubmatch(err.Error()); m != nil {
		return m[1]
	}
	return ""
}

// of says whether an error came from that service, however deep.
func of(err error, service string) bool {
	for op := (*smithy.OperationError)(nil); errors.As(err, &op); err = op.Err {
		if op.ServiceID == service {
			return true
		}
	}
	return false
}

func noCredentials(err error) bool {
	text := err.Error()
	return strings.Contains(text, "get credentials") || strings.Contains(text, "failed to refresh cached credentials") ||
		strings.Contains(text, "failed to retrieve credentials")
}

// unreachable says that no answer came at all.
func unreachable(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	return errors.As(err, &dns) || errors.As(err, &op) && op.Op == "dial"
}

// short is the innermost part of an error, without the request around it.
func short(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode() + ": " + api.ErrorMessage()
	}
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err.Error()
	}
	for op := (*smithy.OperationError)(nil); errors.As(err, &op); {
		err = op.Err
	}
	return err.Error()
}

// transport bounds how long a service may say nothing.
func transport(t *http.Transport) {
	t.ResponseHeaderTimeout = 30 * time.Second
	t.MaxIdleConnsPerHost = 32
}
