package s3

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// attempts is how often a request is made before it counts as failed; the
// SDK's retryer waits longer and longer between them.
const attempts = 5

// pageTimeout bounds one request for a page, its retries included.
const pageTimeout = 3 * time.Minute

// client is a bucket behind the S3 API.
type client struct {
	*Source
	api *s3.Client
}

// connect returns the bucket, connecting to it when that was not done yet.
func (s *Source) connect(ctx context.Context) (bucket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bucket != nil {
		return s.bucket, nil
	}
	cfg, err := s.awsConfig(ctx)
	if err != nil {
		return nil, err
	}
	c := &client{Source: s, api: s.newClient(cfg)}
	if s.Region == "" && s.Endpoint == "" {
		// Nobody said where the bucket is. It says so itself.
		if found := c.region(ctx); found != "" && found != cfg.Region {
			cfg.Region = found
			c.api = s.newClient(cfg)
		}
	}
	s.bucket = c
	return c, nil
}

// awsConfig is what S3, SQS and STS have in common: who we are, and how often
// to try.
func (s *Source) awsConfig(ctx context.Context) (aws.Config, error) {
	options := []func(*config.LoadOptions) error{
		config.WithRetryer(func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts, o.MaxBackoff = attempts, 3*time.Second
			})
		}),
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTransportOptions(transport)),
		// Stores that are not AWS do not know the newer checksums.
		config.WithRequestChecksumCalculation(aws.RequestChecksumCalculationWhenRequired),
		config.WithResponseChecksumValidation(aws.ResponseChecksumValidationWhenRequired),
		config.WithAppID("trailship"),
	}
	if s.Region != "" {
		options = append(options, config.WithRegion(s.Region))
	}
	if c := s.Credentials; c.AccessKeyID != "" {
		options = append(options, config.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken)))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return cfg, fmt.Errorf("reading the AWS settings of the environment: %w", err)
	}
	if s.Region == "" && s.Endpoint != "" {
		cfg.Region = regionOf(s.Endpoint, cfg.Region)
	}
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	if s.AssumeRole.ARN != "" {
		cfg.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), s.AssumeRole.ARN,
			func(o *stscreds.AssumeRoleOptions) {
				o.RoleSessionName = "trailship"
				if s.AssumeRole.ExternalID != "" {
					o.ExternalID = aws.String(s.AssumeRole.ExternalID)
				}
			}))
	}
	return cfg, nil
}

// regionInHost finds the region in the address of an Alibaba OSS endpoint.
var regionInHost = regexp.MustCompile(`(?:^|\.)oss-([a-z]+-[a-z0-9-]+?)(?:-internal)?\.aliyuncs\.com$`)

// regionOf is the region to sign for when none is configured.
func regionOf(endpoint, otherwise string) string {
	if u, err := url.Parse(endpoint); err == nil {
		if m := regionInHost.FindStringSubmatch(u.Hostname()); m != nil {
			return m[1]
		}
	}
	return otherwise
}

func (s *Source) newClient(cfg aws.Config) *s3.Client {
	return s3.NewFromConfig(cfg, func(o *s3.Options) {
		if s.Endpoint != "" {
			o.BaseEndpoint = aws.String(s.Endpoint)
			o.UsePathStyle = pathStyle(s.Endpoint)
		}
		o.DisableLogOutputChecksumValidationSkipped = true
	})
}

// pathStyle says whether the bucket belongs into the path: everywhere but with
// AWS and Alibaba, which want it in the host's name.
func pathStyle(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return true
	}
	host := "." + u.Hostname()
	return !strings.HasSuffix(host, ".aliyuncs.com") && !strings.HasSuffix(host, ".amazonaws.com")
}

// region asks in which region the bucket is; "" is no answer.
func (c *client) region(ctx context.Context) string {
	out, err := c.api.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &c.Bucket})
	if err != nil {
		return regionIn(err)
	}
	return aws.ToString(out.BucketRegion)
}

