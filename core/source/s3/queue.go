package s3

import (
	"context"

	"github.com/trailship/trailship/core/source"
)

type deliveries struct{}

func (d *deliveries) missed(o object, s *Source) bool { return false }

// Queue is the notifications of a Source, as a source of its own under the
// same name and with the same ledger.
type Queue struct {
	*Source
}

// Queue returns the source of what SQS announces.
func (s *Source) Queue() *Queue { return &Queue{Source: s} }

// Finish implements source.Finisher.
func (q *Queue) Finish(ctx context.Context, o source.Object) error { return nil }
