// Package s3 is the source of objects in a bucket: of AWS, or of any store
// that speaks S3 (Alibaba OSS, MinIO and the like, by Endpoint).
package s3

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/trailship/trailship/core/source"
)

// Source is the objects of a bucket below a prefix. Set the fields, then use
// it as a source.Source; Scan and Wait must not overlap.
type Source struct {
	Name     string
	Bucket   string
	Prefix   string        // of the keys; "" is the whole bucket
	Region   string        // of the bucket; "" is what the environment says
	Endpoint string        // URL of an S3-compatible store; "" is AWS
	Include  []string      // doublestar globs of keys below Prefix; none means everything
	Exclude  []string      // they win over Include
	Poll     time.Duration // between listings; zero is a minute
	Start    time.Time     // objects last modified before it are not read; zero reads all

	AssumeRole  AssumeRole
	Credentials Credentials
	SQS         SQS

	Log     *slog.Logger     // nil is silence
	Metrics *Metrics         // nil counts unseen
	Now     func() time.Time // the wall clock; nil is time.Now
}

// AssumeRole is a role to take on before reading; the zero value is none.
type AssumeRole struct{ ARN, ExternalID string }

// Credentials is a static pair of keys; the zero value is the default chain of
// the SDK.
type Credentials struct{ AccessKeyID, SecretAccessKey string }

// SQS is a queue of notifications about new objects; the zero value is none.
type SQS struct {
	URL string
	// Endpoint is where the queue's service answers; "" is where URL points
	// to, unless that is AWS.
	Endpoint string
	// Visibility is for how long a received message is hidden from others; it
	// is extended while its objects are being read. Zero is 2 minutes.
	Visibility time.Duration
	// Wait is how long one receive waits for messages; zero is 20 s.
	Wait time.Duration
}

// Metrics counts what sources of this kind do.
type Metrics struct{}

// Scan implements source.Source.
func (s *Source) Scan(ctx context.Context, ledger source.Ledger, yield func(source.Object) error) error {
	return errors.New("not there yet")
}

// Wait implements source.Source.
func (s *Source) Wait(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// Queue is the notifications of a Source, as a source of its own under the
// same name and with the same ledger.
type Queue struct {
	*Source
}

// Queue returns the source of what SQS announces.
func (s *Source) Queue() *Queue { return &Queue{Source: s} }

// Finish implements source.Finisher.
func (q *Queue) Finish(ctx context.Context, o source.Object) error { return nil }