func (c *client) list(ctx context.Context, prefix, after string, folders bool) iter.Seq2[page, error] {
	// A key may hold what XML cannot, and one such key would hide all others.
	in := &s3.ListObjectsV2Input{Bucket: &c.Bucket, Prefix: &prefix, EncodingType: types.EncodingTypeUrl}
	if after != "" {
		in.StartAfter = &after
	}
	if folders {
		in.Delimiter = aws.String("/")
	}
	return func(yield func(page, error) bool) {
		pages := s3.NewListObjectsV2Paginator(c.api, in)
		course := course{prefix: prefix}
		for pages.HasMorePages() {
			p, err := c.page(ctx, pages)
			if err == nil {
				if p, err = course.next(p); err != nil {
					err = fmt.Errorf("listing %s: %w", c.url(prefix), err)
				}
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

func (c *client) page(ctx context.Context, pages *s3.ListObjectsV2Paginator) (p page, err error) {
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	c.Metrics.lists(c.Name, 1)
	out, err := pages.NextPage(ctx)
	if err != nil {
		return p, c.explain(ctx, listing, c.Prefix, err)
	}
	encoded := out.EncodingType == types.EncodingTypeUrl
	for _, o := range out.Contents {
		found := objectOf(o)
		if found.key = decoded(found.key, encoded); len(found.key) > maxKey {
			c.log().Warn("an object is passed over: its key is too long", "source", c.Name, "bytes", len(found.key), "key", found.key[:200])
			continue
		}
		p.objects = append(p.objects, found)
	}
	for _, f := range out.CommonPrefixes {
		p.folders = append(p.folders, decoded(aws.ToString(f.Prefix), encoded))
	}
	return p, nil
}

// decoded is a key as it is, which a listing may have encoded.
func decoded(key string, encoded bool) string {
	if !encoded {
		return key
	}
	if plain, err := url.QueryUnescape(key); err == nil {
		return plain
	}
	return key
}

func objectOf(o types.Object) object {
	found := object{
		key:      aws.ToString(o.Key),
		version:  versionOf(aws.ToString(o.ETag)),
		size:     aws.ToInt64(o.Size),
		modified: aws.ToTime(o.LastModified),
	}
	if found.version == "" {
		found.version = fmt.Sprintf("%s%d-%d", unversioned, found.size, found.modified.Unix())
	}
	return found
}

// unversioned begins the version of an object whose store gives it no ETag.
const unversioned = "~"

// versionOf is an ETag in one spelling: stores differ in case and in quotes.
func versionOf(etag string) string {
	etag = strings.TrimPrefix(strings.TrimSpace(etag), "W/")
	return strings.ToLower(strings.Trim(etag, `"`))
}

func (c *client) get(ctx context.Context, o object, offset int64) (io.ReadCloser, error) {
	in := &s3.GetObjectInput{Bucket: &c.Bucket, Key: &o.key}
	if offset > 0 {
		in.Range = aws.String("bytes=" + strconv.FormatInt(offset, 10) + "-")
	}
	out, err := c.api.GetObject(ctx, in)
	if err != nil {
		return nil, c.explain(ctx, reading, o.key, err)
	}
	if etag := versionOf(aws.ToString(out.ETag)); etag != "" && etag != o.version && !strings.HasPrefix(o.version, unversioned) {
		out.Body.Close()
		return nil, fmt.Errorf("opening %s: it changed after it was listed: %w", c.url(o.key), fs.ErrNotExist)
	}
	if offset > 0 && out.ContentRange == nil { // a store that begins at the start whatever one asks for
		if _, err := io.CopyN(io.Discard, out.Body, offset); err != nil {
			out.Body.Close()
			return nil, c.explain(ctx, reading, o.key, err)
		}
	}
	return out.Body, nil
}

func (c *client) head(ctx context.Context, key string) (object, error) {
	out, err := c.api.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &c.Bucket, Key: &key})
	if err != nil {
		return object{}, c.explain(ctx, reading, key, err)
	}
	return objectOf(types.Object{Key: &key, ETag: out.ETag, Size: out.ContentLength, LastModified: out.LastModified}), nil
}

// url is what people call an object.
func (s *Source) url(key string) string { return "s3://" + s.Bucket + "/" + key }
