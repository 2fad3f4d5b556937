package s3

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/trailship/trailship/plugins/sdk"
)

// explain says what an error means and what to do. Nearly everything that goes
// wrong with a bucket is wrong for every alert, and somebody can mend it: that
// is tried again. Only what is too large, alone, never fits.
func (b *bucket) explain(prefix string, err error) error {
	code, status := codeOf(err)
	said := fmt.Errorf("writing to s3://%s/%s: %s", b.Bucket, prefix, b.advice(code, status, err))
	if tooLarge(err) {
		return sdk.Permanent(said)
	}
	return said
}

// tooLarge says that the store takes objects, but smaller ones.
func tooLarge(err error) bool {
	code, status := codeOf(err)
	return code == "EntityTooLarge" || status == http.StatusRequestEntityTooLarge
}

// codeOf is what a service answered; zero when it did not.
func codeOf(err error) (code string, status int) {
	var api smithy.APIError
	if errors.As(err, &api) {
		code = api.ErrorCode()
	}
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		status = response.HTTPStatusCode()
	}
	return code, status
}

// advices has what error codes mean to who configures us.
var advices = map[string]string{
	"NoSuchBucket":                "there is no such bucket: create it, or check bucket, region and endpoint",
	"InvalidBucketName":           "this cannot be the name of a bucket: check bucket",
	"SignatureDoesNotMatch":       "the secret access key does not fit the access key id: check both where they come from",
	"InvalidAccessKeyId":          "this access key id is not known here: check it, and that endpoint is where it belongs",
	"InvalidClientTokenId":        "this access key id is not known here: check it",
	"UnrecognizedClientException": "this access key id is not known here: check it",
	"ExpiredToken":                "the temporary credentials are over: renew them where they come from",
	"InvalidToken":                "the session token does not belong to the access key id: check both",
	"RequestTimeTooSkewed":        "the clock of this machine is wrong: set it",
	"SecondLevelDomainForbidden":  "this service wants the bucket in the host's name: set addressing: host",
	"SlowDown":                    "the service asks to go slower",
	"EntityTooLarge":              "one alert alone is larger than the store takes: leave out include",
	"NotImplemented":              "the store does not know something it was asked for: check encryption",
}

// advice says what an error means here.
func (b *bucket) advice(code string, status int, err error) string {
	if region, wrong := otherRegion(code, status, err); wrong {
		return "the bucket is in another region: set region" + region
	}
	if of(err, "STS") {
		return fmt.Sprintf("cannot take on the role %s: its trust policy must name these credentials (and external_id, if it asks for one), and they need sts:AssumeRole on it: %s", b.AssumeRole.ARN, short(err))
	}
	if text, ok := advices[code]; ok {
		return text + ": " + short(err)
	}
	switch {
	case strings.HasPrefix(code, "KMS.") || status == http.StatusForbidden && strings.Contains(err.Error(), "kms:"):
		return "these credentials may not encrypt: they need kms:GenerateDataKey on the bucket's key: " + short(err)
	case status == http.StatusForbidden:
		return fmt.Sprintf("these credentials may not write: they need s3:PutObject on arn:aws:s3:::%s/%s*: %s", b.Bucket, b.prefix.fixed(), short(err))
	case strings.Contains(err.Error(), "get credentials") || strings.Contains(err.Error(), "retrieve credentials"):
		return "there are no credentials: let env pass some on (AWS_ACCESS_KEY_ID, or HOME and AWS_PROFILE), give the machine a role, or set credentials: " + short(err)
	case errors.Is(err, context.DeadlineExceeded):
		return "the store did not answer in time: " + short(err)
	case unreachable(err):
		return "the store cannot be reached: check endpoint, region and the network: " + short(err)
	case code != "":
		return fmt.Sprintf("%s (it answered %d)", short(err), status)
	}
	return short(err)
}

// otherRegion recognises the ways to say that a bucket is elsewhere, and the
// region when the answer has it.
func otherRegion(code string, status int, err error) (region string, wrong bool) {
	switch code {
	case "PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException":
		wrong = true
	}
	var response *awshttp.ResponseError
	if errors.As(err, &response) && response.Response != nil {
		if r := response.Response.Header.Get("X-Amz-Bucket-Region"); r != "" {
			region = ": " + r
		}
	}
	return region, wrong || status == http.StatusMovedPermanently
}

// of says which service an error came from, also inside a request to another.
func of(err error, service string) bool {
	for op := (*smithy.OperationError)(nil); errors.As(err, &op); err = op.Err {
		if op.ServiceID == service {
			return true
		}
	}
	return false
}

// unreachable says that no answer came at all.
func unreachable(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	return errors.As(err, &dns) || errors.As(err, &op) && op.Op == "dial"
}

// short is an error without the request around it.
func short(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode() + ": " + api.ErrorMessage()
	}
	for op := (*smithy.OperationError)(nil); errors.As(err, &op); {
		err = op.Err
	}
	return err.Error()
}
