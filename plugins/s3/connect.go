package s3

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/trailship/trailship/plugins/sdk"
)

// keys is a static pair.
type keys struct {
	AccessKeyID     sdk.Secret `json:"access_key_id" required:"true" doc:"Use ${env:…} or ${file:…}"`
	SecretAccessKey sdk.Secret `json:"secret_access_key" required:"true" doc:"Use ${env:…} or ${file:…}"`
	SessionToken    sdk.Secret `json:"session_token" doc:"Of a temporary pair"`
}

// role is a role to take on before writing.
type role struct {
	ARN        string     `json:"arn" required:"true" doc:"The role"`
	ExternalID sdk.Secret `json:"external_id" doc:"What the role's trust policy asks for"`
}

// attempts is how often an object is sent before the daemon is told, which then
// waits longer.
const attempts = 3

// connect makes the client with the first batch.
func (b *bucket) connect(ctx context.Context) error {
	if b.api != nil {
		return nil
	}
	settings, err := b.awsConfig(ctx)
	if err != nil {
		return err
	}
	b.api = s3.NewFromConfig(settings, func(o *s3.Options) {
		o.UsePathStyle = b.pathStyle()
		if b.Endpoint != "" {
			o.BaseEndpoint = &b.Endpoint
		}
	})
	return nil
}

// awsConfig is who we are and how often to try.
func (b *bucket) awsConfig(ctx context.Context) (aws.Config, error) {
	options := []func(*awsconfig.LoadOptions) error{
		awsconfig.WithRetryer(func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts, o.MaxBackoff = attempts, 2*time.Second
			})
		}),
		awsconfig.WithHTTPClient(awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
			t.ResponseHeaderTimeout = 30 * time.Second
		})),
		awsconfig.WithAppID("trailship"),
	}
	if b.Endpoint != "" {
		// Stores that are not AWS do not know the newer checksums.
		options = append(options, awsconfig.WithRequestChecksumCalculation(aws.RequestChecksumCalculationWhenRequired))
	}
	if b.Region != "" {
		options = append(options, awsconfig.WithRegion(b.Region))
	}
	if k := b.Credentials; k != nil {
		options = append(options, awsconfig.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(
			string(k.AccessKeyID), string(k.SecretAccessKey), string(k.SessionToken))))
	}
	settings, err := awsconfig.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return settings, fmt.Errorf("reading the AWS settings of the environment: %w", err)
	}
	if settings.Region == "" {
		settings.Region = or(regionOf(b.Endpoint), "us-east-1")
	}
	if b.AssumeRole != nil {
		settings.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(settings), b.AssumeRole.ARN,
			func(o *stscreds.AssumeRoleOptions) {
				o.RoleSessionName = "trailship"
				if id := string(b.AssumeRole.ExternalID); id != "" {
					o.ExternalID = &id
				}
			}))
	}
	return settings, nil
}

// regionInHost finds the region in the address of an Alibaba OSS endpoint.
var regionInHost = regexp.MustCompile(`(?:^|\.)oss-([a-z]+-[a-z0-9-]+?)(?:-internal)?\.aliyuncs\.com$`)

// regionOf is the region an endpoint is in, as far as its name says so.
func regionOf(endpoint string) string {
	if u, err := url.Parse(endpoint); err == nil {
		if m := regionInHost.FindStringSubmatch(u.Hostname()); m != nil {
			return m[1]
		}
	}
	return ""
}

// pathStyle says whether the bucket belongs into the path: everywhere but with
// AWS and Alibaba, which want it in the host's name.
func (b *bucket) pathStyle() bool {
	switch b.Addressing {
	case "path":
		return true
	case "host":
		return false
	}
	u, err := url.Parse(b.Endpoint)
	if err != nil || b.Endpoint == "" {
		return false
	}
	host := "." + u.Hostname()
	return !strings.HasSuffix(host, ".aliyuncs.com") && !strings.HasSuffix(host, ".amazonaws.com")
}

func checkEndpoint(text string) error {
	u, err := url.Parse(text)
	if text != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil) {
		return sdk.Invalidf("/endpoint", "must be a URL such as https://s3.example.com, without a user")
	}
	return nil
}
