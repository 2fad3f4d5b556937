// Package s3 is the output that writes alerts as objects of a bucket: lines of
// JSON, or Parquet as Amazon Security Lake wants it of a custom source. A batch
// is acknowledged when every object made of it was.
package s3

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/trailship/trailship/plugins/sdk"
)

// Serve is the plugin's main function.
func Serve() {
	sdk.Serve("s3", func(_ context.Context, c config) (sdk.Output, error) { return c.open() })
}

type config struct {
	Bucket      string        `json:"bucket" required:"true" doc:"The bucket"`
	Format      string        `json:"format" enum:"ndjson,parquet" default:"ndjson" doc:"What an object is: lines of JSON, gzipped, or Parquet"`
	Prefix      string        `json:"prefix" default:"trailship/eventDay={day}/" doc:"What keys begin with; {day}, {hour}, {account}, {region}, {severity} and {rule} stand for the alert's"`
	Region      string        `json:"region" doc:"The bucket's region. Default: AWS_REGION of env, else us-east-1"`
	Endpoint    string        `json:"endpoint" doc:"The address of a store that speaks S3. Default: AWS"`
	Addressing  string        `json:"addressing" enum:"auto,path,host" default:"auto" doc:"Where the bucket stands in a request; auto is the path with an endpoint that is not of AWS or Alibaba"`
	Credentials *keys         `json:"credentials" doc:"A static pair. Default: the SDK's chain"`
	AssumeRole  *role         `json:"assume_role" doc:"A role to take on before writing"`
	Encryption  string        `json:"encryption" enum:"AES256,aws:kms" doc:"Ask for this encryption. Default: the bucket's own"`
	KMSKey      string        `json:"kms_key" doc:"The key of aws:kms. Default: the account's key for S3"`
	Concurrency int           `json:"concurrency" default:"4" doc:"Objects written at the same time, of one batch"`
	Timeout     time.Duration `json:"timeout" default:"45s" doc:"Of one batch"`
}

// open reads the configuration; nobody is called.
func (c config) open() (sdk.Output, error) {
	prefix, err := parsePrefix(or(c.Prefix, "trailship/eventDay={day}/"))
	errs := []error{err, checkEndpoint(c.Endpoint)}
	if strings.Contains(c.Bucket, "/") && !strings.HasPrefix(c.Bucket, "arn:") {
		errs = append(errs, sdk.Invalidf("/bucket", "must be the name alone; what keys begin with is prefix"))
	}
	if c.KMSKey != "" && c.Encryption != string(types.ServerSideEncryptionAwsKms) {
		errs = append(errs, sdk.Invalidf("/kms_key", "needs encryption: aws:kms"))
	}
	if c.Concurrency < 0 {
		errs = append(errs, sdk.Invalidf("/concurrency", "must not be negative"))
	}
	c.Concurrency = or(c.Concurrency, 4)
	c.Timeout = or(c.Timeout, 45*time.Second)
	return &bucket{config: c, prefix: prefix, format: formats[or(c.Format, "ndjson")]}, errors.Join(errs...)
}

// bucket is the Output.
type bucket struct {
	config
	prefix prefix
	format format

	api *s3.Client // nil before the first batch
}

// Deliver writes the alerts as one object for each prefix among them, several
// at a time.
func (b *bucket) Deliver(ctx context.Context, alerts []sdk.Alert) error {
	ctx, cancel := context.WithTimeout(ctx, b.Timeout)
	defer cancel()
	if err := b.connect(ctx); err != nil {
		return err
	}
	parts, failed := b.split(alerts)
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(b.Concurrency)
	for _, p := range parts {
		group.Go(func() error {
			wrong := b.write(ctx, p)
			mu.Lock()
			defer mu.Unlock()
			maps.Copy(failed, wrong)
			return nil
		})
	}
	group.Wait()
	if len(failed) == 0 {
		return nil
	}
	return failed
}

// write makes an object of a part, and names the alerts it could not write. A
// part that is too large for the store is written as two, until one alert is
// alone.
func (b *bucket) write(ctx context.Context, p part) sdk.Failed {
	body, failed := b.format.encode(&p)
	if len(p.alerts) == 0 {
		return failed
	}
	err := b.put(ctx, p.key(b.format), body)
	switch {
	case err == nil:
		return failed
	case tooLarge(err) && len(p.alerts) > 1:
		half := len(p.alerts) / 2
		maps.Copy(failed, b.write(ctx, part{prefix: p.prefix, alerts: p.alerts[:half]}))
		maps.Copy(failed, b.write(ctx, part{prefix: p.prefix, alerts: p.alerts[half:]}))
		return failed
	}
	err = b.explain(p.prefix, err)
	for _, a := range p.alerts {
		failed[a.ID] = err
	}
	return failed
}

// put writes one object, whole or not at all.
func (b *bucket) put(ctx context.Context, key string, body []byte) error {
	in := &s3.PutObjectInput{
		Bucket: &b.Bucket, Key: &key, Body: bytes.NewReader(body), ContentType: aws.String(b.format.contentType),
		ServerSideEncryption: types.ServerSideEncryption(b.Encryption),
	}
	if b.KMSKey != "" {
		in.SSEKMSKeyId = &b.KMSKey
	}
	_, err := b.api.PutObject(ctx, in)
	return err
}

// Close does nothing: every acknowledged object is in the bucket.
func (b *bucket) Close() error { return nil }

// or returns v, or fallback when v is zero.
func or[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}
